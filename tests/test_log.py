"""Logs: what must never be in a line is masked at the door."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from pathlib import Path

import pytest
import structlog

from orchestrator.log import mask, set_up
from tests.support.api import serving

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJsb2NhbCJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"bad {TOKEN}", "bad [token]"),
        ("see https://wa.me/settings/linked_devices#2@abc,def", "see [qr]"),
        ("2@AAAAAAAAAAAAAAAAAAAAAAAAAA,BBB", "[qr]"),
        ("Pair Code: ABCD-EFGH", "Pair Code: [pairing code]"),
        ("via http://user:pass@proxy:8080", "via http://[credentials]@proxy:8080"),
        ("from 4915112345678:7@s.whatsapp.net", "from …78:7@s.whatsapp.net"),
        ("call +4915112345678 now", "call …78 now"),
        ("port 8000, 12 bots, 127.0.0.1:54321", "port 8000, 12 bots, 127.0.0.1:54321"),
    ],
)
def test_mask(text: str, shown: str) -> None:
    """Tokens, QR and pairing codes, credentials and phone numbers become marks; the rest stays."""
    assert mask(text) == shown


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is one JSON object; fields that are secrets by name are hidden; libraries are masked too."""
    set_up("json", "info")
    structlog.get_logger("x").info("Bot status update", botId="bot_1", token="abc", qr="def", note=TOKEN)
    logging.getLogger("library").warning("token %s", TOKEN)
    logging.getLogger("engineio").error("payload %s", TOKEN)
    lines = capsys.readouterr().err.splitlines()
    first = json.loads(lines[0])
    assert (first["event"], first["botId"], first["token"], first["qr"], first["note"]) == (
        "Bot status update", "bot_1", "[hidden]", "[hidden]", "[token]",
    )  # fmt: skip
    assert lines[1:] == ["WARNING library token [token]"]


def test_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that can't be written costs its lines and nothing else: whoever logs goes on."""
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        set_up("json", "info")
        structlog.get_logger("x").warning("Bot waits for storage", botId="bot_1")
        logging.getLogger("library").warning("also this")
        with contextlib.suppress(OSError):
            full.close()


def test_tracebacks_of_libraries_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library logs with a traceback says where it broke, and nothing of what it held."""
    set_up("json", "info")
    try:
        raise ValueError(f"bad {TOKEN} of +4915112345678")
    except ValueError:
        logging.getLogger("library").exception("broke")
    said = capsys.readouterr().err
    assert "ValueError: bad [token] of …78" in said and TOKEN not in said


async def test_requests_that_are_no_http_leave_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken header is answered 400 and never shown: it may be the one with the token."""
    secret = "canarySecretZebra"
    set_up("json", "info")
    async with serving(tmp_path) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(api.host.rpartition(":")[2]))
        writer.write(f"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-Api-Key: {secret}\x00\r\n\r\n".encode())
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
        writer.close()
    said = capsys.readouterr()
    assert secret not in said.err + said.out
