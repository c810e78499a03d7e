"""Forms as files: a CSV file a kind, or a workbook with a sheet a kind."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from report_service.domain.forms import entry_of
from report_service.domain.parsers import additional_costs
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet

    from report_service.domain.forms import Entry, Form

_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula, in a cell of a CSV file (OWASP: CSV injection)."""

_HEAD = NamedStyle("head", Font("Calibri", bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F4E78"))
_GIVEN = NamedStyle(
    "given",
    Font("Calibri", color="595959"),
    PatternFill("solid", fgColor="EDEDED"),
    number_format="@",
    alignment=Alignment(shrink_to_fit=True),  # a long name would lie over the cells that are to be filled in
)
_LINE = Side("thin", color="BFBFBF")
_OPEN = NamedStyle("open", Font("Calibri"), border=Border(_LINE, _LINE, _LINE, _LINE))
_WIDEST = 60  # characters
_JSON_WIDTH = 46


def write_csv(folder: Path, forms: Iterable[Form]) -> list[Path]:
    """Write one file a form into a folder, which is made if need be; return the files.

    UTF-8 with a byte order mark and semicolons, which Excel opens by itself with its umlauts. Raise BadInput for
    what is there already, which somebody may have filled in, and for a folder that cannot be written.
    """
    files = {folder / f"{form.kind.source}.csv": form for form in forms}
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path in files:  # all or none
        with _writable(path):
            if path.exists():
                raise FileExistsError
    for path, form in files.items():
        with _writable(path), path.open("x", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(form.columns)
            blank = [""] * len(form.to_fill_in)
            writer.writerows([*map(_harmless, row), *blank] for row in form.rows)
    return list(files)


def write_xlsx(path: Path, forms: Iterable[Form]) -> list[Path]:
    """Write one workbook with a sheet a form, whose cells are checked as they are filled in; return the file.

    Raise BadInput as `write_csv` does.
    """
    book = Workbook()
    book.remove(book.active)
    for form in forms:
        _fill(book.create_sheet(form.kind.source), form)
    with _writable(path), path.open("xb") as file:
        book.save(file)
    return [path]


def _harmless(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA_MARKS) else value


def _fill(sheet: Worksheet, form: Form) -> None:
    sheet.append(form.columns)
    for row in form.rows:
        sheet.append(row)
    last = len(form.rows) + 1
    for number, width in enumerate(_widths(form), start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
        sheet.cell(1, number).style = _HEAD
    for cells in sheet.iter_rows(min_row=2, max_row=last, max_col=len(form.columns)):
        for cell in cells[: len(form.given)]:
            cell.style = _GIVEN
            cell.data_type = "s"  # a name that begins with "=" is a name, not a formula
            cell.quotePrefix = True
        for cell in cells[len(form.given) :]:
            cell.style = _OPEN
    for number, column in enumerate(form.to_fill_in, start=len(form.given) + 1):
        letter = get_column_letter(number)
        sheet.add_data_validation(_validation(column.name, entry_of(column.parse), f"{letter}2:{letter}{last}"))
    sheet.freeze_panes = sheet.cell(2, len(form.given) + 1)
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"


def _widths(form: Form) -> Iterator[int]:
    """Yield how wide each column is, in characters: as its longest cell, within reason."""
    longest = [max(map(len, column)) for column in zip(form.given, *form.rows, strict=True)]
    yield from (min(_WIDEST, length + 3) for length in longest)
    for column in form.to_fill_in:
        yield _JSON_WIDTH if column.parse is additional_costs else max(14, len(column.name) + 3)


def _validation(name: str, entry: Entry, cells: str) -> DataValidation:
    """Return what a spreadsheet checks in a column, and what it says beside the cell."""
    if entry.choices:
        rule = {"type": "list", "formula1": f'"{",".join(entry.choices)}"'}
    elif entry.low is not None:
        kind = "whole" if entry.whole else "decimal"
        rule = {"type": kind, "operator": "between", "formula1": str(entry.low), "formula2": str(entry.high)}
    else:
        rule = {}
    return DataValidation(
        **rule,
        sqref=cells,
        allow_blank=True,
        showErrorMessage=bool(rule),
        errorTitle=name,
        error=f"This must be: {entry.words}",
        showInputMessage=True,
        promptTitle=name,
        prompt=entry.words,
    )


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn OSError into BadInput, which names the path."""
    try:
        yield
    except FileExistsError as exc:
        raise BadInput(
            f"{path} is there already, and may be filled in", hint="Name another place: --out PATH."
        ) from exc
    except OSError as exc:
        raise BadInput(
            f"{path} cannot be written: {exc.strerror}", hint="Name a place that can be: --out PATH."
        ) from exc
