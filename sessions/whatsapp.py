"""The library's door: the only file that imports neonize. It binds the few Go functions a session needs.

Owns loading and calling the Go library; it must never decide anything. Of neonize 0.5.2 we use the shared library and
the generated protobuf classes, not its Python client, because that client cannot be made safe from outside: it parks
the default executor's threads, turns every event into a task of its own without back-pressure, calls `Stop` from a
finalizer on whatever client has the same id, drops login statuses, frees a void result as a string, binds all events to
the first event loop, configures logging, and downloads the library without a checksum when it is missing. Bound
directly there is no client object, so no finalizer, no global loop, nothing downloaded and nothing logged; a process
with the library loaded takes 34 instead of 64 MB and 45 instead of 230 ms (measured). So `neonize/__init__.py` never
runs in a worker: a bare package object stands in, through which the generated classes are found.

One set of callbacks serves all sessions and is never freed, since Go may call late; they find their session by its id.
The event callback runs on the thread that is parked in the connect call of that session, one event at a time. What the
library logs is counted and dropped (its debug log holds whole messages, its error log addresses); what it prints goes
where the worker sent its stdout: nowhere. Read `whatsapp_session.py` next for when each call may be made.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import mmap
import os
import platform
import sys
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from sessions import (
    compose,
    compose_media,
    people,
    pictures,
    texts,
    translate,
    translate_around,
    translate_history,
    uploads,
    whatsapp_device,
)
from sessions.media import Uploaded
from sessions.model import (
    LID_SERVER,
    USER_SERVER,
    Account,
    GroupKnown,
    Jid,
    NotSent,
    Outgoing,
    OutgoingMedia,
    SendOutcome,
    SendRejected,
    Sent,
)
from sessions.session import Outlet, SessionSpec
from sessions.uploads import UploadRoom
from sessions.whatsapp_calls import SIGNATURES, EventCallback, LogCallback, Proxy, TextCallback
from sessions.whatsapp_directory import Directory
from sessions.whatsapp_events import CLASSES, SUBSCRIPTIONS
from sessions.whatsapp_library import FileReady, Notes, Told
from sessions.whatsapp_quiet import QUIET_LOOK_S, Quiet
from sessions.whatsapp_session import WhatsAppSession
from sessions.worker_gate import Gate
from sessions.worker_tasks import report, thread

__all__ = ["GoLibrary", "LibraryMissing", "WhatsAppSession", "load"]

VERSION: Final = "0.5.2"

_CHROME_PROPS: Final = 1
_CHROME_CODE: Final = 1
_CODE_NAME: Final = "Chrome (Linux)"
"""WhatsApp accepts only common browsers and systems here (whatsmeow pair-code.go)."""


HANG_UP_S: Final = 0.6
"""For sockets to be closed at the end of a worker; one that hangs in a dial keeps nobody waiting for longer."""


class LibraryMissing(RuntimeError):
    """The Go library is not installed in the version this file is written for; nothing is downloaded. Ends a worker."""


def load(notes: Notes) -> GoLibrary:
    """Load the library into this process, for good: Go can't be unloaded. Must run once, before any session.

    Raises:
        LibraryMissing: not installed, not for this machine, or another version.
    """
    # Otherwise neonize marks every direct message as a business bot's (GenerateWABinary, neonize main.go).
    os.environ["NEONIZE_BOT_TAG"] = "off"
    package = _package()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    suffix = {"Linux": "so", "Darwin": "dylib", "Windows": "dll"}.get(platform.system(), "so")
    path = package / f"neonize-{platform.system().lower()}-{machine}.{suffix}"
    try:
        library = ctypes.CDLL(str(path))
        library.GetVersion.restype = ctypes.c_char_p
        version = str(library.GetVersion().decode())
    except (OSError, AttributeError) as error:
        raise LibraryMissing(f"{path.name} of neonize {VERSION} can't be loaded: {type(error).__name__}") from None
    if version != VERSION:
        raise LibraryMissing(f"neonize {VERSION} is needed, the installed library says {version}")
    for name, (arguments, result) in SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return GoLibrary(library, notes)


def parsers() -> translate.Parsers:
    """Return the readers of every event we subscribe to. Loads the generated classes, not the Go library."""
    messages = _generated("neonize.proto.Neonize_pb2")
    return {kind: getattr(messages, name).FromString for kind, name in CLASSES.items()}


def _package() -> Path:
    """Find the installed package without running it."""
    loaded = sys.modules.get("neonize")
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec("neonize")
    if spec is None or not spec.submodule_search_locations:
        raise LibraryMissing(f"neonize {VERSION} is not installed")
    if loaded is None:
        stand_in = types.ModuleType("neonize")
        stand_in.__path__ = list(spec.submodule_search_locations)
        stand_in.__spec__ = spec
        sys.modules["neonize"] = stand_in
    return Path(spec.submodule_search_locations[0])


def _generated(name: str) -> Any:
    """Import one generated module; they import each other by short names from a directory neonize puts on the path."""
    _package()
    importlib.import_module("neonize.proto")
    return importlib.import_module(name)


class GoLibrary:
    """The loaded library: `whatsapp_library.Library`, and the callbacks that lead back to each session."""

    def __init__(self, go: Any, notes: Notes) -> None:
        """Use `load`."""
        self._go = go
        self.notes = notes
        self.gate = Gate()
        self.uploads = UploadRoom()
        self.parsers = parsers()
        self.version = f"neonize {VERSION}"
        self.log_lines = 0
        """Errors the library logged since the start; only their number is kept."""
        self._clients: dict[bytes, Told] = {}
        self._messages = _generated("neonize.proto.Neonize_pb2")
        self._directory = Directory(go, self._messages, self._bytes)
        self._e2e = _generated("waE2E.WAWebProtobufsE2E_pb2")
        self._props = _generated("waCompanionReg.WACompanionReg_pb2")
        self._callbacks = (
            TextCallback(self._on_qr),
            TextCallback(self._on_login_status),
            EventCallback(self._on_event),
            LogCallback(self._on_log),
        )

    def session(self, spec: SessionSpec, outlet: Outlet) -> WhatsAppSession:
        """Make a session of this library; `start` is the first to touch Go."""
        return WhatsAppSession(self, spec, outlet)

    def give_up(self) -> None:
        """Nobody waits for an upload any longer: nothing of its message was sent."""
        self.uploads.closed = True

    def hang_up(self, timeout_s: float) -> None:
        """Disconnect every session at once, without the gate, from a plain thread: the process is about to end.

        What is acknowledged but still in the library's channels has until `timeout_s` to reach the spool.
        """
        until, quiet = time.monotonic() + timeout_s, Quiet()
        hung_up = time.monotonic() + min(timeout_s, HANG_UP_S)
        clients = dict(self._clients)
        for waiting in [thread("hang up", partial(self.disconnect, device)) for device in clients]:
            waiting.join(max(0.0, hung_up - time.monotonic()))
        while time.monotonic() < until and not quiet.look([told.last_told_s() for told in clients.values()]):
            time.sleep(QUIET_LOOK_S)

    # --- calls: see `whatsapp_library.Library` ---------------------------------------------------------------

    def connect(self, told: Told, spec: SessionSpec, device: bytes) -> str:
        """Run the session until the library lets go."""
        jid = b"" if spec.account_jid is None else self._jid(Jid.parse(spec.account_jid))
        props = self._props.DeviceProps(os=spec.device_name, platformType=_CHROME_PROPS).SerializeToString()
        proxy = None if spec.proxy is None else ctypes.byref(Proxy(spec.proxy.encode(), False, False, False))
        left_out = frozenset() if spec.presence else translate.TRANSIENT
        wanted = bytes(kind for kind in SUBSCRIPTIONS if kind not in left_out)
        self._clients[device] = told
        try:
            result = self._go.Neonize(
                whatsapp_device.dsn(spec.device_file).encode(),
                device,
                jid,
                len(jid),
                int(not jid),  # never "the first device of the file"
                b"ERROR",
                *self._callbacks,
                wanted,
                len(wanted),
                props,
                len(props),
                b"",  # a phone number here would block the pump at the first reconnect (neonize main.go)
                0,
                proxy,
            )
            return self._string(result)
        finally:
            del self._clients[device]

    def disconnect(self, device: bytes) -> None:
        """Close the socket; the client stays known."""
        self._go.Disconnect(device)

    def forget(self, device: bytes) -> None:
        """Close the socket and forget the client."""
        self._go.Stop(device)

    def send(self, device: bytes, to: Jid, outgoing: Outgoing, file: FileReady | None = None) -> SendOutcome:
        """Send one message."""
        address = self._jid(to)
        if isinstance(outgoing, OutgoingMedia):
            assert file is not None
            composed = compose_media.message(self._e2e, outgoing, to, file.uploaded, file.picture)
        else:
            composed = compose.message(self._e2e, outgoing, to, time.time_ns() // 1_000_000, os.urandom(32))
        message = composed.SerializeToString()
        raw = self._bytes(self._go.SendMessage(device, address, len(address), message, len(message)))
        answer = self._messages.SendMessageReturnFunction.FromString(raw)
        if answer.Error:
            outcome = texts.send_outcome(answer.Error)
            return self._directory.no_lid(device, to) if outcome == NotSent("no_lid") else outcome
        if not answer.HasField("SendResponse"):
            return NotSent("gone")
        outcome = texts.sent(answer.SendResponse.ID, answer.SendResponse.Timestamp)
        chat = people.jid(answer.SendResponse.Chat)  # the LID the library has put in the place of a phone number
        if isinstance(outcome, Sent) and to.server == USER_SERVER and chat is not None and chat.server == LID_SERVER:
            outcome = msgspec.structs.replace(outcome, lid=str(chat.bare))
        return outcome

    def upload(self, device: bytes, outgoing: OutgoingMedia) -> FileReady | SendOutcome:
        """Upload a file. The library copies its bytes; ours are a mapping, not another copy."""
        try:
            with Path(outgoing.file or "").open("rb") as opened:
                mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError):
            return SendRejected("media_failed")
        picture = None
        if outgoing.kind in {"image", "sticker"}:
            picture = pictures.look(outgoing.file or "", thumbnail=outgoing.kind == "image")
        start = ctypes.c_char.from_buffer(mapped)
        try:
            pointer = self._go.Upload(device, ctypes.addressof(start), len(mapped), compose_media.MMS[outgoing.kind])
            answer = self._messages.UploadReturnFunction.FromString(self._bytes(pointer))
        finally:
            del start
            mapped.close()
        if answer.Error:
            return uploads.failed(answer.Error)
        if not answer.HasField("UploadResponse"):
            return NotSent("gone")
        found = answer.UploadResponse
        if not (found.url and found.DirectPath and found.MediaKey):
            return NotSent("media")
        uploaded = Uploaded(
            found.url, found.DirectPath, found.MediaKey, found.FileSHA256, found.FileEncSHA256, found.FileLength
        )
        return FileReady(uploaded, picture)

    def is_there(self, device: bytes, phone: str) -> bool | None:
        """Ask about a number; the LID that WhatsApp tells goes into the device file."""
        return self._directory.has(device, phone, self._jid(Jid(phone, USER_SERVER)))

    def group_info(self, device: bytes, group: Jid, known: Account | None) -> GroupKnown:
        """Ask for a group's name and members."""
        address = self._jid(group)
        raw = self._bytes(self._go.GetGroupInfo(device, address, len(address)))
        answer = self._messages.GetGroupInfoReturnFunction.FromString(raw)
        return translate_around.group_answer(str(group), answer, known)

    def appear(self, device: bytes) -> bool:
        """Make the device available."""
        return not self._string(self._go.SendPresence(device, b"available"))

    def watch(self, device: bytes, person: Jid) -> bool:
        """Ask to be told when this person comes and goes."""
        address = self._jid(person)
        return not self._string(self._go.SubscribePresence(device, address, len(address)))

    def pair_phone(self, device: bytes, phone: str) -> str:
        """Ask for a pairing code; empty when the library refused."""
        wanted = self._messages.PairPhoneParams(
            phone=phone, showPushNotification=True, clientType=_CHROME_CODE, clientDisplayName=_CODE_NAME
        ).SerializeToString()
        answer = self._messages.PairPhoneReturnFunction.FromString(
            self._bytes(self._go.PairPhone(device, wanted, len(wanted)))
        )
        return "" if answer.Error else str(answer.Code)

    def logout(self, device: bytes) -> bool:
        """Unlink; True when WhatsApp confirmed."""
        return not self._string(self._go.Logout(device))

    # --- memory the library hands over ------------------------------------------------------------------------

    def _jid(self, jid: Jid) -> bytes:
        message = self._messages.JID(User=jid.user, RawAgent=0, Device=jid.device, Integrator=0, Server=jid.server)
        return bytes(message.SerializeToString())

    def _string(self, pointer: int | None) -> str:
        if not pointer:
            return ""
        try:
            return ctypes.string_at(pointer).decode(errors="replace")
        finally:
            self._go.FreeString(pointer)

    def _bytes(self, pointer: Any) -> bytes:
        if not pointer:
            return b""
        try:
            held = pointer.contents
            return ctypes.string_at(held.data, held.size) if held.data else b""
        finally:
            self._go.FreeBytesStruct(pointer)

    # --- callbacks, on the library's threads; an exception must not get back into Go --------------------------

    def _on_qr(self, device: bytes, code: bytes) -> None:
        self._tell(device, lambda told: told.on_qr(code.decode()))

    def _on_login_status(self, device: bytes, text: bytes) -> None:
        self._tell(device, lambda told: told.on_login_status(text.decode(errors="replace")))

    def _on_event(self, device: bytes, data: int | None, size: int, kind: int) -> None:
        # The bytes are Go's: copied before anything else, they are gone when this returns.
        raw = ctypes.string_at(data, size) if data and size else b""
        self._tell(
            device, lambda told: told.on_event(kind, self._bounded(raw) if kind == translate_history.KIND else raw)
        )

    def _bounded(self, raw: bytes) -> bytes:
        return translate_history.bounded(raw, self.parsers[translate_history.KIND])

    def _on_log(self, _: int | None, __: int) -> None:
        self.log_lines += 1

    def _tell(self, device: bytes, say: Callable[[Told], None]) -> None:
        told = self._clients.get(device)
        if told is None:
            return
        try:
            say(told)
        except Exception as error:
            report("callback", error)
