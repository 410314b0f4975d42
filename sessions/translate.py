"""The library's event objects into our records: pure and total, an unknown or odd one becomes `Unrecognised`.

Owns the reading of neonize 0.5.2's protobuf messages by their field names, and the finished JSON of what users see
whole. It must never import the library: whoever holds the compiled classes passes parsed objects, or parsers. Numbers
are the library's event numbers (neonize events.py). Read `texts.py` next for what comes as text, `model.py` for the
records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from sessions import kinds, model, texts
from sessions.model import GROUP_SERVER, LID_SERVER, USER_SERVER, Account, Jid, SessionEvent

NEVER_SPOOLED = frozenset({1, 45})
"""Event numbers whose payload is a pairing secret: QR codes and RotateADVSecret."""

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
            return _account(message.JID, message.LID, message.PushName) or known
        if kind == 2 and message.Status == 2:
            paired = _account(message.ID, None, None)
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


def header(event: SessionEvent) -> SessionEvent:
    """Return the event without what only the owner may see (message bodies); it travels beside `frame_data`."""
    if isinstance(event, model.MessageReceived) and event.content is not None:
        return msgspec.structs.replace(event, content=None)
    return event


def frame_data(event: SessionEvent) -> bytes:
    """Return the finished JSON `data` of a `message_sync` frame; empty for what the mailbox makes from the header.

    Needs the event with its body, before `header`.
    """
    match event:
        case model.MessageReceived():
            return _json.encode(_message_data(event))
        case model.ReceiptReceived():
            return _json.encode(
                _ReceiptData(
                    event.chat, event.chat_pn, event.sender, event.message_ids, event.kind, event.from_me, event.at_ms
                )
            )
        case model.Undecryptable():
            return _json.encode(_UndecryptableData(event.chat, event.sender, event.message_id))
        case _:
            return b""


# --- finished JSON -------------------------------------------------------------------------------------------

_json = msgspec.json.Encoder()


class _MessageData(msgspec.Struct, frozen=True, rename="camel"):
    chat: str
    chat_pn: str | None
    sender: str
    sender_pn: str | None
    from_me: bool
    message_id: str
    kind: str
    push_name: str | None
    sent_at: int
    text: str | msgspec.UnsetType = msgspec.UNSET
    mentions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    quoted: model.Quoted | msgspec.UnsetType = msgspec.UNSET


class _ReceiptData(msgspec.Struct, frozen=True, rename="camel"):
    chat: str
    chat_pn: str | None
    sender: str
    message_ids: tuple[str, ...]
    kind: str
    from_me: bool
    at: int


class _UndecryptableData(msgspec.Struct, frozen=True, rename="camel"):
    chat: str
    sender: str
    message_id: str


def _message_data(event: model.MessageReceived) -> _MessageData:
    content = event.content or model.Content()
    return _MessageData(
        event.chat,
        event.chat_pn,
        event.sender,
        event.sender_pn,
        event.from_me,
        event.message_id,
        event.kind,
        content.push_name,
        event.sent_at_ms,
        text=msgspec.UNSET if content.text is None else content.text,
        mentions=content.mentions or msgspec.UNSET,
        quoted=content.quoted or msgspec.UNSET,
    )


# --- our own kinds -------------------------------------------------------------------------------------------

_events: msgspec.msgpack.Decoder[SessionEvent] = msgspec.msgpack.Decoder(SessionEvent)


def _own(kind: int, raw: bytes) -> SessionEvent:
    try:
        if kind == kinds.LOGIN_STATUS:
            return texts.login_status(raw.decode())
        if kind in {kinds.SEND_FINISHED, kinds.SIMULATED, kinds.TASK_ENDED}:
            return _events.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return model.Unrecognised(kind)
    return model.Unrecognised(kind)


# --- people --------------------------------------------------------------------------------------------------


def _jid(proto: Any) -> Jid | None:
    """A library JID; None for the empty one."""
    user, server = str(proto.User), str(proto.Server)
    return Jid(user, server, int(proto.Device)) if server else None


def _account(jid: Any, lid: Any, push_name: Any) -> Account | None:
    phone = _jid(jid)
    if phone is None or not phone.user:
        return None
    hidden = _jid(lid) if lid is not None else None
    known_lid = str(hidden) if hidden is not None and hidden.user else None
    return Account(str(phone), known_lid, phone.user, str(push_name) if push_name else None)


def _forms(jid: Jid | None, other: Jid | None, known: Account | None) -> tuple[str, str | None]:
    """(canonical form, phone form if known) of one person or group, without devices."""
    if jid is None:
        raise ValueError("no address")
    pair = [form.bare for form in (jid, other) if form is not None and form.user]
    if known is not None and known.lid is not None:
        own_phone, own_lid = Jid.parse(known.jid).bare, Jid.parse(known.lid).bare
        if own_phone in pair or own_lid in pair:
            pair += [own_lid, own_phone]
    canonical = next((form for form in pair if form.server == LID_SERVER), jid.bare)
    phone = next((form for form in pair if form.server == USER_SERVER), None)
    return str(canonical), str(phone) if phone is not None else None


def _place(source: Any, known: Account | None) -> tuple[str, str | None, str, str | None]:
    """(chat, chat's phone form, sender, sender's phone form) of a MessageSource (whatsmeow types/message.go)."""
    chat, sender = _jid(source.Chat), _jid(source.Sender)
    if source.IsGroup or (chat is not None and chat.server == GROUP_SERVER):
        place: tuple[str, str | None] = (str(chat), None) if chat is not None else _forms(None, None, None)
    else:
        # A direct chat is named after its other side: the recipient's other form is told for our own messages only.
        other = _jid(source.RecipientAlt if source.IsFromMe else source.SenderAlt)
        place = _forms(chat, other, known)
    return *place, *_forms(sender or chat, _jid(source.SenderAlt), known)


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
    account = _account(message.ID, None, None)
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
    chat, chat_pn, sender, _ = _place(source, known)
    ids = tuple(str(message_id) for message_id in message.MessageIDs)
    return model.ReceiptReceived(chat, chat_pn, sender, ids, kind, from_me, texts.to_ms(int(message.Timestamp)))


def _undecryptable(message: Any, known: Account | None) -> SessionEvent:
    chat, _, sender, _ = _place(message.Info.MessageSource, known)
    return model.Undecryptable(chat, sender, str(message.Info.ID))


_CARRIERS = frozenset({"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage",
                       "messageContextInfo", "groupRootKeyShare", "rootSecretDistributeMessage",
                       "stickerSyncRmrMessage"})  # fmt: skip
"""Parts of a message that carry keys or bookkeeping, nothing a person wrote."""
_PROTOCOL_FOR_PEOPLE = frozenset({0, 3, 14})
"""ProtocolMessage types people see the effect of: revoke, disappearing messages, edit."""


def _message(message: Any, known: Account | None) -> SessionEvent:
    body, info = message.Message, message.Info
    fields = {field.name for field, _ in body.ListFields()} - _CARRIERS
    if fields <= {"protocolMessage"}:
        if not fields:
            return model.ProtocolNote("sender_key" if body.HasField("senderKeyDistributionMessage") else "empty")
        if int(body.protocolMessage.type) not in _PROTOCOL_FOR_PEOPLE:
            return model.ProtocolNote("protocol")
    if str(info.Category) == "peer":
        return model.ProtocolNote("peer")
    chat, chat_pn, sender, sender_pn = _place(info.MessageSource, known)
    edited = bool(message.IsEdit) or "editedMessage" in fields
    kind, content = ("unrecognised", model.Content()) if edited else _content(body, fields)
    return model.MessageReceived(
        chat,
        chat_pn,
        sender,
        sender_pn,
        bool(info.MessageSource.IsFromMe),
        str(info.ID),
        "text" if kind == "text" else "unrecognised",
        texts.to_ms(int(info.Timestamp)),
        msgspec.structs.replace(content, push_name=str(info.Pushname) or None),
    )


def _content(body: Any, fields: set[str]) -> tuple[str, model.Content]:
    if "conversation" in fields:
        return "text", model.Content(text=str(body.conversation))
    if "extendedTextMessage" not in fields:
        return "unrecognised", model.Content()
    extended = body.extendedTextMessage
    context = extended.contextInfo
    mentions = tuple(_plain(str(jid)) for jid in context.mentionedJID)
    quoted_id, participant = str(context.stanzaID), str(context.participant)
    quoted = model.Quoted(quoted_id, _plain(participant) if participant else None) if quoted_id else None
    return "text", model.Content(text=str(extended.text), mentions=mentions, quoted=quoted)


def _plain(address: str) -> str:
    """A JID out of a message body, which anybody can fill with anything: without its device when it is one."""
    try:
        return str(Jid.parse(address).bare)
    except ValueError:
        return address


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
    17: _message,
    18: _receipt,
    26: lambda message, _: model.OfflineSync(int(message.Total), done=False),
    27: lambda message, _: model.OfflineSync(int(message.Count), done=True),
    44: _undecryptable,
    45: lambda _, __: model.SecretRotated(),
}
