"""What the log of a month weighs, and what writing it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Target, ratios
from benchmarks.stage import mock_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the volume, and logging's share of a run's CPU.

    The share is taken within one run, by the CPU clock of the thread that logs: between two runs, with the log
    and without, lies more noise than the log costs.
    """
    runs: list[dict[str, Any]] = []
    silent: list[dict[str, Any]] = []
    for number in range(stage.runs):
        stage.say(f"log, run {number + 1} of {stage.runs}")
        for found, logged in ((runs, True), (silent, False)):
            with mock_api("--limit", "0") as api, stage.store(stage.sqlite, stage.operator) as store:
                found.append(stage.work("deliver", store, api, logged=logged))
    month = 3 * stage.operator.reports / 2301
    yield Figure(
        name=f"log of {stage.operator.reports:,} reports",
        unit="MB",
        values=tuple(run["log_mb"] for run in runs),
        target=Target(bound=round(month, 2), every=True),
        note="JSON, one line for each outcome",
    )
    yield Figure(
        name="logging's share of a run's CPU",
        unit="%",
        values=tuple(100 * run["whole_log_cpu_s"] / run["whole_cpu_s"] for run in runs),
        target=Target(bound=5),
        note="the whole process, SQLite, no limit",
    )
    yield Figure(
        name="... of delivery's alone",
        unit="%",
        values=tuple(100 * run["log_cpu_s"] / run["cpu_s"] for run in runs),
    )
    yield Figure(
        name="delivery's CPU with the log / without",
        unit="",
        values=ratios([run["cpu_s"] for run in runs], [run["cpu_s"] for run in silent]),
    )
