"""The server stops and starts, and is killed and started: nothing is asked again, nothing is lost or told twice."""

from __future__ import annotations

import pytest

from tests.e2e.journeys import assert_gapless, connect, durable, linked, position, texts
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.server import Server


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_comes_back(way: str, server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """Stopped or SIGKILLed: no QR, connected, the text sent meanwhile arrives once; a resume gets exactly the rest."""
    bot, phone, _ = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    socket = await connect(node, server)
    await ada.send_text(phone, "before")
    await socket.until(lambda: texts(socket) == ["before"], what="the first text")
    last = position(durable(socket)[-1])
    socket.disconnect()
    if way == "stop":
        assert await server.stop() == 0
    else:
        await server.kill()
    await ada.send_text(phone, "meanwhile")
    await server.start()
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    assert whatsapp.ledger.count("refs_sent", phone=phone.number) <= 1
    again = await node.connect(server.url, token=server.token, user="local", auth={"resume": last})
    ready = await again.ready()
    assert (ready["mode"], ready["from"]) == ("resumed", last["seq"])
    await again.until(lambda: "meanwhile" in texts(again), what="the text sent meanwhile")
    frames = durable(again)
    assert_gapless(frames, int(str(last["seq"])))
    replay = [frame for frame in frames if frame["seq"] <= ready["head"]]
    assert replay and all(frame["replayed"] for frame in replay)
    assert not any(frame.get("replayed") for frame in frames if frame["seq"] > ready["head"])
    assert not [frame for frame in frames if frame["type"] == "qr"]
    page = await server.call("GET", "/events", limit=1000)
    stored = [event["data"]["text"] for event in page["events"] if event["type"] == "message"]
    assert stored == ["before", "meanwhile"]
    await ada.send_text(phone, "after")
    await again.until(lambda: texts(again)[-1:] == ["after"], what="a live text")


async def test_worker_killed(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """A worker process killed with SIGKILL: its bot comes back by itself, and nothing received is lost."""
    bot, phone, device = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    socket = await connect(node, server)
    await ada.send_text(phone, "one")
    await socket.until(lambda: texts(socket) == ["one"], what="the first text")
    mark = len(whatsapp.ledger)
    killed = _kill_workers(server.pid)
    assert killed
    await ada.send_text(phone, "two")
    await whatsapp.ledger.wait("login", phone=phone.number, after=mark, timeout_s=30)
    await server.bot_until(bot, lambda seen: seen["status"] == "connected", timeout_s=30)
    await socket.until(lambda: texts(socket) == ["one", "two"], what="the second text")
    assert device.number == 1


def _kill_workers(supervisor: int) -> list[int]:
    """SIGKILL the supervisor's worker processes; return their ids."""
    import os
    import signal
    from pathlib import Path

    killed = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == supervisor and b"sessions.worker" in command:
            os.kill(int(entry.name), signal.SIGKILL)
            killed.append(int(entry.name))
    return killed
