"""Workbooks with rows for the canonical tables: a sheet a table, or one sheet in a file named like the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum

from report_service.adapters.table_header import (
    PassedOver,
    columns_of,
    is_header,
    is_null,
    nearest,
    refuse_title,
    table_named,
)
from report_service.adapters.unreadable import translated
from report_service.adapters.xlsx_unseen import unseen_in
from report_service.domain.field_errors import FieldError, is_absent
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.domain.written import Conventions, written
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from report_service.adapters.xlsx_unseen import Unseen
    from report_service.domain.field_errors import FieldErrors
    from report_service.domain.table_schemas import TableSchema

    _Loaded = tuple[CalamineSheet, Unseen]

SUFFIXES = (".xlsx", ".xlsm")
UNPACKED_LIMIT = 500_000_000
"""Bytes: a sheet of a million ratings has half as many; more of them are a bomb."""
_PROGRESS_ROWS = 1000
_HEADER_WITHIN = 20

Cells = Sequence[object]

_NO_RESULT = (
    "is a formula without its result, which the program that wrote the file did not compute: open and save it "
    "with Excel or LibreOffice, or write the value"
)


@dataclass(frozen=True, slots=True)
class XlsxSheet:
    """One sheet of a workbook, with a header in any order; cells have the types that Excel gave them.

    A sheet is in memory while its rows are read, as calamine does: about 30 MB for 100,000 rows, and half as much
    again while it is loaded.
    """

    path: Path
    sheet: str
    schema: TableSchema
    zone: ZoneInfo  # of date-times, which have no zone in a workbook
    share: int = 1  # how many tables the workbook has
    _held: list[_Loaded] = field(default_factory=list, repr=False, compare=False)
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

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the sheet for several readings, as it is now; raise BadInput for a file that cannot be read."""
        self._held.append(self._loaded())
        try:
            yield
        finally:
            self._held.clear()

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[int, Mapping[str, object] | FieldErrors]]:
        """Yield each row's number (from 1) and its cells by column.

        Rows with nothing in them are passed over. Raise BadInput for a file that cannot be read, and for a
        sheet with another header.
        """
        sheet, unseen = self._held[0] if self._held else self._loaded()
        height = max(1, sheet.total_height)
        numbered: Iterator[tuple[int, Cells]] = enumerate(sheet.iter_rows(), start=1)
        cells_of = _Cells(self.schema, self._columns(numbered), self.zone, unseen)
        for number, cells in numbered:
            if number % _PROGRESS_ROWS == 0:
                progress(self.size * _PROGRESS_ROWS // height)
            row = cells_of(number, cells)
            if row is not None:
                yield number, row
        progress(self.size - self.size * _PROGRESS_ROWS // height * (height // _PROGRESS_ROWS))

    def _loaded(self) -> _Loaded:
        with _opened(self.path) as workbook:
            return workbook.get_sheet_by_name(self.sheet), unseen_in(self.path, self.sheet)

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


class _Cells:
    """Makes rows of cells."""

    def __init__(self, schema: TableSchema, columns: list[str], zone: ZoneInfo, unseen: Unseen) -> None:
        self._columns = columns
        self._unseen = unseen  # what stands in cells that calamine gives as empty
        self._local, self._by = schema.local_columns, Conventions(zone=zone, grouping=".,")
        self._optional = frozenset(schema.columns) - schema.required

    def __call__(self, number: int, cells: Cells) -> Mapping[str, object] | FieldErrors | None:
        """Return a row; why it is none; or None if nothing is in it."""
        unseen = self._unseen.get(number)
        if unseen is None and all(map(is_absent, cells)):
            return None
        row = {name: self._value(name, cell) for name, cell in zip(self._columns, cells, strict=False)}
        if unseen:
            found = {name: unseen[place] for place, name in enumerate(self._columns) if place in unseen}
            if formulas := [name for name, value in found.items() if value.startswith("=")]:
                return tuple(FieldError(name, found[name], _NO_RESULT) for name in formulas)
            row |= {name: self._value(name, value) for name, value in found.items()}
        return written(row, self._local, self._by)

    def _value(self, column: str, cell: object) -> object:
        """Return a cell's value; calamine gives every number as a float."""
        if isinstance(cell, float):
            return int(cell) if cell.is_integer() else cell
        return None if isinstance(cell, str) and column in self._optional and is_null(cell) else cell


def sheets_of(path: Path, zone: ZoneInfo) -> tuple[list[XlsxSheet], list[PassedOver]]:
    """Return the sheets of a workbook that hold tables, by their names, and those that are passed over.

    A sheet that nobody sees is not read. A workbook that is itself named like a table may hold it in its first
    visible sheet. Raise BadInput for a file that is no workbook, and for one in which two sheets hold one table.
    """
    with _opened(path) as workbook:
        visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible is SheetVisibleEnum.Visible]
        hidden = [name for name in workbook.sheet_names if name not in visible and table_named(name)]
    named: dict[str, list[str]] = defaultdict(list)
    for name in visible:
        if table := table_named(name):
            named[table].append(name)
    own = table_named(path.stem)
    if not named and own and visible:
        named[own] = visible[:1]
    for table, names in named.items():
        if len(names) > 1:
            raise BadInput(
                f"{path}: the sheets {' and '.join(names)} both hold {table}",
                hint="Nothing was imported. Leave one of them, or name the other otherwise.",
            )
    sheets = [XlsxSheet(path, name, TABLE_SCHEMAS[table], zone, len(named)) for table, (name,) in named.items()]
    read = {sheet.sheet for sheet in sheets}
    others = dict.fromkeys(hidden, "it is hidden; show it to have it read") | {
        name: f"no table has this name{nearest(name.lower(), TABLE_SCHEMAS)}"
        for name in visible
        if name not in read
    }
    return sheets, [PassedOver(name=f"{path}, sheet {name}", why=why) for name, why in others.items()]


@contextmanager
def _opened(path: Path) -> Iterator[CalamineWorkbook]:
    """Open a workbook; raise BadInput for what calamine cannot read: the one place where that is translated."""
    with translated(path):
        _refuse_bomb(path)
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


def _refuse_bomb(path: Path) -> None:
    """Raise BadInput for a workbook that would fill the memory when it is unpacked, OSError."""
    with suppress(BadZipFile), ZipFile(path) as parts:  # calamine says what else is wrong with it
        unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > UNPACKED_LIMIT:
            raise BadInput(
                f"{path} is {unpacked // 10**6:,} MB when it is unpacked, and may be {UNPACKED_LIMIT // 10**6}",
                hint="Leave out sheets that hold no table, or save its rows as CSV UTF-8.",
            )
