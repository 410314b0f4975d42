"""Scenarios as data: what a file may say, that the same seed plays the same, and what a demo's bots have behind them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from orchestrator.bots import history
from orchestrator.demo import scenario, seed
from orchestrator.demo.scenario import ScenarioWrong

NOW = 20_000 * 86_400_000 + 40_000_000

SMALL = """
title = "Small"
[people]
Mia = "4917012345678"
[[bots]]
name = "Shop {n}"
count = 2
talk = "hello"
past = "connected*46 reconnecting connected"
steps = [{ at = 3, do = "drop", seconds = 5 }, { at = 1, do = "text", person = "Mia", text = "hi" }]
every = 10
[[bots]]
name = "Desk"
linked = false
steps = [{ at = 2, do = "scan" }]
[talks]
hello = [[["in", "Hi"], ["out", "Hello"]]]
"""


@pytest.mark.parametrize("name", scenario.bundled())
def test_what_comes_along_can_be_played(name: str) -> None:
    """Every scenario of the program is whole: bots, people, a talk for guests, and every step can be ordered."""
    played = scenario.load(name)
    cast = scenario.cast(played, played.seed)
    assert len({bot.id for bot in cast}) == len(cast) and len({bot.name for bot in cast}) == len(cast)
    assert played.guests is not None
    times = [cue.at_s for cue in islice(scenario.cues(cast), 50)]
    assert times == sorted(times) and times
    assert {"day", "storm"} <= {*scenario.bundled()}


def test_the_same_seed_plays_the_same() -> None:
    """Ids, order and talks follow from file and seed; another seed makes another demo."""
    played = scenario.parse(SMALL, "small")
    one, two, other = (scenario.cast(played, number) for number in (7, 7, 8))
    assert one == two and {bot.id for bot in one}.isdisjoint(bot.id for bot in other)
    said = [list(islice(scenario.chatter(played, "hello", 10.0, "Shop 1", number), 20)) for number in (7, 7, 8)]
    assert said[0] == said[1] != said[2]
    assert all(wait_s > 0 for wait_s, _, _ in said[0])


def test_steps_come_in_order_and_again() -> None:
    """Steps of all bots are one sequence in time; with `every` they begin anew, else they are played once."""
    cast = scenario.cast(scenario.parse(SMALL, "small"), 1)
    found = [(cue.at_s, cue.bot.name, cue.step.do) for cue in islice(scenario.cues(cast), 9)]
    assert found == [
        (1.0, "Shop 1", "text"), (1.0, "Shop 2", "text"), (2.0, "Desk", "scan"), (3.0, "Shop 1", "drop"),
        (3.0, "Shop 2", "drop"), (11.0, "Shop 1", "text"), (11.0, "Shop 2", "text"), (13.0, "Shop 1", "drop"),
        (13.0, "Shop 2", "drop"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("do = \"scan\"", "do = \"dance\""), "dance"),
        (('talk = "hello"', 'talk = "bye"'), "talk bye"),
        (('person = "Mia"', 'person = "Tom"'), "needs text and a person"),
        (("connected*46", "conected*46"), "conected*46 is not a status"),
        (("at = 3", "at = 30"), "lies behind every"),
        (("4917012345678", "+4917012345678"), "people"),
        (("title", "titel"), "titel"),
        (("[people]", "[people"), "line"),
    ],
)  # fmt: skip
def test_a_wrong_file_says_where(change: tuple[str, str], line: str) -> None:
    """What cannot be played is one line that names the file and the place."""
    with pytest.raises(ScenarioWrong, match="small: ") as wrong:
        scenario.parse(SMALL.replace(*change), "small")
    assert line in str(wrong.value) and "\n" not in str(wrong.value)


def test_no_file(tmp_path: Path) -> None:
    """A name of nothing is told with what there is."""
    with pytest.raises(ScenarioWrong, match="day or storm"):
        scenario.load(str(tmp_path / "none.toml"))
    (tmp_path / "mine.toml").write_text(SMALL)
    assert scenario.load(str(tmp_path / "mine.toml")).title == "Small"


def test_a_week_behind_every_bot() -> None:
    """Histories and samples tell the same past, end in what the bot is when the demo begins, and hold a week."""
    cast = scenario.cast(scenario.parse(SMALL, "small"), 1)
    for bot in cast:
        changes = seed.past_of(bot, NOW)
        assert changes[0][0] == NOW - seed.WEEK_MS and changes[-1][1] == "connected"
        assert [at for at, _ in changes] == sorted(at for at, _ in changes)
        days = list(seed.days_of(bot, changes))
        read = history.read(bot.id, days, "connected", changes[-1][0], 168, NOW)
        shown = [slot.status for slot in read.slots]
        assert None not in shown[1:] and sum(sum(slot.ms.values()) for slot in read.slots[1:-1]) == 334 * 1_800_000
        assert ("reconnecting" in shown) == (bot.actor.past != "")
    samples = seed.samples(cast, NOW)
    assert samples[-1].at == NOW and samples[-1].statuses == {"connected": 3}
    assert any("reconnecting" in sample.statuses for sample in samples)
