"""The simulated session passes the session contract."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from sessions.model import Content, MessageKind, OutgoingMedia, QrOffered, ReceiptKind
from sessions.session import Session, SessionSpec
from sessions.simulated import SimulatedPhone, SimulatedSession
from sessions.simulated_server import Options
from sessions.simulated_store import erase, lid_of
from tests.contracts.group_harness import GroupHarness
from tests.contracts.session_harness import FileIn, Harness, RecordingOutlet
from tests.contracts.session_suite import SessionContract
from tests.support.simulated_group import SimulatedGroupHarness


class SimulatedHarness(Harness):
    """Plays the newest session's phone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sessions: list[SimulatedSession] = []
        self._numbers = itertools.count(1)
        self.contact_lid = f"{lid_of(self.contact)}@lid"

    @property
    def phone(self) -> SimulatedPhone:
        return self._sessions[-1].phone

    def spec(self, account_jid: str | None = None) -> SessionSpec:
        file = str(self._directory / "device.db")
        return SessionSpec(
            "bot_simulated", f"inc_{next(self._numbers)}", file, account_jid, "Test", None, presence=True
        )

    async def make_session(self, spec: SessionSpec) -> tuple[Session, RecordingOutlet]:
        outlet = RecordingOutlet()
        session = SimulatedSession(spec, outlet, Options(auto_receipts=False))
        session.phone.leave_whatsapp(self.absent)
        self._sessions.append(session)
        return session, outlet

    async def close(self) -> None:
        for session in self._sessions:
            await session.stop()

    async def scan(self, offer: QrOffered) -> None:
        self.phone.scan(offer.code)

    async def enter_code(self, code: str) -> None:
        self.phone.enter_code(code)

    async def fail_pairing(self, offer: QrOffered) -> None:
        self.phone.refuse()

    async def end_codes(self) -> None:
        self.phone.expire_codes()

    async def unlink(self) -> None:
        self.phone.unlink()

    async def write_on_phone(self, text: str) -> str:
        return self.phone.write(self.contact, text)

    async def history(self, past: list[tuple[str, str, int, bool]], *, inline: bool) -> None:
        self.phone.history(self.contact, past)

    async def text(self, text: str, addressing: Literal["lid", "pn", "no_lid"] = "lid") -> str:
        if addressing == "no_lid":
            return self.phone.text(self.contact_without_lid, text, addressing="pn")
        return self.phone.text(self.contact, text)

    async def odd_message(self) -> str:
        return self.phone.odd_message(self.contact)

    async def reply(self, text: str, quoted: str, author: str, mentions: tuple[str, ...]) -> str:
        return self.phone.text(self.contact, text, quoted=quoted, mentions=mentions)

    async def change(self, what: Literal["reaction", "edited", "revoked"], target: str, text: str = "") -> str:
        match what:
            case "reaction":
                return self.phone.react(self.contact, target, text)
            case "edited":
                return self.phone.edit(self.contact, target, text)
            case "revoked":
                return self.phone.revoke(self.contact, target)

    async def say(self, kind: MessageKind, content: Content) -> str:
        return self.phone.say(self.contact, kind, content)

    async def next_words(self) -> tuple[str, dict[str, Any]]:
        received = await self.phone.next_text()
        words: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(received.outgoing))
        return received.message_id, {key: value for key, value in words.items() if key != "to"}

    async def next_file(self) -> tuple[str, FileIn]:
        received = await self.phone.next_text()
        sent, file = received.outgoing, received.file
        assert isinstance(sent, OutgoingMedia) and file is not None
        beside: dict[str, Any] = {
            name: getattr(sent, name)
            for name in ("caption", "name", "seconds", "width", "height", "thumbnail", "mentions")
            if getattr(sent, name)
        }
        if sent.quoted is not None:
            beside["quoted"] = (sent.quoted.message_id, sent.quoted.sender)
        if file.picture is not None:
            beside |= {"width": file.picture.width, "height": file.picture.height}
            beside |= {"thumbnail": file.picture.thumbnail} if file.picture.thumbnail else {}
            beside |= {"animated": True} if file.picture.animated else {}
        return received.message_id, FileIn(sent.kind, file.sha256, sent.mimetype, beside)

    async def uploads(self, how: Literal["", "refuse", "hang", "never"]) -> None:
        self.phone.uploads(how)

    async def hanging(self) -> None:
        await self.phone.hanging_upload()

    async def next_text(self) -> tuple[str, str]:
        received = await self.phone.next_text()
        return received.message_id, received.text

    async def receipt(self, message_id: str, kind: ReceiptKind) -> None:
        self.phone.receipt(message_id, kind)

    async def group(self) -> GroupHarness:
        account = self._sessions[-1].account()
        assert account is not None
        return SimulatedGroupHarness(self.phone, account.phone, self.contact)

    async def drop(self) -> None:
        self.phone.drop(back_after_s=0.01)

    async def replace(self) -> None:
        self.phone.replace()

    async def refuse_login(self, number: int) -> None:
        self.phone.refuse_login(number)

    async def ban(self, seconds: int) -> None:
        self.phone.ban(seconds)

    async def stream_error(self) -> None:
        self.phone.stream_error("")

    async def refuse_next_send(self, number: int) -> None:
        self.phone.refuse_sends(number)

    async def stream_restarts(self) -> int:
        return self.phone.stream_restarts

    async def lose_keys(self) -> None:
        erase(self._sessions[-1].phone.device_file)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    made = SimulatedHarness(tmp_path)
    yield made
    await made.close()


class TestSimulatedSession(SessionContract):
    """Runs every rule of the contract against `SimulatedSession`."""
