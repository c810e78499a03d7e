"""Which files of those that a person names hold rows for which table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.adapters.csv_files import CsvFile
from report_service.adapters.table_header import nearest
from report_service.adapters.unreadable import translated
from report_service.adapters.xlsx_files import SUFFIXES, XlsxSheet, sheets_of
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

FoundTable = CsvFile | XlsxSheet

_NAMES = tuple(f"{name}.csv" for name in TABLE_SCHEMAS)


def table_files(paths: Iterable[Path], zone: ZoneInfo) -> tuple[list[FoundTable], list[Path]]:
    """Return the files and sheets to read, in the order of the tables, and the files in folders that are none.

    `zone` is that of date-times in them that name none. Raise BadInput for a path that is not there, a folder
    with nothing to read, a workbook that cannot be read, and a file given by itself that holds no table.
    """
    found: dict[Path, Sequence[FoundTable]] = {}
    ignored: list[Path] = []
    for path in paths:
        before = len(found)
        for candidate in _entries(path) if path.is_dir() else [path]:
            if tables := _tables_in(candidate, zone):
                found.setdefault(candidate.resolve(), tables)
            elif candidate is path:
                _refuse(path)
            else:
                ignored.append(candidate)
        if path.is_dir() and len(found) == before:
            raise BadInput(f"{path} holds no file to import", hint=_named())
    order = list(TABLE_SCHEMAS)
    tables = [table for several in found.values() for table in several]
    return sorted(tables, key=lambda table: order.index(table.schema.name)), ignored


def _tables_in(path: Path, zone: ZoneInfo) -> Sequence[FoundTable]:
    suffix = path.suffix.lower()
    if suffix == ".csv" and path.stem in TABLE_SCHEMAS:
        return [CsvFile(path, TABLE_SCHEMAS[path.stem], zone)]
    if suffix in SUFFIXES and path.exists() and not path.name.startswith("~$"):  # Excel's own mark of an open file
        return sheets_of(path, zone)
    return []


def _entries(folder: Path) -> list[Path]:
    with translated(folder):
        return [entry for entry in sorted(folder.iterdir()) if entry.is_file()]


def _refuse(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"{path} does not exist", hint="Name a folder, or files in it.")
    if path.suffix.lower() in SUFFIXES:
        raise BadInput(f"{path}: no sheet is named as a table", hint=f"Nothing was imported. {_named()}")
    raise BadInput(
        f"{path}: {path.name!r} is not the name of a table's file{nearest(path.name, _NAMES)}",
        hint=f"Nothing was imported. {_named()}",
    )


def _named() -> str:
    return (
        f"Files are read by their names: {', '.join(_NAMES)}; and sheets of a workbook (xlsx): hubs, points, ..."
    )
