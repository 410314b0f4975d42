"""`orchestrator doctor` and `status`: each check against the real thing, pass and fail, and what people read."""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from orchestrator import doctor
from orchestrator.settings import Settings
from orchestrator.supervisor.probe import ask_time, probe
from tests.support.simulated import simulated
from tests.test_cli import Shell
from tests.test_supervisor_probe import certificate, http_proxy, listening

NOW = 1_790_000_000_000


def test_a_data_directory(tmp_path: Path) -> None:
    """One that is there and private, or can be made, passes; one open to others or not ours fails with what to do."""
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    assert doctor.data_dir(mine).ok and doctor.data_dir(tmp_path / "to" / "come").ok
    mine.chmod(0o755)
    opened = doctor.data_dir(mine)
    assert not opened.ok and opened.remedy == f"Run: chmod 700 {mine}"
    (tmp_path / "file").write_text("")
    assert not doctor.data_dir(tmp_path / "file").ok


def test_disk_and_files(tmp_path: Path) -> None:
    """Room and open files, with the number found."""
    assert doctor.disk(tmp_path / "not" / "yet").found.endswith("MB free") or not doctor.disk(tmp_path).ok
    assert doctor.open_files(1024, 20).ok and doctor.open_files(-1, 10**6).ok
    few = doctor.open_files(256, 20)
    assert not few.ok and "LimitNOFILE" in str(few.remedy)


@pytest.mark.parametrize(
    ("newest_ms", "far_ms", "ok", "word"),
    [
        (None, None, True, "could not be compared"),
        (NOW - 5, NOW + 900, True, "behind"),
        (NOW + 120_000, NOW, False, "set back"),
        (None, NOW - 300_000, False, "ahead"),
        (None, NOW + 300_000, False, "behind"),
    ],
)
def test_the_clock(newest_ms: int | None, far_ms: int | None, ok: bool, word: str) -> None:
    """A clock that was set back, or is a minute off WhatsApp's, is told; one nobody can compare is not accused."""
    check = doctor.clock(newest_ms, NOW, far_ms)
    assert check.ok is ok and word in check.found and (check.remedy is None) is ok


async def test_the_port() -> None:
    """Free, taken by somebody else, no address of ours."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        busy = await doctor.port(Settings(port=number))
        assert not busy.ok and "--port" in str(busy.remedy)
    assert (await doctor.port(Settings(port=number))).ok
    away = await doctor.port(Settings(host="192.0.2.1", port=0))
    assert not away.ok


async def test_whatsapps_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Date of the answer, through a proxy, whatever the certificate says; nothing when nobody answers."""
    file = certificate(tmp_path, "elsewhere.example")

    async def answer(writer: asyncio.StreamWriter) -> None:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        await writer.start_tls(context)
        writer.write(f"HTTP/1.1 200 OK\r\nDate: {formatdate(1_790_000_000, usegmt=True)}\r\n\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.2)

    async with listening(http_proxy(b"HTTP/1.1 200 OK", answer)) as port:
        assert await ask_time(f"http://127.0.0.1:{port}") == 1_790_000_000_000
    async with listening(http_proxy(b"HTTP/1.1 502 Bad Gateway")) as port:
        assert await ask_time(f"http://127.0.0.1:{port}") is None
        settings = Settings(driver="simulated", data_dir=tmp_path / "data", port=0)
        assert all(check.ok for check in await doctor.examine(settings))
        through = Settings(data_dir=tmp_path / "data", port=0, proxy=f"http://127.0.0.1:{port}")
        found = {check.name: check for check in await doctor.examine(through, probed=probe)}
        assert found["network"].ok and not found["proxy"].ok and found["proxy"].remedy
        assert found["library"].ok and found["library"].found.startswith("neonize ")


@pytest.mark.system
async def test_the_command(tmp_path: Path) -> None:
    """Exit 0 and a line for each check when all is well, 1 with the remedy when not, 2 for a wrong option; nothing is
    made on the way."""
    shell = Shell(tmp_path)
    good = await shell.ok("doctor", "--driver", "simulated", "--port", "0")
    assert "All is well." in good.out and good.out.count("pass") == 7
    (tmp_path / "shared").mkdir(mode=0o755)
    bad = await shell("doctor", "--driver", "simulated", "--port", "0", "--data-dir", "shared")
    assert bad.code == 1 and "→ Run: chmod 700" in bad.out and "1 of 7 failed." in bad.out
    told = await shell("doctor", "--driver", "simulated", "--port", "0", "--data-dir", "shared", "--json")
    assert told.code == 1 and [one["name"] for one in told.json()["checks"] if not one["ok"]] == ["data dir"]
    assert (await shell("doctor", "--proxy", "nonsense")).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]


@pytest.mark.system
async def test_the_fleet_at_a_glance(tmp_path: Path) -> None:
    """`status` tells bots, workers, sockets, bus and incidents of a running server; others than operators are refused."""
    async with simulated(tmp_path / "data") as world:
        ada = world.by("ada")
        await world.linked(ada)
        shell = Shell(tmp_path)
        seen = await shell.ok("status")
        assert "1 of 1 connected, 0 need their owner" in seen.out and "SIMULATED" in seen.out
        for word in ("workers", "sockets", "bus", "restarts", "incidents", "0 open"):
            assert word in seen.out
        assert (await shell.ok("status", "--json")).json()["fleet"]["bots"]["connected"] == 1
        refused = await shell("status", "--token", world.token("ada"))
        assert refused.code == 1 and "forbidden" in refused.err
        assert (await shell("doctor", "--driver", "simulated", "--port", world.server.url.rpartition(":")[2])).code == 0
        bot = (await ada("GET", "/bots")).ok(200)["bots"][0]["id"]
        (await ada("POST", f"/bots/{bot}/simulate", {"play": "outdated"})).ok(204)
        deadline = time.monotonic() + 20
        while "WhatsApp refuses this version" not in (seen := await shell.ok("status")).out:
            assert time.monotonic() < deadline, seen.out
        assert "→ Install the newest version" in seen.out
