"""Secrets stay where they belong: canaries are planted in a whole run, with deaths in it, and looked for everywhere."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.crash import processes
from tests.e2e.journeys import connect, create, offered
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.rest import Rest
from tests.support.server import Server
from tests.support.waiting import until

BODY = "canary body zebra umbrella"
PLANTED = "canaryFirebase"
PROXY_PASSWORD = "canaryProxyPassword"
FORBIDDEN_ENVIRONMENT = re.compile(rb"^(ORCHESTRATOR_|FIREBASE_|GOOGLE_)")


@dataclass
class Evidence:
    """Everything an operator, a neighbour on the machine or a stranger gets to see."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    environments: list[bytes] = field(default_factory=list)

    def add(self, where: str, text: str | bytes) -> None:
        self.texts.setdefault(where, []).append(text if isinstance(text, str) else text.decode(errors="replace"))

    def look(self, server: Server) -> None:
        """Take what the kernel shows of the processes now."""
        for worker in processes.workers(server.data_dir):
            proc = Path(f"/proc/{worker.pid}")
            self.add("worker's command line", (proc / "cmdline").read_bytes())
            self.add("worker's stderr", (proc / "fd" / "2").read_bytes())
            self.environments.append((proc / "environ").read_bytes())
        self.add("server's command line", Path(f"/proc/{server.pid}/cmdline").read_bytes())

    def find(self, secret: str) -> list[str]:
        """Where a secret can be seen, with a little of what is around it."""
        found = []
        for where, texts in self.texts.items():
            for text in texts:
                at = text.find(secret)
                if at >= 0:
                    found.append(f"{where}: …{text[max(0, at - 60) : at + 80]}…")
                    break
        return found


@pytest.fixture
async def server(tmp_path: Path, whatsapp: LoopbackServer, environment: dict[str, str]) -> AsyncIterator[Server]:
    """A server whose environment holds canaries."""
    secret = {
        "ORCHESTRATOR_PROXY": whatsapp.proxy_url.replace("http://", f"http://user:{PROXY_PASSWORD}@"),
        "FIREBASE_CREDENTIALS": PLANTED,
        "GOOGLE_APPLICATION_CREDENTIALS": PLANTED,
    }
    async with Server.running(tmp_path / "data", {**environment, **secret}) as running:
        yield running


async def _run(server: Server, whatsapp: LoopbackServer, node: NodeClient, evidence: Evidence) -> list[str]:
    """Link both ways, chat, die; return the secrets that were in play."""
    socket = await connect(node, server)
    by_qr, first = await create(server, "by qr"), whatsapp.add_account()
    qr = await offered(server, by_qr)
    await first.scan(qr)
    by_code, second = await create(server, "by code", start=False), whatsapp.add_account()
    code = (await server.call("POST", f"/bots/{by_code}/pairing-code", {"phone": f"+{second.number}"}))["code"]
    await second.enter_code(code)
    evidence.look(server)
    ada = whatsapp.add_contact(name="Ada")
    for bot, phone in ((by_qr, first), (by_code, second)):
        await server.bot_until(bot, lambda seen: seen["status"] == "connected")
        await ada.send_text(phone, f"{BODY} in", addressing="pn")
    await server.call("POST", f"/bots/{by_qr}/messages?wait=10", {"to": f"+{ada.number}", "text": f"{BODY} out"})
    await socket.until(lambda: len(socket.of("message_sync", "message")) == 2, what="both texts")
    await _die(server, whatsapp, evidence)
    parts = [part for part in re.split(r"[#,]", qr) if len(part) >= 16 and "wa.me" not in part]
    assert len(parts) >= 4
    people = (first, second, ada)
    return [server.token, BODY, code, code.replace("-", ""), PROXY_PASSWORD, *parts, *(who.number for who in people)]


async def _die(server: Server, whatsapp: LoopbackServer, evidence: Evidence) -> None:
    """The workers crash with Go stacks on their stderr, then the supervisor dies."""
    mark = len(whatsapp.ledger)
    evidence.look(server)
    for worker in processes.workers(server.data_dir):
        with Path(f"/proc/{worker.pid}/fd/2").open("rb") as stderr:
            processes.strike(worker, signal.SIGSEGV)
            await until(lambda worker=worker: worker not in processes.workers(server.data_dir), 5, "its end")  # type: ignore[misc]
            last_words = stderr.read()
        evidence.add("worker's stderr", last_words)
    await whatsapp.ledger.wait_count(2, "active", 40, mark)
    evidence.add("metrics", await server.get("/metrics"))
    evidence.look(server)
    await server.kill()
    await server.start()


async def _provoke(server: Server, node: NodeClient, bot: str, evidence: Evidence) -> list[str]:
    """Ask for refusals with secrets in every place a request has; return the secrets."""
    bad = "canaryBadToken." + "x" * 40
    number = "4915199988877"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        rest = Rest(http, server.url, server.token)
        for caller in (rest, rest.as_(bad)):
            for method, path, body in (
                ("POST", f"/bots/{bot}/messages", {"to": f"{number}x{bad}", "text": BODY}),
                ("POST", f"/bots/{bot}/messages", {"to": f"+{number}", "text": [BODY]}),
                ("POST", f"/bots/{bot}/messages", {"to": number, "text": BODY, "more": BODY}),
                ("POST", f"/bots/{bot}/link", {"method": "code", "phone": f"{number}{number}"}),
                ("POST", f"/bots/{bot}/pairing-code", {"phone": f"{number}{BODY}"}),
                ("PATCH", f"/bots/{bot}", {"proxy": f"http//user:{bad}@nowhere"}),
                ("POST", "/session", {"code": bad}),
                ("GET", f"/bots?token={bad}", None),
                ("GET", f"/events?after={bad}", None),
                ("GET", f"/bots/{bad}", None),
            ):
                answer = await caller(method, path, body)
                if answer.status >= 400:
                    evidence.add(f"refusal of {method} {path.partition('?')[0]}", answer.body)
    refused = await node.connect(server.url, token=bad, user=bad)
    evidence.add("socket refusal", str(await refused.refused()))
    return [bad, number]


async def test_nothing_leaks(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """No token, code, key, body, proxy password or whole phone number is in logs, metrics, processes or refusals."""
    evidence = Evidence()
    secrets = await _run(server, whatsapp, node, evidence)
    bots = (await server.call("GET", "/bots"))["bots"]
    refused = await _provoke(server, node, bots[0]["id"], evidence)
    evidence.add("log", server.log)
    evidence.add("metrics", await server.get("/metrics"))
    assert {"log", "metrics", "worker's stderr", "worker's command line"} <= set(evidence.texts)
    assert all(evidence.texts["log"]) and "Bot status update" in server.log
    leaks = {secret: evidence.find(secret) for secret in [*secrets, *refused]}
    assert not any(leaks.values()), {secret[:24]: found for secret, found in leaks.items() if found}
    for environment in evidence.environments:
        names = [entry for entry in environment.split(b"\0") if FORBIDDEN_ENVIRONMENT.match(entry)]
        assert not names and PLANTED.encode() not in environment


async def test_files_are_private(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """Every directory under the data directory is 0700 and every file 0600, device keys and spools too."""
    await _run(server, whatsapp, node, Evidence())
    modes = _modes(server.data_dir)
    assert {name: f"{mode:o}" for name, mode in modes.items() if not _is_private(mode)} == {}
    seen = " ".join(modes)
    assert all(re.search(kept, seen) for kept in (r"orchestrator\.db", r"devices/\S+\.db", r"spool/\S+", r"run/\S+"))


def _modes(root: Path) -> dict[str, int]:
    """Type and mode of the directory and all that is in it. The server tidies meanwhile: what has gone is left out."""
    found = {}
    for folder, _, files in os.walk(root):
        for path in [Path(folder), *(Path(folder) / name for name in files)]:
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(root))] = path.lstat().st_mode
    return found


def _is_private(mode: int) -> bool:
    return stat.S_ISSOCK(mode) or stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600)
