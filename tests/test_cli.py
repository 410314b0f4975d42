"""The command line as people and scripts use it: real processes, a real server on the simulated driver."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orchestrator import qr
from tests.support.server import ROOT
from tests.support.simulated import Simulated, clean_environment, eventually, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_S = 25.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its output as one JSON value."""
        return json.loads(self.out)


class Shell:
    """A shell in a directory: runs the command with an environment of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self._directory = directory
        self._environment = {**clean_environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the command; its output is piped."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator", *arguments),
            cwd=self._directory,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str) -> Done:
        """Run the command to its end."""
        process = await self.begin(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def ok(self, *arguments: str) -> Done:
        """Run it; assert that it ended well and complained of nothing."""
        done = await self(*arguments)
        assert (done.code, done.err) == (0, ""), done
        return done


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """One server for the file."""
    directory = tmp_path_factory.mktemp("cli")
    async with simulated(directory / "data") as running:
        yield running


@pytest.fixture
def shell(world: Simulated) -> Shell:
    """A shell where the server was started: it finds address and token in ./data."""
    return Shell(world.server.data_dir.parent)


@pytest.fixture
def ada(world: Simulated, request: pytest.FixtureRequest) -> Shell:
    """A shell of a user of this test's own, with a token."""
    user = re.sub(r"\W", "_", request.node.name)[:60]
    return Shell(world.server.data_dir.parent, ORCHESTRATOR_TOKEN=world.token(user))


async def test_a_bots_life(world: Simulated, ada: Shell) -> None:
    """Create, show, list, link, send, events, stop, start, restart, logout, delete, as a person types them."""
    assert "No bots yet" in (await ada.ok("bots", "list")).out
    made = (await ada.ok("bots", "create", "front desk", "--device-name", "Desk", "--no-start")).out
    bot = made.split()[0]
    assert made.split()[-1] == "stopped"
    shown = (await ada.ok("bots", "show", "front desk")).out
    assert re.search(r"^device +Desk$", shown, re.MULTILINE)
    linking = await ada.begin("bots", "link", bot)
    await world.phone(bot).scan()
    out, err = await asyncio.wait_for(linking.communicate(), WAIT_S)
    assert (linking.returncode, err) == (0, b"")
    number = (await ada.ok("bots", "show", bot, "--json")).json()["account"]["phone"]
    assert out.decode().splitlines()[-1] == f"Linked to +{number}."
    listed = (await ada.ok("bots", "list")).out.splitlines()
    assert listed[0].split() == ["ID", "NAME", "STATUS", "NUMBER", "REASON"]
    assert re.split(r" {2,}", listed[1]) == [bot, "front desk", "connected", f"+{number}"]
    sent = (await ada.ok("send", "front desk", "+4915112345678", "hello")).out
    assert sent.strip() in {"sent", "delivered"}
    await world.phone(bot).received("hello")
    told = (await ada.ok("events", "--bot", "front desk")).out.splitlines()
    assert any("whatsapp_connection_event/pair_success" in line for line in told)
    assert re.fullmatch(r"-- position \w+:\d+", told[-1])
    assert (await ada.ok("bots", "stop", bot)).out.strip() in {"stopping", "stopped"}
    assert (await ada.ok("bots", "start", bot)).out.strip() in {"starting", "connecting", "connected", "stopping"}
    await ada.ok("bots", "restart", bot)
    assert (await ada.ok("bots", "logout", bot)).out.strip() == "Unlinked."
    assert (await ada.ok("bots", "delete", bot)).out.strip() == "Being deleted."
    gone = await ada("bots", "show", bot)
    assert gone.code == 1 and gone.err.startswith("There is no bot called")


async def test_json_everywhere(world: Simulated, ada: Shell) -> None:
    """--json prints JSON and nothing else, the same records as REST."""
    bot = (await ada.ok("bots", "create", "b", "--no-start", "--json")).json()["id"]
    linking = await ada.begin("bots", "link", bot, "--json")
    await world.phone(bot).scan()
    out, _ = await asyncio.wait_for(linking.communicate(), WAIT_S)
    assert linking.returncode == 0 and json.loads(out)["status"] == "connected"
    assert (await ada.ok("bots", "link", bot, "--json")).json()["status"] == "connected", "it is linked already"
    assert [one["id"] for one in (await ada.ok("bots", "list", "--json")).json()["bots"]] == [bot]
    job = (await ada.ok("send", bot, "4915112345678", "x", "--json")).json()
    assert job["state"] in {"sent", "delivered"} and job["botId"] == bot
    frames = [json.loads(line) for line in (await ada.ok("events", "--json")).out.splitlines()]
    assert frames[0]["type"] == "created" and [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    middle = frames[3]
    rest = await ada.ok("events", "--json", "--after", f"{middle['epoch']}:{middle['seq']}")
    assert json.loads(rest.out.splitlines()[0])["seq"] == middle["seq"] + 1
    assert (await ada.ok("bots", "stop", bot, "--json")).json()["desired"] == "stopped"
    assert (await ada.ok("bots", "delete", bot, "--json")).json() == {"id": bot, "deleted": "accepted"}
    assert set((await ada.ok("open", "--json")).json()) == {"url"}


async def test_link_by_pairing_code(world: Simulated, ada: Shell) -> None:
    """--phone prints a code to type, then waits until the bot is linked."""
    bot = (await ada.ok("bots", "create", "b", "--no-start", "--json")).json()["id"]
    linking = await ada.begin("bots", "link", bot, "--phone", "+49 151 12345678")
    assert linking.stdout is not None
    async with asyncio.timeout(WAIT_S):
        while not (found := re.search(rb"\b[1-9A-Z]{4}-[1-9A-Z]{4}\b", line := await linking.stdout.readline())):
            assert line, "it ended without a code"
        await world.phone(bot).do("enter_code", code=found[0].decode())
        rest = await linking.stdout.read()
    assert await linking.wait() == 0 and b"Linked to +" in rest


async def test_link_shows_trouble(world: Simulated, ada: Shell) -> None:
    """When all codes ran out the command says so and ends with 1."""
    bot = (await ada.ok("bots", "create", "b", "--no-start", "--json")).json()["id"]
    linking = await ada.begin("bots", "link", bot)
    await world.phone(bot).until(lambda state: state["code"], "a code")
    await world.phone(bot).do("expire_codes")
    _, err = await asyncio.wait_for(linking.communicate(), WAIT_S)
    assert (linking.returncode, err.decode()) == (1, "The codes ended without being scanned. Ask for a new one.\n")


async def test_send_that_fails(world: Simulated, ada: Shell) -> None:
    """A send that WhatsApp refuses ends with 1 and the reason; so does one from a bot without an account."""
    bot = (await ada.ok("bots", "create", "b", "--json")).json()["id"]
    refused = await ada("send", bot, "4915112345678", "x")
    assert refused.code == 1 and refused.err.strip().endswith("(not_linked)")
    await world.phone(bot).scan()
    await world.phone(bot).connected()
    await world.phone(bot).do("refuse_sends", number=406)
    failed = await ada("send", bot, "4915112345678", "x")
    assert (failed.code, failed.err.strip()) == (1, "WhatsApp refused the message.")
    wrong = await ada("send", bot, "ada", "x")
    assert wrong.code == 1 and wrong.err.startswith("to") and "(invalid_field)" in wrong.err


async def test_names(ada: Shell) -> None:
    """A name that several bots have is refused with the way out; the id always works."""
    first = (await ada.ok("bots", "create", "twin", "--no-start", "--json")).json()["id"]
    await ada.ok("bots", "create", "twin", "--no-start")
    ambiguous = await ada("bots", "show", "twin")
    assert ambiguous.code == 1 and "Several bots are called 'twin'" in ambiguous.err and "bots list" in ambiguous.err
    assert (await ada.ok("bots", "show", first, "--json")).json()["id"] == first


async def test_operator_finds_the_server(world: Simulated, shell: Shell, ada: Shell) -> None:
    """Where the server was started the operator needs no option, and acts for others with --user."""
    bot = (await ada.ok("bots", "create", "hers", "--no-start", "--json")).json()
    mine = (await shell.ok("bots", "list", "--json")).json()["bots"]
    theirs = (await shell.ok("bots", "list", "--user", bot["userId"], "--json")).json()["bots"]
    assert bot["id"] not in {one["id"] for one in mine} and [one["id"] for one in theirs] == [bot["id"]]
    forbidden = await ada("bots", "list", "--user", "local")
    assert forbidden.code == 1 and "(forbidden)" in forbidden.err
    address = (await shell.ok("open", "--user", bot["userId"])).out.strip()
    assert re.fullmatch(re.escape(world.server.url) + r"/#code=[\w-]{20,}", address)


async def test_token(world: Simulated, shell: Shell, tmp_path: Path) -> None:
    """`token` signs with the data directory's key, without a server; wrong arguments are usage errors."""
    token = (await shell.ok("token", "--user", "zoe", "--ttl", "90m")).out.strip()
    zoe = Shell(world.server.data_dir.parent, ORCHESTRATOR_TOKEN=token)
    made = (await zoe.ok("bots", "create", "z", "--no-start", "--json")).json()
    assert made["userId"] == "zoe"
    for arguments in (("--user", "a b"), ("--user", "zoe", "--ttl", "soon"), ("--user", "zoe", "--ttl", "0")):
        assert (await shell("token", *arguments)).code == 2
    nowhere = await Shell(tmp_path)("token", "--user", "zoe")
    assert nowhere.code == 2 and "orchestrator serve" in nowhere.err


async def test_no_server(tmp_path: Path, unused_tcp_port: int) -> None:
    """When nobody answers, the message says where it looked and what to do."""
    lonely = Shell(tmp_path, ORCHESTRATOR_TOKEN="x", ORCHESTRATOR_URL=f"http://127.0.0.1:{unused_tcp_port}")
    done = await lonely("bots", "list")
    assert (done.code, done.out) == (1, "")
    assert f"127.0.0.1:{unused_tcp_port}" in done.err and "scripts/start" in done.err


async def test_no_token_and_wrong_token(world: Simulated, tmp_path: Path) -> None:
    """Without a token the message names every way to give one; a wrong one is refused."""
    bare = await Shell(tmp_path)("bots", "list", "--url", world.server.url)
    assert bare.code == 1 and "--token" in bare.err and "ORCHESTRATOR_TOKEN" in bare.err and "data/token" in bare.err
    wrong = await Shell(tmp_path)("bots", "list", "--url", world.server.url, "--token", "eyJ.wrong.token")
    assert wrong.code == 1 and wrong.err.strip().endswith("(unauthorized)") and "eyJ" not in wrong.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("bots", "frobnicate"),
        ("bots", "show"),
        ("send", "bot", "to"),
        ("bots", "list", "--colour"),
        ("bots", "list", "--url", "nowhere"),
        ("serve", "--port", "seventy"),
        ("serve", "--port", "70000"),
        ("serve", "--host", "0.0.0.0"),
        ("serve", "--config", "missing.toml"),
    ],
)
async def test_usage_errors(shell: Shell, arguments: tuple[str, ...]) -> None:
    """A wrong command line ends with 2, says why on stderr, and prints nothing else."""
    done = await shell(*arguments)
    assert done.code == 2 and done.out == "" and done.err
    assert "Traceback" not in done.err


async def test_help(shell: Shell) -> None:
    """Every command explains itself."""
    for path in ((), ("bots",), ("bots", "link"), ("serve",), ("events",)):
        assert "Usage:" in (await shell.ok(*path, "--help")).out


async def test_server_cannot_start(world: Simulated, tmp_path: Path) -> None:
    """A data directory or a port that is taken is one line with the remedy, and exit code 1."""
    taken = await Shell(tmp_path)("serve", "--data-dir", str(world.server.data_dir), "--driver", "simulated")
    assert taken.code == 1 and "another" in taken.err.lower() and "Traceback" not in taken.err
    port = world.server.url.rpartition(":")[2]
    busy = await Shell(tmp_path)("serve", "--data-dir", "fresh", "--port", port, "--driver", "simulated")
    assert busy.code == 1 and "--port" in busy.err and "Traceback" not in busy.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stops_within_ten_seconds(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM: sessions end cleanly, nothing is left running, exit code 0 within 10 s."""
    async with simulated(tmp_path / "data") as world:
        bot = await world.linked(world.by("ada"))
        worker = (await world.phone(bot).state())["pid"]
        process = world.server._process
        assert process is not None
        os.kill(process.pid, number)
        assert await asyncio.wait_for(process.wait(), 10.0) == 0
        assert not Path(f"/proc/{worker}").exists()
        assert '"Stopped"' in world.server.log


async def test_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """A second Ctrl-C doesn't wait for a session that hangs."""
    async with simulated(tmp_path / "data") as world:
        bot = await world.linked(world.by("ada"))
        worker = (await world.phone(bot).state())["pid"]
        await world.phone(bot).do("hang_in_stop")
        process = world.server._process
        assert process is not None
        os.kill(process.pid, signal.SIGINT)
        await eventually(lambda: '"Stopping"' in world.server.log, "the server to begin to stop")
        os.kill(process.pid, signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 1.0) == 1
        await eventually(lambda: not _alive(worker), "the worker's end")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, directory: Path, *arguments: str, **environment: str) -> None:
        self._arguments = arguments
        self._directory = directory
        self._environment = {**clean_environment(), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
        self._written = b""

    @property
    def shown(self) -> str:
        """Everything written to the terminal so far."""
        return self._written.decode(errors="replace")

    async def __aenter__(self) -> Terminal:
        ours, theirs = os.openpty()
        self._ours = ours
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator", *self._arguments),
            cwd=self._directory,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        asyncio.get_running_loop().add_reader(ours, self._read)
        return self

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # EIO: the other end is closed
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self._written += data

    async def until(self, pattern: str, timeout_s: float = WAIT_S) -> re.Match[str]:
        """Wait until the screen shows a pattern."""
        try:
            return await eventually(lambda: re.search(pattern, self.shown, re.DOTALL), pattern, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the terminal shows:\n{self.shown}") from None

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)


async def test_link_on_a_terminal(world: Simulated, ada: Shell) -> None:
    """On a terminal the code is drawn, drawn anew when it changes, and the screen ends with the number."""
    bot = (await ada.ok("bots", "create", "b", "--no-start", "--json")).json()
    environment = {"ORCHESTRATOR_TOKEN": world.token(bot["userId"])}
    async with Terminal(world.server.data_dir.parent, "bots", "link", "b", **environment) as terminal:
        await terminal.until(r"Code 1 of 6, valid \d+ s")
        code = (await world.phone(bot["id"]).state())["code"]
        assert qr.terminal(code).replace("\n", "\r\n") in terminal.shown, "the code on the screen is the one on offer"
        await world.phone(bot["id"]).scan()
        await terminal.until(r"Linked to \+\d+\.")
        assert await asyncio.wait_for(terminal.process.wait(), 5) == 0


async def test_link_draws_the_next_code(world: Simulated, ada: Shell) -> None:
    """When WhatsApp changes the code the terminal shows the new one, on a cleared screen."""
    bot = (await ada.ok("bots", "create", "b", "--no-start", "--json")).json()
    environment = {"ORCHESTRATOR_TOKEN": world.token(bot["userId"])}
    async with Terminal(world.server.data_dir.parent, "bots", "link", "b", **environment) as terminal:
        await terminal.until(r"Code 1 of 6, valid \d+ s")
        await world.phone(bot["id"]).do("next_code")
        await terminal.until(r"Code 2 of 6, valid (20|1\d) s")
        screen = terminal.shown.rpartition("\x1b[2J\x1b[H")[2]
        code = (await world.phone(bot["id"]).state())["code"]
        assert qr.terminal(code).replace("\n", "\r\n") in screen and "Code 1" not in screen


async def test_serve_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal serve prints a one-time address, and nowhere else; Ctrl-C on it ends with 0."""
    arguments = ("serve", "--port", "0", "--driver", "simulated")
    async with Terminal(tmp_path, *arguments) as terminal:
        found = await terminal.until(r"(http://127\.0\.0\.1:\d+)/#code=([\w-]{20,})")
        terminal.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(terminal.process.wait(), 10) == 0
    async with simulated(tmp_path / "other") as world:
        assert "#code=" not in world.server.log and "orchestrator open" in world.server.log
    assert found[2] not in world.server.log
