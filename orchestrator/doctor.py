"""Whether this machine can run a server, looked at one thing at a time: library, data directory, disk, port, clock, network.

Owns the checks and what to do about each failure; it changes nothing, and needs no running server. It must never print.
Read `cli_doctor.py` for the command.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec

from orchestrator.settings import Settings
from orchestrator.supervisor.incident_texts import UNREACHABLE
from orchestrator.supervisor.incidents import Verdict
from orchestrator.supervisor.probe import ask_time, probe
from orchestrator.supervisor.spools import START_ROOM_BYTES

LIBRARY_S = 60.0
GOOD_ROOM_BYTES = 1024**3
"""Less than this is told; less than what a start needs is a failure."""
SKEW_MS = 60_000
"""TLS and what people read can stand a minute; WhatsApp's own tokens cannot stand much more."""
FILES_A_BOT = 4
LEAST_FILES = 1024


class Check(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    """What is so, in a few words."""
    remedy: str | None = None
    """What to do about a failure."""


Probe = Callable[[str | None], Awaitable[Verdict]]
AskTime = Callable[[str | None], Awaitable[int | None]]


async def examine(settings: Settings, *, probed: Probe = probe, asked: AskTime = ask_time) -> list[Check]:
    """Look at everything; the order is that of a start. Takes as long as the network, at most some 20 s."""
    proxy = settings.proxy
    network, far_ms, library = await asyncio.gather(
        _network(settings, probed), _far_time(settings, asked), _library(settings)
    )
    return [
        library,
        data_dir(settings.data_dir),
        disk(settings.data_dir),
        open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1], settings.max_bots_per_user),
        await port(settings),
        clock(_newest(settings.data_dir), round(time.time() * 1000), far_ms),
        network,
        *([] if proxy is None else [await _proxy(proxy, probed)]),
    ]


async def _library(settings: Settings) -> Check:
    if settings.driver == "simulated":
        return Check("library", True, "none is needed: DRIVER is simulated")
    code = (
        "import sys\nfrom sessions import whatsapp\nfrom sessions.slots import Slots\n"
        "print(whatsapp.load(Slots.create(sys.argv[1])).version)"
    )
    with tempfile.TemporaryDirectory() as directory:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, str(Path(directory) / "slots")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(LIBRARY_S):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return Check(
                "library", False, f"not loaded within {LIBRARY_S:g} s", "Is this machine very busy? Try again."
            )
    if process.returncode == 0:
        return Check("library", True, out.decode().strip())
    last = (err.decode().strip().splitlines() or [f"exit {process.returncode}"])[-1]
    return Check("library", False, last, "Install again: run scripts/start, or pip install this package.")


def data_dir(path: Path) -> Check:
    """Whether everything that must survive can be kept there, and nobody else reads it."""
    there = path.absolute()
    try:
        if not there.exists():
            parent = next(one for one in there.parents if one.exists())
            if os.access(parent, os.W_OK | os.X_OK):
                return Check("data dir", True, f"{there} is made at the first start")
            return Check("data dir", False, f"{there} cannot be made", f"Give this user write access to {parent}.")
        mode = stat.S_IMODE(there.stat().st_mode)
        if not there.is_dir() or not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            remedy = "Give this user access to it, or name another directory with --data-dir."
            return Check("data dir", False, f"{there} cannot be used", remedy)
        if mode & 0o077:
            found = f"{there} is open to others (mode {mode:03o})"
            return Check("data dir", False, found, f"Run: chmod 700 {there}")
    except OSError as error:
        return Check("data dir", False, f"{there}: {error.strerror}", "Name another directory with --data-dir.")
    return Check("data dir", True, str(there))


def disk(path: Path) -> Check:
    """Whether there is room for events, messages and spools."""
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1024**2:,.0f} MB free"
    if free < START_ROOM_BYTES:
        return Check("disk", False, found, "Free some space: below 32 MB no bot is started.")
    return Check(
        "disk", True, found if free >= GOOD_ROOM_BYTES else f"{found}: less than 1 GB, soon to be looked after"
    )


def open_files(most: int, bots: int) -> Check:
    """Whether the system lets a process open enough files."""
    unlimited = most == resource.RLIM_INFINITY
    found = "unlimited" if unlimited else f"{most:,} a process"
    if unlimited or most >= max(LEAST_FILES, FILES_A_BOT * bots):
        return Check("open files", True, found)
    return Check("open files", False, found, f"Raise the limit (ulimit -n, LimitNOFILE=) to {LEAST_FILES} or more.")


async def port(settings: Settings) -> Check:
    """Whether the address is free, or taken by a server of ours."""
    shown = f"{settings.host}:{settings.port}"
    try:
        family, kind, number, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
    except socket.gaierror:
        return Check("port", False, f"{settings.host} is no address of this machine", "Name another one with --host.")
    except OSError as error:
        if error.errno == errno.EADDRINUSE and await _is_ours(settings):
            return Check("port", True, f"{shown}: a server is running there")
        remedy = "End what listens there, or name another port with --port."
        return Check("port", False, f"{shown}: {error.strerror or error}", remedy)
    return Check("port", True, f"{shown} is free")


async def _is_ours(settings: Settings) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as http,
            http.get(f"http://{host}:{settings.port}/api/v1/version") as answer,
        ):
            return "contract" in await answer.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


def clock(newest_ms: int | None, now_ms: int, far_ms: int | None) -> Check:
    """Whether this machine's clock can be right: against what was written here before, and against WhatsApp's."""
    remedy = "Set the clock, and let it be kept (timedatectl set-ntp true)."
    if newest_ms is not None and newest_ms > now_ms + SKEW_MS:
        behind_s = (newest_ms - now_ms) // 1000
        return Check("clock", False, f"{behind_s:,} s before what was written here last: it was set back", remedy)
    if far_ms is None:
        return Check("clock", True, "it could not be compared with WhatsApp's")
    off_ms = now_ms - far_ms
    found = f"{abs(off_ms) / 1000:,.0f} s {'ahead of' if off_ms > 0 else 'behind'} WhatsApp's"
    return Check("clock", abs(off_ms) <= SKEW_MS, found, None if abs(off_ms) <= SKEW_MS else remedy)


def _newest(path: Path) -> int | None:
    try:
        return round((path / "orchestrator.db").stat().st_mtime * 1000)
    except OSError:
        return None


async def _far_time(settings: Settings, asked: AskTime) -> int | None:
    return None if settings.driver == "simulated" else await asked(settings.proxy)


async def _network(settings: Settings, probed: Probe) -> Check:
    if settings.driver == "simulated":
        return Check("network", True, "none is needed: DRIVER is simulated")
    if settings.proxy is not None:
        return Check("network", True, "sessions go through the proxy")
    return _judged("network", "WhatsApp answers", await probed(None))


async def _proxy(proxy: str, probed: Probe) -> Check:
    return _judged("proxy", "WhatsApp answers through it", await probed(proxy))


_REMEDIES = {
    "dns_failed": "Check this machine's name server: `getent hosts web.whatsapp.com` must answer.",
    "tls_failed": "Check the clock, and whether something on the way inspects TLS; SSL_CERT_FILE names its certificate.",
    "proxy_failed": "Check the proxy's host, port, name and password.",
    "whatsapp_unreachable": "Check network and firewall: TCP to web.whatsapp.com, port 443; PROXY names a way around.",
}


def _judged(name: str, good: str, verdict: Verdict) -> Check:
    if verdict == "ok":
        return Check(name, True, good)
    return Check(name, False, UNREACHABLE[verdict].title, _REMEDIES[verdict])
