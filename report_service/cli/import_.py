"""`report-service import`: CSV files and workbooks into the canonical tables."""

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
    from collections.abc import Set as AbstractSet

    from report_service.adapters.table_files import FoundTable
    from report_service.adapters.table_header import PassedOver
    from report_service.services.import_files import Imported, LineFault

SHOWN = 50
"""How many faults of a file are shown; `--json` has all of them."""
GONE = 3
"""How many stored rows that a file does not have are named."""

_NOT_READ = "never read: in the configuration [sources.{}] is a query, which stands for this table"
_FIGURES_STAY = "their figures stay, and are reported"
_STAYS = {
    "hubs": "they stay in the inventory, and reports about them stay due",
    "points": "they stay in the inventory, and reports about them stay due",
    "provider-groups": "they stay in the inventory, and reports about them stay due",
    "waivers": "they stay waived",
}


def import_(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Folders, CSV files named as a table (hubs.csv), workbooks."),
    ],
    *,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Remove stored rows of a file's table and months that it does not have."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with every fault.")] = False,
) -> int:
    """Store CSV files and workbooks: all of a table or nothing of it, and every reason why not.

    A CSV file is named as its table (hubs.csv), and so is a sheet of a workbook
    (xlsx); columns come in any order. A row with a known key replaces what is
    stored. Exits with 2 when a file was refused; the others are stored all the
    same; with 3 when stored rows cannot be reported as they are, or are not read.
    """
    from zoneinfo import ZoneInfo

    from report_service.adapters.clock import SystemClock
    from report_service.adapters.table_files import table_files
    from report_service.bootstrap.stores import intake_of, open_store
    from report_service.services.import_files import import_files

    settings = settings_of(ctx)
    files, ignored = table_files(paths, ZoneInfo(settings.data.timezone))
    if replace:
        _refuse_two_of_one_table(files)
    results, queried = [], frozenset(settings.sources)
    with logging_to(sys.stderr, settings), closing(open_store(settings)) as store:
        intake = intake_of(settings, store, SystemClock())
        size = 2 * sum(file.size for file in files)  # each is read twice
        with _bar(size) if is_terminal() and not json else nullcontext((_nowhere, print)) as (progress, say):
            for imported in import_files(files, intake, progress=progress, replace=replace):
                results.append(imported)
                if not json:
                    say(_told(imported, queried))
    if json:
        print(_as_json(results, ignored, queried))
    else:
        for one in ignored:
            print(f"{one.name}: ignored, {one.why}")
    if not all(imported.stored for imported in results):
        return 2
    return 3 if any(imported.warnings or imported.table in queried for imported in results) else 0


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


def _refuse_two_of_one_table(files: list[FoundTable]) -> None:
    """Raise BadInput where two files hold one table: with --replace each would remove the other's rows."""
    from report_service.errors import BadInput

    first: dict[str, FoundTable] = {}
    for file in files:
        if (other := first.setdefault(file.schema.name, file)) is not file:
            raise BadInput(
                f"--replace takes one file a table; {other.name} and {file.name} both hold {file.schema.name}",
                hint="Nothing was imported. Put their rows into one file, or import without --replace.",
            )


def _told(imported: Imported, queried: AbstractSet[str]) -> str:
    """Return what a person is told of one file; for the tables `queried` there are queries."""
    rows = counted(imported.rows - imported.blank, "row")
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
    if imported.stored and imported.table in queried:
        lines.append(f"  {_NOT_READ.format(imported.table)}")
    return "\n".join([*lines, *_beside(imported)])


def _beside(imported: Imported) -> Iterator[str]:
    """Yield what else is to be known of a stored file: what it does not say, and what it does not have."""
    if not imported.stored:
        return
    yield from _listed(imported.remarks)
    yield from (f"  implausible: {odd}" for odd in imported.implausible)
    if imported.blank:
        yield f"  {counted(imported.blank, 'row')} without figures passed over: what is stored for them stays"
    if imported.gone:
        named = "; ".join(" ".join(map(str, key)) for key in imported.gone[:GONE])
        more = f"; and {len(imported.gone) - GONE:,} more" if len(imported.gone) > GONE else ""
        what = f"stored {counted(len(imported.gone), 'row')} that this file does not have: {named}{more}"
        yield f"  removed {what}" if imported.removed else f"  kept {what}"
        if not imported.removed:
            yield f"  -> {_STAYS.get(imported.table, _FIGURES_STAY)}; if they are to go, import with --replace"


def _listed(faults: list[LineFault]) -> Iterator[str]:
    yield from (f"  {fault}" for fault in faults[:SHOWN])
    if len(faults) > SHOWN:
        yield f"  ... and {len(faults) - SHOWN:,} more; --json lists all of them"


def _as_json(results: list[Imported], ignored: list[PassedOver], queried: AbstractSet[str]) -> str:
    files = [
        {
            "name": imported.file,
            "file": imported.file,
            "table": imported.table,
            "rows": imported.rows,
            "blank": imported.blank,
            "stored": imported.stored,
            "problem": imported.problem.message if imported.problem else None,
            "hint": imported.problem.hint if imported.problem else None,
            "faults": [_plain(fault) for fault in imported.faults],
            "warnings": [
                *(_plain(warning) for warning in imported.warnings + imported.remarks),
                *({"line": None, "value": None, **odd.as_json()} for odd in imported.implausible),
                *(
                    {"line": None, "column": None, "value": None, "rule": _NOT_READ.format(table)}
                    for table in queried & {imported.table}
                ),
            ],
            "gone": [list(map(str, key)) for key in imported.gone],
            "removed": imported.removed,
        }
        for imported in results
    ]
    return json_.dumps({"files": files, "ignored": [one.name for one in ignored]}, ensure_ascii=False, indent=2)


def _plain(found: LineFault) -> dict[str, object]:
    value = None if found.fault.value is None else str(found.fault.value)
    return {"line": found.line, "column": found.fault.column, "value": value, "rule": found.fault.rule}
