"""What the session contract's rules about groups, presence and calls need of an implementation.

Owns the abstract `GroupHarness`: one group of three contacts and the account, made anew for each test; the first
contact is the suite's own. It must never know an implementation. Read `session_groups.py` next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from sessions.model import ReceiptKind

Change = Literal[
    "rename", "describe", "add", "remove", "leave", "promote", "demote", "announce", "join_me", "remove_me"
]  # fmt: skip


class GroupHarness(ABC):
    """The group "Team": Ada (who made it), Bob and Carl, and the bot's account."""

    chat: str
    """Its address."""
    ada: tuple[str, str]
    """LID and phone form."""
    bob: tuple[str, str]
    carl: tuple[str, str]

    @abstractmethod
    async def write(self, text: str, *, by: Literal["ada", "bob"] = "ada", pn: bool = False) -> str:
        """Let a member write to the group, known by its phone form first when `pn`. Returns the message id."""

    @abstractmethod
    async def reply(self, text: str, quoted: str, author: str, mentions: tuple[str, ...]) -> str:
        """Let Ada write a text that answers a message and mentions people. Returns the message id."""

    @abstractmethod
    async def alter(self, what: Literal["reaction", "edited", "revoked"], target: str, text: str = "") -> str:
        """Let Ada react to a message of the group, give one of hers new words, or delete it. Returns the id."""

    @abstractmethod
    async def change(self, what: Change, text: str = "") -> None:
        """Let Ada change the group: its `text`, or Carl's place in it (Carl leaves by himself), or the account's."""

    @abstractmethod
    async def next_words(self) -> list[tuple[str, dict[str, Any]]]:
        """Wait until every member has the bot's next message; what each reads: its id, and it in words."""

    @abstractmethod
    async def receipt(self, message_id: str, kind: ReceiptKind, *, by: Literal["ada", "bob", "carl"]) -> None:
        """Acknowledge a message of the bot's as a member."""

    @abstractmethod
    async def presence(self, state: str, *, here: bool = False) -> None:
        """Let Ada come (`available`), go (`unavailable`), type, record or pause; `here`: in the group."""

    @abstractmethod
    async def call(self, *, video: bool = False, here: bool = False) -> str:
        """Let Ada call the account, or (`here`) the whole group. Returns the call's id."""

    @abstractmethod
    async def take_call(self, call_id: str) -> None:
        """Let the account's owner take the call on the phone."""

    @abstractmethod
    async def end_call(self, call_id: str, reason: str = "") -> None:
        """Let the call end."""
