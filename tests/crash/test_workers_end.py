"""When the supervisor is SIGKILLed its workers are gone within 3 s, whatever hangs; one that cannot end is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from tests.crash import processes
from tests.e2e.journeys import create, linked, offered
from tests.loopback.server import LoopbackServer
from tests.support.server import Server
from tests.support.waiting import PUT_OFF_S, until

GONE_S = 3.0
"""Of a busy machine, and of looking."""


async def _busy_linking(server: Server, whatsapp: LoopbackServer) -> None:
    await linked(server, whatsapp)
    await offered(server, await create(server, "linking"))


async def _send_in_flight(server: Server, whatsapp: LoopbackServer) -> None:
    bot, _, _ = await linked(server, whatsapp)
    ada = whatsapp.add_contact()
    whatsapp.faults.withhold_acks = True
    await server.call("POST", f"/bots/{bot}/messages", {"to": f"+{ada.number}", "text": "slow"}, status=202)
    await whatsapp.ledger.wait("message_from_device")


async def _hung_dial(server: Server, whatsapp: LoopbackServer) -> None:
    """The library dials for ever and holds its socket's lock meanwhile: `Disconnect` and `Stop` don't return."""
    _, _, device = await linked(server, whatsapp)
    whatsapp.faults.stall = "tls"
    mark = len(whatsapp.ledger)
    device.abort()
    await whatsapp.ledger.wait("disconnected", after=mark)
    await server.poll(
        lambda: server.call("GET", "/bots"), lambda seen: seen["bots"][0]["status"] in {"reconnecting", "connecting"}
    )


async def _reading_backlog(server: Server, whatsapp: LoopbackServer) -> None:
    """Texts pour in while the supervisor does not read."""
    _, phone, device = await linked(server, whatsapp)
    await device.wait_keys()
    ada = whatsapp.add_contact()
    os.kill(server.pid, signal.SIGSTOP)
    prepared = [one for number in range(400) for one in ada.prepare_text(phone, f"text {number}")]
    await ada.flood(prepared, per_second=0)
    await whatsapp.ledger.wait_count(50, "message_received")


@pytest.mark.parametrize(
    "situation", [_busy_linking, _send_in_flight, _hung_dial, _reading_backlog], ids=lambda found: found.__name__
)
async def test_gone_in_time(
    situation: Callable[[Server, LoopbackServer], object],
    server: Server,
    whatsapp: LoopbackServer,
    say: Callable[[str], None],
) -> None:
    """All of them, the warm spare and a linking one too, and with a session that hangs."""
    await situation(server, whatsapp)  # type: ignore[misc]
    before = processes.workers(server.data_dir)
    assert before
    began = asyncio.get_running_loop().time()
    await server.kill()
    await until(lambda: not processes.workers(server.data_dir), GONE_S + 2 * PUT_OFF_S, "the end of the workers")
    took_s = asyncio.get_running_loop().time() - began
    say(f"{situation.__name__}: {len(before)} workers gone {took_s:.2f} s after the supervisor's SIGKILL")
    assert took_s <= GONE_S + PUT_OFF_S


async def test_stopped_worker(server: Server, whatsapp: LoopbackServer, say: Callable[[str], None]) -> None:
    """A worker that can't end by itself is killed by the next supervisor after 4 s, and its bot comes back."""
    bot, _, device = await linked(server, whatsapp)
    (holder,) = processes.holders(server.data_dir)[bot]
    processes.strike(holder, signal.SIGSTOP)
    await server.kill()
    await until(lambda: processes.workers(server.data_dir) == [holder], GONE_S + PUT_OFF_S, "the others' end")
    began = asyncio.get_running_loop().time()
    await server.start()
    await until(lambda: holder not in processes.workers(server.data_dir), 10, "the stopped worker's end")
    killed_s = asyncio.get_running_loop().time() - began
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    await until(lambda: device.online, what="the device to be online")
    say(f"a stopped worker was killed {killed_s:.1f} s after the next start")
    assert killed_s >= 3.9
    assert whatsapp.ledger.count("replaced") == 0
