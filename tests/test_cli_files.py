"""`orchestrator send --file` as a person types it, against a real server with simulated bots."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.simulated import simulated
from tests.test_cli import WAIT_S, Shell

ADA = "+4915112345678"


async def test_send_a_file(tmp_path: Path) -> None:
    """A file goes as what it is, or as it is asked to; a wrong kind, a missing file and nothing at all are one line."""
    async with simulated(tmp_path / "data") as world:
        shell = Shell(tmp_path, ORCHESTRATOR_TOKEN=world.token("ada"))
        bot = (await shell.ok("bots", "create", "desk", "--no-start", "--json")).json()["id"]
        linking = await shell.begin("bots", "link", bot)
        await world.phone(bot).scan()
        await asyncio.wait_for(linking.communicate(), WAIT_S)
        bill = tmp_path / "bill.pdf"
        bill.write_bytes(b"%PDF-1.7 the bill")
        job = (await shell.ok("send", bot, ADA, "due", "--file", str(bill), "--json")).json()
        assert job["state"] in {"sent", "delivered"}
        wrong = await shell("send", bot, ADA, "--file", str(bill), "--as", "image")
        assert wrong.code == 1 and "image takes image/jpeg or image/png" in wrong.err
        for arguments in (("--file", str(tmp_path / "none")), ()):
            assert (await shell("send", bot, ADA, *arguments)).code == 2
