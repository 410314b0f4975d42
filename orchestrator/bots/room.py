"""What every mailbox of the room shares: the ports it is wired to, who holds which account, where device files lie.

Owns these small shells; it decides nothing. It must never know a bot's status. Read `bot.py` next.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.bots.files import BotFiles
from orchestrator.bots.pace import UNPACED, Pace
from orchestrator.bus.bus import Bus
from orchestrator.clock import Clock
from orchestrator.ports import FleetMetrics, Host, Incidents
from orchestrator.tasks import Tasks

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}(\.db)?", re.ASCII)
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What settings say about bots."""

    bots_per_user: int = 20
    tries_per_hour: int = 10
    """Link attempts of one bot."""
    sends: Pace = UNPACED
    """How fast one bot sends."""
    proxy: str | None = None
    """The operator's default; a bot's own wins. May hold credentials."""
    proxy_allow: tuple[str, ...] = ()
    """Private proxies bots may use all the same."""
    media_max: int = 512 * 1024 * 1024
    """Bytes a bot's uploaded and fetched files may take together."""
    media_allow: tuple[str, ...] = ()
    """Private hosts and networks files may be fetched from all the same."""
    device_name: str = "Bot"
    """What the phone lists when the bot has no name of its own for it."""


class Accounts:
    """Which bot holds which WhatsApp account; look-up and change are one synchronous step."""

    def __init__(self) -> None:
        self._by_phone: dict[str, str] = {}
        self._by_bot: dict[str, str] = {}

    def taken(self, bot: str, phone: str) -> bool:
        """Whether another bot is linked to this account."""
        return self._by_phone.get(phone, bot) != bot

    def hold(self, bot: str, phone: str | None) -> None:
        """Note the account of a bot; None when it has none any more."""
        before = self._by_bot.pop(bot, None)
        if before is not None and self._by_phone.get(before) == bot:
            del self._by_phone[before]
        if phone is not None:
            self._by_bot[bot] = phone
            self._by_phone[phone] = bot


class DeviceFiles:
    """The directory of device files, `<bot>/<attempt>.db`; names are ours, checked all the same."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, bot: str, file: str) -> Path:
        """Return where a device file lies; its directory is made, for the owner only."""
        assert _SAFE.fullmatch(bot) and _SAFE.fullmatch(file), "device files have names of our own making"
        folder = self._directory / bot
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (folder / file).absolute()

    async def keep(self, bot: str, names: tuple[str, ...]) -> None:
        """Destroy every device file of the bot but these."""
        await asyncio.to_thread(self._keep, bot, names)

    async def erase(self, bot: str) -> None:
        """Destroy all of the bot's device files."""
        assert _SAFE.fullmatch(bot)
        await asyncio.to_thread(shutil.rmtree, self._directory / bot, True)

    def _keep(self, bot: str, names: tuple[str, ...]) -> None:
        kept = {name + ending for name in names for ending in ("", *_BESIDE)}
        try:
            present = list((self._directory / bot).iterdir())
        except FileNotFoundError:
            return  # never linked, or erased meanwhile
        for path in present:
            if path.name not in kept:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Room:
    """What mailboxes are wired to."""

    bus: Bus
    host: Host
    incidents: Incidents
    clock: Clock
    tasks: Tasks
    metrics: FleetMetrics
    devices: DeviceFiles
    files: BotFiles
    accounts: Accounts
    limits: Limits
    svg: Callable[[str], str]
    """Draws a QR code."""
    forget: Callable[[str], None]
    """Drop a deleted bot's mailbox."""
    ready: asyncio.Event
    """Everything earlier workers left has been handed over: commands wait for it."""
    look_at_clock: Callable[[], None]
    """Notice that the process was away, before deadlines are looked at."""
