"""A disk that takes nothing more: refusals say so, nothing that was taken is lost, and everything comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from tests.crash import processes
from tests.crash.follower import Follower
from tests.crash.streams import Stream, Streams, journal, settled
from tests.e2e.journeys import linked
from tests.loopback.phone import Contact
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.rest import Rest
from tests.support.server import Json, Server
from tests.support.waiting import until

WINDOW = 20
"""A second's worth of texts: what comes in until the session is disconnected."""


@asynccontextmanager
async def _full_disk(server: Server) -> AsyncIterator[None]:
    """Every write to a file fails in the server and its workers (RLIMIT_FSIZE), its log included."""

    def limit(soft: int) -> None:
        for pid in (server.pid, *(worker.pid for worker in processes.workers(server.data_dir))):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))

    limit(0)
    try:
        yield
    finally:
        limit(resource.RLIM_INFINITY)


async def _refused(rest: Rest, bot: str, to: Contact) -> Json:
    """Ask for sends until one is refused: the first may hang with what it was to be stored with."""
    while True:
        with contextlib.suppress(TimeoutError):
            body = {"to": f"+{to.number}", "text": "no room"}
            answer = await asyncio.wait_for(rest("POST", f"/bots/{bot}/messages", body), 2)
            if answer.status >= 400:
                return answer.refused("storage_unavailable")


async def test_full_disk(
    server: Server, whatsapp: LoopbackServer, node: NodeClient, say: Callable[[str], None]
) -> None:
    """Sends are refused `storage_unavailable`, texts stay with WhatsApp, and all is made up for when there is room."""
    follower = Follower(server, node)
    await follower.attach()
    bot, phone, device = await linked(server, whatsapp)
    ada, bob = whatsapp.add_contact(name="Ada"), whatsapp.add_contact(name="Bob")
    streams = Streams([Stream(ada, phone, bot)], 20.0)
    loop = asyncio.get_running_loop()
    async with streams, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        await streams.more(20)
        async with _full_disk(server):
            began = loop.time()
            await until(lambda: not device.online, what="the session to be disconnected")
            say(f"disconnected from WhatsApp {loop.time() - began:.2f} s after the disk took nothing more")
            refused = await asyncio.wait_for(_refused(Rest(http, server.url, server.token), bot, bob), 20)
            assert refused["retryable"] and refused["status"] == 503
            await streams.more(100)
            assert not device.online, "WhatsApp is to keep what can't be stored"
        began = loop.time()
        await until(lambda: device.online, 60, what="the session to be back")
        say(f"connected again {loop.time() - began:.1f} s after there was room")
        await streams.more(20)
    found = await settled(server, streams, whatsapp)
    say(str(found))
    await follower.compare(await journal(server))
    assert not found.twice and not found.disorder
    assert len(found.confirmed_lost) <= WINDOW and not found.unconfirmed_lost
    assert await server.metric("orchestrator_task_failures_total") == 0
