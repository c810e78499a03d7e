"""`report-service import`: CSV files into the canonical tables."""

from __future__ import annotations

import json as json_
import sys
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import is_terminal, logging_to, settings_of
from report_service.domain.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from report_service.services.import_files import Imported, LineFault

SHOWN = 50
"""How many faults of a file are shown; `--json` has all of them."""


def import_(
    ctx: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders, or files named as a table: hubs.csv ...")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with every fault.")] = False,
) -> int:
    """Store CSV files: all of a file or nothing of it, and every reason why not.

    UTF-8, `;` or `,` between cells, columns in any order. A row with a known key
    replaces what is stored. Exits with 2 when a file was refused; the others are
    stored all the same.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.adapters.csv_files import csv_files
    from report_service.bootstrap import intake_of, open_store
    from report_service.services.import_files import import_files

    files, ignored = csv_files(paths)
    settings = settings_of(ctx)
    results = []
    with logging_to(sys.stderr, settings), closing(open_store(settings)) as store:
        intake = intake_of(settings, store, SystemClock())
        size = 2 * sum(file.size for file in files)  # each is read twice
        with _bar(size) if is_terminal() and not json else nullcontext((_nowhere, print)) as (progress, say):
            for imported in import_files(files, intake, progress=progress):
                results.append(imported)
                if not json:
                    say(_told(imported))
    if json:
        print(_as_json(results, ignored))
    else:
        for path in ignored:
            print(f"{path}: ignored, no table has this name")
    return 0 if all(imported.stored for imported in results) else 2


@contextmanager
def _bar(size: int) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """Show a bar for so many bytes; yield what advances it, and what writes lines above it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stdout, highlight=False)
    columns = TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=size)
        yield (
            lambda read: progress.advance(task, read),
            lambda lines: console.print(lines, markup=False, soft_wrap=True),
        )


def _nowhere(_read: int) -> None:
    """Show no progress."""


def _told(imported: Imported) -> str:
    """Return what a person is told of one file."""
    rows = counted(imported.rows, "row")
    if imported.problem is not None:
        lines = [f"{imported.file}: refused", f"  {imported.problem.message}", f"  -> {imported.problem.hint}"]
    elif imported.faults:
        verdict = f"refused, nothing of its {rows} is stored; what is wrong ({len(imported.faults):,}):"
        lines = [f"{imported.file}: {verdict}", *_listed(imported.faults)]
    elif imported.warnings:
        verdict = f"{rows} stored, but not all can be reported as they are ({len(imported.warnings):,}):"
        lines = [f"{imported.file}: {verdict}", *_listed(imported.warnings)]
    else:
        lines = [f"{imported.file}: {rows} stored"]
    return "\n".join(lines)


def _listed(faults: list[LineFault]) -> Iterator[str]:
    yield from (f"  {fault}" for fault in faults[:SHOWN])
    if len(faults) > SHOWN:
        yield f"  ... and {len(faults) - SHOWN:,} more; --json lists all of them"


def _as_json(results: list[Imported], ignored: list[Path]) -> str:
    files = [
        {
            "file": imported.file,
            "table": imported.table,
            "rows": imported.rows,
            "stored": imported.stored,
            "problem": imported.problem.message if imported.problem else None,
            "hint": imported.problem.hint if imported.problem else None,
            "faults": [_plain(fault) for fault in imported.faults],
            "warnings": [_plain(warning) for warning in imported.warnings],
        }
        for imported in results
    ]
    return json_.dumps({"files": files, "ignored": [str(path) for path in ignored]}, ensure_ascii=False, indent=2)


def _plain(found: LineFault) -> dict[str, object]:
    value = None if found.fault.value is None else str(found.fault.value)
    return {"line": found.line, "column": found.fault.column, "value": value, "rule": found.fault.rule}
