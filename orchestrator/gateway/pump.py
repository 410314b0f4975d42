"""One task per live socket: bus → `ready`, snapshot or replay, announcements, live frames. The bus is the buffer.

Owns the order of what one client gets. It must never know Socket.IO or admission. It reads the bus only; what a frame
looks like is `protocol.py`'s. Read `gateway.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from orchestrator.bus.bus import Bus, Committed, Delivery, Snapshot, Subscription
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.gateway.ports import GatewayMetrics, GatewaySettings, Out
from orchestrator.gateway.protocol import (
    Begin,
    Closing,
    Ready,
    Resume,
    SnapshotReason,
    Stamp,
    begin,
    delivery_frame,
    ready_frame,
    replaying_frame,
    snapshot_frames,
)
from orchestrator.gateway.window import Window
from orchestrator.model import Bot, EventName, Position, new_id

_decode_bot = msgspec.json.Decoder(Bot).decode
_TRIES = 5
_BATCH = 64
"""Events read at a time: what is read and not sent yet is memory of a slow client."""
_FULL_LOOK_S = 0.5
"""How often a full window is looked at when no acknowledgement comes."""


class _TooSlow(Exception):
    """The client takes nothing for too long."""


@dataclass(frozen=True, slots=True)
class PumpParts:
    """What every pump of a gateway shares."""

    bus: Bus
    fill: Callable[[Bot], Bot]
    clock: Clock
    metrics: GatewayMetrics
    settings: GatewaySettings


class Pump:
    """Delivers one user's log to one socket until cancelled."""

    def __init__(
        self,
        parts: PumpParts,
        out: Out,
        user: str,
        connection_id: str,
        resume: Resume | None,
        *,
        acks: bool,
        greeted: Callable[[], None],
    ) -> None:
        """Prepare the delivery to a socket.

        Args:
            parts: What all pumps share.
            out: Where to write.
            user: Whose log.
            connection_id: What a successor of this socket will prove itself with.
            resume: Where the client stands, if it says so.
            acks: The client acknowledges: a window bounds what it has not.
            greeted: Called once `ready` has been sent; must not wait.
        """
        self._parts = parts
        self._out = out
        self._user = user
        self._connection_id = connection_id
        self._resume = resume
        self._greeted = greeted
        self._window = Window(parts.settings.window) if acks else None
        self._epoch = ""
        self._began_ms = 0
        self._wanted: Resume | None = None
        self._moved = asyncio.Event()
        self._subscription: Subscription | None = None

    def resync(self, wanted: Resume) -> None:
        """Begin again after the position the client has; what is being read is given up."""
        self._wanted = wanted
        self._moved.set()
        if self._subscription is not None:
            self._subscription.close()

    def acknowledge(self, position: Position) -> bool:
        """The client has everything up to this position; tell whether that frees anything."""
        if self._window is None or position.epoch != self._epoch or not self._window.acknowledged(position.seq):
            return False
        self._moved.set()
        return True

    async def run(self) -> Closing | None:
        """Deliver until cancelled; return the closing this socket has earned, or None when the bus ended.

        Raises:
            Refused: `storage_unavailable`, when the log cannot be read.
        """
        self._began_ms = self._parts.clock.wall_ms()
        try:
            subscription = await self._greet()
            self._greeted()
            while True:
                if (wanted := self._wanted) is not None:
                    self._wanted = None
                    subscription = await self._begin_again(wanted)
                batch = await self._next(subscription)
                if batch is None:
                    subscription = await self._from_snapshot("expired", subscription.position)
                elif batch:
                    if not (await self._deliver(batch) and await self._window_opens(0)):
                        return "slow_consumer"
                elif self._wanted is None:
                    return None
        except _TooSlow:
            return "slow_consumer"
        finally:
            if self._subscription is not None:
                self._subscription.close()

    async def _next(self, subscription: Subscription) -> list[Delivery] | None:
        """Read on; None when retention has overtaken this client."""
        try:
            return list(await subscription.read(_BATCH))
        except Refused as refused:
            if refused.code != "position_expired":
                raise
            return None

    async def _deliver(self, batch: Iterable[Delivery]) -> bool:
        """Send a batch; False when the client is too slow."""
        parts, replayed = self._parts, 0
        for delivery in batch:
            frame = delivery_frame(delivery)
            if isinstance(delivery, Committed) and not await self._window_opens(len(frame)):
                return False
            if self._wanted is not None:
                break  # the client drops everything until `replaying`
            if isinstance(delivery, Committed) and self._window is not None:
                self._window.sent(delivery.position.seq, len(frame))
            if not await self._send(delivery.event.name, frame):
                return False
            if isinstance(delivery, Committed) and delivery.replayed:
                replayed += 1
            elif delivery.event.at >= self._began_ms:  # what was on show before this socket came is not late
                parts.metrics.delivered(max(0, parts.clock.wall_ms() - delivery.event.at) / 1000)
        if replayed:
            parts.metrics.replayed(replayed)
        await asyncio.sleep(0)  # a log in memory never waits: let the writer have its turn
        return True

    async def _window_opens(self, size: int) -> bool:
        """Wait until a frame of this size fits into the window (0: until it is not full), or a resync makes waiting
        pointless; False when the client's time is up."""
        window = self._window
        while window is not None and not window.fits(size) and self._wanted is None:
            if window.full(self._parts.clock.monotonic()):
                return False
            self._moved.clear()
            try:
                async with asyncio.timeout(_FULL_LOOK_S):
                    await self._moved.wait()
            except TimeoutError:
                continue
        return True

    def _begin_after(self, position: Position) -> None:
        """The client is told to go on after this position."""
        self._epoch = position.epoch
        if self._window is not None:
            self._window.begin(position.seq)

    async def _send(self, name: EventName, frame: bytes) -> bool:
        settings = self._parts.settings
        if not await self._out.wire.room(len(frame), settings.outgoing_max_bytes, settings.slow_after_s):
            return False
        await self._out.send(name, frame)
        return True

    # --- beginnings ---------------------------------------------------------------------------------------------

    async def _greet(self) -> Subscription:
        """Send `ready`, and the snapshot unless the client resumes; return the reader of what follows."""
        for _ in range(_TRIES):
            start = begin(self._resume, await self._parts.bus.state(self._user))
            if start.after is None:
                return await self._greet_with_snapshot(start)
            try:
                subscription = await self._attach(start.after)
            except Refused as refused:
                if refused.code != "position_expired":
                    raise
                continue  # retention moved the floor in between: decide again
            state = await self._parts.bus.state(self._user)
            await self._ready(start, start.after, state.head, state.floor)
            return subscription
        return await self._greet_with_snapshot(Begin("snapshot", None, "expired"))

    async def _greet_with_snapshot(self, start: Begin) -> Subscription:
        snapshot, subscription = await self._snapshot_and_reader()
        position = snapshot.state.head
        await self._ready(start, position, position, snapshot.state.floor)
        await self._send_snapshot(snapshot)
        return subscription

    async def _begin_again(self, wanted: Resume) -> Subscription:
        """Honour a resync with `replaying`, or answer it with a snapshot and the reason."""
        start = begin(wanted, await self._parts.bus.state(self._user))
        if start.after is not None:
            try:
                subscription = await self._attach(start.after)
            except Refused as refused:
                if refused.code != "position_expired":
                    raise
            else:
                self._begin_after(start.after)
                await self._send("connection_update", replaying_frame(self._stamp(), start.after))
                return subscription
        return await self._from_snapshot(start.reason or "expired", wanted.position)

    async def _from_snapshot(self, reason: SnapshotReason, last: Position) -> Subscription:
        """Go on from the current state for a client that cannot have what followed its last position."""
        snapshot, subscription = await self._snapshot_and_reader()
        head = snapshot.state.head
        missed = head.seq - last.seq if head.epoch == last.epoch and head.seq >= last.seq else None
        self._begin_after(head)
        await self._send_snapshot(snapshot, reason, missed)
        return subscription

    async def _attach(self, after: Position) -> Subscription:
        """Read on after this position from now on; the former reader is let go."""
        subscription = await self._parts.bus.subscribe(self._user, after)
        if self._subscription is not None:
            self._subscription.close()
        self._subscription = subscription
        return subscription

    async def _snapshot_and_reader(self) -> tuple[Snapshot, Subscription]:
        """Read the current state and attach right after it."""
        bus = self._parts.bus
        for _ in range(_TRIES):
            snapshot = await bus.snapshot(self._user, "bot/")
            try:
                return snapshot, await self._attach(snapshot.state.head)
            except Refused as refused:
                if refused.code != "position_expired":
                    raise
        raise Refused("storage_unavailable")

    async def _send_snapshot(
        self, snapshot: Snapshot, reason: SnapshotReason | None = None, missed: int | None = None
    ) -> None:
        bots = [self._parts.fill(_decode_bot(value)) for _, value in sorted(snapshot.values.items())]
        bots.sort(key=lambda bot: (bot.created_at, bot.id))
        for frame in snapshot_frames(self._stamp, snapshot.state.head, bots, reason, missed):
            if not await self._send("connection_update", frame):
                raise _TooSlow  # what would follow belongs to a state the client does not have

    async def _ready(self, start: Begin, after: Position, head: Position, floor: Position) -> None:
        self._begin_after(after)
        ready = Ready(
            epoch=head.epoch,
            head=head.seq,
            floor=floor.seq,
            from_=after.seq,
            mode=start.mode,
            connection_id=self._connection_id,
            server_time=self._parts.clock.wall_ms(),
            server_version=self._parts.settings.server_version,
            reason=start.reason if start.reason is not None else msgspec.UNSET,
            missed=start.missed if start.missed is not None else msgspec.UNSET,
            window=self._parts.settings.window.frames if self._window is not None else msgspec.UNSET,
        )
        await self._send("connection_update", ready_frame(self._stamp(), ready))

    def _stamp(self) -> Stamp:
        return Stamp(new_id("evt"), self._parts.clock.wall_ms())
