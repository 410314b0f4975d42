"""What a bot knows of its groups' names, and which groups are asked about next. Pure.

Owns two bounds: so many names are kept, and one question is under way at a time. It must never know a session or the bus;
`around.py` makes what is learnt durable. Read `around.py` next.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

KEEP_MOST = 4_096
"""Names of one bot; those told longest ago go first and are asked for again."""
WAITING_MOST = 512
"""Groups that wait to be asked about."""
ANSWER_S = 30.0
"""A question without an answer for so long was lost with its session."""
AGAIN_S = 600.0
"""A group of which nothing could be told is not asked about again before."""
DAY_MS = 24 * 3_600_000
"""Nor is one the account is not in."""


class KnownGroup(msgspec.Struct, frozen=True):
    """As kept at `group/<bot>/<chat>`."""

    subject: str | None
    """None: the account is not in it."""
    at: int
    """When that was told, in milliseconds."""


def key(bot: str, chat: str) -> str:
    """Return where what is known of a group is kept."""
    return f"group/{bot}/{chat}"


class GroupNames:
    """The names of one bot's groups."""

    def __init__(self, known: dict[str, KnownGroup]) -> None:
        self._known: OrderedDict[str, KnownGroup] = OrderedDict(sorted(known.items(), key=lambda item: item[1].at))
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._asked: tuple[str, float] | None = None
        """The question under way, and since when."""
        self._not_before: OrderedDict[str, float] = OrderedDict()

    def name(self, chat: str) -> str | None:
        """Return the group's name, if it is known."""
        found = self._known.get(chat)
        return found.subject if found is not None else None

    def learn(self, chat: str, subject: str | None, now_ms: int) -> list[tuple[str, KnownGroup | None]]:
        """Take over what was told; return what is to be kept, and (None) what is kept no longer."""
        fresh = KnownGroup(subject, now_ms)
        before = self._known.pop(chat, None)
        self._known[chat] = fresh
        self._waiting.pop(chat, None)
        if before is not None and before.subject == subject is not None:
            return []
        changed: list[tuple[str, KnownGroup | None]] = [(chat, fresh)]
        while len(self._known) > KEEP_MOST:
            changed.append((self._known.popitem(last=False)[0], None))
        return changed

    def met(self, chat: str, now_s: float, now_ms: int) -> None:
        """Somebody wrote in a group: note it as one to ask about unless its name is known."""
        found = self._known.get(chat)
        if found is not None and (found.subject is not None or now_ms - found.at < DAY_MS):
            return
        asked = self._asked is not None and self._asked[0] == chat and now_s - self._asked[1] < ANSWER_S
        if asked or self._not_before.get(chat, now_s) > now_s or len(self._waiting) >= WAITING_MOST:
            return
        self._waiting[chat] = None

    def answered(self, chat: str, now_s: float, *, found_out: bool) -> None:
        """The question about this group is over."""
        if self._asked is not None and self._asked[0] == chat:
            self._asked = None
        if not found_out:
            self._not_before[chat] = now_s + AGAIN_S
            if len(self._not_before) > WAITING_MOST:
                self._not_before.popitem(last=False)

    def next(self, now_s: float) -> str | None:
        """Return the group to ask about now, noted as asked; None while an answer is awaited or nothing is unknown."""
        if self._asked is not None and now_s - self._asked[1] < ANSWER_S:
            return None
        if not self._waiting:
            return None
        chat, _ = self._waiting.popitem(last=False)
        self._asked = (chat, now_s)
        return chat
