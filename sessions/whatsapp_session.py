"""One WhatsApp session over the library's calls: when each may be made, and what each ending means.

Owns the states of a session and the gating of its calls: nothing ever reaches the library for a session it doesn't
know, that isn't paired, or that is over, since such calls abort the process (nil dereferences in neonize main.go). It
must never import the library: it is handed a `whatsapp_library.Library`; tests bring one of their own.

Facts it is built on (neonize main.go, whatsmeow client.go and qrchan.go, measured on 0.5.2):
- The connect call is the event pump. It returns when a first dial fails, when the pump dies, and after `forget`.
- After the QR phase ended without a pairing it never returns, and forgetting the client between then and a pairing
  makes it read a nil client: in the QR phase a session is only disconnected; its process is meant to end.
- Nor may a client be forgotten that is still dialling, for the same reason: that stop has failed.
- A dead pump leaves the client connected and acknowledging: it is disconnected at once, so that WhatsApp keeps the rest.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeVar

import msgspec

from sessions import kinds, model, texts, translate, whatsapp_device, whatsapp_find, whatsapp_upload
from sessions.model import Account, Found, Jid, NotSent, Outgoing, SendOutcome, SendRejected, SendUnknown, SessionEvent
from sessions.session import NotReady, Outlet, SessionSpec
from sessions.slots import Held
from sessions.whatsapp_library import FileReady, Library
from sessions.whatsapp_outcome import Once
from sessions.whatsapp_presence import Appearance
from sessions.whatsapp_quiet import QUIET_LOOK_S, Quiet
from sessions.worker_gate import REPORT_S, STOP_S
from sessions.worker_tasks import in_thread, report, spawn, thread

SEND_S = 75.0
"""What the library itself gives WhatsApp to acknowledge a message (whatsmeow request.go)."""
PAIR_PHONE_S = 18.0
GROUP_INFO_S = 20.0
LOGOUT_S = 15.0
QUIET_MAX_S = 1.0
_SPOOL_RETRY_S = 0.2
_CONNECTED = 3
_ENDINGS = (model.LoggedOut, model.CodesExpired, model.PairFailed, model.PasskeyRequired)
"""After these the library has nothing more to do for this session; it still waits to be disconnected."""

T = TypeVar("T")


class WhatsAppSession:
    """`Session` over the real library."""

    def __init__(self, library: Library, spec: SessionSpec, outlet: Outlet) -> None:
        self._library = library
        self._spec = spec
        self._outlet = outlet
        self._id = uuid.uuid4().hex.encode()
        """Fresh for every start: the library finds clients by it, and a stale one must never hit a new client."""
        self._account: Account | None = None
        self._phase: Literal["new", "running", "over"] = "new"
        self._entered = False
        self._offered = 0
        self._pumping = self._connected = self._concluded = self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reported: asyncio.Future[None] | None = None
        self._returned = threading.Event()
        self._start_note: Held | None = None
        self._last_event_s = 0.0
        self._in_order = threading.Lock()
        """Spool, translate, deliver as one step: events reach the outlet in the order of their ordinals."""
        self._one_send = asyncio.Lock()
        self._one_stop = asyncio.Lock()
        self._stopped: bool | None = None
        self._appearance = Appearance(library, self._id, self._call, self._wanted) if spec.presence else None

    # --- the protocol ----------------------------------------------------------------------------------------

    def account(self) -> Account | None:
        """See `Session.account`."""
        return self._account

    async def start(self) -> None:
        """See `Session.start`."""
        if self._phase != "new":
            raise RuntimeError("a session is started once")
        self._phase = "running"
        self._loop = asyncio.get_running_loop()
        self._reported = self._loop.create_future()
        refusal = await in_thread("device file", self._prepare)
        if refusal is not None:
            self._phase = "over"
            await in_thread("conclusion", lambda: self._conclude(refusal))
            return
        if not self._wanted():
            return
        await self._library.gate.start(self._enter, self._reported)

    async def pair_phone(self, phone: str) -> str:
        """See `Session.pair_phone`."""
        if not self._linking():
            raise NotReady("a pairing code can be asked for only while QR codes are on offer")
        await self._library.gate.call()
        if not self._linking():
            raise NotReady("the attempt is over")
        try:
            work = self._call("pair_phone", lambda: self._library.pair_phone(self._id, phone))
            code = await asyncio.wait_for(work, PAIR_PHONE_S)
        except TimeoutError:
            raise NotReady("WhatsApp did not answer in time") from None
        if not code:
            raise NotReady("WhatsApp refused to give a pairing code for this number")
        return code

    async def send(self, job: str, outgoing: Outgoing) -> SendOutcome:
        """See `Session.send`."""
        if self._phase == "new" or self._closed:
            return NotSent("gone")
        try:
            to = Jid.parse(outgoing.to)
        except ValueError:
            return await in_thread("outcome", lambda: self._sent(job, SendRejected("rejected")))
        file: FileReady | None = None
        if isinstance(outgoing, model.OutgoingMedia):
            got = await whatsapp_upload.upload(self._library, outgoing, self._begin_upload, self._wanted)
            if not isinstance(got, FileReady):
                return await in_thread("outcome", lambda: self._sent(job, got))
            file = got
        decided = Once(lambda outcome: self._sent(job, outcome))
        early: SendOutcome
        call: asyncio.Future[SendOutcome] | None = None
        try:
            async with asyncio.timeout(SEND_S):
                # The library sends one message at a time (messageSendLock); those that wait here stay surely unsent.
                await self._one_send.acquire()
                try:
                    await self._library.gate.call()
                    if self._is_up():
                        # Decided in the call's own thread: the outcome is spooled even while the loop hangs.
                        call = self._call("send", lambda: decided(self._library.send(self._id, to, outgoing, file)))
                        call.add_done_callback(lambda _: self._one_send.release())
                finally:
                    if call is None:
                        self._one_send.release()
                if call is not None:
                    return await asyncio.shield(call)
                early = NotSent("not_connected" if self._wanted() else "gone")
        except TimeoutError:
            early = NotSent("not_connected") if call is None else SendUnknown()
        # Never on the loop: the spool may be waiting for its disk.
        return await in_thread("outcome", lambda: decided(early))

    async def ask_group(self, chat: str) -> None:
        """See `Session.ask_group`."""
        group, known = Jid.parse(chat), self._account
        if group.server != model.GROUP_SERVER or not (self._wanted() and self._connected):
            return
        await self._library.gate.call()
        if not self._wanted():
            return
        work = self._call("group_info", lambda: self._library.group_info(self._id, group, known))
        try:
            answer = await asyncio.wait_for(work, GROUP_INFO_S)
        except TimeoutError:
            answer = model.GroupKnown(chat, "failed")
        await in_thread("group", lambda: self._take(kinds.GROUP_KNOWN, msgspec.msgpack.encode(answer)))

    async def find(self, phone: str) -> Found:
        """See `Session.find`."""
        ask = partial(self._call, "find", partial(self._library.is_there, self._id, phone))
        return await whatsapp_find.find(self._spec.device_file, phone, self._library.gate, self._is_up, ask)

    async def logout(self) -> bool:
        """See `Session.logout`."""
        if self._phase != "running" or not self._connected:
            return False
        await self._library.gate.call()
        if not self._wanted():
            return False
        self._phase = "over"
        try:
            return await asyncio.wait_for(self._call("logout", lambda: self._library.logout(self._id)), LOGOUT_S)
        except TimeoutError:
            return False

    async def stop(self) -> bool:
        """See `Session.stop`."""
        self._phase = "over"
        self._closed = True
        async with self._one_stop:
            if self._stopped is None:
                self._stopped = not self._entered or await self._end()
            return self._stopped

    # --- starting and ending ---------------------------------------------------------------------------------

    def _prepare(self) -> SessionEvent | None:
        """Make the device file ready; the event that says why the library must not be called, if so."""
        spec = self._spec
        try:
            if spec.account_jid is not None:
                self._account = whatsapp_device.find(spec.device_file, spec.account_jid)
                if self._account is None:
                    return model.KeysMissing()
            whatsapp_device.prepare(spec.device_file)
        except (whatsapp_device.DeviceUnreadable, OSError, ValueError) as error:
            return model.PumpDied(f"the device file can't be used: {type(error).__name__}")
        return None

    def _enter(self) -> None:
        if not self._wanted():
            self._set_reported()
            return
        self._entered = True
        self._start_note = self._library.notes.note(self._spec.bot, "start")
        thread(f"session {self._spec.bot}", self._run)
        spawn("start watch", self._watch_start())

    def _run(self) -> None:
        error = "the connect call raised"
        try:
            error = self._library.connect(self, self._spec, self._id)
        finally:
            self._returned.set()
            self._sign()
            if self._wanted():
                pumped = self._pumping
                self._conclude(texts.task_ended(error or None, connected=pumped))
                if pumped and self._loop is not None:
                    self._loop.call_soon_threadsafe(lambda: spawn("hang up", self._hang_up()))

    async def _hang_up(self) -> None:
        await self._library.gate.call()
        await self._call("disconnect", lambda: self._library.disconnect(self._id))

    async def _watch_start(self) -> None:
        """Say that a start came to nothing when it gave no sign in the time a start may keep others waiting."""
        assert self._reported is not None
        done, _ = await asyncio.wait([self._reported], timeout=REPORT_S)
        if not done and self._wanted():
            await in_thread("conclusion", lambda: self._conclude(model.StartFailed("timed_out")))

    def _sign(self) -> None:
        """The library has taken the session up, or let it go: it no longer touches its maps for this start."""
        note, self._start_note = self._start_note, None
        if note is not None:
            note.clear()
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._set_reported)

    def _set_reported(self) -> None:
        if self._reported is not None and not self._reported.done():
            self._reported.set_result(None)

    async def _end(self) -> bool:
        assert self._reported is not None
        await self._library.gate.call()
        hung_up = self._call("disconnect", lambda: self._library.disconnect(self._id))
        _, late = await asyncio.wait({hung_up, self._reported}, timeout=STOP_S)
        if late:
            return False
        await self._quiet()
        if self._spec.account_jid is None and not self._pumping and not self._returned.is_set():
            return True
        forgotten = await self._library.gate.stop(
            lambda: self._call("stop", lambda: self._library.forget(self._id)),
        )
        return forgotten and await in_thread("stop", lambda: self._returned.wait(STOP_S))

    async def _quiet(self) -> None:
        """Wait until the library's channel is empty, as far as that can be seen."""
        until, quiet = time.monotonic() + QUIET_MAX_S, Quiet()
        while self._pumping and not self._returned.is_set() and time.monotonic() < until:
            if quiet.look([self.last_told_s()]):
                return
            await asyncio.sleep(QUIET_LOOK_S)

    def last_told_s(self) -> float | None:
        """When the library told something last; None while a callback is at work."""
        return None if self._in_order.locked() else self._last_event_s

    def _wanted(self) -> bool:
        return self._phase == "running"

    def _is_up(self) -> bool:
        return self._wanted() and self._connected

    def _linking(self) -> bool:
        return self._wanted() and self._offered > 0 and not self._pumping

    def _call(self, operation: str, work: Callable[[], T]) -> asyncio.Future[T]:
        """Make one library call in a thread of its own, noted. The gate has let it in."""

        def noted() -> T:
            with self._library.notes.note(self._spec.bot, operation):
                return work()

        return in_thread(f"{operation} {self._spec.bot}", noted)

    def _begin_upload(self, outgoing: model.OutgoingMedia) -> asyncio.Future[FileReady | SendOutcome] | None:
        if not (self._wanted() and self._connected):
            return None
        return self._call("upload", lambda: self._library.upload(self._id, outgoing))

    # --- what the library tells, on its threads --------------------------------------------------------------

    def on_qr(self, code: str) -> None:
        """A QR code: a secret, so it is delivered only."""
        with self._library.notes.note(self._spec.bot, "callback:qr"):
            self._offered += 1
            self._sign()
            if self._wanted():
                self._outlet.deliver(None, _now_ms(), texts.qr_offered(code, self._offered))

    def on_login_status(self, text: str) -> None:
        """A word about the QR phase."""
        with self._library.notes.note(self._spec.bot, f"callback:{kinds.LOGIN_STATUS}"):
            self._sign()
            self._take(kinds.LOGIN_STATUS, text.encode())

    def on_event(self, kind: int, raw: bytes) -> None:
        """One event: written down first, then translated, then delivered. Must not be called twice at once."""
        with self._library.notes.note(self._spec.bot, f"callback:{kind}"):
            if not self._pumping:
                # Whatever was concluded about the start, it has come up after all; an ending of its own may follow.
                self._pumping, self._concluded = True, False
            try:
                if kind in translate.NEVER_SPOOLED:
                    self._outlet.deliver(None, _now_ms(), model.SecretRotated())
                elif kind in translate.TRANSIENT:
                    event, _ = translate.from_raw(kind, raw, self._library.parsers, self._account)
                    self._outlet.deliver(None, _now_ms(), event)
                else:
                    self._take(kind, raw)
            finally:
                self._last_event_s = time.monotonic()
                self._sign()

    def _take(self, kind: int, raw: bytes) -> None:
        with self._in_order:
            ordinal = self._spooled(kind, raw)
            if ordinal is None:
                return
            at_ms = _now_ms()
            event: SessionEvent = model.Unrecognised(kind)
            try:
                event, self._account = translate.from_raw(kind, raw, self._library.parsers, self._account)
                self._learn(kind, event)
            except Exception as error:
                # The raw event is safe in the spool; a bug of ours must not end the pump.
                report(f"translate {kind}", error)
            self._outlet.deliver(ordinal, at_ms, event)

    def _spooled(self, kind: int, raw: bytes) -> int | None:
        """Write an event down; while the disk refuses, hold the library back: what waits behind is not acknowledged.

        None when the session was ended meanwhile.
        """
        while True:
            try:
                return self._outlet.spool(kind, raw)
            except OSError:
                # The outlet has told its owner, who disconnects the sessions.
                if self._closed:
                    return None
                time.sleep(_SPOOL_RETRY_S)

    def _learn(self, kind: int, event: SessionEvent) -> None:
        if kind == _CONNECTED:
            self._connected = True
            self._show(lambda appearance: appearance.connected())
        elif isinstance(event, model.MessageReceived):
            self._show(lambda appearance: appearance.met(event.chat))
        elif isinstance(event, _ENDINGS):
            self._phase = "over"

    def _show(self, step: Callable[[Appearance], None]) -> None:
        """Take a step of the appearance, if the bot wants one, on the loop."""
        appearance = self._appearance
        if appearance is not None and self._loop is not None and self._wanted():
            self._loop.call_soon_threadsafe(step, appearance)

    def _conclude(self, event: SessionEvent) -> None:
        """Tell an ending the library has no event for; the first one counts."""
        if not self._concluded:
            self._concluded = True
            self._take(kinds.TASK_ENDED, msgspec.msgpack.encode(event))

    def _sent(self, job: str, outcome: SendOutcome) -> SendOutcome:
        self._take(kinds.SEND_FINISHED, msgspec.msgpack.encode(model.SendFinished(job, outcome)))
        return outcome


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
