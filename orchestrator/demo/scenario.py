"""A scenario: which bots a demo has, what they have been through, and what happens to them while somebody looks. Pure.

Owns the form of the TOML file (`scenarios/*.toml`; the README shows how to write one), its checks, and the order in
which it is played: the same file and seed play the same. It must never know a server. Read `player.py` for who plays.
"""

from __future__ import annotations

import heapq
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from orchestrator.model import Status
from orchestrator.ports.histories import PastStatus
from orchestrator.ports.incidents import IncidentKind
from orchestrator.ports.phones import PlayName

Command = Literal["start", "stop", "restart", "link", "logout", "outage"]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ScenarioWrong(Exception):
    """The file cannot be played; the message is one line with the remedy."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that happens to a bot."""

    at: Annotated[float, msgspec.Meta(ge=0)]
    """Seconds after the demo began (or, with `every`, after the round began)."""
    do: PlayName | Command
    """What the phone, a contact or WhatsApp does, or a command to the bot; `outage`: nobody reaches WhatsApp."""
    seconds: int | None = None
    person: str | None = None
    """A name of `people`; for `text` and `write`."""
    text: str | None = None


class Actor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bot, or (with `count`) many alike; `{n}` in the name counts them."""

    name: str
    owner: str = "local"
    count: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 1
    linked: bool = True
    """It was linked before the demo began. One that was not begins to link, and a step scans its code."""
    status: Status | None = None
    """What it is when the demo begins; by default it runs."""
    device_name: str = "Bot"
    past: str = ""
    """Its last half hours, oldest first, as `connected*40 reconnecting connected*7`; what comes before repeats it."""
    talk: str | None = None
    """A name of `talks`: contacts write to it and it answers."""
    pace: Seconds = 12.0
    """Mean seconds between two lines of its talk."""
    steps: list[Step] = []
    every: Seconds | None = None
    """The steps begin anew after so many seconds; else they are played once."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One line of a talk: `["in", "words"]` of the contact, `["out", "words"]` of the bot."""

    way: Literal["in", "out"]
    text: str


class PastIncident(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An incident that was over before the demo began."""

    kind: IncidentKind
    title: str
    text: str
    hours_ago: Seconds
    minutes: Annotated[float, msgspec.Meta(ge=0)] = 0
    bots: int = 0


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    title: str
    bots: list[Actor]
    seed: int = 1
    people: dict[str, Annotated[str, msgspec.Meta(pattern="^[1-9][0-9]{6,14}$")]] = {}
    """Name to number."""
    talks: dict[str, list[list[Line]]] = {}
    """By name: conversations; each contact has one at a time."""
    incidents: list[PastIncident] = []
    bots_per_worker: Annotated[int, msgspec.Meta(ge=1, le=500)] = 8
    guests: str | None = None
    """A name of `talks`: what contacts write to bots somebody makes while the demo runs."""


@dataclass(frozen=True, slots=True)
class Cast:
    """One bot of the scenario with everything that is chosen by the seed."""

    id: str
    name: str
    actor: Actor
    index: int
    """Among all bots of the scenario."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is to happen when."""

    at_s: float
    """After the demo began, at speed 1."""
    bot: Cast
    step: Step


def bundled() -> list[str]:
    """Return the names of the scenarios that come with the program."""
    folder = resources.files("orchestrator.demo").joinpath("scenarios")
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """Read a scenario that comes with the program, or a file.

    Raises:
        ScenarioWrong: there is none of this name, or it cannot be played.
    """
    folder = resources.files("orchestrator.demo").joinpath("scenarios")
    try:
        source = folder.joinpath(f"{name}.toml") if name in bundled() else Path(name)
        text = source.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ScenarioWrong(
            f"--scenario: {name} is no file that can be read; name one, or give {' or '.join(bundled())}"
        ) from None
    return parse(text, name)


def parse(text: str, name: str) -> Scenario:
    """Read a scenario. Raises ScenarioWrong, naming the place."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ScenarioWrong(f"{name}: {error}") from None
    for actor in scenario.bots:
        past(actor.past, name)
        if actor.talk is not None and actor.talk not in scenario.talks:
            raise ScenarioWrong(
                f"{name}: {actor.name} has the talk {actor.talk}, and there is none of that name in [talks]"
            )
        for step in actor.steps:
            if step.do in {"text", "write"} and (step.person not in scenario.people or not step.text):
                raise ScenarioWrong(
                    f"{name}: {step.do} at {step.at} of {actor.name} needs text and a person of [people]"
                )
        if actor.every is not None and any(step.at >= actor.every for step in actor.steps):
            raise ScenarioWrong(f"{name}: a step of {actor.name} lies behind every = {actor.every}")
    if scenario.talks and not scenario.people:
        raise ScenarioWrong(f"{name}: [talks] needs [people] who talk")
    if scenario.guests is not None and scenario.guests not in scenario.talks:
        raise ScenarioWrong(f"{name}: guests names a talk that is not in [talks]")
    return scenario


def past(text: str, name: str) -> list[PastStatus]:
    """Read a past: half hours, oldest first. Raises ScenarioWrong."""
    found: list[PastStatus] = []
    known: dict[str, PastStatus] = {"down": "down", **{status: status for status in get_args(Status)}}
    for part in text.split():
        word, _, times = part.partition("*")
        if word not in known or not (times or "1").isdecimal():
            raise ScenarioWrong(f"{name}: past: {part} is not a status, or a status and how often (connected*40)")
        found += [known[word]] * int(times or 1)
    return found


def cast(scenario: Scenario, seed: int) -> list[Cast]:
    """Return all bots of the scenario. Their ids, and so their numbers, follow from the seed."""
    found: list[Cast] = []
    for actor in scenario.bots:
        for number in range(1, actor.count + 1):
            name = actor.name.replace("{n}", str(number))
            draw = random.Random(f"{seed}/{actor.owner}/{name}/{len(found)}")  # noqa: S311 - for the eye, not for secrets
            letters = "".join(draw.choices("abcdefghijkmnpqrstuvwxyz23456789", k=20))
            found.append(Cast(f"bot_{letters}", name, actor, len(found)))
    return found


def cues(bots: Sequence[Cast]) -> Iterator[Cue]:
    """Yield everything that is to happen, in order; without end when something repeats."""
    waiting: list[tuple[float, int, int, float]] = []

    def put(bot: Cast, number: int, round_s: float) -> None:
        heapq.heappush(waiting, (round_s + bot.actor.steps[number].at, bot.index, number, round_s))

    by_index = {bot.index: bot for bot in bots}
    for bot in bots:
        for number in range(len(bot.actor.steps)):
            put(bot, number, 0.0)
    while waiting:
        at_s, index, number, round_s = heapq.heappop(waiting)
        bot = by_index[index]
        yield Cue(at_s, bot, bot.actor.steps[number])
        if bot.actor.every is not None:
            put(bot, number, round_s + bot.actor.every)


def chatter(scenario: Scenario, talk: str, pace_s: float, key: str, seed: int) -> Iterator[tuple[float, str, Line]]:
    """Yield (seconds to wait, person, line) of a bot's talk, without end: contacts take turns, each with one of the
    talk's conversations."""
    draw = random.Random(f"{seed}/{key}")  # noqa: S311
    people = sorted(scenario.people)
    draw.shuffle(people)
    while True:
        for person in people:
            for line in draw.choice(scenario.talks[talk]):
                # An answer comes soon; the next question takes its time.
                yield (draw.uniform(1.0, 3.0) if line.way == "out" else draw.uniform(0.3, 1.7) * pace_s), person, line
