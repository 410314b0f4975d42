"""The control port and the command to play by hand: the same operations over HTTP, typed, and in another process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.loopback.__main__ import parse_line
from tests.loopback.operations import BadRequest, Operations
from tests.loopback.server import LoopbackServer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
async def wa() -> AsyncIterator[LoopbackServer]:
    async with LoopbackServer.start() as server:
        yield server


async def call(url: str, operation: str, **arguments: Any) -> tuple[int, Any]:
    """Status and JSON of one operation over HTTP."""
    async with aiohttp.ClientSession() as http, http.post(f"{url}/{operation}", json=arguments) as answer:
        return answer.status, await answer.json()


async def test_people_are_made_and_seen(wa: LoopbackServer) -> None:
    """account and contact make people; state shows them with devices and faults."""
    status, made = await call(wa.control_url, "account", name="Bob", phone="4915112345678")
    assert (status, made["ok"], made["result"]["phone"]) == (200, True, "4915112345678")
    await call(wa.control_url, "contact", name="Ada")
    await call(wa.control_url, "stall", where="tls")
    _, state = await call(wa.control_url, "state")
    assert [person["name"] for person in state["result"]["people"]] == ["Bob", "Ada"]
    assert state["result"]["faults"]["stall"] == "tls"
    assert wa.faults.stall == "tls"


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("nonsense", {}),
        ("_call", {}),
        ("text", {}),
        ("account", {"phone": "12ab"}),
        ("scan", {"qr": "https://example.org/"}),
        ("code", {"code": "AAAA-BBBB"}),
        ("abort", {}),
        ("received", {"contact": "nobody"}),
        ("wait", {"kind": "login", "timeout_s": 0.01}),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_text(
    wa: LoopbackServer, operation: str, arguments: dict[str, Any]
) -> None:
    """Unknown operations, missing or wrong arguments, refusals and timeouts: status 400 and why, never a crash."""
    status, answer = await call(wa.control_url, operation, **arguments)
    assert (status, answer["ok"]) == (400, False)
    assert answer["error"]


async def test_the_help_lists_every_operation(wa: LoopbackServer) -> None:
    """GET / answers each operation's parameters and meaning."""
    async with aiohttp.ClientSession() as http, http.get(wa.control_url) as answer:
        text = await answer.json()
    assert text["scan"] == "qr [account]\nScan a QR code's text with an account's phone."
    assert {"text", "ledger", "unlink", "listen", "stream_error", "flood"} <= set(text)


async def test_waiting_over_http_hears_what_happens_meanwhile(wa: LoopbackServer) -> None:
    """A wait that was asked before the fact is answered by the fact."""
    waiting = asyncio.ensure_future(call(wa.control_url, "wait", kind="login", match={"phone": "1"}))
    await asyncio.sleep(0.05)
    wa.ledger.record("login", "1", 3)
    _, answer = await waiting
    assert answer["result"][0]["device"] == 3


async def test_typed_commands_take_values_in_order_or_by_name(wa: LoopbackServer) -> None:
    """Positional words fill parameters in order, name=value names them, types follow the parameter."""
    operations = Operations(wa)
    assert parse_line(operations, "text 'hello you' addressing=pn") == (
        "text",
        {"text": "hello you", "addressing": "pn"},
    )
    assert parse_line(operations, "listen off") == ("listen", {"on": False})
    assert parse_line(operations, "refuse_logins 402 code=101 times=1") == (
        "refuse_logins",
        {"reason": 402, "code": "101", "times": 1},
    )
    qr = "https://wa.me/settings/linked_devices#2@a,b==,c==,d==,1"
    assert parse_line(operations, f"scan {qr}") == ("scan", {"qr": qr})
    for line in ("what is this", "state too many", "text 'unclosed"):
        with pytest.raises(BadRequest):
            parse_line(operations, line)


async def test_the_command_serves_another_process(tmp_path: Path) -> None:
    """``--json`` prints one line with addresses and environment, is driven over HTTP, and ends with its input."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.loopback", "--json"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert Path(ready["env"]["SSL_CERT_FILE"]).exists()
        assert Path(ready["env"]["PYTHONPATH"].split(":")[0], "neonize", "__init__.py").exists()
        status, _ = await call(ready["controlUrl"], "account", name="Bob")
        assert status == 200
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert not Path(ready["env"]["SSL_CERT_FILE"]).exists()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
