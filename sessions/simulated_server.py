"""The WhatsApp behind one simulated session: its state, its rules, and what it tells the session.

Owns the state machine that `SimulatedSession` (the library's side) and `SimulatedPhone` (the people's side) share.
Time is the loop's, so it runs on virtual time too. It must never know a process or the supervisor. Read
`simulated.py` next for the two sides.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from sessions import kinds, model, texts, translate_history
from sessions.media import Picture
from sessions.model import LID_SERVER, USER_SERVER, Account, Jid, Outgoing, OutgoingText, SessionEvent
from sessions.session import Outlet, SessionSpec
from sessions.simulated_groups import Groups
from sessions.simulated_store import Inbox, Saved, TextIn, erase, lid_of, load, number_of_bot, person, save

Uploads = Literal["", "refuse", "never", "hang"]
State = Literal["new", "offering", "pairing", "connecting", "connected", "offline", "over", "stopped"]

_encoder = msgspec.msgpack.Encoder()
_GENERIC_REFUSALS = frozenset({400, 409, 501})
_OVERLOADED = frozenset({500, 503})
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the simulated people and their WhatsApp behave."""

    number: str | None = None
    """The phone's number; None derives one from the bot."""
    push_name: str = "Simulated phone"
    connect_s: float = 0.01
    """A login's duration."""
    restart_gap_s: float = 0.05
    """From `PairSucceeded` to `Connected`: the stream restart 515, of which nothing is told."""
    auto_receipts: bool = True
    """Contacts take and read by themselves what they are sent."""
    delivered_s: float = 0.05
    read_s: float = 0.3
    inbox: Path | None = None
    """Where texts for an absent bot wait; None puts them beside the device file."""
    note: Callable[[str, str], AbstractContextManager[object]] | None = None
    """Notes (bot, operation) while the session is "in the library"; see `slots.py`."""


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file as its receiver sees it."""

    sha256: str
    size: int
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class Received:
    """A message a contact's phone got from the bot."""

    message_id: str
    person: str
    """Number of the contact."""
    outgoing: Outgoing
    file: TakenFile | None = None
    """What a message with a file was made of."""

    @property
    def text(self) -> str:
        """The words of a text; empty for every other kind."""
        return self.outgoing.text if isinstance(self.outgoing, OutgoingText) else ""


class SimulatedServer:
    """State and rules of one incarnation. All methods run on the loop's thread."""

    def __init__(self, spec: SessionSpec, outlet: Outlet, options: Options, wall_ms: Callable[[], int]) -> None:
        self.spec = spec
        self.options = options
        self.wall_ms = wall_ms
        self.state: State = "new"
        self.account: Account | None = None
        self.code: str | None = None
        """The QR code on offer."""
        self._code_index = 0
        self.pairing_code: str | None = None
        self.restarts = 0
        """How often the stream was restarted after pairing (515)."""
        self.unreachable: model.StartCause | None = None
        """While set, nothing answers."""
        self.absent: set[str] = set()
        """Numbers that are not on WhatsApp."""
        self.refuse_sends: int | None = None
        self.uploads: Uploads = ""
        """What the media hosts do with a file: take it, refuse it for the moment or for good, or answer nothing."""
        self.upload_hangs = asyncio.Event()
        """Set when one does."""
        self.mute_sends = False
        """Sends are never acknowledged."""
        self.hang_in_stop = False
        self.received: asyncio.Queue[Received] = asyncio.Queue()
        self.sent: dict[str, Received] = {}
        self._inbox_path = options.inbox or Path(spec.device_file + ".inbox")
        self.inbox = Inbox(self._inbox_path)
        self.groups = Groups(self._inbox_path.with_suffix(".groups"))
        self._outlet = outlet
        self._timers: set[asyncio.TimerHandle] = set()

    # --- telling the session -------------------------------------------------------------------------------------

    def emit(self, event: SessionEvent, kind: int = kinds.SIMULATED) -> bool:
        """Spool one event, then hand it over. False when the disk refused: the session takes no more events."""
        if self.state == "stopped":
            return False
        with self.noted(f"callback:{kind}"):
            try:
                ordinal = self._outlet.spool(kind, _encoder.encode(event))
            except OSError:
                self.over()
                return False
            self._outlet.deliver(ordinal, self.wall_ms(), event)
        return True

    def pass_on(self, event: model.PresenceChanged) -> None:
        """Hand over what is never spooled; lost when the session is not connected, or its bot does not want it."""
        if self.state == "connected" and self.spec.presence:
            self._outlet.deliver(None, self.wall_ms(), event)

    def noted(self, operation: str) -> AbstractContextManager[object]:
        """Hold a note that this bot is in the library."""
        note = self.options.note
        return note(self.spec.bot, operation) if note is not None else nullcontext()

    def over(self) -> None:
        """The library is done with this session; only `stop` is left."""
        self.state = "over"
        self.code = self.pairing_code = None
        self.cancel_timers()

    def later(self, after_s: float, action: Callable[[], None]) -> None:
        """Run `action` after a time, unless the session ends before."""

        def run() -> None:
            self._timers.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(after_s, run)
        self._timers.add(handle)

    def cancel_timers(self) -> None:
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()

    # --- linking -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the session up: offer codes, or log in with the stored keys."""
        if self.spec.account_jid is None:
            self.state = "offering"
            self.later(self.options.connect_s, self._first_code)
            return
        saved = load(self.spec.device_file)
        if saved is None or saved.account.jid != self.spec.account_jid:
            self.emit(model.KeysMissing(), kinds.TASK_ENDED)
            self.over()
            return
        self.account = saved.account
        self.state = "connecting"
        self.later(self.options.connect_s, self.login)

    def _first_code(self) -> None:
        if self.unreachable is not None:
            self._start_failed(self.unreachable)
        else:
            self.next_code()

    def next_code(self) -> None:
        """Offer the next code, or end the attempt after the last."""
        self.cancel_timers()
        self._code_index += 1
        if self._code_index > texts.QR_CODES:
            self.codes_expired()
            return
        self.code = f"https://wa.me/settings/linked_devices#{secrets.token_urlsafe(48)}"
        offer = texts.qr_offered(self.code, self._code_index)
        self._outlet.deliver(None, self.wall_ms(), offer)
        self.later(offer.lives_s, self.next_code)

    def codes_expired(self) -> None:
        """All codes are used up, or WhatsApp closed the line before pairing."""
        self.emit(model.CodesExpired())
        self.over()

    def paired(self, device: int) -> None:
        """The phone confirmed: save the keys, then restart the stream without a word."""
        number = self.options.number or number_of_bot(self.spec.bot)
        jid, lid = Jid(number, USER_SERVER, device), Jid(lid_of(number), LID_SERVER, device)
        self.account = Account(str(jid), str(lid), number, self.options.push_name)
        save(self.spec.device_file, Saved(account=self.account))
        self.cancel_timers()
        self.code = self.pairing_code = None
        self.state = "pairing"
        self.emit(model.PairSucceeded(self.account))
        self.restarts += 1
        self.later(self.options.restart_gap_s, self.login)

    # --- the link ------------------------------------------------------------------------------------------------

    def login(self) -> None:
        """Log in with the stored keys, as the library does at a start and by itself after a loss."""
        if self.unreachable is not None:
            if self.state == "connecting":
                self._start_failed(self.unreachable)
            else:
                self.later(_RETRY_S, self.login)
            return
        saved = load(self.spec.device_file)
        assert self.account is not None
        if saved is None:
            self.logged_out("unlinked_on_phone", on_connect=True)
        elif saved.banned_until_ms > self.wall_ms():
            self._banned(saved.ban_code, saved.banned_until_ms)
        elif saved.refuse is not None:
            number, saved.refuse = saved.refuse, None
            save(self.spec.device_file, saved)
            self._refused(number)
        else:
            self.state = "connected"
            self.emit(model.Connected(self.account))
            self._deliver_waiting()

    def _start_failed(self, cause: model.StartCause) -> None:
        self.emit(model.StartFailed(cause), kinds.TASK_ENDED)
        self.over()

    def _refused(self, number: int) -> None:
        if number == 401:
            self.logged_out("unlinked_on_phone", on_connect=True)
        elif number == 403:
            self.logged_out("main_device_gone", on_connect=True)
        elif number == 406:
            self.logged_out("account_banned", on_connect=True)
        elif number in _OVERLOADED:
            self.state = "offline"
            self.emit(model.Disconnected())
            self.later(_RETRY_S, self.login)
        else:
            unnamed = number if number in _GENERIC_REFUSALS else 0
            self.emit(model.ClientOutdated() if number == 405 else model.ConnectFailed(unnamed))
            self.over()

    def _banned(self, code: int, until_ms: int) -> None:
        self.emit(model.TemporarilyBanned(code, max((until_ms - self.wall_ms()) // 1000, 1)))
        self.over()

    def logged_out(self, reason: model.LogoutReason, *, on_connect: bool) -> None:
        """The device was unlinked: its keys are destroyed."""
        erase(self.spec.device_file)
        self.emit(model.LoggedOut(on_connect, reason))
        self.over()

    def forget_keys(self) -> None:
        """Destroy the device's keys."""
        erase(self.spec.device_file)

    def lose(self, *, back_after_s: float | None) -> None:
        """Cut the line; the library comes back after that time, or not before it is told."""
        self.state = "offline"
        self.emit(model.Disconnected())
        if back_after_s is not None and self.state == "offline":
            self.later(back_after_s, self.login)

    # --- messages ------------------------------------------------------------------------------------------------

    def arrive(self, text: TextIn) -> None:
        """Deliver a message now, or keep it until the session is connected."""
        if self.state != "connected" or not self.emit(self._message(text)):
            self.inbox.add(text)

    def _deliver_waiting(self) -> None:
        waiting = self.inbox.take()
        if waiting:
            self.emit(model.OfflineSync(len(waiting), done=False))
            if not all(self.emit(self._message(text)) for text in waiting):
                return
            self.emit(model.OfflineSync(len(waiting), done=True))
        self.inbox.done()

    def hand_over(self, past: list[TextIn]) -> None:
        """Tell what was written before the device was linked."""
        told = (event for text in past if isinstance(event := self._message(text), model.MessageReceived))
        self.emit(translate_history.taken("recent", 100, 1, [(event, None) for event in told]))

    def _message(self, text: TextIn) -> SessionEvent:
        assert self.account is not None
        phone = str(person(text.person))
        chat = f"{lid_of(text.person)}@{LID_SERVER}" if text.addressing == "lid" else phone
        own_lid = str(Jid.parse(self.account.lid or self.account.jid).bare)
        own_phone = str(Jid.parse(self.account.jid).bare)
        sender, sender_pn = (own_lid, own_phone) if text.from_me else (chat, phone)
        where, where_pn = (chat, phone) if text.group is None else (text.group, None)
        place = (where, where_pn, sender, sender_pn, text.from_me, text.message_id)
        target = text.target or ""
        match text.kind:
            case "reaction":
                return model.ReactionReceived(*place, target, text.at_ms, text.text)
            case "edited":
                return model.MessageEdited(*place, target, text.at_ms, model.Content(text.text))
            case "revoked":
                return model.MessageRevoked(*place, target, text.at_ms)
            case _:
                words = text.text if text.kind == "text" else None
                quoted = model.Quoted(text.quoted, chat) if text.quoted else None
                content = text.content or model.Content(words, text.mentions, quoted)
                content = msgspec.structs.replace(content, push_name=text.push_name)
                return model.MessageReceived(*place, text.kind, text.at_ms, content)

    def take_message(self, to: Jid, outgoing: Outgoing, file: TakenFile | None = None) -> model.SendOutcome | None:
        """Judge a send: the outcome, or None when WhatsApp will never acknowledge it."""
        if self.mute_sends:
            return None
        if self.refuse_sends is not None:
            number = self.refuse_sends
            return model.SendRejected("restricted" if number == texts.RESTRICTED else "rejected", number)
        if to.server in {USER_SERVER, LID_SERVER}:
            try:
                number_of_person = person(str(to)).user
            except ValueError:
                return model.SendRejected("not_on_whatsapp")
            if number_of_person in self.absent:
                return model.SendRejected("not_on_whatsapp")
        else:
            group = self.groups.get(str(to))
            if group is None or self.account is None or self.account.phone not in group.members:
                return model.SendRejected("not_in_group")
            number_of_person = str(to)
        received = Received(f"3EB0{secrets.token_hex(9).upper()}", number_of_person, outgoing, file)
        self.sent[received.message_id] = received
        self.received.put_nowait(received)
        if self.options.auto_receipts:
            for participant in self._readers(received):
                self._acknowledge_soon(received.message_id, participant)
        lid = f"{lid_of(number_of_person)}@{LID_SERVER}" if to.server == USER_SERVER else None
        return model.Sent(received.message_id, self.wall_ms(), lid)

    def _readers(self, received: Received) -> list[str | None]:
        """Whose phones acknowledge a message: the contact's, or every other member's of a group."""
        group = self.groups.get(received.person)
        if group is None:
            return [None]
        return [number for number in group.members if self.account is None or number != self.account.phone]

    def _acknowledge_soon(self, message_id: str, participant: str | None) -> None:
        self.later(self.options.delivered_s, lambda: self.receipt(message_id, "delivered", participant))
        self.later(self.options.read_s, lambda: self.receipt(message_id, "read", participant))

    def receipt(self, message_id: str, kind: model.ReceiptKind, participant: str | None = None) -> None:
        """A contact's device (in a group: this member's) took or showed a message of the bot's. Raises KeyError for one
        never sent."""
        received = self.sent[message_id]
        number = participant or received.person
        person_lid = f"{lid_of(number)}@{LID_SERVER}" if "@" not in number else number
        if "@" in received.person:
            chat, phone = received.person, None
        else:
            chat, phone = person_lid, f"{received.person}@{USER_SERVER}"
        if self.state == "connected":
            at_ms = self.wall_ms()
            self.emit(model.ReceiptReceived(chat, phone, person_lid, (message_id,), kind, False, at_ms))
