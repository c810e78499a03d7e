"""Make a month that breaks a law as small as it can be while it still does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tests.simulation.laws import check
from tests.simulation.month import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.scenario import Scenario

Part = TypeVar("Part")
DICE = 3
"""With less in it a month goes otherwise: each smaller one is tried with so many other dice."""


def shrink(scenario: Scenario, law: str) -> Scenario:
    """Return a month with as few deeds and as little weather as it takes to break the law."""
    smaller: Scenario | None = scenario
    while smaller is not None:
        scenario = smaller
        smaller = next(filter(None, (_that_breaks(law, each) for each in _smaller(scenario))), None)
    return scenario


def _that_breaks(law: str, scenario: Scenario) -> Scenario | None:
    for dice in range(DICE):
        tried = replace(scenario, seed=scenario.seed + dice)
        if any(broken.law == law for broken in check(simulate(tried))):
            return tried
    return None


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield months with half of it, then with one thing less; what runs in it stays."""
    starts = tuple(deed for deed in scenario.deeds if deed.what == "start")
    for deeds in _parts(tuple(deed for deed in scenario.deeds if deed.what != "start")):
        yield replace(scenario, deeds=tuple(sorted(starts + deeds, key=lambda deed: deed.at)))
    for weather in _parts(scenario.weather):
        yield replace(scenario, weather=weather)
    if scenario.unregistered or scenario.foreign or scenario.picky:
        yield replace(scenario, unregistered=(), foreign=(), picky=())


def _parts(whole: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    if len(whole) > 3:
        middle = len(whole) // 2
        yield whole[:middle]
        yield whole[middle:]
    for at in range(len(whole)):
        yield whole[:at] + whole[at + 1 :]
