"""Playing a scenario on a running server: through the ports everybody uses, and the phones the page's button uses.

Owns the demo's tasks: one for the cues, one for each talk, one that looks for bots somebody has made meanwhile. What a
cue cannot do at present is left out and the demo goes on. Read `scenario.py` for what is played.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from orchestrator.clock import Clock
from orchestrator.demo import scenario
from orchestrator.demo.scenario import Cast, Cue, Line, Scenario
from orchestrator.demo.weather import Weather
from orchestrator.errors import Refused
from orchestrator.ports import BotBrief, Fleet, LinkRequest, NewBot, Outbox, Phones, Play
from orchestrator.tasks import Tasks
from sessions.model import USER_SERVER, OutgoingText

_log = structlog.get_logger("demo")

GUESTS_EVERY_S = 2.0
GUESTS_PACE_S = 8.0
OUTAGE_S = 60


class Player:
    """Plays one scenario; `begin` starts its tasks, which end with the server."""

    def __init__(
        self,
        played: Scenario,
        cast: list[Cast],
        seed: int,
        speed: float,
        fleet: Fleet,
        outbox: Outbox,
        phones: Phones,
        weather: Weather,
        briefs: Callable[[], list[BotBrief]],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        """`speed` 2 plays twice as fast."""
        self._scenario = played
        self._cast = cast
        self._seed = seed
        self._speed = speed
        self._fleet = fleet
        self._outbox = outbox
        self._phones = phones
        self._weather = weather
        self._briefs = briefs
        self._clock = clock
        self._tasks = tasks
        self._numbers = dict(played.people)

    def begin(self) -> None:
        """Play from now on."""
        self._weather.set(None)
        self._tasks.spawn("demo cues", self._play_cues())
        for bot in self._cast:
            if bot.actor.talk is not None:
                self._tasks.spawn(
                    "demo talk", self._talk(bot.actor.owner, bot.id, bot.actor.talk, bot.actor.pace, bot.name)
                )
        if self._scenario.guests is not None:
            self._tasks.spawn("demo guests", self._look_for_guests(self._scenario.guests))

    async def _play_cues(self) -> None:
        for bot in self._cast:
            if not bot.actor.linked and bot.actor.status is None:
                await self._try(bot, self._create(bot))
        began_s = self._clock.monotonic()
        for cue in scenario.cues(self._cast):
            await asyncio.sleep(max(0.0, began_s + cue.at_s / self._speed - self._clock.monotonic()))
            # A command may take its time (a link waits for its process): the next cue does not wait for it.
            self._tasks.spawn("demo cue", self._try(cue.bot, self._do(cue)))

    async def _create(self, bot: Cast) -> None:
        new = NewBot(name=bot.name, device_name=bot.actor.device_name, id=bot.id)
        await self._fleet.create(bot.actor.owner, new)

    async def _do(self, cue: Cue) -> None:
        owner, bot, step = cue.bot.actor.owner, cue.bot.id, cue.step
        match step.do:
            case "start":
                await self._fleet.start(owner, bot)
            case "stop":
                await self._fleet.stop(owner, bot)
            case "restart":
                await self._fleet.restart(owner, bot)
            case "link":
                await self._fleet.link(owner, bot, LinkRequest())
            case "logout":
                await self._fleet.logout(owner, bot)
            case "outage":
                await self._outage((step.seconds or OUTAGE_S) / self._speed)
            case play:
                number = self._numbers[step.person] if step.person is not None else None
                seconds = None if step.seconds is None else max(1, round(step.seconds / self._speed))
                await self._phones.play(bot, Play(play, number, step.person, step.text, seconds))

    async def _outage(self, seconds: float) -> None:
        """Nobody reaches WhatsApp for a while: every line drops, and stays down as long as the weather is bad."""
        self._weather.set("whatsapp_unreachable")
        up = [bot for bot in self._briefs() if bot.status == "connected"]
        for bot in up:
            await self._quietly(self._phones.play(bot.id, Play("drop")))
        await asyncio.sleep(seconds)
        self._weather.set(None)
        for bot in up:
            await self._quietly(self._phones.play(bot.id, Play("reconnect")))

    async def _talk(self, owner: str, bot: str, talk: str, pace_s: float, key: str) -> None:
        for wait_s, person, line in scenario.chatter(self._scenario, talk, pace_s, key, self._seed):
            await asyncio.sleep(wait_s / self._speed)
            await self._quietly(self._say(owner, bot, person, line))
            if not any(brief.id == bot for brief in self._briefs()):
                return

    async def _say(self, owner: str, bot: str, person: str, line: Line) -> None:
        number = self._numbers[person]
        if line.way == "in":
            await self._phones.play(bot, Play("text", number, person, line.text))
        else:
            await self._outbox.submit(owner, bot, OutgoingText(f"{number}@{USER_SERVER}", line.text))

    async def _look_for_guests(self, talk: str) -> None:
        """Bots that somebody makes while the demo runs are written to as well, once they are connected."""
        known = {bot.id for bot in self._cast}
        while True:
            await asyncio.sleep(GUESTS_EVERY_S / self._speed)
            for brief in self._briefs():
                if brief.id not in known and brief.status == "connected":
                    known.add(brief.id)
                    self._tasks.spawn("demo talk", self._talk(brief.user_id, brief.id, talk, GUESTS_PACE_S, brief.name))

    async def _try(self, bot: Cast, work: object) -> None:
        assert asyncio.iscoroutine(work)
        try:
            await work
        except Refused as refused:
            _log.debug("Cue left out", bot=bot.name, why=refused.code)

    async def _quietly(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        try:
            await work
        except Refused:
            return  # the bot is stopped, banned or on its way: people write again later
