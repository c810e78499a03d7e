"""Simulated months: the same few each time, with every law held against the API's own record.

Fresh ones by the thousand: `make simulate`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.simulation.draw import draw
from tests.simulation.hunt import Tally, outcome_of
from tests.simulation.laws import check
from tests.simulation.month import simulate
from tests.simulation.scenario import Deed
from tests.simulation.shrink import shrink

FIXED = range(16)


@pytest.mark.parametrize("seed", FIXED)
def test_a_month_breaks_no_law(seed: int) -> None:
    assert check(simulate(draw(seed))) == []


def test_months_have_thirty_reports_a_crash_and_three_faults_a_third_of_them_replicas() -> None:
    months = [draw(seed) for seed in range(300)]
    assert min(month.size.reports for month in months) >= 30
    assert all(any(deed.what == "kill_at_switch" for deed in month.deeds) for month in months)
    assert min(month.faults for month in months) >= 3
    assert sum(len({deed.who for deed in month.deeds if deed.what == "start"}) > 1 for month in months) >= 100


def test_a_month_goes_the_same_way_in_every_process() -> None:
    """Whatever order Python's sets have there."""

    def told(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.simulation", "--seed", "7"]
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    assert told("1") == told("2") != ""


def test_the_months_of_two_seeds_differ() -> None:
    assert simulate(draw(1)).world.trace != simulate(draw(2)).world.trace


def test_a_tally_says_how_many_months_broke_a_law() -> None:
    tally = Tally()
    for seed in (1, 2):
        tally.add(outcome_of(seed))
    assert "2 months" in next(tally.lines())
    assert "months that broke one: none" in list(tally.lines())


def test_shrinking_leaves_only_what_it_takes() -> None:
    """Somebody says that the month is complete before anything was sent."""
    scenario = next(each for each in map(draw, range(100)) if len(each.deeds) > 6 and len(each.weather) > 2)
    boast = Deed(at=scenario.deeds[0].at, what="boast")
    broken = replace(scenario, deeds=(*scenario.deeds, boast), ends=boast.at + 60, well_since=None)
    assert [each.law for each in check(simulate(broken))] == ["7"]
    small = shrink(broken, "7")
    assert {deed.what for deed in small.deeds} == {"start", "boast"}
    assert small.weather == ()
