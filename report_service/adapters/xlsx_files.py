"""Workbooks with rows for the canonical tables: a sheet a table, or one sheet in a file named like the table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

from report_service.adapters.table_header import columns_of, is_header, refuse_title
from report_service.adapters.unreadable import translated
from report_service.domain.field_errors import is_absent, plain
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.domain.written import Conventions, written
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from report_service.domain.field_errors import FieldErrors
    from report_service.domain.table_schemas import TableSchema

SUFFIXES = (".xlsx", ".xlsm")
_PROGRESS_ROWS = 1000
_HEADER_WITHIN = 20

Cells = Sequence[object]


@dataclass(frozen=True, slots=True)
class XlsxSheet:
    """One sheet of a workbook, with a header in any order; cells have the types that Excel gave them.

    A sheet is held in memory while its rows are read, as calamine does: about 15 MB for 100,000 rows.
    """

    path: Path
    sheet: str
    schema: TableSchema
    zone: ZoneInfo  # of date-times, which have no zone in a workbook
    share: int = 1  # how many tables the workbook has
    unit = "row"

    @property
    def name(self) -> str:
        """Return the file's path, as it was given, and the sheet's name."""
        return f"{self.path}, sheet {self.sheet}"

    @property
    def size(self) -> int:
        """Return the bytes to read: the sheet's share of the file; 0 if they cannot be counted."""
        try:
            return self.path.stat().st_size // self.share
        except OSError:
            return 0

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[int, Mapping[str, object] | FieldErrors]]:
        """Yield each row's number (from 1) and its cells by column.

        Rows with nothing in them are passed over. Raise BadInput for a file that cannot be read, and for a
        sheet with another header.
        """
        with _opened(self.path) as workbook:
            sheet = workbook.get_sheet_by_name(self.sheet)
            height = max(1, sheet.total_height)
            numbered: Iterator[tuple[int, Cells]] = enumerate(sheet.iter_rows(), start=1)
            columns = self._columns(numbered)
            local, by = self.schema.local_columns, Conventions(zone=self.zone, grouping=".,")
            for number, cells in numbered:
                if number % _PROGRESS_ROWS == 0:
                    progress(self.size * _PROGRESS_ROWS // height)
                if not all(map(is_absent, cells)):
                    row = {name: _value(cell) for name, cell in zip(columns, cells, strict=False)}
                    yield number, written(row, local, by)
            progress(self.size - self.size * _PROGRESS_ROWS // height * (height // _PROGRESS_ROWS))

    def _columns(self, numbered: Iterator[tuple[int, Cells]]) -> list[str]:
        number, header = next(((number, cells) for number, cells in numbered if any(cells)), (1, []))
        place = f"{self.name}, row {number}"
        try:
            return columns_of(header, self.schema, place)
        except BadInput:
            for further, cells in islice(numbered, _HEADER_WITHIN):
                if is_header(cells, self.schema):
                    raise refuse_title(place, f"row {further}") from None
            raise


def sheets_of(path: Path, zone: ZoneInfo) -> list[XlsxSheet]:
    """Return the sheets of a workbook that hold tables, by their names in any case, `_` and blanks for hyphens.

    A workbook that is itself named like a table may hold it in its first visible sheet. Raise BadInput for a
    file that is no workbook.
    """
    with _opened(path) as workbook:
        tables = {name: table for name in workbook.sheet_names if (table := _table_named(name))}
        visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible is SheetVisibleEnum.Visible]
    own = _table_named(path.stem)
    if not tables and own and visible:
        tables = {visible[0]: own}
    return [XlsxSheet(path, name, TABLE_SCHEMAS[table], zone, share=len(tables)) for name, table in tables.items()]


def _table_named(name: str) -> str | None:
    table = plain(name).lower().replace("_", "-").replace(" ", "-")
    return table if table in TABLE_SCHEMAS else None


def _value(cell: object) -> object:
    """Return a cell's value; calamine gives every number as a float."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


@contextmanager
def _opened(path: Path) -> Iterator[CalamineWorkbook]:
    """Open a workbook; raise BadInput for what calamine cannot read: the one place where that is translated."""
    with translated(path):
        try:
            with CalamineWorkbook.from_path(path) as workbook:
                yield workbook
        except PasswordError as exc:
            raise BadInput(
                f"{path} is protected by a password", hint="Save it without one: File, Info, Protect Workbook."
            ) from exc
        except CalamineError as exc:
            raise BadInput(
                f"{path} is no workbook that can be read: {exc}",
                hint="Save it anew as xlsx, or each of its sheets as CSV UTF-8.",
            ) from exc
