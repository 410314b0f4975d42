"""A frontend on a port of its own whose pages use the unified socket client, built as a customer builds theirs.

Owns the build and the small HTTP server; what the page does is in `orchestrator/web/test/browser/`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from tests.rules.tree import ROOT

WEB = ROOT / "orchestrator" / "web"
BUILD_S = 120.0


async def build(target: Path) -> None:
    """Bundle the page into static files."""
    process = await asyncio.create_subprocess_exec(
        "node", "node_modules/vite/bin/vite.js", "build", "test/browser", "--outDir", str(target), "--emptyOutDir",
        cwd=WEB, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    text = (await asyncio.wait_for(process.communicate(), BUILD_S))[0].decode()
    assert process.returncode == 0, text


@contextlib.asynccontextmanager
async def site(files: Path) -> AsyncIterator[int]:
    """Serve the built page on a free loopback port."""
    app = web.Application()

    async def index(_: web.Request) -> web.FileResponse:
        return web.FileResponse(files / "index.html")

    app.router.add_get("/", index)
    app.router.add_static("/", files)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
