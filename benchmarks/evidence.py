"""What it costs to keep every answer in a chain of evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Target
from benchmarks.stage import mock_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield evidence's share of a run's CPU, taken within one run by the clock of the thread that writes it."""
    for database in stage.databases:
        runs: list[dict[str, Any]] = []
        for number in range(stage.runs):
            stage.say(f"evidence on {database.name}, run {number + 1} of {stage.runs}")
            with mock_api("--limit", "0") as api, stage.store(database, stage.operator) as store:
                runs.append(stage.work("deliver", store, api))
        yield Figure(
            name=f"evidence's share of a run's CPU on {database.name}",
            unit="%",
            values=tuple(100 * run["evidence_cpu_s"] / run["whole_cpu_s"] for run in runs),
            target=Target(bound=5),
            note="the whole process: taking secrets out, hashing, writing; no limit",
        )
        yield Figure(
            name="... of delivery's alone",
            unit="%",
            values=tuple(100 * run["evidence_cpu_s"] / run["cpu_s"] for run in runs),
        )
        yield Figure(
            name="... a report",
            unit="ms",
            values=tuple(1000 * run["evidence_cpu_s"] / run["sent"] for run in runs),
        )
