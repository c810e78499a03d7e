"""Which files of those that a person names hold rows for which table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.adapters.csv_files import CsvFile
from report_service.adapters.table_header import nearest
from report_service.adapters.unreadable import translated
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from zoneinfo import ZoneInfo

_NAMES = tuple(f"{name}.csv" for name in TABLE_SCHEMAS)


def table_files(paths: Iterable[Path], zone: ZoneInfo) -> tuple[list[CsvFile], list[Path]]:
    """Return the files to read, in the order of the tables, and those in the folders that have other names.

    `zone` is that of date-times in them that name none. Raise BadInput for a path that is not there, a folder
    with nothing to read, and a file given by itself whose name is not that of a table.
    """
    found: dict[Path, CsvFile] = {}
    ignored: list[Path] = []
    for path in paths:
        candidates = _entries(path) if path.is_dir() else [path]
        for candidate in candidates:
            if name := _table_of(candidate):
                found.setdefault(candidate.resolve(), CsvFile(candidate, TABLE_SCHEMAS[name], zone))
            elif candidate is path:
                _refuse(path)
            else:
                ignored.append(candidate)
    tables = list(TABLE_SCHEMAS)
    return sorted(found.values(), key=lambda file: tables.index(file.schema.name)), ignored


def _table_of(path: Path) -> str | None:
    return path.stem if path.suffix.lower() == ".csv" and path.stem in TABLE_SCHEMAS else None


def _entries(folder: Path) -> list[Path]:
    with translated(folder):
        entries = [entry for entry in sorted(folder.iterdir()) if entry.is_file()]
    if not any(map(_table_of, entries)):
        raise BadInput(
            f"{folder} holds no file to import", hint=f"Files are read by their names: {', '.join(_NAMES)}."
        )
    return entries


def _refuse(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"{path} does not exist", hint="Name a folder, or files in it.")
    raise BadInput(
        f"{path}: {path.name!r} is not the name of a table's file{nearest(path.name, _NAMES)}",
        hint=f"Nothing was imported. Call the file by what it holds: {', '.join(_NAMES)}.",
    )
