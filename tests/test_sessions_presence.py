"""Being there for WhatsApp: who is asked about, when again, and that nothing reaches a library that must not be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sessions.session import SessionSpec
from sessions.whatsapp_presence import AGAIN_S, PEOPLE_MOST, Appearance
from tests.support.virtual_time import VirtualClock, run
from tests.test_sessions_whatsapp_session import FakeLibrary


class Stage:
    """An appearance whose calls are made at once."""

    def __init__(self, library: FakeLibrary) -> None:
        self.library = library
        self.up = True
        self.appearance = Appearance(library, b"device", self._call, lambda: self.up)

    def _call(self, operation: str, work: Callable[[], bool]) -> asyncio.Future[bool]:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        future.set_result(work())
        return future

    def took(self) -> list[str]:
        """What reached the library since the last look."""
        came, self.library.came_in = self.library.came_in, []
        return came


@pytest.fixture
def library(tmp_path_factory: pytest.TempPathFactory) -> FakeLibrary:
    return FakeLibrary(tmp_path_factory.mktemp("library"))


def test_people_are_asked_about_once_a_connection(library: FakeLibrary) -> None:
    """Available first, then each person once; a new connection begins anew; groups are no persons."""

    async def main(clock: VirtualClock) -> None:
        stage = Stage(library)
        stage.appearance.connected()
        await asyncio.sleep(1)
        for chat in ("1@lid", "2@s.whatsapp.net", "1@lid", "3@g.us"):
            stage.appearance.met(chat)
        await asyncio.sleep(1)
        assert stage.took() == ["appear", "watch 2@s.whatsapp.net", "watch 1@lid"]
        stage.appearance.met("1@lid")
        await asyncio.sleep(1)
        assert stage.took() == []
        stage.appearance.connected()
        await asyncio.sleep(1)
        assert sorted(stage.took()) == ["appear", "watch 1@lid", "watch 2@s.whatsapp.net"]

    run(main)


def test_without_a_name_it_tries_again_later(library: FakeLibrary) -> None:
    """As long as the library won't make it available nobody is asked about, and it is not asked at every message."""

    async def main(clock: VirtualClock) -> None:
        stage = Stage(library)
        library.may_appear = False
        stage.appearance.connected()
        for _ in range(5):
            stage.appearance.met("1@lid")
            await asyncio.sleep(1)
        assert stage.took() == ["appear"]
        library.may_appear = True
        await asyncio.sleep(AGAIN_S)
        stage.appearance.met("2@lid")
        await asyncio.sleep(1)
        assert stage.took() == ["appear", "watch 1@lid", "watch 2@lid"]

    run(main)


def test_few_people_and_nobody_after_the_end(library: FakeLibrary) -> None:
    """A bounded number of people; a session that is over asks nothing."""

    async def main(clock: VirtualClock) -> None:
        stage = Stage(library)
        for number in range(3 * PEOPLE_MOST):
            stage.appearance.met(f"{number}@lid")
        await asyncio.sleep(1)
        asked = stage.took()
        assert asked[0] == "appear" and len(asked) == 1 + PEOPLE_MOST
        stage.up = False
        stage.appearance.connected()
        await asyncio.sleep(1)
        assert stage.took() == []

    run(main)


def test_sessions_have_none_by_default() -> None:
    """A bot that does not ask for presence is not seen as available."""
    assert SessionSpec("bot_a", "inc_1", "/x.db", None, "Test", None).presence is False
