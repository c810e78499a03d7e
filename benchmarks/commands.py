"""What a person waits for: the help, a plan, an import."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from openpyxl import Workbook

from benchmarks.figures import Figure, Target
from benchmarks.processes import COMMAND, FRESH, figures_of, usage_of
from benchmarks.stage import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.stage import Stage

NOWHERE = "http://127.0.0.1:1"
"""An API that nothing is sent to."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield how long each takes."""
    stage.say("commands: help, plan, import")
    helps = [usage_of([COMMAND, "--help"], os.environ) for _ in range(2 * stage.runs)]
    yield from figures_of("report-service --help", helps, FRESH, within_s=0.4)
    yield from _plans(stage)
    yield from _imports(stage)


def _plans(stage: Stage) -> Iterator[Figure]:
    for database in stage.databases:
        plans = []
        for _ in range(stage.runs):
            with stage.store(database, stage.operator) as store:
                plans.append(stage.work("plan", store, NOWHERE))
        yield Figure(
            name=f"plan of {stage.operator.reports:,} reports on {database.name}",
            unit="s",
            values=tuple(plan["plan_s"] for plan in plans),
            target=Target(bound=2) if database == stage.sqlite else None,
            note="within a process that runs already",
        )
        yield Figure(
            name="... of which is the pass for implausible figures",
            unit="%",
            values=tuple(100 * plan["screen_cpu_s"] / plan["plan_cpu_s"] for plan in plans),
            target=Target(bound=5),
            note="CPU; beside a month before of the same size",
        )


def _imports(stage: Stage) -> Iterator[Figure]:
    rows = 10_000 if stage.quick else 100_000
    for form, path in _point_ratings(stage, rows):
        used = []
        for _ in range(stage.runs):
            with stage.store(stage.sqlite, stage.operator) as store:
                used.append(usage_of([COMMAND, "import", str(path)], stage.environ(store, NOWHERE)))
        name = f"import of {rows:,} point ratings into SQLite, {form}"
        yield from figures_of(name, used, "the whole command", within_s=10, mb=150)


def _point_ratings(stage: Stage, count: int) -> Iterator[tuple[str, Path]]:
    """Yield a CSV file and a workbook with so many rows."""
    folder = stage.folder / "point-ratings"
    folder.mkdir()
    rows: list[dict[str, object]] = [
        {
            "month": str(stage.month),
            "rating": f"{1 + row % 30 / 10:.1f}",
            "total_complaints": row % 3,
            "point_id": str(uuid.UUID(int=row)),
        }
        for row in range(count)
    ]
    write_csv(folder / "point-ratings.csv", rows)
    yield "csv", folder / "point-ratings.csv"
    book = Workbook(write_only=True)
    sheet = book.create_sheet("point-ratings")
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    book.save(folder / "point-ratings.xlsx")
    yield "xlsx", folder / "point-ratings.xlsx"
