"""CSV files with rows for the canonical tables, read as a stream."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING

from report_service.domain.field_errors import FieldError, shown
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from report_service.domain.field_errors import FieldErrors
    from report_service.domain.table_schemas import TableSchema

_NAMES = tuple(f"{name}.csv" for name in TABLE_SCHEMAS)
_PROGRESS_BYTES = 65536


@dataclass(frozen=True, slots=True)
class CsvFile:
    """One file: UTF-8 with or without a byte order mark, `;` or `,` between cells, a header in any order."""

    path: Path
    schema: TableSchema

    @property
    def name(self) -> str:
        """Return the file's path, as it was given."""
        return str(self.path)

    @property
    def size(self) -> int:
        """Return the bytes to read; 0 if they cannot be counted."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[int, Mapping[str, object] | FieldErrors]]:
        """Yield each row's first line (from 1) and its cells by column, or why it is no row.

        Lines with nothing in them are passed over. Raise BadInput for a file that cannot be read, is not UTF-8,
        has another header or broken quotes.
        """
        with _translated(self.path), self.path.open("rb") as binary:
            lines = self._decoded(binary, progress)
            passed_over, header = _first_with_text(lines)
            separator = ";" if ";" in header else ","
            reader = csv.reader(chain([header], lines), delimiter=separator, strict=True)
            line = passed_over + 1
            try:
                columns = self._columns(next(reader, []), line)
                line = passed_over + reader.line_num + 1
                for cells in reader:
                    if any(cells):
                        yield line, _row(cells, columns, separator)
                    line = passed_over + reader.line_num + 1
            except csv.Error as exc:
                raise BadInput(
                    f"{self.name}, line {line}: this row cannot be read: {exc}",
                    hint='See that each double quote that opens a cell is closed; one within it is written "".',
                ) from exc

    def _decoded(self, binary: BinaryIO, progress: Callable[[int], None]) -> Iterator[str]:
        read = 0
        for number, raw in enumerate(binary, start=1):
            read += len(raw)
            if read >= _PROGRESS_BYTES:
                progress(read)
                read = 0
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as exc:
                raise BadInput(
                    f"{self.name}, line {number}: is not UTF-8 (byte 0x{raw[exc.start]:02x})",
                    hint='Save it as UTF-8: in Excel as "CSV UTF-8", in LibreOffice with the character set UTF-8; '
                    "or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv",
                ) from exc
        progress(read)

    def _columns(self, header: list[str], line: int) -> list[str]:
        """Return the header's names; raise BadInput with all that is wrong with them."""
        names = [cell.strip().lower() for cell in header]
        known = list(self.schema.columns)
        wrong = [f"unknown column {shown(name)!r}{_nearest(name, known)}" for name in names if name not in known]
        wrong += [f"column {name} is missing" for name in known if name not in names]
        wrong += [f"column {name} is there twice" for name in known if names.count(name) > 1]
        if wrong:
            raise BadInput(
                f"{self.name}, line {line}: {'; '.join(wrong) if names else 'there is nothing in it'}",
                hint=f"The first line must name the columns, in any order: {';'.join(known)}",
            )
        return names


def csv_files(paths: Iterable[Path]) -> tuple[list[CsvFile], list[Path]]:
    """Return the files to read, in the order of the tables, and those in the folders that have other names.

    Raise BadInput for a path that is not there, a folder with nothing to read, and a file given by itself whose
    name is not that of a table.
    """
    found: dict[Path, CsvFile] = {}
    ignored: list[Path] = []
    for path in paths:
        candidates = _entries(path) if path.is_dir() else [path]
        for candidate in candidates:
            if schema := _form_of(candidate):
                found.setdefault(candidate.resolve(), CsvFile(candidate, schema))
            elif candidate is path:
                _refuse(path)
            else:
                ignored.append(candidate)
    tables = list(TABLE_SCHEMAS)
    return sorted(found.values(), key=lambda file: tables.index(file.schema.name)), ignored


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise BadInput(
            f"{path} cannot be read: {exc.strerror}", hint="See that it is there, and who may read it."
        ) from exc


def _form_of(path: Path) -> TableSchema | None:
    return TABLE_SCHEMAS.get(path.stem) if path.suffix.lower() == ".csv" else None


def _entries(folder: Path) -> list[Path]:
    with _translated(folder):
        entries = [entry for entry in sorted(folder.iterdir()) if entry.is_file()]
    if not any(map(_form_of, entries)):
        raise BadInput(
            f"{folder} holds no file to import", hint=f"Files are read by their names: {', '.join(_NAMES)}."
        )
    return entries


def _refuse(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"{path} does not exist", hint="Name a folder, or files in it.")
    raise BadInput(
        f"{path}: {path.name!r} is not the name of a table's file{_nearest(path.name, _NAMES)}",
        hint=f"Nothing was imported. Call the file by what it holds: {', '.join(_NAMES)}.",
    )


def _first_with_text(lines: Iterator[str]) -> tuple[int, str]:
    """Return the first line that is not blank, and how many were passed over; "" if there is none."""
    return next(((number, line) for number, line in enumerate(lines) if line.strip()), (0, ""))


def _row(cells: list[str], columns: list[str], separator: str) -> dict[str, object] | FieldErrors:
    if len(cells) == len(columns):
        return dict(zip(columns, cells, strict=True))
    rule = f"must be {len(columns)}, as in the header; a value with {separator!r} in it goes in double quotes"
    return (FieldError("cells", len(cells), rule),)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
