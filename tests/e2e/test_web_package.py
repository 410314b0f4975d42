"""The npm package as a customer gets it: what is in the tarball, and a Next.js-shaped consumer built from it.

Next itself would bring hundreds of megabytes into every run; the consumer has its constraints instead: server and
client components, rendered on a server in Node without a browser's globals, bundled with the variable put in.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.rules.tree import ROOT

pytestmark = pytest.mark.system

WEB = ROOT / "orchestrator" / "web"
NAME = "whatsapp-bot-orchestrator-client"
ADDRESS = "wss://bots.example:8443"
OF_THE_CONSUMER = ("react", "react-dom", "scheduler", "socket.io-client", "@types", "csstype", "undici-types")


async def _run(*command: str, cwd: Path, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    text = (await asyncio.wait_for(process.communicate(), 120))[0].decode()
    assert process.returncode == 0, text
    return text


async def _packed(target: Path) -> Path:
    """`npm pack` into a folder; return the tarball."""
    await _run("npm", "pack", "--silent", "--pack-destination", str(target), cwd=WEB)
    (tarball,) = target.glob("*.tgz")
    return tarball


def _install(tarball: Path, consumer: Path) -> None:
    """Put the package where npm would, and beside it what the consumer itself depends on."""
    modules = consumer / "node_modules"
    modules.mkdir()
    with tarfile.open(tarball) as packed:
        packed.extractall(modules, filter="data")
    (modules / "package").rename(modules / NAME)
    for name in OF_THE_CONSUMER:
        (modules / name).symlink_to(WEB / "node_modules" / name)
    (consumer / "package.json").write_text('{"name": "consumer", "private": true, "type": "module"}')


async def test_package(tmp_path: Path) -> None:
    """Packed, installed, type-checked strictly, rendered on a server, bundled for a browser."""
    tarball = await _packed(tmp_path)
    with tarfile.open(tarball) as packed:
        names = packed.getnames()
    assert {"package/README.md", "package/package.json", "package/dist/index.js", "package/dist/react.d.ts"} <= {*names}
    assert all(name.startswith("package/dist/") or name.count("/") == 1 for name in names)
    assert not [name for name in names if "page" in name.removeprefix("package").lower() and name.endswith(".js")]
    consumer = tmp_path / "consumer"
    shutil.copytree(WEB / "test" / "consumer", consumer)
    _install(tarball, consumer)
    for name in ("react.js", "useUnifiedWebSocket.js", "aliases.js"):
        assert (consumer / "node_modules" / NAME / "dist" / name).read_text().startswith('"use client";')

    node = ["node"]
    await _run(*node, str(WEB / "node_modules" / "typescript" / "bin" / "tsc"), "-p", ".", cwd=consumer)
    vite = [*node, str(WEB / "node_modules" / "vite" / "bin" / "vite.js"), "build"]
    library = "build: { lib: { entry: 'client.tsx', formats: ['es'], fileName: 'client' } }"
    defined = f"'process.env.NEXT_PUBLIC_BOT_WEBSOCKET_URL': '\"{ADDRESS}\"', 'process.env.NODE_ENV': '\"production\"'"
    for name, more in (("client", library), ("server", "ssr: { noExternal: true }")):
        (consumer / f"{name}.config.mjs").write_text(f"export default {{ define: {{ {defined} }}, {more} }}")
    await _run(*vite, "--config", "client.config.mjs", "--outDir", "out/client", cwd=consumer)
    assert ADDRESS in "".join(path.read_text() for path in (consumer / "out" / "client").glob("*.js"))
    await _run(*vite, "--config", "server.config.mjs", "--ssr", "server.tsx", "--outDir", "out/server", cwd=consumer)
    text = await _run(*node, "out/server/server.js", cwd=consumer)
    assert text == '<main><h1>Not connected</h1><button type="button">idle 0 unknown</button></main>'

    plain = f"import * as all from '{NAME}'; import * as react from '{NAME}/react';"
    shown = await _run(
        *node, "--input-type=module", "-e", f"{plain} console.log(Object.keys(all).length, Object.keys(react).sort().join())",
        cwd=consumer,
    )  # fmt: skip
    count, hooks = shown.split()
    assert int(count) > 10
    assert hooks == "useBotWebSocket,useClient,useUnifiedWebSocket,useWhatsAppConnection,useWhatsAppStatus"
