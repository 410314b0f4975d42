"""The process that hosts sessions: `python -m sessions.worker`.

Owns the process: its command line, limits, the order in which its parts are built, and its exit. It must never know a
frame or an event. It always leaves by `os._exit`, since the library's threads can't be joined. Read `worker_host.py`
next for what it does, `worker_death.py` for how it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sessions import translate, wire
from sessions.session import Outlet, Session, SessionSpec
from sessions.slots import Slots
from sessions.spool import Spool
from sessions.worker_death import Death
from sessions.worker_drain import drain
from sessions.worker_host import Driver, Host
from sessions.worker_link import Link
from sessions.worker_relay import Relay
from sessions.worker_tasks import install_hooks, report, say, spawn

DEFAULT_SPOOL_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line."""

    fd: int
    driver: str
    spool: str | None
    spool_max: int
    slots: str | None
    phones: str | None
    drain: str | None


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line; leaves with status 2 and one line when it is wrong."""
    parser = argparse.ArgumentParser(prog="sessions.worker")
    parser.add_argument("--fd", type=int, required=True, help="inherited unix stream socket that speaks wire.py")
    parser.add_argument("--driver", choices=("whatsapp", "simulated"), required=True)
    parser.add_argument("--spool", help="this worker's own spool directory")
    parser.add_argument("--spool-max", type=int, default=DEFAULT_SPOOL_MAX_BYTES, help="bytes")
    parser.add_argument("--slots", help="file to note in which bot is in the library")
    parser.add_argument("--phones", help="directory of the simulated phones' sockets")
    parser.add_argument("--drain", help="hand over this dead worker's spool, then exit")
    found = parser.parse_args(argv)
    if found.drain is None and (found.spool is None or found.slots is None):
        parser.error("--spool and --slots are needed, or --drain")
    return Arguments(**vars(found))


def main(argv: Sequence[str]) -> None:
    """Run until the supervisor is gone or asks to shut down. Never returns."""
    arguments = parse(argv)
    _harden()
    sock = socket.socket(fileno=arguments.fd)
    try:
        if arguments.drain is not None:
            drain(arguments.drain, sock, _parsers(arguments.driver))
        else:
            asyncio.run(_host(arguments, sock))
        os._exit(0)
    except Exception as error:
        report("worker", error)
        os._exit(1)


def _harden() -> None:
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A session takes about four descriptors, and the library never gives those of a stopped one back.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Go prints pairing codes to standard output.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


async def _host(arguments: Arguments, sock: socket.socket) -> None:
    assert arguments.spool is not None
    assert arguments.slots is not None
    install_hooks(asyncio.get_running_loop())
    death = Death(sock)
    slots = Slots.create(arguments.slots)
    store = Spool.open(arguments.spool, arguments.spool_max)
    driver, parsers, name = _driver(arguments, slots)
    link = Link(sock)
    host = Host(driver, store, slots, link.push, _Ending(death, link))
    host.relay = Relay(store, arguments.spool, link, parsers, host.on_spool_failure)
    link.refill = host.relay.refill
    link.serve(host.take)
    link.push(wire.Hello(os.getpid(), name, driver.version))
    death.watch(host.sends_in_flight, driver.give_up, driver.hang_up)
    spawn("heartbeat", host.heartbeat())
    await link.write()
    # The supervisor is gone; the death thread ends the process when it has given the sends their time.
    await asyncio.Event().wait()


class _Ending:
    def __init__(self, death: Death, link: Link) -> None:
        self.near = death.near
        self.flushed = link.flushed


def _driver(arguments: Arguments, slots: Slots) -> tuple[Driver, translate.Parsers, Literal["whatsapp", "simulated"]]:
    if arguments.driver == "simulated":
        return _Simulated(arguments.phones, slots), {}, "simulated"
    from sessions import whatsapp  # noqa: PLC0415 - the library loads only where it is used

    try:
        library = whatsapp.load(slots)
    except whatsapp.LibraryMissing as error:
        say(str(error))
        os._exit(1)
    return library, library.parsers, "whatsapp"


class _Simulated:
    """`Driver` of simulated sessions."""

    def __init__(self, phones: str | None, slots: Slots) -> None:
        from sessions import simulated, simulated_control  # noqa: PLC0415 - a real worker needs none of it

        self.version = simulated.LIBRARY
        self._make = simulated_control.driver(Path(phones) if phones is not None else None, slots)

    def session(self, spec: SessionSpec, outlet: Outlet) -> Session:
        """Make one session."""
        return self._make(spec, outlet)

    def give_up(self) -> None:
        """Nothing is under way that could be given up."""

    def hang_up(self, timeout_s: float) -> None:
        """Nothing is under way outside the loop."""


def _parsers(driver: str) -> Callable[[], translate.Parsers]:
    def load() -> translate.Parsers:
        if driver == "simulated":
            return {}
        from sessions import whatsapp  # noqa: PLC0415 - the library loads only where it is used

        return whatsapp.parsers()

    return load


if __name__ == "__main__":
    main(sys.argv[1:])
