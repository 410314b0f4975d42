"""The simulated session's side of the contract about groups. Read `tests/contracts/group_harness.py` next."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sessions.model import ReceiptKind
from sessions.simulated import SimulatedPhone
from sessions.simulated_store import lid_of
from tests.contracts.group_harness import Change, GroupHarness


def _forms(number: str) -> tuple[str, str]:
    return f"{lid_of(number)}@lid", f"{number}@s.whatsapp.net"


class SimulatedGroupHarness(GroupHarness):
    """Plays the group through the phone."""

    def __init__(self, phone: SimulatedPhone, own: str, ada: str) -> None:
        self._phone = phone
        self._own = own
        self._numbers = {"ada": ada, "bob": "491700000002", "carl": "491700000003"}
        self.ada, self.bob, self.carl = (_forms(number) for number in self._numbers.values())
        self.chat = phone.make_group("Team", list(self._numbers.values()), tell=False)

    async def write(self, text: str, *, by: Literal["ada", "bob"] = "ada", pn: bool = False) -> str:
        return self._phone.group_text(self.chat, self._numbers[by], text)

    async def reply(self, text: str, quoted: str, author: str, mentions: tuple[str, ...]) -> str:
        return self._phone.group_text(self.chat, self._numbers["ada"], text, quoted=quoted, mentions=mentions)

    async def alter(self, what: Literal["reaction", "edited", "revoked"], target: str, text: str = "") -> str:
        ada = self._numbers["ada"]
        match what:
            case "reaction":
                return self._phone.react(ada, target, text, self.chat)
            case "edited":
                return self._phone.edit(ada, target, text, self.chat)
            case "revoked":
                return self._phone.revoke(ada, target, self.chat)

    async def change(self, what: Change, text: str = "") -> None:
        phone, chat, ada, carl = self._phone, self.chat, self._numbers["ada"], self._numbers["carl"]
        match what:
            case "rename":
                phone.group_rename(chat, ada, text)
            case "describe":
                phone.group_describe(chat, ada, text)
            case "add":
                phone.group_add(chat, ada, [carl])
            case "remove":
                phone.group_remove(chat, ada, [carl])
            case "leave":
                phone.group_remove(chat, carl, [carl])
            case "promote":
                phone.group_promote(chat, ada, [carl])
            case "demote":
                phone.group_demote(chat, ada, [carl])
            case "announce":
                phone.group_announce(chat, ada)
            case "join_me":
                phone.group_add(chat, ada, [self._own])
            case "remove_me":
                phone.group_remove(chat, ada, [self._own])

    async def next_words(self) -> list[tuple[str, dict[str, Any]]]:
        received = await self._phone.next_text()
        assert received.person == self.chat
        words: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(received.outgoing))
        return [(received.message_id, {key: value for key, value in words.items() if key != "to"})] * 3

    async def receipt(self, message_id: str, kind: ReceiptKind, *, by: Literal["ada", "bob", "carl"]) -> None:
        self._phone.receipt(message_id, kind, self._numbers[by])

    async def presence(self, state: str, *, here: bool = False) -> None:
        group = self.chat if here else None
        self._phone.presence(self._numbers["ada"], state, group=group)  # type: ignore[arg-type]

    async def call(self, *, video: bool = False, here: bool = False) -> str:
        return self._phone.call(self._numbers["ada"], video=video, group=self.chat if here else None)

    async def take_call(self, call_id: str) -> None:
        self._phone.take_call(self._numbers["ada"], call_id)

    async def end_call(self, call_id: str, reason: str = "") -> None:
        self._phone.end_call(self._numbers["ada"], call_id, reason or None)
