"""What impatient, greedy and hostile users do: everything at once, in the wrong moment, over and over."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from orchestrator.auth import local
from tests.crash import processes
from tests.e2e.journeys import connect, create, linked, offered
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.server import Server
from tests.support.waiting import until


@pytest.mark.slow
async def test_twenty_at_once(server: Server, whatsapp: LoopbackServer, say: Callable[[str], None]) -> None:
    """Twenty bots created in one moment all get a QR of their own, a 21st is refused; all are linked, then stopped."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    bots = await asyncio.gather(*(create(server, f"bot {number}") for number in range(20)))
    refused = await server.call("POST", "/bots", {"name": "one too many"}, status=429)
    assert refused["code"] == "too_many_bots"
    codes = await asyncio.gather(*(_offered(server, bot) for bot in bots))
    say(
        f"20 QR codes {loop.time() - began:.1f} s after 20 creates; {len(processes.workers(server.data_dir))} processes"
    )
    assert len(set(codes)) == 20
    began = loop.time()
    phones = [whatsapp.add_account() for _ in bots]
    await asyncio.gather(*(phone.scan(code) for phone, code in zip(phones, codes, strict=True)))
    for bot in bots:
        await server.bot_until(bot, lambda seen: seen["status"] == "connected", 60)
    say(f"20 connected {loop.time() - began:.1f} s after the scans")
    await _killed_together(server, whatsapp, say)
    began = loop.time()
    await asyncio.gather(*(server.call("POST", f"/bots/{bot}/stop", status=202) for bot in bots))
    for bot in bots:
        await server.bot_until(bot, lambda seen: seen["status"] == "stopped", 20)
    say(f"20 stopped in {loop.time() - began:.1f} s")
    assert not processes.holders(server.data_dir)
    assert await server.metric("orchestrator_task_failures_total") == 0


async def _killed_together(server: Server, whatsapp: LoopbackServer, say: Callable[[str], None]) -> None:
    """Twenty bots lose their supervisor, then the worker they share: they are back, and it counts against none."""
    loop = asyncio.get_running_loop()
    devices = [phone.devices[0] for phone in whatsapp.phones.values()]
    await server.kill()
    began = loop.time()
    await server.start()
    await until(lambda: all(device.online for device in devices), 60, "twenty devices online")
    say(f"20 back {loop.time() - began:.1f} s after the next start")
    (shared,) = {worker for holders in processes.holders(server.data_dir).values() for worker in holders}
    processes.strike(shared, signal.SIGKILL)
    began = loop.time()
    await until(lambda: not any(device.online for device in devices), 10, "the worker's end")
    await until(lambda: all(device.online for device in devices), 60, "twenty devices online")
    say(f"20 back {loop.time() - began:.1f} s after the SIGKILL of the worker they shared")
    for bot in (await server.call("GET", "/bots"))["bots"]:
        await server.bot_until(bot["id"], lambda seen: seen["status"] == "connected")


async def _offered(server: Server, bot: str) -> str:
    await server.bot_until(bot, lambda seen: seen["status"] == "awaiting_scan", 60)
    return await offered(server, bot)


async def test_cancelled_links(server: Server, whatsapp: LoopbackServer) -> None:
    """Stop, delete and a new link in the middle of linking: each attempt's process is gone within a second."""
    stopped, deleted, relinked = [await create(server, name) for name in ("stopped", "deleted", "relinked")]
    for bot in (stopped, deleted, relinked):
        await offered(server, bot)
    holders = processes.holders(server.data_dir)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(
        server.call("POST", f"/bots/{stopped}/stop", status=202),
        server.call("DELETE", f"/bots/{deleted}", status=202),
        server.call("POST", f"/bots/{relinked}/restart", status=202),
    )
    gone = [holder for bot in (stopped, deleted) for holder in holders[bot]]
    await until(lambda: not set(gone) & set(processes.workers(server.data_dir)), 3, "the attempts' ends")
    assert asyncio.get_running_loop().time() - began < 2
    await server.bot_until(stopped, lambda seen: seen["status"] == "stopped")
    await server.poll(
        lambda: server.call("GET", "/bots"), lambda seen: deleted not in [bot["id"] for bot in seen["bots"]]
    )
    await until(lambda: not (server.data_dir / "devices" / deleted).exists(), what="the keys to be erased")
    phone = whatsapp.add_account()
    await phone.scan(await offered(server, relinked))
    await server.bot_until(relinked, lambda seen: seen["status"] == "connected")


@pytest.mark.parametrize("command", ["stop", pytest.param("delete", marks=pytest.mark.slow), "kill"])
async def test_in_the_middle_of_pairing(command: str, server: Server, whatsapp: LoopbackServer) -> None:
    """Between pair-success and the first login: a stopped bot starts linked, a deleted one is unlinked, a killed one
    comes back without a QR."""
    bot = await create(server)
    phone = whatsapp.add_account()
    code = await offered(server, bot)
    whatsapp.faults.stall = "login"
    await phone.scan(code)
    await server.bot_until(bot, lambda seen: seen["status"] == "pairing")
    if command == "delete":
        await server.call("DELETE", f"/bots/{bot}", status=202)
        whatsapp.faults.stall = ""
        await server.poll(lambda: server.call("GET", "/bots"), lambda seen: not seen["bots"], 30)
        await until(lambda: not (server.data_dir / "devices" / bot).exists(), what="the keys to be erased")
        return
    if command == "stop":
        await server.call("POST", f"/bots/{bot}/stop", status=202)
        await server.bot_until(bot, lambda seen: seen["status"] == "stopped", 12)
        whatsapp.faults.stall = ""
        await server.call("POST", f"/bots/{bot}/start", status=202)
    else:
        await server.kill()
        whatsapp.faults.stall = ""
        await server.start()
    await server.bot_until(bot, lambda seen: seen["status"] == "connected", 40)
    assert whatsapp.ledger.count("refs_sent") == 1
    assert [entry.kind for entry in whatsapp.ledger.entries("active", "replaced")] == ["active"]


async def test_two_clients_fight(server: Server, node: NodeClient) -> None:
    """Two clients that take over from each other without end: one has a socket at any time, and the fight is ended."""
    await connect(node, server)
    outcomes: Counter[str] = Counter()
    for _ in range(8):
        socket = await node.connect(server.url, token=server.token, user="local", auth={"takeover": True})
        await socket.until(lambda s=socket: s.happened("connect_error") or s.of("connection_update", "ready"))  # type: ignore[misc]
        refused = socket.happened("connect_error")
        outcomes[refused[0]["data"]["code"] if refused else "ready"] += 1
        assert await server.metric("orchestrator_sockets") == 1
        assert await server.metric("orchestrator_socket_duplicate_users") == 0
    assert outcomes == {"ready": 3, "too_many_attempts": 5}
    assert await server.metric("orchestrator_socket_replacements_total") == 0


async def test_expired_token(server: Server, node: NodeClient) -> None:
    """A token that has expired opens nothing: REST says 401 and the socket refuses, both `token_expired`."""
    old = local.issue(server.data_dir, "local", -5, operator=True)
    socket = await node.connect(server.url, token=old, user="local")
    assert (await socket.refused())["code"] == "token_expired"
    assert server._session is not None
    async with server._session.get(f"{server.url}/api/v1/bots", headers={"Authorization": f"Bearer {old}"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "token_expired")


async def test_stop_and_start_without_pause(server: Server, whatsapp: LoopbackServer) -> None:
    """Commands faster than sessions can follow: the last one decides, nothing is left behind."""
    bot, _, device = await linked(server, whatsapp)
    for _ in range(10):
        await server.call("POST", f"/bots/{bot}/start", status=202)
        await server.call("POST", f"/bots/{bot}/stop", status=202)
    await server.bot_until(bot, lambda seen: seen["status"] == "stopped")
    await until(lambda: not device.online and not processes.holders(server.data_dir), what="the bot to be let go")
    await server.call("POST", f"/bots/{bot}/start", status=202)
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    assert whatsapp.ledger.count("replaced") == 0
