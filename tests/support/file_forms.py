r"""Small files, one for each form in which figures come, and what becomes of each.

The files are in tests/data/files; `python -m tests.support.file_forms` writes the table of docs/files.md anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data/files"
DOCS = Path(__file__).parents[2] / "docs/files.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """One form: `tests/data/files/<folder>/` holds its file; `stored`, `warning` or `refused` says its end."""

    folder: str
    form: str  # in words, for the docs
    stored: str = ""  # column=value of the first row, as stored
    warning: str = ""  # told, and stored all the same
    refused: str = ""  # what is told, its place first
    hint: str = ""  # the way out, of a file that is refused as a whole

    @property
    def outcome(self) -> str:
        """Return what becomes of it, in words."""
        if self.refused:
            return f"refused: {self.refused}" + (f" -> {self.hint}" if self.hint else "")
        return (f"stored, with a warning: {self.warning}" if self.warning else "read") + (
            f": {self.stored}" if self.stored and not self.warning else ""
        )


def _stored(folder: str, form: str, stored: str) -> FileForm:
    return FileForm(folder=folder, form=form, stored=stored)


def _warned(folder: str, form: str, warning: str) -> FileForm:
    return FileForm(folder=folder, form=form, warning=warning)


def _refused(folder: str, form: str, refused: str, hint: str = "") -> FileForm:
    return FileForm(folder=folder, form=form, refused=refused, hint=hint)


FORMS = (
    # --- the file
    _stored("utf8", "UTF-8, comma", "name=Bürgerplatz"),
    _stored("two-byte-order-marks", "UTF-8 with two byte order marks", "rating=2.4"),
    _stored("utf16", "UTF-16 with a byte order mark, tabs (Excel: Unicode text)", "name=Bürgerplatz"),
    _stored("semicolons", "semicolons and decimal commas (Excel in German)", "rating=2.4"),
    _stored("sep-line", "`sep=;` in the first line", "rating=2.4"),
    _stored("sep-line-tab", "`sep=` and a tab in the first line", "rating=2.4"),
    _stored("trailing-columns", "empty columns after the last one", "rating=2.4"),
    _stored("blank-rows", "rows of blanks, and Ctrl-Z at the end", "rating=2.4"),
    _stored("cr-line-ends", "lines that end with CR alone", "rating=2.4"),
    _stored("crlf-line-ends", "lines that end with CRLF", "rating=2.4"),
    _stored("header-names", "a header in other case, with blanks or hyphens, in any order", "rating=2.4"),
    _stored("information-columns", "`hub_name` beside the ids, as the forms have it", "rating=2.4"),
    _stored("blanks-before-quotes", "blanks after the separators, before quotes", "rating=2.4"),
    _stored("table-name", "the table's name in other case, with `_` or blanks: `HUB_RATINGS.CSV`", "rating=2.4"),
    _refused(
        "windows-1252",
        "Windows-1252 (Excel: CSV)",
        "hubs.csv, line 2: is not UTF-8 (byte 0xfc)",
        hint='Save it as UTF-8: in Excel as "CSV UTF-8"',
    ),
    _refused(
        "utf16-without-mark",
        "UTF-16 without a byte order mark",
        "hub-ratings.csv: is not UTF-8, but UTF-16LE without a byte order mark",
        hint="Save it as UTF-8",
    ),
    _refused(
        "workbook-named-csv",
        "a workbook that is named `.csv`",
        "hub-ratings.csv: is a workbook, no CSV file",
        hint="Save it as xlsx and name it so",
    ),
    _refused(
        "other-separator",
        "`sep=,` above cells that are separated by semicolons",
        "hub-ratings.csv, line 2: unknown column 'month;hub_id;rating'",
        hint="Cells are separated by ; or , or tabs, in all lines by the same",
    ),
    _refused(
        "title-above-header",
        "a title above the header",
        "hub-ratings.csv, line 1: this is not the header, which stands in line 3",
        hint="Delete what stands above line 3",
    ),
    _refused(
        "bare-title",
        "a title without separators above the header",
        "hub-ratings.csv, line 1: this is not the header, which stands in line 3",
        hint="Delete what stands above line 3",
    ),
    _refused(
        "backslash-quotes",
        "quotes escaped by backslashes",
        "ad-hoc-tariffs.csv, line 2: this row cannot be read",
        hint=(
            'a double quote within a cell is written "", not \\": "[{""description"": ""parking"", ""cost"": 50}]"'
        ),
    ),
    _refused(
        "unclosed-quote",
        "a double quote that is never closed",
        "hubs.csv, line 2: this row cannot be read",
        hint="See that each double quote that opens a cell is closed",
    ),
    _refused("ragged-row", "a row with too few cells", "line 2: cells = 2: must be 3, as in the header"),
    # --- cells
    _stored("zero-width", "zero-width and no-break spaces around values", f"hub_id={HUB}"),
    _stored(
        "nulls",
        ("`NULL`, `null`, `(null)`, `[NULL]`, `\\N`, `#NV` or `#N/A` where a cell may be empty"),
        "decommissioned_on=None",
    ),
    _stored("uuid-forms", "UUIDs in braces, in upper case, without hyphens", f"hub_id={HUB}"),
    _stored("german-dates", "dates as `01.02.2024`", "commissioned_on=2024-02-01"),
    _refused(
        "short-years",
        "dates as `01.02.24`",
        ("line 2: commissioned_on = 01.02.24: has a year of two digits: must be a date as YYYY-MM-DD"),
    ),
    _refused(
        "slashed-dates",
        "dates as `01/02/2024`",
        "line 2: commissioned_on = 01/02/2024: has two meanings, day or month first",
    ),
    _stored("api-months", "months as `10-2026`, the API's own form", "month=2026-10"),
    _stored("slashed-months", "months as `10/2026`", "month=2026-10"),
    _refused(
        "excel-months",
        "a month of which Excel made a date: `Okt 26`",
        (
            "line 2: month = Okt 26: looks like a date that Excel made of it: format the column as "
            "text, and write the month as YYYY-MM"
        ),
    ),
    _refused(
        "excel-numbers",
        "a number of which Excel made a date: `02. Apr`",
        (
            "line 2: rating = 02. Apr: looks like a date that Excel made of it: format the column as "
            "text, and write the number"
        ),
    ),
    _refused(
        "thousand-or-not",
        "`1.234` in a decimal column of a file with semicolons",
        (
            "line 2: asa_seconds = 1.234: has two meanings here: write 1234 if it is above a "
            "thousand, 1,2340 if it is not"
        ),
    ),
    _stored("two-marks", "`1.234,5`: two marks, of which the last is the decimal one", "asa_seconds=1234.5"),
    _stored("percent", "a share in percent: `87 %`", "fcr_rate=0.87"),
    _refused(
        "units",
        "a number with its unit: `21,4 s`, `59 ct`",
        "line 2: asa_seconds = 21,4 s: must be the number alone, without 's'",
    ),
    _refused(
        "clock-times",
        "a time where seconds belong: `00:00:21`",
        ("line 2: asa_seconds = 00:00:21: is a time: write the number alone, 90 seconds as 90"),
    ),
    _refused(
        "sheet-errors",
        "an error of the spreadsheet: `#DIV/0!`, `#WERT!`",
        ("line 2: rating = #DIV/0!: is an error of the spreadsheet: mend its formula, or leave the cell empty"),
    ),
    _refused(
        "grouped-calls",
        "`1.873` where a whole number belongs",
        "line 2: hotline_calls = 1.873: must be written without a thousands separator",
    ),
    _stored("spaced-thousands", "`1 873`, with a blank between thousands", "hotline_calls=1873"),
    _stored("provider-groups", "provider groups as `DE*VFL`, `DE-VFL` or `DE VFL`", "provider_group=DEVFL"),
    _stored("whole-days", "validity in whole days, of Berlin", "valid_to=2026-10-31 22:59:59+00:00"),
    _stored("local-times", "date-times without a zone, of Berlin", "valid_from=2026-09-30 22:00:00+00:00"),
    _refused(
        "hour-twice",
        "a local time that comes twice",
        (
            "line 2: valid_from = 2026-10-25 02:30: comes twice in Europe/Berlin, where clocks went "
            "back: write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"
        ),
    ),
    _refused(
        "hour-never",
        "a local time that does not exist",
        (
            "line 2: valid_from = 2026-03-29 02:30: does not exist in Europe/Berlin: clocks went "
            "forward 60 minutes then"
        ),
    ),
    _refused(
        "hour-24",
        "the hour 24",
        ("line 2: valid_to = 31.10.2026 24:00: has the hour 24, which is the next day's 00:00"),
    ),
    # --- rows
    _warned(
        "odd-evse-ids",
        "an EVSE id in another form (blanks, no `E`, DIN `+49*...`)",
        (
            "line 2: evse_id = +49*810*000*0815: is no EVSE id like DE*ABC*E45B*78C; it is stored as "
            "it is, and never sent"
        ),
    ),
    _warned(
        "several-rows",
        "several rows for one report, with other figures",
        (f"line 3: hub_id = {HUB}: must be there once: line 2 has the same month and hub_id, but other figures"),
    ),
    _stored("same-row-twice", "the same row twice", "rating=2.4"),
    # --- workbooks
    _stored(
        "xlsx-typed-cells",
        "xlsx: a date for a month, a share shown in percent, a number kept as text",
        "fcr_rate=0.87",
    ),
    _stored("xlsx-named-as-table", "xlsx: a workbook named as its table, its first sheet not", "rating=2.4"),
    _refused(
        "xlsx-merged-title",
        "xlsx: a title in merged cells above the header",
        ("figures.xlsx, sheet hub-ratings, row 1: this is not the header, which stands in row 3"),
        hint="Delete what stands above row 3",
    ),
    _refused(
        "xlsx-date-for-number",
        "xlsx: a number of which Excel made a date",
        (
            "row 2: rating = 2026-04-02: looks like a date that Excel made of it: format the column "
            "as text, and write the number"
        ),
    ),
    _refused(
        "xlsx-formula",
        "xlsx: a formula without its result, as programs write it",
        (
            "row 2: rating = =AVERAGE(2,3): is a formula without its result, which the program that "
            "wrote the file did not compute: open and save it with Excel or LibreOffice"
        ),
    ),
    _refused(
        "xlsx-two-sheets",
        "xlsx: two sheets for one table",
        "figures.xlsx: the sheets hub-ratings and hub_ratings both hold hub-ratings",
        hint="Leave one of them",
    ),
)


def table() -> str:
    """Return the table of the docs."""
    rows = [f"| {form.form} | {_cell(form.outcome)} |\n" for form in FORMS]
    return "| what comes | what becomes of it |\n|---|---|\n" + "".join(rows)


def documented(text: str) -> str:
    """Return the docs with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def _cell(text: str) -> str:
    kind, _, words = text.partition(": ")
    return f"{kind}: `{words}`" if words else kind


if __name__ == "__main__":
    DOCS.write_text(documented(DOCS.read_text()))
