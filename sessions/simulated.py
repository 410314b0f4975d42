"""An in-memory session with a phone that a test or a demo drives: same protocol, same promises, no library.

Owns the worker's side of a `SimulatedServer`; people play `SimulatedPhone`, the other one. It passes the contract suite
the real session passes. Read `simulated_phone.py` next for the people, `simulated_server.py` for the rules between them.
"""

# ruff: noqa: PLC0414 - the aliases re-export: who hosts a session also plays its phone
from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from sessions import kinds, model, pictures
from sessions.media import upload_s
from sessions.model import LID_SERVER, Account, Found, Jid, Outgoing, SendOutcome
from sessions.session import NotReady, Outlet, SessionSpec
from sessions.simulated_phone import PhoneError as PhoneError
from sessions.simulated_phone import SimulatedPhone as SimulatedPhone
from sessions.simulated_server import Options, SimulatedServer, TakenFile
from sessions.simulated_store import lid_of
from sessions.worker_tasks import in_thread

LIBRARY = "simulated"
"""Version shown for this driver."""

_SEND_S = 75.0
_STOP_S = 10.0
_PAIRING_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def take_file(outgoing: model.OutgoingMedia) -> TakenFile:
    """Read a file. Raises OSError."""
    with Path(outgoing.file or "").open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        size = opened.tell()
    picture = None
    if outgoing.kind in {"image", "sticker"}:
        picture = pictures.look(outgoing.file or "", thumbnail=outgoing.kind == "image")
    return TakenFile(digest, size, picture)


class SimulatedSession:
    """A `Session` without a library; `phone` is the other end."""

    def __init__(
        self,
        spec: SessionSpec,
        outlet: Outlet,
        options: Options | None = None,
        wall_ms: Callable[[], int] = _wall_ms,
    ) -> None:
        self._server = SimulatedServer(spec, outlet, options or Options(), wall_ms)
        self._spec = spec
        self._let_go: bool | None = None
        self._ending = asyncio.Event()
        self._sending = 0
        self._settled = asyncio.Event()
        """No send is in flight."""
        self._settled.set()
        self.phone = SimulatedPhone(self._server)

    async def start(self) -> None:
        """See `Session.start`. Nothing here takes long: the sign of life is that this returns."""
        assert self._server.state == "new", "a session is started once"
        with self._server.noted("start"):
            self._server.begin()

    async def pair_phone(self, phone: str) -> str:
        """See `Session.pair_phone`."""
        if self._server.state != "offering" or self._server.code is None:
            raise NotReady("a pairing code can be had only while QR codes are on offer")
        if not phone.isdecimal():
            raise NotReady("the library takes a phone number in digits only")
        letters = "".join(secrets.choice(_PAIRING_ALPHABET) for _ in range(8))
        self._server.pairing_code = f"{letters[:4]}-{letters[4:]}"
        return self._server.pairing_code

    async def send(self, job: str, outgoing: Outgoing) -> SendOutcome:
        """See `Session.send`."""
        if self._server.state in {"new", "stopped"}:
            return model.NotSent("gone")
        self._sending += 1
        self._settled.clear()
        try:
            outcome = await self._outcome(outgoing)
            self._server.emit(model.SendFinished(job, outcome), kinds.SEND_FINISHED)
        finally:
            self._sending -= 1
            if not self._sending:
                self._settled.set()
        return outcome

    async def _outcome(self, outgoing: Outgoing) -> SendOutcome:
        if self._server.state != "connected":
            return model.NotSent("gone" if self._server.state == "over" else "not_connected")
        with self._server.noted("send"):
            try:
                to = Jid.parse(outgoing.to)
            except ValueError:
                return model.SendRejected("rejected")
            file: TakenFile | None = None
            if isinstance(outgoing, model.OutgoingMedia):
                taken = await self._upload(outgoing)
                if not isinstance(taken, TakenFile):
                    return taken
                file = taken
            outcome = self._server.take_message(to, outgoing, file)
            if outcome is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), _SEND_S)
                return model.SendUnknown()
            return outcome

    async def _upload(self, outgoing: model.OutgoingMedia) -> TakenFile | SendOutcome:
        """Look at a file as the real session does: in a thread, and refused for good when it is not there; unless the
        media hosts take none."""
        match self._server.uploads:
            case "refuse":
                return model.NotSent("media")
            case "never":
                return model.SendRejected("media_failed", 413)
            case "hang":
                self._server.upload_hangs.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), upload_s(outgoing.size))
                    return model.NotSent("gone")
                return model.NotSent("media")
        try:
            return await in_thread("upload", lambda: take_file(outgoing))
        except OSError:
            return model.SendRejected("media_failed")

    async def ask_group(self, chat: str) -> None:
        """See `Session.ask_group`."""
        account = self._server.account
        if self._server.state == "connected" and account is not None and chat.endswith(f"@{model.GROUP_SERVER}"):
            self._server.emit(self._server.groups.answer(chat, account.phone), kinds.GROUP_KNOWN)

    async def find(self, phone: str) -> Found:
        """See `Session.find`."""
        if self._server.state != "connected" or not phone.isdecimal():
            return Found(None)
        if phone in self._server.absent:
            return Found(False)
        return Found(True, f"{lid_of(phone)}@{LID_SERVER}")

    async def logout(self) -> bool:
        """See `Session.logout`. As with the library, no event tells of one's own logout."""
        if self._server.state != "connected":
            if self._server.state != "stopped":
                self._server.over()
            return False
        self._server.forget_keys()
        self._server.over()
        return True

    def account(self) -> Account | None:
        """See `Session.account`."""
        return self._server.account

    async def stop(self) -> bool:
        """See `Session.stop`."""
        if self._let_go is None:
            if self._server.hang_in_stop:
                with self._server.noted("stop"):
                    await asyncio.sleep(_STOP_S)
            self._server.cancel_timers()
            self._ending.set()
            await self._settled.wait()
            self._server.code = self._server.pairing_code = None
            self._server.state = "stopped"
            self._let_go = not self._server.hang_in_stop
        return self._let_go
