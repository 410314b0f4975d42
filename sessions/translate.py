"""The library's event objects into our records: pure and total, an unknown or odd one becomes `Unrecognised`.

Owns the reading of neonize 0.5.2's protobuf messages by their field names. It must never import the library: whoever
holds the compiled classes passes parsed objects, or parsers. Numbers are the library's event numbers (neonize
events.py). Read `translate_messages.py` next for what people write, `translate_history.py` for past chats,
`translate_around.py` for groups, presence and calls, `translate_frames.py` for the finished JSON, `texts.py` for what
comes as text.
"""

# ruff: noqa: PLC0414 - the aliases re-export: callers know one module
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from sessions import kinds, model, people, texts, translate_around, translate_history, translate_messages
from sessions.model import Account, SessionEvent
from sessions.translate_frames import frame_data as frame_data
from sessions.translate_frames import header as header

NEVER_SPOOLED = frozenset({1, 45})
"""Event numbers whose payload is a pairing secret: QR codes and RotateADVSecret."""

TRANSIENT = frozenset({19, 20})
"""Event numbers of presence: handed over, never spooled."""

Parsers = Mapping[int, Callable[[bytes], object]]
"""`FromString` of the compiled class of each event number."""

_ODD = (AttributeError, TypeError, ValueError, LookupError, ArithmeticError, DecodeError)
"""What touching an unexpected shape can raise: a missing field, another type, a text that is no UTF-8, a bad number."""


# --- entry points --------------------------------------------------------------------------------------------


def translate(kind: int, message: Any, known: Account | None) -> SessionEvent:
    """Translate one event of the library; never raises.

    Args:
        kind: the library's event number.
        message: the parsed protobuf object of that number.
        known: the session's account as far as it is known (see `learn`). `Connected` needs one: without, as when a
            dead worker's spool begins in the middle, that event is a `ProtocolNote`.
    """
    reader = _READERS.get(kind)
    if reader is None:
        return model.Unrecognised(kind)
    try:
        return reader(message, known)
    except _ODD:
        return model.Unrecognised(kind)


def learn(kind: int, message: Any, known: Account | None) -> Account | None:
    """Return the account as known after this event: `Device` (0) and `PairStatus` (2) tell it. Never raises."""
    try:
        if kind == 0:
            return people.account(message.JID, message.LID, message.PushName) or known
        if kind == 2 and message.Status == 2:
            paired = people.account(message.ID, None, None)
            # Device comes first and tells the LID as well, which PairStatus doesn't.
            return known if paired is None or (known is not None and known.jid == paired.jid) else paired
    except _ODD:
        return known
    return known


def from_raw(kind: int, raw: bytes, parsers: Parsers, known: Account | None) -> tuple[SessionEvent, Account | None]:
    """Translate one spooled event, the library's or our own; never raises.

    Returns:
        The event, and the account as known after it: pass it on with the next event of the incarnation.
    """
    if kind < 0:
        return _own(kind, raw), known
    parse = parsers.get(kind)
    if parse is None:
        return model.Unrecognised(kind), known
    try:
        message = parse(raw)
    except _ODD:
        return model.Unrecognised(kind), known
    known = learn(kind, message, known)
    return translate(kind, message, known), known


# --- our own kinds -------------------------------------------------------------------------------------------

_events: msgspec.msgpack.Decoder[SessionEvent] = msgspec.msgpack.Decoder(SessionEvent)


def _own(kind: int, raw: bytes) -> SessionEvent:
    try:
        if kind == kinds.LOGIN_STATUS:
            return texts.login_status(raw.decode())
        if kind in {kinds.SEND_FINISHED, kinds.SIMULATED, kinds.TASK_ENDED, kinds.GROUP_KNOWN}:
            return _events.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return model.Unrecognised(kind)
    return model.Unrecognised(kind)


# --- readers, one per event number ---------------------------------------------------------------------------

_REFUSALS = {1: 400, 2: 401, 3: 402, 4: 403, 5: 406, 6: 405, 7: 409, 8: 500, 9: 501, 10: 503}
"""neonize's ConnectFailureReason to WhatsApp's number (neonize encoder.go, whatsmeow events.go)."""
_LOGOUTS: dict[int, model.LogoutReason] = {2: "unlinked_on_phone", 4: "main_device_gone", 5: "account_banned"}
_BANS = {1: 101, 2: 102, 3: 103, 4: 104, 5: 106}
_RECEIPTS: dict[int, model.ReceiptKind] = {
    1: "delivered", 2: "sender", 3: "retry", 4: "read", 5: "read", 6: "played", 7: "played", 8: "server_error",
    9: "inactive",
}  # fmt: skip
_RECEIPT_READ_SELF, _RECEIPT_PLAYED_SELF, _RECEIPT_SERVER_ERROR = 5, 7, 8
_RECEIPT_PEER = frozenset({10, 11})


def _pair_status(message: Any, known: Account | None) -> SessionEvent:
    if message.Status != 2:
        return model.PairFailed(texts.harmless(str(message.Error)))
    account = people.account(message.ID, None, None)
    if account is None:
        raise ValueError("paired without an account")
    return model.PairSucceeded(known if known is not None and known.jid == account.jid else account)


def _connected(_: Any, known: Account | None) -> SessionEvent:
    return model.Connected(known) if known is not None else model.ProtocolNote("connected")


def _logged_out(message: Any, _: Account | None) -> SessionEvent:
    return model.LoggedOut(bool(message.OnConnect), _LOGOUTS.get(int(message.Reason), "other"))


def _banned(message: Any, _: Account | None) -> SessionEvent:
    expires = int(message.Expire)
    return model.TemporarilyBanned(_BANS.get(int(message.Code), 0), expires if expires > 0 else None)


def _receipt(message: Any, known: Account | None) -> SessionEvent:
    number = int(message.Type)
    if number in _RECEIPT_PEER:
        return model.ProtocolNote("peer_receipt")
    source = message.MessageSource
    from_me = bool(source.IsFromMe) or number in {_RECEIPT_READ_SELF, _RECEIPT_PLAYED_SELF}
    kind = _RECEIPTS.get(number, "other")
    if number == _RECEIPT_SERVER_ERROR and from_me:
        # The encoder writes played-self under this number (neonize encoder.go).
        kind = "played"
    chat, chat_pn, sender, _ = people.place(source, known)
    ids = tuple(str(message_id) for message_id in message.MessageIDs)
    return model.ReceiptReceived(chat, chat_pn, sender, ids, kind, from_me, texts.to_ms(int(message.Timestamp)))


def _undecryptable(message: Any, known: Account | None) -> SessionEvent:
    chat, _, sender, _ = people.place(message.Info.MessageSource, known)
    return model.Undecryptable(chat, sender, str(message.Info.ID))


_READERS: dict[int, Callable[[Any, Account | None], SessionEvent]] = {
    0: lambda _, __: model.ProtocolNote("device"),
    1: lambda _, __: model.ProtocolNote("qr"),
    2: _pair_status,
    3: _connected,
    4: lambda message, _: model.KeepaliveTimeout(int(message.ErrorCount)),
    5: lambda _, __: model.KeepaliveRestored(),
    6: _logged_out,
    7: lambda _, __: model.StreamReplaced(),
    8: _banned,
    9: lambda message, _: model.ConnectFailed(_REFUSALS.get(int(message.Reason), 0)),
    10: lambda _, __: model.ClientOutdated(),
    11: lambda message, _: model.StreamError(texts.harmless(str(message.Code))),
    12: lambda _, __: model.Disconnected(),
    translate_history.KIND: translate_history.history,
    17: translate_messages.message,
    18: _receipt,
    19: translate_around.chat_state,
    20: translate_around.presence,
    21: translate_around.joined,
    22: translate_around.group_changed,
    26: lambda message, _: model.OfflineSync(int(message.Total), done=False),
    27: lambda message, _: model.OfflineSync(int(message.Count), done=True),
    36: translate_around.call_offer,
    37: translate_around.call_accepted,
    40: translate_around.call_notice,
    42: translate_around.call_ended,
    44: _undecryptable,
    45: lambda _, __: model.SecretRotated(),
}
