"""A Socket.IO client of a few lines over aiohttp's WebSocket, for what an unmodified client never sends.

Owns one WebSocket and speaks text packets. It must never know what the server should answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp


class RawSocket:
    """One WebSocket with the Engine.IO handshake done."""

    patience_s = 30.0
    """How long an answer may take; generous, because only failing tests wait so long."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self.opened_at = time.monotonic()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int, headers: Mapping[str, str] | None = None) -> AsyncIterator[RawSocket]:
        """Connect and read the OPEN packet."""
        url = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers, compress=15) as ws:
            raw = cls(ws)
            assert (await raw.text()).startswith("0{")
            yield raw

    @property
    def compression(self) -> int:
        """Window bits agreed on; 0 means that the server refused compression."""
        return self._websocket.compress

    async def connect(self, **auth: object) -> str:
        """Send CONNECT and return the answer's text: `0{…}` accepted, or `44{…}` → `4{…}` refused."""
        await self.send("40" + json.dumps(auth))
        return (await self.text())[1:]

    async def send(self, packet: str | bytes) -> None:
        """Send one WebSocket message as it is."""
        if isinstance(packet, bytes):
            await self._websocket.send_bytes(packet)
        else:
            await self._websocket.send_str(packet)

    async def text(self, timeout_s: float | None = None) -> str:
        """Return the next text message."""
        return await self._websocket.receive_str(timeout=timeout_s or self.patience_s)

    async def frame(self, type_: str) -> dict[str, Any]:
        """Return the next event frame of a type; others before it are passed over."""
        async with asyncio.timeout(self.patience_s):
            while True:
                text = await self.text()
                if text.startswith("42"):
                    frame: dict[str, Any] = json.loads(text[2:])[1]
                    if frame["type"] == type_:
                        return frame

    async def ended(self, timeout_s: float = 30.0) -> float:
        """Wait for the server to close the transport; return how long it was open, in seconds."""
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self._websocket.receive()
                if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}:
                    return time.monotonic() - self.opened_at
