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
    for name, path in _files(stage, rows):
        used = []
        for _ in range(stage.runs):
            with stage.store(stage.sqlite, stage.operator) as store:
                used.append(usage_of([COMMAND, "import", str(path)], stage.environ(store, NOWHERE)))
        what = f"import of {rows:,} {name} into SQLite, {path.suffix[1:]}"
        yield from figures_of(what, used, "the whole command", within_s=10, mb=150)


def _files(stage: Stage, count: int) -> Iterator[tuple[str, Path]]:
    """Yield a CSV file and a workbook with so many rows of the largest table, and of the one with wide rows."""
    month = stage.month
    validity = {"valid_from": month.first_day, "valid_to": month.last_day}
    costs = '[{"description": "blocking fee per minute after 4 h", "cost": 10}]'
    tables: dict[str, list[dict[str, object]]] = {
        "point-ratings": [
            {
                "month": str(month),
                "rating": f"{1 + row % 30 / 10:.1f}",
                "total_complaints": row % 3,
                "point_id": str(uuid.UUID(int=row)),
            }
            for row in range(count)
        ],
        "ad-hoc-tariffs": [
            {
                "month": str(month),
                "hub_id": str(uuid.UUID(int=row)),
                "cost_ct_per_kwh": 50 + row % 20,
                "additional_costs": costs if row % 2 else None,
                **validity,
            }
            for row in range(count)
        ],
    }
    folder = stage.folder / "tables"
    folder.mkdir()
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", rows)
        yield name.replace("-", " "), folder / f"{name}.csv"
        book = Workbook(write_only=True)
        sheet = book.create_sheet(name)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
        book.save(folder / f"{name}.xlsx")
        yield name.replace("-", " "), folder / f"{name}.xlsx"
