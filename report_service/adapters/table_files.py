"""Which files of those that a person names hold rows for which table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.adapters.csv_files import CsvFile
from report_service.adapters.table_header import PassedOver, nearest, table_named
from report_service.adapters.unreadable import translated
from report_service.adapters.xlsx_files import SUFFIXES, XlsxSheet, sheets_of
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from zoneinfo import ZoneInfo

FoundTable = CsvFile | XlsxSheet

_NAMES = tuple(f"{name}.csv" for name in TABLE_SCHEMAS)
_OTHER_WORKBOOKS = (".xls", ".xlsb", ".ods", ".numbers")


def table_files(paths: Iterable[Path], zone: ZoneInfo) -> tuple[list[FoundTable], list[PassedOver]]:
    """Return the files and sheets to read, in the order of the tables, and those beside them that are none.

    `zone` is that of date-times in them that name none. Raise BadInput for a path that is not there, a folder
    with nothing to read, a workbook that cannot be read or has one table twice, and a file given by itself that
    holds no table.
    """
    found: dict[Path, list[FoundTable]] = {}
    passed_over: list[PassedOver] = []
    for path in paths:
        before = len(found)
        for candidate in _entries(path) if path.is_dir() else [path]:
            tables, others = _tables_in(candidate, zone)
            if tables:
                found.setdefault(candidate.resolve(), tables)
            elif candidate is path:
                _refuse(path, others)
            passed_over += others
        if path.is_dir() and len(found) == before:
            raise BadInput(f"{path} holds no file to import{_listed(passed_over)}", hint=_named())
    order = list(TABLE_SCHEMAS)
    tables = [table for several in found.values() for table in several]
    return sorted(tables, key=lambda table: order.index(table.schema.name)), passed_over


def _tables_in(path: Path, zone: ZoneInfo) -> tuple[list[FoundTable], list[PassedOver]]:
    suffix = path.suffix.lower()
    if suffix == ".csv" and (table := table_named(path.stem)):
        return [CsvFile(path, TABLE_SCHEMAS[table], zone)], []
    if path.name.startswith("~$"):  # Excel's own mark of an open file
        return [], []
    if suffix in SUFFIXES and path.exists():
        sheets, others = sheets_of(path, zone)
        return [*sheets], others
    if suffix in _OTHER_WORKBOOKS:
        return [], [PassedOver(name=str(path), why="workbooks are read as xlsx only: save it as one")]
    return [], [PassedOver(name=str(path), why=f"no table has this name{nearest(path.name.lower(), _NAMES)}")]


def _entries(folder: Path) -> list[Path]:
    with translated(folder):
        return [entry for entry in sorted(folder.iterdir()) if entry.is_file()]


def _refuse(path: Path, others: list[PassedOver]) -> None:
    """Raise BadInput for a file that holds no table, saying why."""
    if not path.exists():
        raise BadInput(f"{path} does not exist", hint="Name a folder, or files in it.")
    if path.suffix.lower() in SUFFIXES:
        raise BadInput(
            f"{path}: no sheet that can be seen is named as a table{_listed(others, within=path)}",
            hint=f"Nothing was imported: name each sheet as its table. {_named()}",
        )
    raise BadInput(f"{path}: {others[0].why}", hint=f"Nothing was imported. {_named()}")


def _listed(others: list[PassedOver], *, within: Path | None = None) -> str:
    return "".join(f"; {other.name.removeprefix(f'{within}, ')}: {other.why}" for other in others)


def _named() -> str:
    return (
        f"Files are read by their names: {', '.join(_NAMES)}; and sheets of a workbook (xlsx): hubs, points, ..."
    )
