"""What a person waits for: the help, a plan, an import."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Target
from benchmarks.processes import COMMAND, usage_of
from benchmarks.stage import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage

NOWHERE = "http://127.0.0.1:1"
"""An API that nothing is sent to."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield how long each takes."""
    stage.say("commands: help, plan, import")
    helps = [usage_of([COMMAND, "--help"], os.environ) for _ in range(2 * stage.runs)]
    yield Figure(
        name="report-service --help",
        unit="s",
        values=tuple(used.wall_s for used in helps),
        target=Target(bound=0.4),
        note="a fresh process each time",
    )
    yield from _plans(stage)
    yield from _imports(stage)


def _plans(stage: Stage) -> Iterator[Figure]:
    for database in stage.databases:
        took = []
        for _ in range(stage.runs):
            with stage.store(database, stage.operator) as store:
                took.append(stage.work("plan", store, NOWHERE)["plan_s"])
        yield Figure(
            name=f"plan of {stage.operator.reports:,} reports on {database.name}",
            unit="s",
            values=tuple(took),
            target=Target(bound=2) if database == stage.sqlite else None,
            note="within a process that runs already",
        )


def _imports(stage: Stage) -> Iterator[Figure]:
    rows = 10_000 if stage.quick else 100_000
    files = stage.folder / "point-ratings"
    files.mkdir()
    said = {"month": str(stage.month), "rating": "2.3", "total_complaints": 1}
    write_csv(files / "point-ratings.csv", [said | {"point_id": str(uuid.UUID(int=row))} for row in range(rows)])
    used = []
    for _ in range(stage.runs):
        with stage.store(stage.sqlite, stage.operator) as store:
            used.append(usage_of([COMMAND, "import", str(files)], stage.environ(store, NOWHERE)))
    yield Figure(
        name=f"import of {rows:,} point ratings into SQLite",
        unit="s",
        values=tuple(one.wall_s for one in used),
        target=Target(bound=10),
        note="the whole command",
    )
    yield Figure(
        name="... peak memory",
        unit="MB",
        values=tuple(one.peak_mb for one in used),
        target=Target(bound=150, every=True),
    )
