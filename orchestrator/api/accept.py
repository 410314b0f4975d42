"""What a caller wants back: the Accept header (RFC 9110, 12.5.1). Pure. Read `routes_bots.py` for who asks."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import Refused


def wanted(header: str | None, forms: Mapping[str, str]) -> str:
    """Return what the caller likes best of what is on offer. Refuses `not_acceptable`.

    Args:
        header: The Accept header; None wants anything.
        forms: What is on offer, by the names and ranges that ask for it (`*/*` among them).
    """
    for form in _by_preference("*/*" if header is None else header):
        if form in forms:
            return forms[form]
    raise Refused("not_acceptable")


def _by_preference(accept: str) -> list[str]:
    """Media types, the most wanted first; a weight of 0 is "not this"."""
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        form, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [text.removeprefix("q=") for text in parameters if text.startswith("q=")]
        try:
            found.append((float(weights[0]) if weights else 1.0, form))
        except ValueError:
            continue
    return [form for weight, form in sorted(found, key=lambda pair: -pair[0]) if weight > 0]
