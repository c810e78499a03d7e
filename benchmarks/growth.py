"""Ten times the month: whether time per report and memory stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Target, ratios
from benchmarks.stage import mock_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Operator, Stage


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield time and peak memory of one whole `run`, planning included, for a month and for ten times as much."""
    small, large = stage.operator, stage.operator.times_ten()
    month: list[dict[str, Any]] = []
    ten: list[dict[str, Any]] = []
    for number in range(stage.runs):
        stage.say(f"growth, run {number + 1} of {stage.runs}: {small.reports:,} and {large.reports:,} reports")
        month.append(_run(stage, small))
        ten.append(_run(stage, large))
    yield Figure(name=f"run of {small.reports:,} reports", unit="ms/report", values=_each_ms(month))
    yield Figure(name=f"run of {large.reports:,} reports", unit="ms/report", values=_each_ms(ten))
    yield Figure(
        name="... time per report / one month's",
        unit="",
        values=ratios(_each_ms(ten), _each_ms(month)),
        target=Target(bound=1.1),
        note="SQLite, no limit, no latency, planning included",
    )
    yield Figure(name="peak memory of one month", unit="MB", values=_peaks(month))
    yield Figure(
        name="peak memory of ten times as much",
        unit="MB",
        values=_peaks(ten),
        target=Target(bound=120, every=True),
        note="VmHWM, a fresh process each",
    )
    yield Figure(
        name="... / one month's",
        unit="",
        values=ratios(_peaks(ten), _peaks(month)),
        target=Target(bound=1.25),
    )


def _run(stage: Stage, operator: Operator) -> dict[str, Any]:
    with mock_api("--limit", "0") as api, stage.store(stage.sqlite, operator) as store:
        return stage.work("deliver", store, api)


def _each_ms(runs: list[dict[str, Any]]) -> tuple[float, ...]:
    return tuple(1000 * (run["plan_s"] + run["deliver_s"]) / run["sent"] for run in runs)


def _peaks(runs: list[dict[str, Any]]) -> tuple[float, ...]:
    return tuple(run["peak_mb"] for run in runs)
