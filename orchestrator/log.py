"""Structured logs: one line per fact, console for people at a terminal, JSON otherwise; secrets are masked at the door.

Owns the set-up and the masking. Nothing here knows what is logged. Field names are camelCase where users see the same
field on the wire.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_QR = re.compile(r"(https://wa\.me/settings/linked_devices#\S+|2@\S{20,})")
_CODE = re.compile(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b")
_PHONE = re.compile(r"(?<![\w.:-])\+?\d{8,15}(?=(?::\d+)?@|(?![\w.:-]))")
_CREDENTIALS = re.compile(r"(\w+://)[^/\s@]+@")

_NEVER = frozenset({"token", "qr", "code_shown", "text", "body", "proxy", "cookie", "authorization", "pairing_code"})
"""Keys whose values are never shown, whatever they hold."""


def mask(text: str) -> str:
    """Replace tokens, QR and pairing codes, credentials and phone numbers in a text by marks.

    The last line of defence: callers pass ids and codes, not texts of others.
    """
    text = _JWT.sub("[token]", text)
    text = _QR.sub("[qr]", text)
    text = _CREDENTIALS.sub(r"\1[credentials]@", text)
    text = _CODE.sub("[pairing code]", text)
    return _PHONE.sub(lambda match: f"…{match[0][-2:]}", text)


def _masked(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in line.items():
        if key.lower() in _NEVER:
            line[key] = "[hidden]"
        elif isinstance(value, str) and key not in {"timestamp", "level"}:
            line[key] = mask(value)
        elif isinstance(value, list | tuple):
            line[key] = [mask(item) if isinstance(item, str) else item for item in value]
    return line


class _Stderr:
    """Where lines go. A full disk or a closed terminal costs lines, and never reaches the code that logs."""

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def set_up(form: str = "auto", level: str = "info") -> None:
    """Configure logs for this process; `auto` is console at a terminal, else JSON. Writes to stderr."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    number = {"debug": 10, "info": 20, "warning": 30, "error": 40}[level]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _masked,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,
    )
    # Libraries that log payloads (socket.io, aiohttp's access log) stay silent; their warnings come through masked.
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_mask_record)
    logging.basicConfig(
        level=logging.WARNING, handlers=[handler], force=True, format="%(levelname)s %(name)s %(message)s"
    )
    for name in ("socketio", "engineio", "aiohttp.access", "urllib3.connectionpool"):
        logging.getLogger(name).disabled = True


def _mask_record(record: logging.LogRecord) -> bool:
    """Mask a library's line and its traceback. A request that is no HTTP is dropped: its sender is told, and the library
    would show the very bytes, which may be a header with a token."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        if any(kind.__name__ == "HttpProcessingError" for kind in type(error).__mro__):
            return False
        record.exc_text = mask(logging.Formatter().formatException((type(error), error, error.__traceback__)))
    record.msg, record.args = mask(record.getMessage()), None
    return True
