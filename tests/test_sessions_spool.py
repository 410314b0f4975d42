"""The spool: what `append` returned is read back once, in order, whatever happened since."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessions import spool as spool_module
from sessions.spool import Damage, Record, Spool, SpoolFull, read
from tests.support.examples import examples

MAX_BYTES = 1 << 20


def numbers(directory: Path) -> list[int]:
    return [record.ordinal for record in read(directory)]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


def test_records_come_back_whole(tmp_path: Path) -> None:
    """Bot, incarnation, kind, time and bytes come back as they were put in; ordinals rise per incarnation."""
    times = iter(range(1000, 2000))
    spool = Spool.open(tmp_path, MAX_BYTES, wall_ms=lambda: next(times))
    assert spool.append("bot_a", "inc_1", 17, b"raw\x00bytes") == (1, 1000)
    assert spool.append("bot_b", "inc_2", -1, b"") == (1, 1001)
    assert spool.append("bot_a", "inc_1", 18, b"x" * 70_000) == (2, 1002)
    assert list(read(tmp_path)) == [
        Record("bot_a", "inc_1", 1, 1000, 17, b"raw\x00bytes"),
        Record("bot_b", "inc_2", 1, 1001, -1, b""),
        Record("bot_a", "inc_1", 2, 1002, 18, b"x" * 70_000),
    ]


def test_missing_directory_is_empty(tmp_path: Path) -> None:
    """There is nothing to drain where no worker ever wrote."""
    assert list(read(tmp_path / "never")) == []


def test_commit_of_everything_empties_the_disk(tmp_path: Path) -> None:
    """When the journal has all of it nothing is left to drain, and no message body stays on the disk."""
    spool = Spool.open(tmp_path, MAX_BYTES)
    for _ in range(5):
        spool.append("bot", "inc", 17, b"a secret text")
    spool.committed("inc", 4)
    assert numbers(tmp_path) == [1, 2, 3, 4, 5], "the segment still holds a record the journal doesn't have"
    spool.committed("inc", 5)
    assert numbers(tmp_path) == []
    assert all(b"a secret text" not in path.read_bytes() for path in segments(tmp_path))
    assert spool.append("bot", "inc", 17, b"next")[0] == 6


def test_busy_session_does_not_grow(tmp_path: Path) -> None:
    """A session that always has something on its way keeps a bounded file, however long it lives."""
    spool = Spool.open(tmp_path, MAX_BYTES, segment_bytes=4096)
    for _ in range(2000):
        ordinal, _ = spool.append("bot", "inc", 17, b"x" * 200)
        spool.committed("inc", ordinal - 1)
    assert len(segments(tmp_path)) <= 2
    assert spool.size_bytes <= 2 * 4096 + 512
    assert numbers(tmp_path)[-1] == 2000


def test_segment_waits_for_every_incarnation(tmp_path: Path) -> None:
    """A segment is freed when all who wrote into it are committed, not before."""
    spool = Spool.open(tmp_path, MAX_BYTES, segment_bytes=4096)
    spool.append("bot_a", "inc_a", 17, b"kept")
    for _ in range(100):
        ordinal, _ = spool.append("bot_b", "inc_b", 17, b"x" * 200)
    spool.committed("inc_b", ordinal)
    assert [record.incarnation for record in read(tmp_path)].count("inc_a") == 1
    spool.committed("inc_a", 1)
    assert numbers(tmp_path) == []


def test_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its limit the spool says that it is full, takes what still comes in the slack, then refuses, and goes on when
    there is room again; a refused record uses up no ordinal."""
    monkeypatch.setattr(spool_module, "SLACK_BYTES", 20_000)
    spool = Spool.open(tmp_path, 100_000)
    last = 0
    with pytest.raises(SpoolFull) as refusal:
        for _ in range(200):
            last, _ = spool.append("bot", "inc", 17, b"x" * 1000)
            assert spool.full == (spool.size_bytes >= 100_000)
    assert spool.full
    assert refusal.value.errno == errno.ENOSPC
    assert spool.size_bytes <= 120_000
    assert numbers(tmp_path) == list(range(1, last + 1))
    spool.committed("inc", last)
    assert not spool.full
    assert spool.append("bot", "inc", 17, b"again")[0] == last + 1


def test_low_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little room left on the disk the spool says that it is full while it still takes what comes."""
    spool = Spool.open(tmp_path, MAX_BYTES)
    assert not spool.full
    monkeypatch.setattr(spool_module, "LOW_DISK_BYTES", 1 << 62)
    assert spool.full
    assert spool.append("bot", "inc", 17, b"still in hand")[0] == 1


def test_private(tmp_path: Path) -> None:
    """Directory 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        spool = Spool.open(tmp_path / "spool", MAX_BYTES)
        spool.append("bot", "inc", 17, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in segments(tmp_path / "spool")] == [0o600]


def test_torn_tail_is_skipped_and_reported(tmp_path: Path) -> None:
    """A record cut off at any byte is no record; those before it are all there."""
    spool = Spool.open(tmp_path, MAX_BYTES)
    spool.append("bot", "inc", 17, b"first")
    whole = segments(tmp_path)[0].stat().st_size
    spool.append("bot", "inc", 17, b"second")
    content = segments(tmp_path)[0].read_bytes()
    for cut in range(whole + 1, len(content)):
        segments(tmp_path)[0].write_bytes(content[:cut])
        damage: list[Damage] = []
        assert [record.raw for record in read(tmp_path, damage.append)] == [b"first"]
        assert damage == [Damage("00000001.seg", whole, cut - whole)]


def test_bad_bytes_cost_only_their_record(tmp_path: Path) -> None:
    """A flipped byte loses the record it hits and no other, and a text can't pass for a record."""
    spool = Spool.open(tmp_path, MAX_BYTES)
    spool.append("bot", "inc", 17, b"first")
    start = segments(tmp_path)[0].stat().st_size
    spool.append("bot", "inc", 17, b"second" + segments(tmp_path)[0].read_bytes()[8:])
    end = segments(tmp_path)[0].stat().st_size
    spool.append("bot", "inc", 17, b"third")
    content = segments(tmp_path)[0].read_bytes()
    for at in range(start, end, 3):
        spoilt = bytearray(content)
        spoilt[at] ^= 0x55
        segments(tmp_path)[0].write_bytes(spoilt)
        damage: list[Damage] = []
        found = [record.ordinal for record in read(tmp_path, damage.append)]
        assert found[0] == 1 and found[-1] == 3 and 2 not in found
        assert damage


def test_foreign_segment_is_reported(tmp_path: Path) -> None:
    """A file that is no segment is skipped, and said."""
    (tmp_path / "00000001.seg").write_bytes(b"something else entirely, long enough")
    (tmp_path / "notes.txt").write_bytes(b"not ours")
    damage: list[Damage] = []
    assert list(read(tmp_path, damage.append)) == []
    assert [found.segment for found in damage] == ["00000001.seg"]


def test_reopening_goes_on(tmp_path: Path) -> None:
    """A spool opened again keeps what is there and goes on counting after it."""
    first = Spool.open(tmp_path, MAX_BYTES)
    first.append("bot", "inc", 17, b"one")
    first.close()
    second = Spool.open(tmp_path, MAX_BYTES)
    assert second.append("bot", "inc", 17, b"two")[0] == 2
    second.committed("inc", 2)
    assert numbers(tmp_path) == []


def test_close(tmp_path: Path) -> None:
    """A closed spool refuses, and an empty one leaves no file."""
    spool = Spool.open(tmp_path, MAX_BYTES)
    spool.close()
    spool.close()
    assert segments(tmp_path) == []
    with pytest.raises(OSError, match="closed"):
        spool.append("bot", "inc", 17, b"late")


def test_forget_starts_no_ordinal_twice(tmp_path: Path) -> None:
    """Forgetting an incarnation whose records wait keeps its ordinals; one with nothing left is gone."""
    spool = Spool.open(tmp_path, MAX_BYTES)
    spool.append("bot", "inc", 17, b"x")
    spool.forget("inc")
    assert spool.append("bot", "inc", 17, b"x")[0] == 2
    spool.committed("inc", 2)
    spool.forget("inc")
    assert spool.append("bot", "inc", 17, b"x")[0] == 1


def test_threads_append_at_once(tmp_path: Path) -> None:
    """Threads never tear or reorder each other's records."""
    spool = Spool.open(tmp_path, 64 << 20, segment_bytes=16_384)

    def work(incarnation: str) -> None:
        for number in range(300):
            ordinal, _ = spool.append("bot", incarnation, 17, f"{incarnation} {number}".encode())
            assert ordinal == number + 1

    threads = [threading.Thread(target=work, args=(f"inc_{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number in range(6):
        mine = [record for record in read(tmp_path) if record.incarnation == f"inc_{number}"]
        assert [record.ordinal for record in mine] == list(range(1, 301))
        assert mine[299].raw == f"inc_{number} 299".encode()


def test_reading_while_writing(tmp_path: Path) -> None:
    """A spool can be read while it grows and shrinks: what had been written and isn't committed is always there."""
    spool = Spool.open(tmp_path, 64 << 20, segment_bytes=2000)
    promised = [0, 0]
    done = threading.Event()

    def work() -> None:
        for number in range(1, 2001):
            spool.append("bot", "inc", 17, b"x" * 100)
            promised[1] = number
            if number > 50:
                promised[0] = number - 50
                spool.committed("inc", number - 50)
        done.set()

    writer = threading.Thread(target=work)
    writer.start()
    rounds = 0
    while not done.is_set() or not rounds:
        written = promised[1]
        found = numbers(tmp_path)
        committed = promised[0]
        assert found == sorted(set(found))
        assert set(range(committed + 1, written + 1)) <= set(found)
        rounds += 1
    writer.join(60)


_KILLED = """
import sys
from sessions.spool import Spool
spool = Spool.open(sys.argv[1], 64 << 20)
while True:
    ordinal, _ = spool.append("bot", "inc", 17, b"x" * 500)
    sys.stdout.write(f"{ordinal}\\n")
    sys.stdout.flush()
"""


def test_kill_loses_nothing_that_returned(tmp_path: Path) -> None:
    """Every record whose append returned before SIGKILL is read back, without a hole."""
    writer = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(500):
        assert writer.stdout.readline()
    writer.kill()
    told = 500 + sum(1 for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n"))
    writer.wait(10)
    writer.stdout.close()
    found = numbers(tmp_path)
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= told


_SHORT = """
import resource, signal, sys
from sessions.spool import Spool, read
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool.open(sys.argv[1], 1 << 20)
spool.append("bot", "inc", 17, b"first")
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
try:
    spool.append("bot", "inc", 17, b"x" * 5000)
except OSError:
    print("refused", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(spool.append("bot", "inc", 17, b"second")[0], flush=True)
damage = []
print([record.raw for record in read(sys.argv[1], damage.append)], damage, flush=True)
"""


def test_short_write_leaves_no_half_record(tmp_path: Path) -> None:
    """A disk that takes only a part of a record refuses it whole, and the next one follows the last whole one."""
    done = subprocess.run(
        [sys.executable, "-c", _SHORT, str(tmp_path)], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == ["refused", "2", "[b'first', b'second'] []"]


class SpoolMachine(RuleBasedStateMachine):
    """Append, commit, crash at any byte and reopen, against a list of what returned."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="spool-"))
        self.expected: dict[str, list[tuple[int, bytes]]] = {}
        """Per incarnation what was appended and not committed, in order."""
        self.counts: dict[str, int] = {}

    @initialize(segment=st.sampled_from([64, 300, 5000]))
    def open(self, segment: int) -> None:
        self.segment = segment
        self.spool = Spool.open(self.directory, MAX_BYTES, segment_bytes=segment)

    @rule(incarnation=st.sampled_from(["inc_a", "inc_b", "inc_c"]), raw=st.binary(max_size=120))
    def append(self, incarnation: str, raw: bytes) -> None:
        ordinal, _ = self.spool.append("bot", incarnation, 17, raw)
        assert ordinal == self.counts.get(incarnation, 0) + 1
        self.counts[incarnation] = ordinal
        self.expected.setdefault(incarnation, []).append((ordinal, raw))

    @precondition(lambda self: any(self.expected.values()))
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        incarnation = data.draw(st.sampled_from(sorted(key for key, left in self.expected.items() if left)))
        index = data.draw(st.integers(0, len(self.expected[incarnation]) - 1))
        self.spool.committed(incarnation, self.expected[incarnation][index][0])
        del self.expected[incarnation][: index + 1]

    @rule(data=st.data(), torn=st.binary(max_size=80))
    def crash(self, data: st.DataObject, torn: bytes) -> None:
        """The process dies inside a write: any part of a next record lies behind the last whole one."""
        active = segments(self.directory)[-1]
        before = active.stat().st_size
        self.spool.append("bot", "inc_torn", 17, torn)
        now = segments(self.directory)[-1]
        if now == active:
            os.truncate(now, data.draw(st.integers(before, now.stat().st_size - 1)))
        else:
            os.truncate(now, data.draw(st.integers(0, now.stat().st_size - 1)))
        self.spool.close()  # A dead process holds no descriptor.
        self.spool = Spool.open(self.directory, MAX_BYTES, segment_bytes=self.segment)
        # An incarnation of which nothing waits may begin anew: no worker writes one another worker has begun.
        for incarnation in self.counts:
            seen = max((r.ordinal for r in read(self.directory) if r.incarnation == incarnation), default=0)
            if self.expected.get(incarnation):
                assert seen == self.counts[incarnation]
            self.counts[incarnation] = seen

    @invariant()
    def everything_is_there_once(self) -> None:
        for incarnation, left in self.expected.items():
            found = [(r.ordinal, r.raw) for r in read(self.directory) if r.incarnation == incarnation]
            assert found[len(found) - len(left) :] == left
            ordinals = [ordinal for ordinal, _ in found]
            assert ordinals == sorted(set(ordinals))

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.directory)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=examples(120), stateful_step_count=40)
