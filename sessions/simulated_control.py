"""Playing a simulated phone from another process: each session listens on a unix socket, one JSON line a request.

Owns the socket's protocol, `ControlledSession` (the worker's end) and `PhoneClient` (the end of a test or the demo).
Requests are `{"do": NAME, …arguments}`, answers `{"ok": true, "result": …}` or `{"ok": false, "error": TEXT}`; names and
arguments are the public methods of `simulated.SimulatedPhone`, and `state`. Whoever reaches the socket may do all of it:
its directory is 0700. Only the simulated driver has one. Read `simulated.py` next.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from sessions.session import Outlet, SessionSpec
from sessions.simulated import PhoneError, SimulatedPhone, SimulatedSession
from sessions.simulated_server import Options
from sessions.simulated_store import Inbox, TextIn, new_message_id
from sessions.slots import Slots

COMMANDS = frozenset({
    "scan", "enter_code", "refuse", "exceed_devices", "next_code", "expire_codes", "scan_without_multidevice",
    "ask_for_passkey", "unlink", "write", "text", "history", "say", "react", "edit", "revoke", "odd_message",
    "receipt", "leave_whatsapp", "drop", "reconnect", "unreachable", "refuse_login", "ban", "replace", "outdated",
    "stream_error", "keepalive_timeout", "keepalive_restored", "refuse_sends", "uploads", "mute_sends", "kill_pump",
    "hang_in_stop", "freeze", "die", "make_group", "group_text", "group_rename", "group_describe", "group_add",
    "group_remove", "group_promote", "group_demote", "group_announce", "presence", "call", "take_call", "end_call",
})  # fmt: skip
"""Methods of the phone that can be called from outside."""

_MAX_PATH = 100
"""A unix socket's address holds 107 bytes; longer paths are reached through a descriptor of their directory."""
_WAIT_S = 15.0


class PhoneGone(PhoneError):
    """Nobody listens: no session of that bot is running."""


def driver(phones: Path | None, slots: Slots | None = None) -> Callable[[SessionSpec, Outlet], SimulatedSession]:
    """Return what makes the sessions of a worker process.

    Args:
        phones: directory of the sockets, made 0700; None makes sessions nobody plays.
        slots: where a session notes that it is "in the library".
    """
    options = Options(note=slots.note if slots is not None else None)
    if phones is None:
        return lambda spec, outlet: SimulatedSession(spec, outlet, options)
    phones.mkdir(mode=0o700, parents=True, exist_ok=True)
    return lambda spec, outlet: ControlledSession(spec, outlet, phones, options)


class ControlledSession(SimulatedSession):
    """A simulated session that listens on `<phones>/<bot>.sock` from `start` to `stop`.

    Texts for a bot that is away wait in `<phones>/<bot>.inbox`.
    """

    def __init__(self, spec: SessionSpec, outlet: Outlet, phones: Path, options: Options) -> None:
        super().__init__(spec, outlet, replace(options, inbox=phones / f"{spec.bot}.inbox"))
        self._path = phones / f"{spec.bot}.sock"
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """See `Session.start`; the socket is there before the first event."""
        with _address(self._path) as address:
            self._listener = await asyncio.start_unix_server(self._serve, address)
        await super().start()

    async def stop(self) -> bool:
        """See `Session.stop`; the socket stays while the session hangs."""
        let_go = await super().stop()
        if let_go and self._listener is not None:
            self._listener.close()
            self._listener = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
        return let_go

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(self._answer(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.LimitOverrunError, ValueError):
            return
        finally:
            writer.close()

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
            name = request.pop("do", None)
            if name == "state":
                return {"ok": True, "result": self._state()}
            if name not in COMMANDS:
                return {"ok": False, "error": f"there is no command {name}"}
            return {"ok": True, "result": getattr(self.phone, name)(**request)}
        except (PhoneError, msgspec.MsgspecError, TypeError, ValueError) as error:
            return {"ok": False, "error": str(error)}

    def _state(self) -> dict[str, object]:
        phone: SimulatedPhone = self.phone
        account = self.account()
        return {
            "state": phone.state,
            "code": phone.code,
            "pairing_code": phone.pairing_code,
            "jid": account.jid if account is not None else None,
            "phone": account.phone if account is not None else None,
            "stream_restarts": phone.stream_restarts,
            "received": [
                {
                    "message_id": text.message_id,
                    "person": text.person,
                    "text": text.text,
                    "sent": msgspec.to_builtins(text.outgoing),
                }
                for text in phone.received
            ],
            "pid": os.getpid(),
        }


class PhoneClient:
    """Plays one bot's phone from another process. Connects anew for each request: the bot may have moved meanwhile."""

    def __init__(self, phones: str | Path, bot: str) -> None:
        self._path = Path(phones) / f"{bot}.sock"
        self._inbox = Inbox(Path(phones) / f"{bot}.inbox")

    async def do(self, command: str, **arguments: object) -> Any:
        """Carry out a command of `COMMANDS`, or `state`; return its result.

        Raises:
            PhoneGone: no session of the bot is running (or it went away during the request, as with `die`).
            PhoneError: it can't happen in the session's present state.
        """
        try:
            async with self._connection() as (reader, writer):
                writer.write(msgspec.json.encode({"do": command, **arguments}) + b"\n")
                line = await reader.readline()
        except OSError:
            line = b""
        if not line:
            raise PhoneGone("no session of that bot is running")
        answer = msgspec.json.decode(line, type=dict[str, Any])
        if not answer["ok"]:
            raise PhoneError(answer["error"])
        return answer.get("result")

    async def text(
        self, sender: str, text: str, *, addressing: Literal["lid", "pn"] = "lid", push_name: str = "Contact"
    ) -> str:
        """Send the bot a text, also while it is away. Returns the message id.

        A session that goes away before it answers may have taken the text: it is then left for the next one under the
        same id, as WhatsApp delivers again what was not acknowledged.
        """
        words = TextIn(new_message_id(), sender, text, time.time_ns() // 1_000_000, addressing, push_name=push_name)
        try:
            await self.do(
                "text",
                sender=sender,
                text=text,
                addressing=addressing,
                push_name=push_name,
                message_id=words.message_id,
            )
        except PhoneGone:
            self._inbox.add(words)
        return words.message_id

    async def die(self, number: int = 9) -> None:
        """End the bot's worker process by a signal."""
        with contextlib.suppress(PhoneGone):
            await self.do("die", number=number)

    async def state(self) -> dict[str, Any]:
        """Return `state`, `code`, `pairing_code`, `jid`, `phone`, `received` texts and the worker's `pid`."""
        result: dict[str, Any] = await self.do("state")
        return result

    async def until(
        self, true: Callable[[dict[str, Any]], object], what: str, timeout_s: float = _WAIT_S
    ) -> dict[str, Any]:
        """Wait until `true(state)` holds, also over restarts of the session; return that state. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(PhoneGone):
                state = await self.state()
                if true(state):
                    return state
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not happen within {timeout_s} s")
            await asyncio.sleep(0.01)

    async def scan(self, timeout_s: float = _WAIT_S) -> None:
        """Wait for a code and scan it."""
        state = await self.until(lambda state: state["code"], "a code on offer", timeout_s)
        await self.do("scan", code=state["code"])

    async def connected(self, timeout_s: float = _WAIT_S) -> dict[str, Any]:
        """Wait until the session is connected; return its state."""
        return await self.until(lambda state: state["state"] == "connected", "being connected", timeout_s)

    async def received(self, text: str, timeout_s: float = _WAIT_S) -> dict[str, Any]:
        """Wait until a contact got this text from the bot; return it with its `message_id`."""

        def found(state: dict[str, Any]) -> list[dict[str, Any]]:
            return [entry for entry in state["received"] if entry["text"] == text]

        return found(await self.until(found, "that text", timeout_s))[0]

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        with _address(self._path) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=1 << 20)
        try:
            yield reader, writer
        finally:
            writer.close()


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's path, short enough for an address."""
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)
