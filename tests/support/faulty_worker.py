"""A worker process that misbehaves on demand: speaks the real frames, spools, slots and locks, and has no sessions.

For faults the simulated driver can't play: a process that never greets, dies at once, goes silent or floods. What a bot
does is its `device_name`; see `Worker.start`. Environment: `FAULTY_HELLO=never|exit`, `FAULTY_DRAIN=exit`. Run as
`python -m tests.support.faulty_worker` with the arguments of `sessions.worker`.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import sys
import time

import msgspec

from sessions import kinds, model
from sessions import spool as spools
from sessions.slots import Slots
from sessions.wire import (
    Drained,
    EventFrame,
    FromWorker,
    Hello,
    Ping,
    Pong,
    Result,
    Send,
    Shutdown,
    Splitter,
    SpoolCommitted,
    SpoolFailed,
    Start,
    Started,
    Stop,
    Stopped,
    ToWorker,
    decode_to_worker,
    encode,
)

ACCOUNT = model.Account("4915112345678:7@s.whatsapp.net", None, "4915112345678")
_event: msgspec.msgpack.Decoder[model.SessionEvent] = msgspec.msgpack.Decoder(model.SessionEvent)


class Worker:
    """One process, one thread, blocking calls."""

    def __init__(self, sock: socket.socket, directory: str, max_bytes: int, slots: str) -> None:
        self.sock = sock
        self.spool = spools.Spool.open(directory, max_bytes)
        self.slots = Slots.create(slots)
        self.locks: dict[str, int] = {}
        self.manners: dict[str, str] = {}
        self.incarnations: dict[str, str] = {}
        self.descriptors: list[int] = []

    def say(self, frame: FromWorker) -> None:
        self.sock.sendall(encode(frame))

    def tell(self, bot: str, incarnation: str, event: model.SessionEvent, *, aloud: bool = True) -> None:
        """Spool one event, and hand it over unless it is to be found in the spool only."""
        raw = msgspec.msgpack.encode(event)
        ordinal, at_ms = self.spool.append(bot, incarnation, kinds.SIMULATED, raw)
        if aloud:
            self.say(EventFrame(bot, incarnation, ordinal, at_ms, event))

    def run(self) -> None:
        splitter = Splitter()
        while True:
            ready, _, _ = select.select([self.sock], [], [], 0.5)
            if not ready:
                self.pong(0)
                continue
            data, descriptors, _, _ = socket.recv_fds(self.sock, 65536, 16)
            self.descriptors += descriptors
            if not data:
                return
            for body in splitter.feed(data):
                self.take(decode_to_worker(body))

    def take(self, frame: ToWorker) -> None:
        match frame:
            case Start():
                self.start(frame)
            case Stop(bot, incarnation):
                self.stop(bot, incarnation)
            case Send(call, bot, incarnation, job):
                self.send(call, bot, incarnation, job)
            case SpoolCommitted(incarnation, ordinal):
                self.spool.committed(incarnation, ordinal)
            case Ping(number):
                self.pong(number)
            case Shutdown():
                for bot, incarnation in self.incarnations.items():
                    self.say(Stopped(bot, incarnation, True))
                self.spool.close()
                sys.exit(0)
            case _:
                raise AssertionError(f"this worker has no manners for {type(frame).__name__}")

    def start(self, frame: Start) -> None:
        bot, incarnation, manners = frame.spec.bot, frame.spec.incarnation, frame.spec.device_name
        self.locks[bot] = self.descriptors.pop(0)
        self.manners[bot] = manners
        self.incarnations[bot] = incarnation
        if manners == "mute":
            return
        self.say(Started(bot, incarnation))
        if manners == "silent":
            return
        if manners == "link":
            self.say(EventFrame(bot, incarnation, None, 0, model.QrOffered("secret", 1, 6, 60)))
            return
        self.tell(bot, incarnation, model.Connected(ACCOUNT))
        match manners.split():
            case ["die"]:
                self.slots.note(bot, "start")
                self.tell(bot, incarnation, model.Disconnected(), aloud=False)
                os.kill(os.getpid(), signal.SIGKILL)
            case ["die", "unnoted"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["panic"]:
                sys.stderr.write("4915112345678 said hello\nfatal error: concurrent map writes\n\ngoroutine 1\n")
                sys.stderr.flush()
                os.abort()
            case ["hang"]:
                time.sleep(3600)
            case ["flood", count]:
                for number in range(int(count)):
                    self.tell(bot, incarnation, model.ProtocolNote(str(number)))
            case ["full"]:
                self.say(SpoolFailed("full"))
            case _:
                pass

    def stop(self, bot: str, incarnation: str) -> None:
        match self.manners[bot]:
            case "keep":
                self.say(Stopped(bot, incarnation, False))
            case "deaf":
                pass
            case _:
                self.tell(bot, incarnation, model.Disconnected())
                os.close(self.locks.pop(bot))
                self.say(Stopped(bot, incarnation, True))

    def send(self, call: int, bot: str, incarnation: str, job: str) -> None:
        match self.manners[bot]:
            case "die in send":
                with self.slots.note(bot, "send"):
                    os.kill(os.getpid(), signal.SIGKILL)
            case "die after send":
                self.tell(bot, incarnation, model.SendFinished(job, model.Sent("MID", 1)), aloud=False)
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                self.tell(bot, incarnation, model.SendFinished(job, model.Sent("MID", 1)))
                self.say(Result(call, True, outcome=model.Sent("MID", 1)))

    def pong(self, number: int) -> None:
        self.say(Pong(number, 0, self.spool.size_bytes, 0.0))


def drain(sock: socket.socket, directory: str) -> None:
    if os.environ.get("FAULTY_DRAIN") == "exit":
        sys.exit(3)
    records = 0
    for record in spools.read(directory):
        records += 1
        event = _event.decode(record.raw)
        sock.sendall(encode(EventFrame(record.bot, record.incarnation, record.ordinal, record.at_ms, event)))
    sock.sendall(encode(Drained(records)))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--fd", "--spool-max"):
        parser.add_argument(name, type=int, default=0)
    for name in ("--driver", "--spool", "--slots", "--drain", "--phones"):
        parser.add_argument(name)
    options = parser.parse_args()
    sock = socket.socket(fileno=options.fd)
    if options.drain:
        drain(sock, options.drain)
        return
    worker = Worker(sock, options.spool, options.spool_max, options.slots)
    match os.environ.get("FAULTY_HELLO"):
        case "exit":
            sys.exit(3)
        case "never":
            time.sleep(3600)
        case _:
            worker.say(Hello(os.getpid(), "simulated", "faulty"))
    worker.run()


if __name__ == "__main__":
    main()
