"""Measures what slow sockets cost: clients that ask for everything and read nothing, while 6 MB wait for each of them.

Gateway and durable bus run in a process of their own; its resident memory is the kernel's figure (VmRSS): before the
clients come, once they are connected, and at its highest while events are committed for all of them, with what the
kernel buffers for a socket added. The limit is 2 MiB a socket; `tests/test_gateway_memory.py` holds it. Run as
`python -m scripts.bench.slow`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog

from orchestrator.gateway.engine_wire import KERNEL_BYTES
from tests.support.gateway import GatewayServer
from tests.support.waiting import until
from tests.test_gateway_memory import PATIENT, WIDE, DeafClient, a_bus, flood

MIB = 1024 * 1024


async def serve(directory: Path, count: int) -> None:
    """The server's process: tells its port and tokens, then fills each user's log when it is asked to."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    users = [f"user{number}" for number in range(count)]
    async with a_bus(directory) as bus, GatewayServer.running(PATIENT, bus=bus) as server:
        for number in range(10):  # so that the bus's own caches are full, and are not taken for the sockets'
            await flood(server, f"nobody{number}", WIDE)
        gc.collect()
        print(json.dumps({"port": server.port, "tokens": [server.token(user) for user in users]}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await until(lambda: server.metrics.count == count, 30, "all sockets")
        for user in users:
            await flood(server, user, WIDE)
        print("filled", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        assert server.metrics.count == count, "a socket ended before it was measured"
        print("all are still there", flush=True)
        await until(lambda: server.metrics.count == 0, 60, "the sockets to end")


def resident(pid: int) -> int:
    """Resident bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the server has ended")


async def measure(directory: Path, count: int, transport: str) -> dict[str, object]:
    """Let clients connect and go deaf, have events committed for each, and look at the server's memory."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.bench.slow", "--serve", str(directory), "--sockets", str(count),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=dict(os.environ), limit=1 << 20,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    told: dict[str, Any] = json.loads(await process.stdout.readline())
    before = resident(process.pid)
    clients = [DeafClient(told["port"]) for _ in range(count)]
    for token, client in zip(told["tokens"], clients, strict=True):
        await client.connect({"token": token, "acks": False}, transport)
        await client.poll()
    connected = resident(process.pid)
    process.stdin.write(b"\n")
    filled, most = asyncio.ensure_future(process.stdout.readline()), connected
    while not filled.done():
        await asyncio.sleep(0.02)
        most = max(most, resident(process.pid))
    assert await filled == b"filled\n"
    process.stdin.write(b"\n")
    assert await process.stdout.readline(), "a socket ended before it was measured"
    for client in clients:
        client.close()
    await process.wait()
    kernel = 2 * KERNEL_BYTES
    return {
        "sockets": count,
        "transport": transport,
        "connected_mib_each": round((connected - before) / count / MIB, 3),
        "highest_mib_each": round(((most - before) / count + kernel) / MIB, 3),
        "of_which_kernel_mib": round(kernel / MIB, 3),
        "limit_mib": 2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=50)
    parser.add_argument("--transport", choices=("websocket", "polling"), default="websocket")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(serve(Path(given.serve), given.sockets))
        return
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(asyncio.run(measure(Path(name), given.sockets, given.transport))))


if __name__ == "__main__":
    main()
