"""What events make of stored messages: a new one, its edits, its end, reactions, and how far an own one has come.

Owns the fold that every back end runs inside the transaction of the event; no I/O of its own. The order in which things
come does not matter: what is told of a message that is not there yet waits for it. A body is read no further than that.
Read `messages.py` for the records, `message_rows.py` for the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from operator import attrgetter

import msgspec

from orchestrator.bus.messages import Kept, Row, Table
from orchestrator.bus.places import FIRST_PAST
from orchestrator.model import Event

Doc = dict[str, msgspec.Raw]
"""A message's `data`: members are replaced whole, the others stay as they came."""


class _Place(msgspec.Struct, rename="camel", kw_only=True):
    """Whose message or change it is, and in which chat."""

    chat: str
    chat_pn: str | None = None
    sender: str = ""
    sender_pn: str | None = None
    from_me: bool = False


class _Message(_Place, rename="camel", kw_only=True):
    """`data` of a message, as far as it is read here."""

    sent_at: int
    message_id: str | None = None
    state: str | None = None
    edited_at: int | None = None
    revoked_at: int | None = None


class _Change(_Place, rename="camel", kw_only=True):
    """`data` of `edited`, `revoked` and `reaction`."""

    target_id: str
    at: int
    type: str = ""
    """Within a `send_result` only."""
    text: str = ""
    mentions: msgspec.Raw = msgspec.Raw()
    emoji: str = ""


class _Receipt(msgspec.Struct, rename="camel"):
    chat: str
    message_ids: tuple[str, ...]
    kind: str
    chat_pn: str | None = None
    from_me: bool = False


class _Result(msgspec.Struct, rename="camel"):
    """`data` of `send_result`."""

    id: str
    state: str
    message_id: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")
    message: msgspec.Raw = msgspec.Raw()
    """The message itself, told once: when it is queued."""
    change: msgspec.Raw = msgspec.Raw()
    """What it did to an earlier message, told when WhatsApp has taken it."""
    sent_at: int | None = None


class _Identity(msgspec.Struct, rename="camel"):
    lid: str
    pn: str


def take(table: Table, seq: int, event: Event, now_ms: int) -> None:
    """Apply one newly committed event. Those that are about no message change nothing; nor does an unexpected body."""
    if event.bot is None or event.name != "message_sync":
        return
    reader = _READERS.get(event.type)
    if reader is None:
        return
    try:
        reader(table, event.bot, seq, event, now_ms)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return


def take_past(table: Table, event: Event, rows: Iterable[bytes], now_ms: int, oldest_ms: int) -> None:
    """Store past messages that came with an event. What is stored already stays: it knows what happened since."""
    learned: set[tuple[str | None, ...]] = set()
    for number, data in enumerate(rows, 1):
        try:
            head = _read_message(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if event.bot is None or head.message_id is None or not oldest_ms <= head.sent_at < _MOST_MS:
            continue
        if (who := (head.chat, head.chat_pn, head.sender, head.sender_pn)) not in learned:
            learned.add(who)
            _learn(table, event.bot, head)
        if _is_there(table, event.bot, head, head.message_id):
            continue
        seq, id_ = table.next_past(), f"{event.id}_{number}"
        row = Row(seq, event.bot, head.chat, head.sent_at, now_ms, id_, event.at, data, head.message_id)
        table.put(_caught_up(table, row) or row)


def _is_there(table: Table, bot: str, head: _Message, message_id: str, first: int = 0) -> bool:
    """Whether the chat has a message with this id, from `first` on."""
    found = (row for row in table.by_id(bot, message_id) if row.seq >= first)
    return any(_is_about(table, bot, _read_message(row.data), head) for row in found)


# --- messages ------------------------------------------------------------------------------------------------


def _message(table: Table, bot: str, seq: int, event: Event, now_ms: int) -> None:
    head = _read_message(event.data)
    if not -_MOST_MS < head.sent_at < _MOST_MS:
        return
    _learn(table, bot, head)
    if head.from_me and head.message_id is not None and any(_is_own(row) for row in table.by_id(bot, head.message_id)):
        return  # WhatsApp's copy of a send that is stored already.
    if head.message_id is not None and _is_there(table, bot, head, head.message_id, FIRST_PAST):
        return  # A history brought it before it was delivered.
    row = Row(seq, bot, head.chat, head.sent_at, now_ms, event.id, event.at, event.data, head.message_id)
    table.put(_caught_up(table, row) or row)


def _is_own(row: Row) -> bool:
    return _read_message(row.data).from_me


def _result(table: Table, bot: str, seq: int, event: Event, now_ms: int) -> None:
    told = _read_result(event.data)
    if _is_given(told.message):
        head = _read_message(told.message)
        if table.by_job(bot, told.id) is None and -_MOST_MS < head.sent_at < _MOST_MS:
            _learn(table, bot, head)
            doc = _progressed(_read_doc(told.message), told)
            table.put(
                Row(
                    seq, bot, head.chat, head.sent_at, now_ms, event.id, event.at, _write(doc), told.message_id, told.id
                )
            )
    elif (row := table.by_job(bot, told.id)) is not None:
        doc = _progressed(_read_doc(row.data), told)
        sent_at = row.sent_at_ms
        if told.sent_at is not None and -_MOST_MS < told.sent_at < _MOST_MS:
            sent_at = told.sent_at
            doc["sentAt"] = _raw(sent_at)
        row = replace(row, data=_write(doc), sent_at_ms=sent_at, message_id=told.message_id or row.message_id)
        table.put(_caught_up(table, row) or row)
    if _is_given(told.change):
        change = _read_change(told.change)
        _change(table, bot, change.type, change, bytes(told.change), now_ms)


def _progressed(doc: Doc, told: _Result) -> Doc:
    state = {"jobId": _raw(told.id), "state": _raw(told.state), "messageId": _raw(told.message_id)}
    return doc | state | {"error": told.error}


def _receipt(table: Table, bot: str, _: int, event: Event, __: int) -> None:
    """Somebody has an own message, or has read it: also of those written on another device of the account."""
    told = _read_receipt(event.data)
    state = _PROVES.get(told.kind)
    if state is None or told.from_me:
        return
    for row in (row for message_id in told.message_ids for row in table.by_id(bot, message_id)):
        head = _read_message(row.data)
        further = head.state is None or _RANK.get(head.state, 9) < _RANK[state]
        if head.from_me and further and _met(table, bot, (head.chat, head.chat_pn), (told.chat, told.chat_pn)):
            table.put(replace(row, data=_write(_read_doc(row.data) | {"state": _raw(state)})))


def _identity(table: Table, bot: str, _: int, event: Event, __: int) -> None:
    told = _read_identity(event.data)
    table.learn(bot, told.lid, told.pn)


# --- changes -------------------------------------------------------------------------------------------------


def _changed(table: Table, bot: str, _: int, event: Event, now_ms: int) -> None:
    change = _read_change(event.data)
    _learn(table, bot, change)
    _change(table, bot, event.type, change, event.data, now_ms)


def _change(table: Table, bot: str, kind: str, change: _Change, data: bytes, now_ms: int) -> None:
    """Apply a change to its message, or keep it until that comes. Reactions are kept always: the newest of each person."""
    found = [
        row for row in table.by_id(bot, change.target_id) if _is_about(table, bot, _read_message(row.data), change)
    ]
    if kind != "reaction" and found:
        for row in found:
            after = _applied(table, row, kind, change)
            if after is not None:
                table.put(after)
        return
    for kept in table.kept(bot, change.target_id):
        before = _read_change(kept.data)
        if kept.type == kind and _is_about(table, bot, before, change) and _is_theirs(table, bot, before, change):
            if before.at > change.at:
                return
            table.drop(bot, kept)
    person = f"{change.chat}\x1f{'' if change.from_me else change.sender}"
    table.keep(bot, Kept(change.target_id, kind, person, now_ms, data))
    for row in found:
        after = _with_reactions(table, row)
        if after is not None:
            table.put(after)


def _caught_up(table: Table, row: Row) -> Row | None:
    """Apply what came before the message; None when nothing did."""
    if row.message_id is None:
        return None
    waiting = [(kept, _read_change(kept.data)) for kept in table.kept(row.bot, row.message_id)]
    if not waiting:
        return None
    for kept, change in sorted(waiting, key=lambda pair: pair[1].at):
        if kept.type != "reaction" and _is_about(table, row.bot, _read_message(row.data), change):
            row = _applied(table, row, kept.type, change) or row
            table.drop(row.bot, kept)
    return _with_reactions(table, row) or row


def _applied(table: Table, row: Row, kind: str, change: _Change) -> Row | None:
    """An edit is its author's; a deletion is its author's or, in a group, an admin's.

    Who is an admin is WhatsApp's to know: it lets nobody else's deletion through to a group.
    """
    head = _read_message(row.data)
    theirs = _is_theirs(table, row.bot, head, change)
    if head.revoked_at is not None:
        return None
    doc = _read_doc(row.data)
    if kind == "edited" and theirs and (head.edited_at or 0) <= change.at:
        doc.pop("mentions", None)
        doc |= {"text": _raw(change.text), "editedAt": _raw(change.at)}
        if _is_given(change.mentions):
            doc["mentions"] = change.mentions
        return replace(row, data=_write(doc))
    if kind == "revoked" and (theirs or head.chat.endswith(_GROUP)):
        doc = {name: value for name, value in doc.items() if name in _STAYS}
        doc["revokedAt"] = _raw(change.at)
        if not theirs:
            doc["revokedBy"] = _raw(change.sender)
        return replace(row, data=_write(doc))
    return None


def _with_reactions(table: Table, row: Row) -> Row | None:
    """Show what people made of a message: the newest of each, those who took theirs back left out."""
    head = _read_message(row.data)
    if row.message_id is None or head.revoked_at is not None:
        return None
    told = [_read_change(kept.data) for kept in table.kept(row.bot, row.message_id) if kept.type == "reaction"]
    shown = [
        {"sender": one.sender, "senderPn": one.sender_pn, "fromMe": one.from_me, "emoji": one.emoji, "at": one.at}
        for one in sorted(told, key=attrgetter("at", "sender"))
        if one.emoji and _is_about(table, row.bot, head, one)
    ]
    doc = _read_doc(row.data)
    doc.pop("reactions", None)
    return replace(row, data=_write(doc | ({"reactions": _raw(shown)} if shown else {})))


# --- who is who ----------------------------------------------------------------------------------------------


def _learn(table: Table, bot: str, place: _Place) -> None:
    for one, other in {(place.chat, place.chat_pn), (place.sender, place.sender_pn)}:
        if other is not None and one.endswith(_LID) and one != other:
            table.learn(bot, one, other)


def _is_about(table: Table, bot: str, one: _Place, other: _Place) -> bool:
    """Whether both are in the same chat."""
    return _met(table, bot, (one.chat, one.chat_pn), (other.chat, other.chat_pn))


def _is_theirs(table: Table, bot: str, one: _Place, other: _Place) -> bool:
    """Whether both are the same person's."""
    if one.from_me or other.from_me:
        return one.from_me == other.from_me
    return _met(table, bot, (one.sender, one.sender_pn), (other.sender, other.sender_pn))


def _met(table: Table, bot: str, one: tuple[str, str | None], other: tuple[str, str | None]) -> bool:
    mine, theirs = {form for form in one if form}, {form for form in other if form}
    if mine & theirs:
        return True
    return any(theirs.intersection(table.forms(bot, form)) for form in mine)


# --- JSON ----------------------------------------------------------------------------------------------------

_GROUP, _LID = "@g.us", "@lid"
_MOST_MS = 1 << 53
_RANK = {"queued": 0, "sent": 1, "delivered": 2, "read": 3}
_PROVES = {"delivered": "delivered", "read": "read", "played": "read"}
_STAYS = frozenset({"chat", "chatPn", "chatName", "sender", "senderPn", "fromMe", "messageId", "kind", "pushName",
                    "sentAt", "jobId", "state", "error"})  # fmt: skip
"""Members of a message that outlive its deletion: nothing of what was said."""

_read_message = msgspec.json.Decoder(_Message).decode
_read_change = msgspec.json.Decoder(_Change).decode
_read_receipt = msgspec.json.Decoder(_Receipt).decode
_read_result = msgspec.json.Decoder(_Result).decode
_read_identity = msgspec.json.Decoder(_Identity).decode
_read_doc: Callable[[bytes | msgspec.Raw], Doc] = msgspec.json.Decoder(Doc).decode
_write: Callable[[Doc], bytes] = msgspec.json.Encoder().encode


def _is_given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in {b"", b"null"}


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


_READERS: dict[str, Callable[[Table, str, int, Event, int], None]] = {
    "message": _message,
    "send_result": _result,
    "receipt": _receipt,
    "identity": _identity,
    "edited": _changed,
    "revoked": _changed,
    "reaction": _changed,
}
