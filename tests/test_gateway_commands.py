"""Commands over the socket: the real fleet and outbox answer in the acknowledgement, and no id is carried out twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.bodies import Bodies
from orchestrator.bus.memory import MemoryBus
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.gateway.clerk import Clerk, ClerkParts
from orchestrator.gateway.command import read_command
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.model import Bot
from orchestrator.ports import LinkRequest, NewBot, PairingCode
from orchestrator.store.database import Database
from orchestrator.store.idempotency import Idempotency
from orchestrator.tasks import Tasks
from sessions.model import Connected
from tests.support.fake_host import account, link, offer
from tests.support.fleet_room import FleetRoom
from tests.support.gateway import USER, GatewayServer, make_bot
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.virtual_time import VirtualClock
from tests.support.waiting import until

TO = "+49 151 12345678"


class Room:
    """A fleet of one bot behind a gateway, and one client."""

    def __init__(self, fleet: FleetRoom, server: GatewayServer, node: NodeClient, bot: str) -> None:
        self.fleet = fleet
        self.server = server
        self.node = node
        self.bot = bot

    async def socket(self, user: str = USER) -> NodeSocket:
        socket = await self.node.connect(self.server.url, token=self.server.token(user), user=user)
        await socket.ready()
        return socket

    async def linked(self) -> None:
        """Link the bot and wait until it is connected."""
        host, bots = self.fleet.host, self.fleet.fleet
        await bots.link(USER, self.bot, LinkRequest())
        await until(lambda: self.bot in host.running)
        offer(host, self.bot)
        link(host, self.bot)
        host.tell(self.bot, Connected(account()))
        for _ in range(500):
            if (await bots.bot(USER, self.bot)).status == "connected":
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the bot did not connect")


@contextlib.asynccontextmanager
async def a_room(tmp_path: Path, settings: GatewaySettings | None = None) -> AsyncIterator[Room]:
    fleet = FleetRoom(VirtualClock(asyncio.get_running_loop()), tmp_path)
    await fleet.open()
    bot = await fleet.fleet.create(USER, NewBot(name="Shop", start=False))
    async with GatewayServer.running(settings, bus=fleet.bus, fleet=fleet.fleet, outbox=fleet.outbox) as server:
        async with NodeClient() as node:
            yield Room(fleet, server, node, bot.id)
        await fleet.fleet.close()
    assert fleet.failures == []


async def call(socket: NodeSocket, id_: str, bot: str, action: str, **fields: object) -> Frame:
    answer = await socket.call("command", {"id": id_, "botId": bot, "action": action, **fields})
    assert isinstance(answer, dict)
    return answer


# --- what is answered ---------------------------------------------------------------------------------------------


async def test_lifecycle_commands_answer_with_the_bot_and_outcomes_are_events(tmp_path: Path) -> None:
    """start, stop, restart, link: `{ok: true, result: Bot}`; the change itself arrives as a `bot_status_update`."""
    async with a_room(tmp_path) as room:
        socket = await room.socket()
        for number, (action, desired) in enumerate(
            [("start", "running"), ("stop", "stopped"), ("link", "running"), ("restart", "running")]
        ):
            answer = await call(socket, f"c{number}", room.bot, action)
            assert answer["ok"] is True, answer
            assert (answer["result"]["id"], answer["result"]["desired"]) == (room.bot, desired)
        await socket.frame("bot_status_update", "status", where=lambda frame: frame["status"] == "starting")


async def test_a_send_answers_with_its_job_and_the_outcome_is_an_event(tmp_path: Path) -> None:
    """`send` {to, text}: the job is queued durably; `send_result` tells the rest."""
    async with a_room(tmp_path) as room:
        await room.linked()
        socket = await room.socket()
        answer = await call(socket, "c1", room.bot, "send", to=TO, text="hello")
        assert answer["ok"] is True, answer
        job = answer["result"]
        assert (job["botId"], job["state"]) == (room.bot, "queued")
        told = await socket.frame("message_sync", "send_result", where=lambda frame: frame["data"]["state"] == "sent")
        assert told["data"]["id"] == job["id"]


async def test_a_pairing_code_is_answered_and_never_stored(tmp_path: Path) -> None:
    """The same id again gets the code on offer; once there is none, it says so and starts nothing."""
    async with a_room(tmp_path) as room:
        host, socket = room.fleet.host, await room.socket()
        host.on_start = lambda bot: offer(host, bot)
        answer = await call(socket, "c1", room.bot, "pairing_code", phone=TO)
        assert answer["ok"] is True, answer
        assert answer["result"]["code"] == "ABCD-EFGH"
        starts = len(host.starts)
        again = await call(socket, "c1", room.bot, "pairing_code", phone=TO)
        assert again == answer
        await call(socket, "c2", room.bot, "stop")
        gone = await call(socket, "c1", room.bot, "pairing_code", phone=TO)
        assert (gone["ok"], gone["error"]["code"]) == (False, "no_code_on_offer")
        assert len(host.starts) == starts


async def test_a_logout_answers_whether_whatsapp_confirmed(tmp_path: Path) -> None:
    """{unlinked}; and other messages of the client are answered while it waits."""
    async with a_room(tmp_path) as room:
        await room.linked()
        socket = await room.socket()
        host, answered = room.fleet.host, asyncio.Event()
        unlink = host.logout

        async def when_told(bot: str) -> bool:
            await answered.wait()
            return await unlink(bot)

        host.logout = when_told  # type: ignore[method-assign]
        logging_out = asyncio.get_running_loop().create_task(call(socket, "c1", room.bot, "logout"))
        await socket.frame("bot_status_update", "status", where=lambda frame: frame["status"] == "stopping")
        unknown = await call(socket, "c2", "bot_nobody", "start")
        assert unknown["error"]["code"] == "not_found"
        assert not logging_out.done(), "it answered before WhatsApp did"
        answered.set()
        assert (await logging_out)["result"] == {"unlinked": True}


@pytest.mark.parametrize(
    ("command", "code", "field"),
    [
        ({"id": "c", "botId": "BOT", "action": "fly"}, "invalid_field", "action"),
        ({"id": "c", "botId": "BOT"}, "invalid_field", "action"),
        ({"id": "c" * 65, "botId": "BOT", "action": "start"}, "invalid_field", "id"),
        ({"botId": "BOT", "action": "start"}, "invalid_field", "id"),
        ({"id": "c", "botId": 5, "action": "start"}, "invalid_field", "botId"),
        ({"id": "c", "botId": "BOT", "action": "start", "force": True}, "invalid_field", "command"),
        ({"id": "c", "botId": "BOT", "action": "send", "to": TO}, "invalid_field", "text"),
        ({"id": "c", "botId": "BOT", "action": "link", "method": "smoke"}, "invalid_field", "method"),
        ({"id": "c", "botId": "BOT", "action": "link", "method": "code"}, "invalid_field", "phone"),
        ({"id": "c", "botId": "BOT", "action": "pairing_code", "phone": "x"}, "invalid_field", "phone"),
        ({"id": "c", "botId": "BOT", "action": "pairing_code", "phone": "\ud800"}, "invalid_field", "command"),
        ({"id": "c", "botId": "BOT", "action": "send", "to": TO, "text": "hi"}, "not_linked", None),
        ({"id": "c", "botId": "BOT", "action": "logout"}, "not_linked", None),
        ({"id": "c", "botId": "bot_of_another", "action": "start"}, "not_found", None),
        ("start", "invalid_field", "command"),
        (None, "invalid_field", "command"),
    ],
)
async def test_a_refused_command_says_why(tmp_path: Path, command: Any, code: str, field: str | None) -> None:
    """`{ok: false, error: {code, message, retryable, field?}}`, the same codes and fields as REST."""
    async with a_room(tmp_path) as room:
        if isinstance(command, dict) and command.get("botId") == "BOT":
            command = {**command, "botId": room.bot}
        socket = await room.socket()
        answer = await socket.call("command", command)
        assert answer["ok"] is False
        assert (answer["error"]["code"], answer["error"].get("field")) == (code, field)
        assert answer["error"]["retryable"] is False


async def test_another_users_bot_is_not_found(tmp_path: Path) -> None:
    """Whatever the action: nothing tells that it exists."""
    async with a_room(tmp_path) as room:
        bob = await room.socket("bob")
        fields: dict[str, dict[str, object]] = {"pairing_code": {"phone": TO}, "send": {"to": TO, "text": "x"}}
        for action in ("start", "stop", "restart", "logout", "link", "pairing_code", "send"):
            answer = await call(bob, f"c_{action}", room.bot, action, **fields.get(action, {}))
            assert answer["error"]["code"] == "not_found", action
        assert room.fleet.host.starts == []


# --- never twice --------------------------------------------------------------------------------------------------


async def test_the_same_id_is_carried_out_once(tmp_path: Path) -> None:
    """At the same moment, again later, on another socket: one job, one answer."""
    async with a_room(tmp_path) as room:
        await room.linked()
        socket = await room.socket()
        answers = await asyncio.gather(*(call(socket, "c1", room.bot, "send", to=TO, text="once") for _ in range(5)))
        socket.disconnect()
        await until(lambda: room.server.metrics.count == 0)
        other = await room.socket()
        answers.append(await call(other, "c1", room.bot, "send", to=TO, text="once"))
        assert all(answer == answers[0] for answer in answers)
        await until(lambda: len(room.fleet.host.sends) == 1)
        await call(other, "c2", room.bot, "send", to=TO, text="again")
        await until(lambda: len(room.fleet.host.sends) == 2)


async def test_the_same_id_for_another_command_is_a_conflict(tmp_path: Path) -> None:
    """The bug is the client's, and it is told."""
    async with a_room(tmp_path) as room:
        socket = await room.socket()
        assert (await call(socket, "c1", room.bot, "start"))["ok"] is True
        answer = await call(socket, "c1", room.bot, "stop")
        assert (answer["ok"], answer["error"]["code"]) == (False, "idempotency_conflict")
        assert (await room.fleet.fleet.bot(USER, room.bot)).desired == "running"


async def test_a_refused_command_may_be_sent_again_with_its_id(tmp_path: Path) -> None:
    """Nothing was done: the reason may have gone away meanwhile."""
    async with a_room(tmp_path) as room:
        socket = await room.socket()
        refused = await call(socket, "c1", room.bot, "send", to=TO, text="hi")
        assert refused["error"]["code"] == "not_linked"
        await room.linked()
        assert (await call(socket, "c1", room.bot, "send", to=TO, text="hi"))["ok"] is True


async def test_a_command_outlives_the_socket_that_brought_it(tmp_path: Path) -> None:
    """A client that lost its connection sends the command again and gets the answer of the first time."""
    async with a_room(tmp_path) as room:
        await room.linked()
        socket = await room.socket()
        socket.emit("command", {"id": "c1", "botId": room.bot, "action": "send", "to": TO, "text": "hi"})
        socket.disconnect()
        await until(lambda: len(room.fleet.host.sends) == 1)
        other = await room.socket()
        answer = await call(other, "c1", room.bot, "send", to=TO, text="hi")
        assert answer["ok"] is True
        assert len(room.fleet.host.sends) == 1
        assert answer["result"]["id"] == room.fleet.host.sends[0][2]


class Scripted:
    """A fleet that counts what it is asked and answers what it is told to."""

    def __init__(self, bot: Bot) -> None:
        self.calls: list[str] = []
        self._bot = bot
        self.raises: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def bot(self, _user: str, _bot: str) -> Bot:
        self.calls.append("bot")
        return self._bot

    async def restart(self, _user: str, _bot: str) -> Bot:
        self.calls.append("restart")
        await self.gate.wait()
        if self.raises is not None:
            raise self.raises
        return self._bot

    start = restart

    async def pairing_code(self, _user: str, _bot: str, _phone: str) -> PairingCode:
        self.calls.append("pairing_code")
        return PairingCode("SECR-ETCD", 1, 1)


@contextlib.asynccontextmanager
async def a_clerk(tmp_path: Path) -> AsyncIterator[tuple[Scripted, Database, ManualClock, Any]]:
    """Yields the fleet, the database, the clock, and a maker of clerks: each one is another run of the server."""
    clock, fleet = ManualClock(), Scripted(make_bot())
    database = await Database.open(tmp_path / "keys.db", clock)
    tasks, bus = Tasks(), MemoryBus(clock)

    def clerk() -> Clerk:
        parts = ClerkParts(fleet, None, Idempotency(database), Bodies())  # type: ignore[arg-type]
        return Clerk(parts, bus, clock, tasks)

    try:
        yield fleet, database, clock, clerk
    finally:
        await tasks.close()
        await bus.close()
        await database.close()


RESTART = {"id": "c1", "botId": "bot_a", "action": "restart"}


async def test_an_answer_is_kept_for_a_day_and_across_restarts_of_the_server(tmp_path: Path) -> None:
    """24 h; after that the id is as good as new."""
    async with a_clerk(tmp_path) as (fleet, _, clock, clerk):
        first = await clerk().answer(USER, RESTART)
        clock.advance(23 * 3600)
        assert await clerk().answer(USER, RESTART) == first
        assert fleet.calls == ["restart"]
        clock.advance(2 * 3600)
        await clerk().answer(USER, RESTART)
        assert fleet.calls == ["restart", "restart"]


async def test_a_restart_that_the_servers_own_end_cut_short_is_not_done_again(tmp_path: Path) -> None:
    """The server's restart was one; the client gets the bot as it is."""
    async with a_clerk(tmp_path) as (fleet, _, _, clerk):
        fleet.gate.clear()
        task = asyncio.get_running_loop().create_task(clerk().answer(USER, RESTART))
        await until(lambda: fleet.calls == ["restart"])
        answer = json.loads(await clerk().answer(USER, RESTART))
        assert (answer["ok"], fleet.calls) == (True, ["restart", "bot"])
        fleet.gate.set()
        await task


async def test_a_refusal_of_the_fleet_leaves_the_id_free(tmp_path: Path) -> None:
    """Also a retryable one: the fleet refuses before it does anything."""
    async with a_clerk(tmp_path) as (fleet, _, _, clerk):
        fleet.raises = Refused("storage_unavailable", retry_after_s=2)
        told = json.loads(await clerk().answer(USER, RESTART))["error"]
        assert (told["code"], told["retryable"], told["retryAfterMs"]) == ("storage_unavailable", True, 2000)
        fleet.raises = None
        assert json.loads(await clerk().answer(USER, RESTART))["ok"] is True
        assert fleet.calls == ["restart", "restart"]


async def test_no_code_is_in_the_database(tmp_path: Path) -> None:
    """What is kept of a `pairing_code` is that it was answered."""
    async with a_clerk(tmp_path) as (fleet, database, _, clerk):
        asked = {"id": "c1", "botId": "bot_a", "action": "pairing_code", "phone": TO}
        assert b"SECR-ETCD" in await clerk().answer(USER, asked)
        assert json.loads(await clerk().answer(USER, asked))["error"]["code"] == "no_code_on_offer"
        assert fleet.calls == ["pairing_code"]
        for file in database.path.parent.iterdir():
            assert b"SECR-ETCD" not in file.read_bytes()


def test_the_order_of_members_does_not_make_another_command() -> None:
    """A client may build the object anew for each attempt."""
    one = read_command({"id": "c", "botId": "b", "action": "send", "to": "x", "text": "y"})
    other = read_command({"text": "y", "to": "x", "action": "send", "botId": "b", "id": "c"})
    assert one == other
    assert one.digest != read_command({"id": "c", "botId": "b", "action": "send", "to": "x", "text": "z"}).digest


# --- rates --------------------------------------------------------------------------------------------------------


async def test_thirty_commands_in_ten_seconds_and_a_reconnect_does_not_renew_them(tmp_path: Path) -> None:
    """The limit is the user's, not the socket's."""
    async with a_room(tmp_path) as room:
        socket = await room.socket()
        for number in range(20):
            await call(socket, f"a{number}", room.bot, "stop")
        socket.disconnect()
        await until(lambda: room.server.metrics.count == 0)
        other = await room.socket()
        for number in range(10):
            await call(other, f"b{number}", room.bot, "stop")
        other.emit("command", {"id": "over", "botId": room.bot, "action": "start"})
        assert (await other.closing())["code"] == "flood"
        assert (await room.fleet.fleet.bot(USER, room.bot)).desired == "stopped"
