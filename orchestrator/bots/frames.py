"""`data` of `whatsapp_connection_event` frames, by event. Pure and total.

Owns those shapes; camelCase, as users get them. It must never know a bot's state. Read `content.py` for messages.
"""

from __future__ import annotations

from sessions import model
from sessions.lifecycle import Park, Verdict


def frame_data(event: model.SessionEvent, verdict: Verdict, at_ms: int) -> dict[str, object]:
    """Return the frame's `data`; events whose type says it all have none."""
    match event:
        case model.PairFailed(cause=cause):
            return {"code": cause}
        case model.Connected(account=account) | model.PairSucceeded(account=account):
            return {"account": account}
        case model.KeepaliveTimeout(error_count=count):
            return {"errorCount": count}
        case model.StreamError(code=code):
            row = verdict.row
            return {"code": code, "expected": row.expected, "text": row.meaning, "next": row.retries}
        case model.LoggedOut(reason=reason):
            return {"reason": reason}
        case model.TemporarilyBanned(code=code):
            seconds = verdict.next.until_in_s if isinstance(verdict.next, Park) else 0.0
            return {"code": code, "until": at_ms + round(seconds * 1000)}
        case model.ConnectFailed(reason=number):
            # 0: the library could not name WhatsApp's number, and a number nobody sent is not told.
            return {"reason": number or "unknown"}
        case model.KeysMissing():
            return {"reason": "keys_missing"}
        case model.OfflineSync(count=count, done=done):
            return {"count": count, "done": done}
        case _:
            return {}


def stream_error_label(code: str) -> str:
    """Return a metric label for a stream error's code: what WhatsApp sends is not trusted to be a short number."""
    return code if code.isascii() and code.isdecimal() and len(code) == 3 else "other"
