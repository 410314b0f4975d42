"""The loopback WhatsApp's side of the contract about groups. Read `tests/contracts/group_harness.py` next."""

from __future__ import annotations

from typing import Any, Literal

from sessions.model import ReceiptKind
from tests.contracts.group_harness import Change, GroupHarness
from tests.loopback import kinds, present
from tests.loopback.phone import Contact, Phone, ReceivedText
from tests.loopback.server import LoopbackServer


def _forms(person: Contact) -> tuple[str, str]:
    return str(person.lid_jid), str(person.pn_jid)


class LoopbackGroupHarness(GroupHarness):
    """Plays the group at a loopback WhatsApp."""

    def __init__(self, wa: LoopbackServer, phone: Phone, ada: Contact) -> None:
        self._phone = phone
        self._bob, self._carl = wa.add_contact(name="Bob"), wa.add_contact(name="Carl")
        self._ada = ada
        self._people = [ada, self._bob, self._carl]
        self._read: dict[str, ReceivedText] = {}
        self.group = wa.add_group("Team", *self._people, phone)
        self.chat = str(self.group.jid)
        self.ada, self.bob, self.carl = (_forms(person) for person in self._people)

    async def write(self, text: str, *, by: Literal["ada", "bob"] = "ada", pn: bool = False) -> str:
        sender = self._ada if by == "ada" else self._bob
        return await self.group.send(sender, kinds.text(text), "pn" if pn else "lid")

    async def reply(self, text: str, quoted: str, author: str, mentions: tuple[str, ...]) -> str:
        return await self.group.send(self._ada, kinds.reply(text, quoted=quoted, author=author, mentions=mentions))

    async def alter(self, what: Literal["reaction", "edited", "revoked"], target: str, text: str = "") -> str:
        match what:
            case "reaction":
                content = kinds.reaction(target, text, self.chat)
            case "edited":
                content = kinds.edit(target, text, self.chat)
            case "revoked":
                content = kinds.revoke(target, self.chat)
        return await self.group.send(self._ada, content)

    async def change(self, what: Change, text: str = "") -> None:
        group, ada, carl = self.group, self._ada, self._carl
        match what:
            case "rename":
                group.rename(ada, text)
            case "describe":
                group.describe(ada, text)
            case "add":
                group.add(ada, carl)
            case "remove":
                group.remove(ada, carl)
            case "leave":
                group.leave(carl)
            case "promote":
                group.promote(ada, carl)
            case "demote":
                group.demote(ada, carl)
            case "announce":
                group.set(ada, "announcement")
            case "join_me":
                group.add(ada, self._phone)
            case "remove_me":
                group.remove(ada, self._phone)

    async def next_words(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for person in self._people:
            received = await person.wait_text()
            person.received.remove(received)
            assert received.chat == self.chat
            found.append((received.message_id, received.words))
            self._read[person.number] = received
        return found

    async def receipt(self, message_id: str, kind: ReceiptKind, *, by: Literal["ada", "bob", "carl"]) -> None:
        # "delivered" goes out by itself as soon as a member has decrypted the message.
        person = self._people[("ada", "bob", "carl").index(by)]
        if kind == "read":
            person.received.append(self._read[person.number])
            person.mark_read(message_id)
            person.received.pop()

    async def presence(self, state: str, *, here: bool = False) -> None:
        group = self.group if here else None
        match state:
            case "available" | "unavailable":
                present.presence(self._ada, self._phone, available=state == "available")
            case "typing":
                present.chat_state(self._ada, self._phone, "composing", group)
            case _:
                present.chat_state(self._ada, self._phone, state, group)

    async def call(self, *, video: bool = False, here: bool = False) -> str:
        return present.call(self._ada, self._phone, video=video, group=self.group if here else None)

    async def take_call(self, call_id: str) -> None:
        present.accept(self._ada, self._phone, call_id)

    async def end_call(self, call_id: str, reason: str = "") -> None:
        present.terminate(self._ada, self._phone, call_id, reason)
