"""The statistics of the benchmarks; what they measure is no test's matter."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, Target, all_met, ratios, table
from benchmarks.machine import describe
from benchmarks.stage import Operator


def figure(*values: float, target: Target | None = None) -> Figure:
    return Figure(name="a thing", unit="ms", values=values, target=target)


@pytest.mark.parametrize(
    ("target", "values", "met"),
    [
        (Target(bound=2.5), (9.0, 2.5, 1.0), True),
        (Target(bound=2.5), (9.0, 2.6, 1.0), False),
        (Target(bound=0.8, at_least=True), (0.1, 0.8, 0.9), True),
        (Target(bound=0.8, at_least=True), (0.1, 0.79, 0.9), False),
        (Target(bound=0, every=True), (0, 0, 0), True),
        (Target(bound=0, every=True), (0, 0, 1), False),
    ],
)
def test_a_target_is_held_against_the_median_or_against_every_run(
    target: Target, values: tuple[float, ...], met: bool
) -> None:
    assert target.met(values) is met
    assert figure(*values, target=target).verdict == ("met" if met else "NOT MET")


def test_runs_are_compared_in_pairs_so_that_a_busy_minute_does_not_tell() -> None:
    assert ratios([10, 5, 8], [20, 10, 16]) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_a_target_that_was_not_measured_is_not_met() -> None:
    reached = figure(1, target=Target(bound=2))
    assert all_met([reached, figure(99)])
    assert not all_met([reached, figure(target=Target(bound=2))])
    assert not all_met([reached, figure(3, target=Target(bound=2))])


def test_the_table_has_a_row_for_each_figure_with_target_median_and_spread() -> None:
    lines = table([figure(3, 1, 2000.4, target=Target(bound=1999)), figure()]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["measurement", "target", "median", "spread", "verdict", "note"]
    assert cells[2] == ["a thing", "<= 1,999", "3 ms", "1 .. 2,000", "met", ""]
    assert cells[3] == ["a thing", "", "-", "", "not measured", ""]
    assert len({len(line) for line in lines}) == 1


def test_ten_times_the_month_is_exactly_that() -> None:
    month = Operator(hubs=200, groups=300)
    assert month.reports == 2301
    assert month.times_ten().reports == 23_010


def test_the_machine_is_described() -> None:
    about = describe("15.1")
    assert about["PostgreSQL"] == "15.1"
    assert "httpx" in about["libraries"]
    assert all(about.values())
