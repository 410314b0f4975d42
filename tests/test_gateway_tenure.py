"""How long a socket stays: token expiry and its announcement, refresh, greatest age, and access that was withdrawn."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.errors import Refused
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.gateway.tenure import Term, ending_of, term
from orchestrator.model import Principal
from tests.support.gateway import USER, CheckedTokens, GatewayServer
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.waiting import stays, until


async def a_socket(node: NodeClient, server: GatewayServer, ttl_s: int = 3600, **auth: object) -> NodeSocket:
    socket = await node.connect(server.url, token=server.token(ttl_s=ttl_s), user=USER, auth=auth)
    await socket.ready()
    return socket


# --- decisions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acks", "expires_at_ms", "expected"),
    [
        (True, 600_000, Term(660.0, "token_expired", 540.0)),
        (True, 30_000, Term(90.0, "token_expired", 0.0)),
        (True, -60_000, Term(0.0, "token_expired", 0.0)),
        (True, None, Term(43200.0, "max_age", None)),
        (False, 600_000, Term(43200.0, "max_age", None)),
        (False, None, Term(43200.0, "max_age", None)),
    ],
)
def test_clients_that_can_refresh_end_after_their_token_and_others_at_their_greatest_age(
    acks: bool, expires_at_ms: int | None, expected: Term
) -> None:
    """60 s after the token's end, told 60 s before it; 12 h."""
    assert term(acks, expires_at_ms, 0, GatewaySettings()) == expected


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("token_expired", "token_expired"),
        ("unauthorized", "revoked"),
        ("user_mismatch", "revoked"),
        ("revoked", "revoked"),
        ("auth_unavailable", None),
    ],
)
def test_an_outage_of_sign_in_ends_nobody(code: str, ending: str | None) -> None:
    """A proof that failed ends the socket; one that could not be checked does not."""
    assert ending_of(Refused(code)) == ending


def test_the_defaults_are_the_contracts() -> None:
    """Revocation is checked every 5 minutes."""
    assert GatewaySettings().recheck_s == 300.0


# --- expiry and refresh -------------------------------------------------------------------------------------------


async def test_a_client_is_told_before_its_token_ends_and_goes_on_with_a_new_one() -> None:
    """`token_expiring` {expiresAt}, then `refresh_token` {token}: nothing else happens to the socket."""
    quick = GatewaySettings(token_notice_s=3600.0, token_grace_s=0.2)
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await a_socket(node, server, ttl_s=3, acks=True)
        told = await socket.frame("connection_update", "token_expiring")
        assert abs(told["data"]["expiresAt"] - told["at"]) < 4000
        assert "seq" not in told
        assert [frame["type"] for frame in socket.frames] == ["ready", "snapshot", "token_expiring"]
        answer = await socket.call("refresh_token", {"token": server.token(ttl_s=7200)})
        assert answer["ok"] is True
        assert 7_190_000 < answer["result"]["expiresAt"] - told["at"] < 7_210_000
        await stays(lambda: not socket.happened("disconnect"), 3.6, "a socket that refreshed")
        await server.publish()
        await socket.frame("message_sync")
        assert len(socket.of("connection_update", "token_expiring")) == 1


async def test_the_new_token_is_announced_and_ends_like_the_first_one() -> None:
    """Each refresh sets both anew."""
    quick = GatewaySettings(token_notice_s=0.5, token_grace_s=0.1)
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await a_socket(node, server, ttl_s=3, acks=True)
        await socket.frame("connection_update", "token_expiring")
        await socket.call("refresh_token", {"token": server.token(ttl_s=3)})
        await socket.frame("connection_update", "token_expiring", count=2)
        assert (await socket.closing())["code"] == "token_expired"


async def test_clients_without_acks_are_told_nothing_and_stay() -> None:
    """They don't know how to refresh; a token that ends does not end them."""
    quick = GatewaySettings(token_notice_s=3600.0, token_grace_s=0.0)
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await a_socket(node, server, ttl_s=3)
        await stays(lambda: not socket.happened("disconnect"), 3.3, "a client that cannot refresh")
        assert not socket.of("connection_update", "token_expiring")


@pytest.mark.parametrize(
    ("token", "code", "closing"),
    [
        ("another user's", "user_mismatch", "revoked"),
        ("nonsense", "unauthorized", "revoked"),
        ("expired", "token_expired", "token_expired"),
    ],
)
async def test_a_wrong_new_token_is_refused_and_ends_the_socket(token: str, code: str, closing: str) -> None:
    """Same user only; the acknowledgement says what was wrong, the closing is final."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=True)
        real = {"another user's": server.token("bob"), "expired": server.token(ttl_s=-1)}.get(token, token)
        answer = await socket.call("refresh_token", {"token": real})
        assert (answer["ok"], answer["error"]["code"]) == (False, code)
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == (closing, False)
        assert await socket.disconnected() == "io server disconnect"
        assert server.metrics.closings == {closing: 1}


@pytest.mark.parametrize("argument", [None, {}, {"token": 5}, {"token": ""}, "token", {"token": "\ud800"}])
async def test_a_refresh_without_a_token_is_refused(argument: object) -> None:
    """Like a wrong one."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=True)
        answer = await socket.call("refresh_token", argument)
        assert answer["error"]["code"] == "unauthorized"
        assert (await socket.closing())["code"] == "revoked"


class Moody:
    """A sign-in service that can be down, and that can withdraw access."""

    def __init__(self) -> None:
        self.down = False
        self.withdrawn: set[str] = set()
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def verify(self, token: str) -> Principal:
        if self.down:
            raise Refused("auth_unavailable")
        return CheckedTokens().local.verify(token)

    async def still_valid(self, principal: Principal, token: str) -> Refused | None:
        assert CheckedTokens().local.verify(token).user == principal.user
        self.asked.append(principal.user)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.02)
        self.at_once -= 1
        if self.down:
            return Refused("auth_unavailable")
        return Refused("revoked") if principal.user in self.withdrawn else None


async def test_a_refresh_during_an_outage_is_refused_and_the_socket_stays() -> None:
    """`auth_unavailable`, retryable: the old token goes on to count."""
    sign_in = Moody()
    async with GatewayServer.running(tokens=sign_in) as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=True)
        sign_in.down = True
        answer = await socket.call("refresh_token", {"token": server.token()})
        assert (answer["error"]["code"], answer["error"]["retryable"]) == ("auth_unavailable", True)
        sign_in.down = False
        assert (await socket.call("refresh_token", {"token": server.token()}))["ok"] is True
        assert not socket.happened("disconnect")


# --- access withdrawn ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acks", [True, False])
async def test_access_that_was_withdrawn_ends_the_socket(acks: bool) -> None:
    """Asked again and again; `revoked` is final, whatever the client can do."""
    sign_in = Moody()
    quick = GatewaySettings(recheck_s=0.2)
    async with GatewayServer.running(quick, tokens=sign_in, rechecks=sign_in) as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=acks)
        await until(lambda: len(sign_in.asked) >= 2)
        assert not socket.happened("disconnect")
        sign_in.withdrawn.add(USER)
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("revoked", False)
        assert await socket.disconnected() == "io server disconnect"
        asked = len(sign_in.asked)
        await stays(lambda: len(sign_in.asked) == asked, 0.5, "asking about a socket that is gone")


async def test_an_outage_withdraws_nothing_and_is_asked_again() -> None:
    """The socket stays; once somebody answers, what they say counts."""
    sign_in = Moody()
    quick = GatewaySettings(recheck_s=0.1)
    async with GatewayServer.running(quick, tokens=sign_in, rechecks=sign_in) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        sign_in.down = True
        sign_in.withdrawn.add(USER)
        await until(lambda: len(sign_in.asked) >= 3)
        assert not socket.happened("disconnect")
        sign_in.down = False
        assert (await socket.closing())["code"] == "revoked"


async def test_many_sockets_are_not_asked_about_at_once() -> None:
    """A thousand users that came back together are not a thousand questions in one moment."""
    sign_in = Moody()
    quick = GatewaySettings(recheck_s=0.3, rechecks_at_once=2)
    async with GatewayServer.running(quick, tokens=sign_in, rechecks=sign_in) as server, NodeClient() as node:
        for number in range(12):
            name = f"user{number}"
            await (await node.connect(server.url, token=server.token(name), user=name)).ready()
        await until(lambda: len(set(sign_in.asked)) == 12)
        assert sign_in.most_at_once <= 2


class Forgetful(Moody):
    """Fails in an unexpected way once."""

    async def still_valid(self, principal: Principal, token: str) -> Refused | None:
        self.asked.append(principal.user)
        if len(self.asked) == 1:
            raise ZeroDivisionError
        return None


async def test_a_bug_in_the_question_is_reported_and_the_next_one_is_asked() -> None:
    """One failure does not end the asking."""
    sign_in = Forgetful()
    quick = GatewaySettings(recheck_s=0.1)
    async with GatewayServer.running(quick, tokens=sign_in, rechecks=sign_in) as server, NodeClient() as node:
        await a_socket(node, server)
        await until(lambda: len(sign_in.asked) >= 3)
        assert [failure.kind for failure in server.failures] == ["ZeroDivisionError"]
        server.failures.clear()
