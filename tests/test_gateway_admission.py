"""One socket per user, seen by unmodified socket.io clients: refusal, probe, takeover, succession, limits."""

from __future__ import annotations

import pytest

from orchestrator.gateway.admission import (
    AdmissionLimits,
    Admit,
    Ask,
    End,
    Newcomer,
    Observed,
    Present,
    Refuse,
    User,
    decide,
)
from orchestrator.gateway.ports import GatewaySettings
from tests.support.gateway import USER, GatewayServer
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import stays

OLD, NEW = Present("old", "con_old", 1), Present("new", "con_new", 2)
LIMITS = AdmissionLimits()


def probing(outgoing: int = 0) -> User:
    """A user whose present socket has been asked at 100.0 while `new` waits."""
    user, actions = decide(User(present=OLD), Newcomer(NEW, None, False, outgoing), 100.0, LIMITS)
    assert actions == (Ask("old"),)
    return user


def test_a_socket_that_says_nothing_for_two_seconds_is_dead() -> None:
    """Bytes that left our buffer prove nothing: only bytes received do."""
    user, actions = decide(probing(), Observed(99.9, 0), 101.0, LIMITS)
    assert actions == ()
    user, actions = decide(user, Observed(99.9, 0), 101.9, LIMITS)
    assert actions == ()
    _, actions = decide(user, Observed(99.9, 0), 102.0, LIMITS)
    assert actions == (End("old", "dead"), Admit("new"))


def test_one_byte_proves_life() -> None:
    """The newcomer is refused with the time since when the present socket is there."""
    user, actions = decide(probing(), Observed(100.01, 0), 100.02, LIMITS)
    assert actions == (Refuse("new", "already_connected", OLD.since_ms),)
    assert (user.present, user.probe) == (OLD, None)


def test_a_shrinking_buffer_buys_time_up_to_five_seconds() -> None:
    """The ping waits behind what is on its way: a slow link is no dead one."""
    user, outgoing = probing(outgoing=50_000), 50_000
    for tenth in range(1, 50):
        outgoing -= 500
        user, actions = decide(user, Observed(99.0, outgoing), 100.0 + tenth / 10, LIMITS)
        assert actions == ()
    _, actions = decide(user, Observed(99.0, outgoing - 500), 105.0, LIMITS)
    assert actions == (End("old", "dead"), Admit("new"))


def test_time_in_which_the_server_itself_slept_counts_against_nobody() -> None:
    """After a pause of the whole machine the old socket gets its two seconds all the same."""
    user, _ = decide(probing(), Observed(99.9, 0), 100.5, LIMITS)
    user, actions = decide(user, Observed(99.9, 0), 160.5, LIMITS)
    assert actions == ()
    user, actions = decide(user, Observed(99.9, 0), 161.4, LIMITS)
    assert actions == ()
    _, actions = decide(user, Observed(99.9, 0), 162.1, LIMITS)
    assert actions == (End("old", "dead"), Admit("new"))


def test_a_buffer_that_stopped_shrinking_buys_none() -> None:
    """After the two seconds, one second without progress is enough."""
    user, _ = decide(probing(outgoing=50_000), Observed(99.0, 49_500), 100.8, LIMITS)
    user, _ = decide(user, Observed(99.0, 49_000), 101.5, LIMITS)
    user, actions = decide(user, Observed(99.0, 49_000), 102.4, LIMITS)
    assert actions == ()
    _, actions = decide(user, Observed(99.0, 49_000), 102.5, LIMITS)
    assert actions == (End("old", "dead"), Admit("new"))


async def a_socket(node: NodeClient, server: GatewayServer, **auth: object) -> NodeSocket:
    return await node.connect(server.url, token=server.token(), user=USER, auth=auth)


async def answered(socket: NodeSocket) -> None:
    await socket.until(lambda: socket.frames or socket.happened("connect_error"), what="an answer")


async def test_three_hooks_on_one_page_cost_one_socket_and_two_refusals() -> None:
    """Never a replacement loop: the first stays, the others learn why."""
    async with GatewayServer.running() as server, NodeClient() as node:
        sockets = [await a_socket(node, server) for _ in range(3)]
        for socket in sockets:
            await answered(socket)
        refused = [socket for socket in sockets if socket.happened("connect_error")]
        (winner,) = [socket for socket in sockets if socket not in refused]
        ready = await winner.ready()
        assert len(refused) == 2
        for socket in refused:
            told = await socket.refused()
            assert (told["code"], told["retryable"]) == ("already_connected", False)
            assert abs(told["since"] - ready["serverTime"]) < 2000
        await server.publish("message", {"n": 1})
        assert (await winner.frame("message_sync"))["data"] == {"n": 1}
        assert server.metrics.refusals == {"already_connected": 2}
        assert not winner.happened("disconnect")


async def test_users_do_not_stand_in_each_others_way() -> None:
    """One socket for each user, and nobody's events for another."""
    async with GatewayServer.running() as server, NodeClient() as node:
        ada = await a_socket(node, server)
        bob = await node.connect(server.url, token=server.token("bob"), user="bob")
        await ada.ready()
        await bob.ready()
        await server.publish("message", {"for": "ada"})
        await server.publish("message", {"for": "bob"}, user="bob")
        await ada.frame("message_sync")
        await bob.frame("message_sync")
        assert [frame["data"]["for"] for frame in ada.of("message_sync")] == ["ada"]
        assert [frame["data"]["for"] for frame in bob.of("message_sync")] == ["bob"]


async def test_use_here_takes_over_and_the_old_page_does_not_come_back() -> None:
    """The old one is told `taken_over` and disconnected by the server, which stock clients take as final."""
    async with GatewayServer.running() as server, NodeClient() as node:
        eager: dict[str, object] = {"reconnection": True, "reconnectionDelay": 20, "reconnectionDelayMax": 20}
        old = await node.connect(server.url, token=server.token(), user=USER, options=eager)
        await old.ready()
        new = await a_socket(node, server, takeover=True)
        await new.ready()
        assert await old.closing() == {
            "code": "taken_over",
            "retryable": False,
            "message": "The connection was taken over elsewhere.",
        }
        assert await old.disconnected() == "io server disconnect"
        assert old.frames[-1]["type"] == "closing"
        await stays(lambda: not old.happened("reconnect_attempt"), 0.3, "the old page away")
        await server.publish()
        await new.frame("message_sync")
        assert not old.of("message_sync")
        assert (server.metrics.takeovers, server.metrics.closings["taken_over"]) == (1, 1)


async def test_more_than_three_takeovers_a_minute_are_refused_and_the_present_socket_stays() -> None:
    """Two people with "use here" open cannot throw each other out for ever."""
    async with GatewayServer.running() as server, NodeClient() as node:
        await (await a_socket(node, server)).ready()
        for _ in range(3):
            present = await a_socket(node, server, takeover=True)
            await present.ready()
        told = await (await a_socket(node, server, takeover=True)).refused()
        assert told["code"] == "too_many_attempts"
        assert told["retryable"] is True
        assert 50_000 < told["retryAfterMs"] <= 60_000
        await server.publish()
        await present.frame("message_sync")


async def test_more_than_twenty_connects_a_minute_are_refused_and_the_present_socket_stays() -> None:
    """A client that reconnects in a loop is told to wait."""
    async with GatewayServer.running() as server, NodeClient() as node:
        present = await a_socket(node, server)
        await present.ready()
        for _ in range(19):
            assert (await (await a_socket(node, server)).refused())["code"] == "already_connected"
        told = await (await a_socket(node, server)).refused()
        assert (told["code"], told["retryable"]) == ("too_many_attempts", True)
        await server.publish()
        await present.frame("message_sync")


async def test_a_successor_proves_itself_with_the_connection_id() -> None:
    """It is resumed at once, the old one is closed `superseded`; nothing is lost between them."""
    async with GatewayServer.running() as server, NodeClient() as node:
        old = await a_socket(node, server)
        ready = await old.ready()
        first = await server.publish("message", {"n": 1})
        await old.frame("message_sync")
        resume = {"epoch": first.epoch, "seq": first.seq, "connectionId": ready["connectionId"]}
        new = await a_socket(node, server, resume=resume)
        again = await new.ready()
        assert again["mode"] == "resumed"
        assert again["connectionId"] != ready["connectionId"]
        assert (await old.closing())["code"] == "superseded"
        assert await old.disconnected() == "io server disconnect"
        await server.publish("message", {"n": 2})
        assert (await new.frame("message_sync"))["data"] == {"n": 2}
        assert (server.metrics.successions, server.metrics.takeovers) == (1, 0)


@pytest.mark.parametrize("auth", [{"clientId": "same"}, {"resume": {"epoch": "e", "seq": 0, "connectionId": "con_x"}}])
async def test_nothing_but_the_connection_id_proves_a_successor(auth: dict[str, object]) -> None:
    """The same `clientId` or a made-up connectionId is refused like anybody else."""
    async with GatewayServer.running() as server, NodeClient() as node:
        old = await a_socket(node, server, clientId="same")
        await old.ready()
        assert (await (await a_socket(node, server, **auth)).refused())["code"] == "already_connected"
        assert not old.happened("disconnect")


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_a_frozen_predecessor_does_not_block(transports: list[str]) -> None:
    """SIGSTOP: the kernel goes on taking bytes for it, yet the newcomer is admitted within 3 s."""
    async with GatewayServer.running() as server, NodeClient() as frozen, NodeClient() as node:
        options: dict[str, object] = {"transports": transports}
        old = await frozen.connect(server.url, token=server.token(), user=USER, options=options)
        await old.ready()
        frozen.freeze()
        new = await a_socket(node, server)
        await new.ready(timeout_s=3.0)
        assert server.metrics.closings == {"ping_timeout": 1}
        frozen.thaw()
        assert await old.disconnected() in {"transport close", "transport error", "ping timeout"}
        await server.publish()
        await new.frame("message_sync")
        assert not old.of("message_sync")


async def test_a_half_open_predecessor_does_not_block() -> None:
    """A laptop that left the network: the connection stands, nothing comes through."""
    async with GatewayServer.running() as server, NodeClient() as node, TcpProxy.running(server.port) as proxy:
        old = await node.connect(f"ws://127.0.0.1:{proxy.port}", token=server.token(), user=USER)
        await old.ready()
        proxy.fall_silent()
        await (await a_socket(node, server)).ready(timeout_s=3.0)


async def test_a_killed_predecessor_does_not_block() -> None:
    """The process is gone: its socket is closed by the kernel and the newcomer waits for nothing."""
    async with GatewayServer.running() as server, NodeClient() as node:
        async with NodeClient() as doomed:
            await (await a_socket(doomed, server)).ready()
        await (await a_socket(node, server)).ready(timeout_s=2.0)


async def test_a_predecessor_that_leaves_during_the_probe_makes_room_at_once() -> None:
    """The newcomer that waits for the probe is admitted when the old one ends by itself."""
    slow = GatewaySettings(admission=AdmissionLimits(probe_s=60.0, shrinking_probe_s=60.0))
    async with GatewayServer.running(slow) as server, NodeClient() as node:
        async with NodeClient() as doomed:
            await (await a_socket(doomed, server)).ready()
            doomed.freeze()
            waiting = await a_socket(node, server)
            await waiting.wait("open")
            second = await a_socket(node, server)
            # Only the first newcomer waits for the probe; whichever that is, the other is refused at once.
            await waiting.until(lambda: waiting.happened("connect_error") or second.happened("connect_error"))
        first = second if waiting.happened("connect_error") else waiting
        await first.ready(timeout_s=2.0)


async def test_an_impatient_owner_may_take_over_while_a_probe_runs() -> None:
    """`takeover` needs no probe; whoever waited for one is refused."""
    slow = GatewaySettings(admission=AdmissionLimits(probe_s=60.0, shrinking_probe_s=60.0))
    async with GatewayServer.running(slow) as server, NodeClient() as node, NodeClient() as frozen:
        await (await a_socket(frozen, server)).ready()
        frozen.freeze()
        waiting = await a_socket(node, server)
        await waiting.wait("open")
        owner = await a_socket(node, server, takeover=True)
        await owner.ready(timeout_s=2.0)
        assert (await waiting.refused())["code"] == "already_connected"


async def test_a_refused_newcomer_that_tries_again_later_is_admitted() -> None:
    """The same client object, after the other page was closed."""
    async with GatewayServer.running() as server, NodeClient() as node:
        first = await a_socket(node, server)
        await first.ready()
        second = await a_socket(node, server)
        assert (await second.refused())["code"] == "already_connected"
        first.disconnect()
        await first.disconnected()
        second.reconnect(token=server.token(), userId=USER)
        await second.ready()
