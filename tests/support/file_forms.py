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


FORMS = (
    # --- the file
    FileForm(folder="utf8", form="UTF-8, comma", stored="name=Bürgerplatz"),
    FileForm(folder="two-byte-order-marks", form="UTF-8 with two byte order marks", stored="rating=2.4"),
    FileForm(
        folder="utf16", form="UTF-16 with a byte order mark, tabs (Excel: Unicode text)", stored="name=Bürgerplatz"
    ),
    FileForm(folder="semicolons", form="semicolons and decimal commas (Excel in German)", stored="rating=2.4"),
    FileForm(folder="sep-line", form="`sep=;` in the first line", stored="rating=2.4"),
    FileForm(folder="trailing-columns", form="empty columns after the last one", stored="rating=2.4"),
    FileForm(folder="blank-rows", form="rows of blanks, and Ctrl-Z at the end", stored="rating=2.4"),
    FileForm(folder="cr-line-ends", form="lines that end with CR alone", stored="rating=2.4"),
    FileForm(folder="crlf-line-ends", form="lines that end with CRLF", stored="rating=2.4"),
    FileForm(
        folder="header-names",
        form="a header in other case, with blanks or hyphens, in any order",
        stored="rating=2.4",
    ),
    FileForm(
        folder="information-columns", form="`hub_name` beside the ids, as the forms have it", stored="rating=2.4"
    ),
    FileForm(
        folder="windows-1252",
        form="Windows-1252 (Excel: CSV)",
        refused="hubs.csv, line 2: is not UTF-8 (byte 0xfc)",
        hint='Save it as UTF-8: in Excel as "CSV UTF-8"',
    ),
    FileForm(
        folder="title-above-header",
        form="a title above the header",
        refused="hub-ratings.csv, line 1: this is not the header, which stands in line 3",
        hint="Delete what stands above line 3",
    ),
    FileForm(
        folder="backslash-quotes",
        form="quotes escaped by backslashes",
        refused="ad-hoc-tariffs.csv, line 2: this row cannot be read",
        hint=(
            'a double quote within a cell is written "", not \\": "[{""description"": ""parking"", ""cost"": 50}]"'
        ),
    ),
    FileForm(
        folder="unclosed-quote",
        form="a double quote that is never closed",
        refused="hubs.csv, line 2: this row cannot be read",
        hint="See that each double quote that opens a cell is closed",
    ),
    FileForm(
        folder="ragged-row",
        form="a row with too few cells",
        refused="line 2: cells = 2: must be 3, as in the header",
    ),
    # --- cells
    FileForm(folder="zero-width", form="zero-width and no-break spaces around values", stored=f"hub_id={HUB}"),
    FileForm(
        folder="nulls",
        form="`NULL`, `(null)`, `\\N`, `#NV` or `#N/A` where a cell may be empty",
        stored="decommissioned_on=None",
    ),
    FileForm(folder="uuid-forms", form="UUIDs in braces, in upper case, without hyphens", stored=f"hub_id={HUB}"),
    FileForm(folder="german-dates", form="dates as `01.02.2024`", stored="commissioned_on=2024-02-01"),
    FileForm(
        folder="slashed-dates",
        form="dates as `01/02/2024`",
        refused="line 2: commissioned_on = 01/02/2024: has two meanings, day or month first",
    ),
    FileForm(folder="api-months", form="months as `10-2026`, the API's own form", stored="month=2026-10"),
    FileForm(folder="slashed-months", form="months as `10/2026`", stored="month=2026-10"),
    FileForm(
        folder="excel-months",
        form="a month of which Excel made a date: `Okt 26`",
        refused=(
            "line 2: month = Okt 26: looks like a date that Excel made of it: format the column as "
            "text, and write the month as YYYY-MM"
        ),
    ),
    FileForm(
        folder="excel-numbers",
        form="a number of which Excel made a date: `02. Apr`",
        refused=(
            "line 2: rating = 02. Apr: looks like a date that Excel made of it: format the column as "
            "text, and write the number"
        ),
    ),
    FileForm(
        folder="thousand-or-not",
        form="`1.234` in a decimal column of a file with semicolons",
        refused=(
            "line 2: asa_seconds = 1.234: has two meanings here: write 1234 if it is above a "
            "thousand, 1,2340 if it is not"
        ),
    ),
    FileForm(
        folder="grouped-calls",
        form="`1.873` where a whole number belongs",
        refused="line 2: hotline_calls = 1.873: must be written without a thousands separator",
    ),
    FileForm(
        folder="spaced-thousands", form="`1 873`, with a blank between thousands", stored="hotline_calls=1873"
    ),
    FileForm(
        folder="provider-groups",
        form="provider groups as `DE*VFL`, `DE-VFL` or `DE VFL`",
        stored="provider_group=DEVFL",
    ),
    FileForm(
        folder="whole-days", form="validity in whole days, of Berlin", stored="valid_to=2026-10-31 22:59:59+00:00"
    ),
    FileForm(
        folder="local-times",
        form="date-times without a zone, of Berlin",
        stored="valid_from=2026-09-30 22:00:00+00:00",
    ),
    FileForm(
        folder="hour-twice",
        form="a local time that comes twice",
        refused=(
            "line 2: valid_from = 2026-10-25 02:30: comes twice in Europe/Berlin, where clocks went "
            "back: write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"
        ),
    ),
    FileForm(
        folder="hour-never",
        form="a local time that does not exist",
        refused=(
            "line 2: valid_from = 2026-03-29 02:30: does not exist in Europe/Berlin: clocks went "
            "forward 60 minutes then"
        ),
    ),
    # --- rows
    FileForm(
        folder="odd-evse-ids",
        form="an EVSE id in another form (blanks, no `E`, DIN `+49*...`)",
        warning=(
            "line 2: evse_id = +49*810*000*0815: is no EVSE id like DE*ABC*E45B*78C; it is stored as "
            "it is, and never sent"
        ),
    ),
    FileForm(
        folder="several-rows",
        form="several rows for one report, with other figures",
        warning=(
            f"line 3: hub_id = {HUB}: must be there once: line 2 has the same month and hub_id, but other figures"
        ),
    ),
    FileForm(folder="same-row-twice", form="the same row twice", stored="rating=2.4"),
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
