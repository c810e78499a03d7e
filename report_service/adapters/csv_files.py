"""CSV files with rows for the canonical tables, read as a stream."""

from __future__ import annotations

import csv
import re
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from report_service.adapters.csv_text import likely_separator, lines_of, separator_of
from report_service.adapters.table_header import columns_of, is_header, is_null, refuse_title
from report_service.adapters.unreadable import translated
from report_service.domain.field_errors import FieldError, is_absent
from report_service.domain.written import Conventions, written
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from report_service.domain.field_errors import FieldErrors
    from report_service.domain.table_schemas import TableSchema

_GROUPING = {";": ".", ",": ",", "\t": ".,"}
"""By separator the mark that may stand between thousands: where cells are parted by `;` the comma is the decimal
mark, where by `,` the point; tabs say nothing."""

_HEADER_WITHIN = 20
_ESCAPED = re.compile(r'"(?:[^"\\]|\\.)*\\"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class CsvFile:
    """One file: UTF-8 or UTF-16, `;`, `,` or tabs between cells, a header in any order."""

    path: Path
    schema: TableSchema
    zone: ZoneInfo  # of date-times that name none
    unit = "line"

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

    def held(self) -> AbstractContextManager[None]:
        """Keep nothing: a file is read anew each time, so that it may be of any size."""
        return nullcontext()

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[int, Mapping[str, object] | FieldErrors]]:
        """Yield each row's first line (from 1) and its cells by column, or why it is no row.

        Lines with nothing in them are passed over. Raise BadInput for a file that cannot be read, is neither
        UTF-8 nor UTF-16, has another header or broken quotes.
        """
        with (
            translated(self.path),
            self.path.open("rb") as binary,
            closing(lines_of(binary, self.name, progress)) as lines,
        ):
            yield from self._rows(_RowLines(lines))

    def _rows(self, lines: _RowLines) -> Iterator[tuple[int, Mapping[str, object] | FieldErrors]]:
        passed_over, header = _first_with_text(lines)
        separator = separator_of(header)
        if separator:
            further, header = _first_with_text(lines)
            passed_over += 1 + further
        separator = separator or likely_separator(header)
        reader = csv.reader(chain([header], lines), delimiter=separator, skipinitialspace=True, strict=True)
        line = passed_over + 1
        try:
            columns = self._columns(next(reader, []), line, lines)
            cells_of = _Cells(self.schema, columns, separator, self.zone)
            line = passed_over + reader.line_num + 1
            lines.taken.clear()
            for cells in reader:
                row = cells_of(cells, lines.taken)
                if row is not None:
                    yield line, row
                line = passed_over + reader.line_num + 1
                lines.taken.clear()
        except csv.Error as exc:
            raise BadInput(
                f"{self.name}, line {line}: this row cannot be read: {exc}",
                hint=_mended(lines.taken)
                or 'See that each double quote that opens a cell is closed; one within it is written "".',
            ) from exc

    def _columns(self, header: list[str], line: int, further: Iterator[str]) -> list[str]:
        place = f"{self.name}, line {line}"
        try:
            return columns_of(header, self.schema, place)
        except BadInput:
            for number, text in zip(range(line + 1, line + _HEADER_WITHIN), further, strict=False):
                # A title says nothing of what separates the cells below it.
                if is_header(next(csv.reader([text], delimiter=likely_separator(text)), []), self.schema):
                    raise refuse_title(place, f"line {number}") from None
            raise


class _RowLines:
    """Lines, of which those of the row that is being read are kept, to be shown."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line


class _Cells:
    """Makes rows of cells."""

    def __init__(self, schema: TableSchema, columns: list[str], separator: str, zone: ZoneInfo) -> None:
        self._columns = columns
        self._separator = separator
        self._by = Conventions(zone=zone, grouping=_GROUPING.get(separator, ".,"))
        self._local = schema.local_columns
        self._optional = frozenset(schema.columns) - schema.required

    def __call__(self, cells: list[str], lines: list[str]) -> Mapping[str, object] | FieldErrors | None:
        """Return a row; why it is none; or None if nothing is in it. Empty cells at its end are left out."""
        wanted = len(self._columns)
        if len(cells) != wanted:
            if all(map(is_absent, cells)):
                return None
            if len(cells) < wanted or not all(map(is_absent, cells[wanted:])):
                return (FieldError("cells", len(cells), self._ragged(lines)),)
        elif not any(cells) or all(map(is_absent, cells)):
            return None
        row: dict[str, object] = {
            column: None if column in self._optional and is_null(cell) else cell
            for column, cell in zip(self._columns, cells, strict=False)
        }
        return written(row, self._local, self._by)

    def _ragged(self, lines: list[str]) -> str:
        rule = f"must be {len(self._columns)}, as in the header; "
        return rule + (_mended(lines) or f"a value with {self._separator!r} in it goes in double quotes")


def _mended(lines: list[str]) -> str:
    """Return how a cell with quotes escaped by backslashes must look; "" if the lines have none."""
    found = _ESCAPED.search("".join(lines).strip())
    if found is None:
        return ""
    return 'a double quote within a cell is written "", not \\": ' + found[0].replace('\\"', '""')


def _first_with_text(lines: Iterator[str]) -> tuple[int, str]:
    """Return the first line that is not blank, and how many were passed over; "" if there is none."""
    return next(((number, line) for number, line in enumerate(lines) if not is_absent(line)), (0, ""))
