"""Sizes of spools that are being drained: what was freed meanwhile is not there, and no bug."""

from __future__ import annotations

import threading
from pathlib import Path

from orchestrator.supervisor.spools import holds_nothing, size_bytes


def test_a_segment_that_goes_while_somebody_looks(tmp_path: Path) -> None:
    """A name that was listed and whose file is freed counts for nothing (a link to nowhere is such a name)."""
    (tmp_path / "00000001.seg").symlink_to(tmp_path / "freed")
    assert size_bytes(tmp_path) == 0 and holds_nothing(tmp_path)
    (tmp_path / "00000002.seg").write_bytes(b"x" * 100_000)
    assert size_bytes(tmp_path) == 100_000 and not holds_nothing(tmp_path)
    assert size_bytes(tmp_path / "nowhere") == 0 and holds_nothing(tmp_path / "nowhere")


def test_a_drain_beside_a_scrape(tmp_path: Path) -> None:
    """Segments come and go, and the directory too: whoever asks for the size gets a number."""
    spool, ended = tmp_path / "spool", threading.Event()

    def drain() -> None:
        while not ended.is_set():
            spool.mkdir()
            for number in range(5):
                (spool / f"{number}.seg").write_bytes(b"x")
            for number in range(5):
                (spool / f"{number}.seg").unlink()
            spool.rmdir()

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        for _ in range(2000):
            assert 0 <= size_bytes(spool) <= 5
    finally:
        ended.set()
        thread.join()
