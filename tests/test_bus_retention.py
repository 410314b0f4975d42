"""Where a log is cut, as a pure function."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bus.retention import Cut, Retention, Standing, cut_log, overdue

NOW_MS = 1_000_000
LIMITS = Retention(max_events=10, max_age_ms=1000, max_bytes=1000)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 400), st.integers(0, 300)), max_size=40), st.integers(0, 3))
def test_it_keeps_the_newest_that_fit(steps: list[tuple[int, int, int]], beyond: int) -> None:
    """Nothing that a limit allows goes, nothing that a limit forbids stays, however many steps it takes."""
    rows, seq, stored_ms = [], 0, NOW_MS - 2000
    for apart, size, later in steps:
        seq, stored_ms = seq + apart, stored_ms + later
        rows.append((seq, size, stored_ms))
    log = Standing(seq + beyond, 0, sum(size for _, size, _ in rows))
    whole = cut_log(log, rows, LIMITS, NOW_MS, len(rows))
    stays = [row for row in rows if row[0] > whole.floor]
    assert not whole.more
    assert whole.size_bytes == sum(size for _, size, _ in stays)
    assert whole.oldest_ms == (stays[0][2] if stays else None)
    assert all(at > log.head - 10 and stored >= NOW_MS - 1000 for at, _, stored in stays[:1])
    assert whole.size_bytes <= 1000 or [at for at, _, _ in stays] == [log.head]
    for at, size, stored in rows[: len(rows) - len(stays)][-1:]:
        allowed = at > log.head - 10 and stored >= NOW_MS - 1000
        assert not allowed or (whole.size_bytes + size > 1000 and at < log.head)
    stepped = Cut(log.floor, log.size_bytes, None, more=True)
    while stepped.more:
        left = [row for row in rows if row[0] > stepped.floor]
        stepped = cut_log(Standing(log.head, stepped.floor, stepped.size_bytes), left, LIMITS, NOW_MS, 3)
    assert stepped == whole


def test_a_cut_waits_until_it_pays() -> None:
    """A log is cut when it is a 64th longer than it may be, by count or by bytes."""
    limits = replace(LIMITS, max_events=640, max_bytes=6400)
    for standing, due in (
        (Standing(650, 0, 0), False),
        (Standing(651, 0, 0), True),
        (Standing(651, 1, 0), False),
        (Standing(1, 0, 6500), False),
        (Standing(1, 0, 6501), True),
    ):
        assert overdue(standing, limits) is due


def test_defaults_are_the_contracts() -> None:
    """10000 events, 72 hours, 20 MB, whichever comes first; messages 90 days."""
    assert Retention() == Retention(10_000, 72 * 3600 * 1000, 20 * 1024 * 1024, 90 * 24 * 3600 * 1000)
