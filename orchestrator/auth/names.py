"""How people of another issuer are called here: their own id where it is an identifier, else a stable stand-in.

Pure. Owns the mapping and nothing else: it must never know a token. Ids of this server match `[A-Za-z0-9_-]{1,64}` and
stand in paths, logs and keys; issuers use others too (Auth0's `auth0|abc`, addresses, phone numbers). The stand-in is a
digest, so that no two people ever share one, nobody can choose one, and no address or number gets into a log. Read
`issuer.py` next.
"""

from __future__ import annotations

import base64
import hashlib
import re

OPERATOR = "local"
"""The user made at first start; an operator, so no issuer's user may have that id."""
NAME_MAX_CHARS = 255
"""Longest `sub` an issuer may use (OpenID Connect Core 1.0, section 2; Firebase uids have at most 128)."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STAND_IN = re.compile(r"x-[a-z2-7]{32}")
_DIGEST_BYTES = 20


def is_user_id(text: str) -> bool:
    """Tell whether a text is an id as this server uses them."""
    return _ID.fullmatch(text) is not None


def user_id(name: str) -> str | None:
    """Return the id of the person an issuer calls `name`; None when that cannot be anybody's name.

    Different names have different ids: a name that is a stand-in's form, or the operator's id, gets a stand-in itself.
    """
    if is_user_id(name) and name != OPERATOR and not _STAND_IN.fullmatch(name):
        return name
    if not 0 < len(name) <= NAME_MAX_CHARS:
        return None
    try:
        raw = name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        return None
    digest = hashlib.sha256(raw).digest()[:_DIGEST_BYTES]
    return "x-" + base64.b32encode(digest).decode().lower()


def meant(text: str) -> str | None:
    """Return the id of the user an operator means: an id of this server as it is, anything else as an issuer's name."""
    return text if is_user_id(text) else user_id(text)
