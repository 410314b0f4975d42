"""The real session passes the session contract: neonize's Go library in a child process, WhatsApp on loopback."""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from sessions.model import Content, MessageKind, QrOffered, ReceiptKind
from sessions.session import Session, SessionSpec
from tests.contracts.group_harness import GroupHarness
from tests.contracts.session_harness import FileIn, Harness, RecordingOutlet
from tests.contracts.session_suite import SessionContract
from tests.loopback import files, kinds
from tests.loopback.devices import LinkedDevice, QueueKey
from tests.loopback.faults import LoginFailure
from tests.loopback.history import Past, history, send
from tests.loopback.library import LibraryNotPatchable
from tests.loopback.nodes import Node
from tests.loopback.pairing import PairingRefused
from tests.loopback.phone import new_message_id
from tests.loopback.server import LoopbackServer
from tests.support.kinds import encode
from tests.support.loopback_group import LoopbackGroupHarness
from tests.support.real_session import RealSessions, RemoteSession, library_environment


class RealHarness(Harness):
    """Plays the phone at a loopback WhatsApp, for sessions in a child process."""

    def __init__(self, wa: LoopbackServer, child: RealSessions, directory: Path, account: str = "491555000111") -> None:
        self._wa = wa
        self._child = child
        self._file = directory / "devices" / "bot" / "attempt.db"
        self._numbers = itertools.count(1)
        self._made: list[tuple[RemoteSession, RecordingOutlet]] = []
        self.presence = True
        """Sessions tell who is there and types."""
        self._phone = wa.add_account(account)
        self._contact = wa.person_by_number(self.contact) or wa.add_contact(self.contact, "Ada")
        number = self.contact_without_lid
        self._stranger = wa.person_by_number(number) or wa.add_contact(number, "Bob")
        self.contact_lid = str(self._contact.lid_jid)

    @property
    def device(self) -> LinkedDevice:
        return self._phone.devices[-1]

    def spec(self, account_jid: str | None = None) -> SessionSpec:
        incarnation = f"inc_{self._phone.number}_{next(self._numbers)}"
        return SessionSpec(
            "bot_real", incarnation, str(self._file), account_jid, "Test", self._wa.proxy_url, presence=self.presence
        )

    async def make_session(self, spec: SessionSpec) -> tuple[Session, RecordingOutlet]:
        made = await self._child.make(spec)
        self._made.append(made)
        return made

    async def scan(self, offer: QrOffered) -> None:
        await self._phone.scan(offer.code)

    async def enter_code(self, code: str) -> None:
        await self._phone.enter_code(code)

    async def fail_pairing(self, offer: QrOffered) -> None:
        self._wa.faults.tamper_pairing = True
        with pytest.raises(PairingRefused):
            await self._phone.scan(offer.code)

    async def end_codes(self) -> None:
        self._wa.drop_all()

    async def unlink(self) -> None:
        self._phone.unlink(self.device)

    async def write_on_phone(self, text: str) -> str:
        message_id = new_message_id()
        device = self.device
        await device.wait_keys()
        to = self._contact
        cipher_type, data = self._phone.signal.encrypt_own_sent(
            device.address, device.take_bundle(), str(to.lid_jid), text, message_id=message_id
        )
        attrs: dict[str, Any] = {
            "id": message_id, "t": str(self._wa.now_s()), "type": "text", "from": self._phone.lid_jid,
            "recipient": to.lid_jid, "peer_recipient_pn": to.pn_jid, "addressing_mode": "lid",
        }  # fmt: skip
        self._hand_over(message_id, attrs, cipher_type, data)
        return message_id

    async def history(self, past: list[tuple[str, str, int, bool]], *, inline: bool) -> None:
        await self.device.wait_keys()
        told = [Past(self._contact, one, text, at_ms // 1000, mine) for one, text, at_ms, mine in past]
        send(self.device, history(told), new_message_id(), inline=inline)

    async def text(self, text: str, addressing: Literal["lid", "pn", "no_lid"] = "lid") -> str:
        for session, outlet in self._made:
            if outlet.broken:
                await self._child.call(session.name, "break", True)
        if addressing != "no_lid":
            return await self._contact.send_text(self._phone, text, addressing)
        await self.device.wait_keys()
        prepared = self._stranger.prepare_text(self._phone, text, "pn")[0]
        attrs = {name: value for name, value in prepared.node.attrs.items() if name != "sender_lid"}
        self.device.deliver(QueueKey("message", prepared.message_id), replace(prepared.node, attrs=attrs))
        return prepared.message_id

    async def odd_message(self) -> str:
        return await self._contact.send(self._phone, kinds.message(listMessage={"title": "choose"}))

    async def reply(self, text: str, quoted: str, author: str, mentions: tuple[str, ...]) -> str:
        content = kinds.reply(text, quoted=quoted, author=author, mentions=mentions)
        return await self._contact.send(self._phone, content)

    async def change(self, what: Literal["reaction", "edited", "revoked"], target: str, text: str = "") -> str:
        chat = str(self._phone.lid_jid)
        match what:
            case "reaction":
                content = kinds.reaction(target, text, chat)
            case "edited":
                content = kinds.edit(target, text, chat)
            case "revoked":
                content = kinds.revoke(target, chat)
        return await self._contact.send(self._phone, content)

    def _hand_over(self, message_id: str, attrs: dict[str, Any], cipher_type: str, data: bytes) -> None:
        node = Node("message", attrs, (Node("enc", {"v": "2", "type": cipher_type}, data),))
        self.device.deliver(QueueKey("message", message_id), node)

    async def say(self, kind: MessageKind, content: Content) -> str:
        return await self._contact.send(self._phone, encode(kind, content))

    async def next_words(self) -> tuple[str, dict[str, Any]]:
        received = await self._contact.wait_text()
        self._contact.received.remove(received)
        return received.message_id, received.words

    async def next_file(self) -> tuple[str, FileIn]:
        received = await self._contact.wait_text()
        self._contact.received.remove(received)
        opened = files.opened(self._wa.media, received.content)
        digest = hashlib.sha256(opened.data).hexdigest()
        return received.message_id, FileIn(opened.kind, digest, opened.mimetype, opened.beside)

    async def uploads(self, how: Literal["", "refuse", "hang", "never"]) -> None:
        self._wa.faults.upload = "refuse" if how == "never" else how
        self._wa.faults.upload_status = 413 if how == "never" else 503

    async def hanging(self) -> None:
        await self._wa.ledger.wait("media_upload_hung")

    async def next_text(self) -> tuple[str, str]:
        received = await self._contact.wait_text()
        assert received.text is not None
        return received.message_id, received.text

    async def receipt(self, message_id: str, kind: ReceiptKind) -> None:
        # "delivered" goes out by itself as soon as the contact has decrypted the message.
        if kind == "read":
            self._contact.mark_read(message_id)

    async def group(self) -> GroupHarness:
        return LoopbackGroupHarness(self._wa, self._phone, self._contact)

    async def drop(self) -> None:
        self.device.abort()

    async def replace(self) -> None:
        self.device.stream_error(conflict="replaced")

    async def refuse_login(self, number: int) -> None:
        self._phone.login_failure = LoginFailure(number)

    async def ban(self, seconds: int) -> None:
        self._phone.login_failure = LoginFailure(402, {"code": "101", "expire": str(seconds)})

    async def stream_error(self) -> None:
        self.device.stream_error("799", close=False)

    async def refuse_next_send(self, number: int) -> None:
        self._contact.refuse_with = str(number)

    async def stream_restarts(self) -> int:
        return self._wa.ledger.count("restart_sent")

    async def lose_keys(self) -> None:
        with closing(sqlite3.connect(self._file)) as database, database:
            database.execute("DELETE FROM whatsmeow_device")


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with LoopbackServer.start() as wa:
        try:
            environment = library_environment(wa)
        except LibraryNotPatchable as error:
            pytest.skip(str(error))
        async with RealSessions.start(environment) as child:
            yield RealHarness(wa, child, tmp_path)


class TestRealSession(SessionContract):
    """Runs every rule of the contract against `WhatsAppSession`."""
