"""A disk that is nearly full, or takes no write: no session starts, so that WhatsApp keeps what can't be stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.ports import StartRefused
from orchestrator.supervisor import spools
from tests.support.room import room


async def test_no_start_on_a_low_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start is refused `storage_unavailable` before a process or WhatsApp is asked, and goes on when there is room."""
    async with room(tmp_path) as there:
        with monkeypatch.context() as low:
            low.setattr(spools, "START_ROOM_BYTES", 1 << 62)
            with pytest.raises(StartRefused) as refused:
                await there.host.start(there.spec("bot_a"), "pool")
            assert refused.value.cause == "storage_unavailable"
            assert there.journal.of("bot_a") == [] and not (tmp_path / "run" / "bot_a.lock").exists()
        await there.host.start(there.spec("bot_a"), "pool")
        await there.journal.until_told("bot_a", "Connected")


def test_has_room(tmp_path: Path) -> None:
    """A directory that takes no write has no room; the probe leaves nothing behind."""
    assert spools.has_room(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not spools.has_room(tmp_path / "gone")
