"""Workbooks: a sheet a table, typed cells, faults by sheet, row and column."""

from __future__ import annotations

import re
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from openpyxl import Workbook, load_workbook

from report_service.adapters.table_files import table_files
from report_service.domain.written import of_raw
from report_service.errors import BadInput
from report_service.services.import_files import import_files
from tests.support.remembering_intake import RememberingIntake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from report_service.services.import_files import Imported

BERLIN = ZoneInfo("Europe/Berlin")
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
OTHER = "2a2e7db7-1bea-44db-9e52-2ddab118d699"
RATINGS: Sequence[Sequence[object]] = [("month", "hub_id", "rating"), ("2026-10", HUB, 2.4)]
HUBS: Sequence[Sequence[object]] = [
    ("hub_id", "name", "commissioned_on", "decommissioned_on"),
    (HUB, "Bürgerplatz", date(2024, 2, 1), None),
]
TARIFF = ("month", "hub_id", "cost_ct_per_kwh", "additional_costs", "valid_from", "valid_to")


def workbook(path: Path, **sheets: Sequence[Sequence[object]]) -> Path:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def take_in(path: Path) -> tuple[list[Imported], RememberingIntake]:
    files, _ = table_files([path], BERLIN)
    intake = RememberingIntake()
    return list(import_files(files, intake, progress=lambda read: None)), intake


def test_each_sheet_is_a_table_and_others_are_passed_over(tmp_path: Path) -> None:
    path = workbook(tmp_path / "figures.xlsx", Notes=[("to do",)], hub_ratings=RATINGS, Hubs=HUBS)

    found, intake = take_in(path)

    assert [(one.file, one.table, one.rows, one.stored) for one in found] == [
        (f"{path}, sheet Hubs", "hubs", 1, True),
        (f"{path}, sheet hub_ratings", "hub-ratings", 1, True),
    ]
    hub, rating = intake.taken
    assert (hub["name"], hub["commissioned_on"]) == ("Bürgerplatz", date(2024, 2, 1))
    assert rating["rating"] == Decimal("2.4")


def test_a_workbook_named_as_a_table_may_hold_it_in_its_first_sheet(tmp_path: Path) -> None:
    found, _ = take_in(workbook(tmp_path / "hub-ratings.xlsx", Tabelle1=RATINGS, Tabelle2=[("x",)]))

    assert [(one.table, one.stored) for one in found] == [("hub-ratings", True)]


def test_cells_have_the_meaning_of_their_types(tmp_path: Path) -> None:
    rows = [
        TARIFF,
        (date(2026, 10, 1), HUB, 59.0, None, date(2026, 10, 1), date(2026, 10, 31)),
        ("10-2026", OTHER, "59", "[]", datetime(2026, 10, 1, 6, 30), "31.10.2026"),  # noqa: DTZ001
    ]

    found, intake = take_in(workbook(tmp_path / "figures.xlsx", **{"ad-hoc-tariffs": rows}))

    assert [str(fault) for fault in found[0].faults + found[0].warnings] == []
    first, second = intake.taken
    assert (first["month"], first["cost_ct_per_kwh"], first["additional_costs"]) == ("2026-10", 59, None)
    assert first["valid_from"] == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert first["valid_to"] == second["valid_to"] == datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC)
    assert second["valid_from"] == datetime(2026, 10, 1, 4, 30, tzinfo=UTC)


def test_a_fault_is_told_by_sheet_row_and_column(tmp_path: Path) -> None:
    rows = [*RATINGS, (None, None, None), ("2026-10", OTHER, date(2026, 4, 2)), ("2026-10", "Coswig", "1.234")]
    path = workbook(tmp_path / "figures.xlsx", **{"hub-ratings": rows})

    found, intake = take_in(path)

    assert found[0].file == f"{path}, sheet hub-ratings"
    assert [str(fault) for fault in found[0].faults] == [
        (
            "row 4: rating = 2026-04-02: looks like a date that Excel made of it: "
            "format the column as text, and write the number"
        ),
        f"row 5: hub_id = Coswig: must be the UUID that OBELIS assigned, for example {HUB}",
        "row 5: rating = 1.234: has two meanings here: write 1234 if it is above a thousand, 1,2340 if it is not",
    ]
    assert intake.taken == []


def test_a_table_may_begin_below_blank_rows_and_beside_a_blank_column(tmp_path: Path) -> None:
    rows = [(), (), *((None, *row) for row in RATINGS)]
    files, _ = table_files([workbook(tmp_path / "figures.xlsx", **{"hub-ratings": rows})], BERLIN)

    ((number, row),) = files[0].rows(lambda read: None)

    assert number == 4
    assert not isinstance(row, tuple)
    assert {column: of_raw(value)[0] for column, value in row.items()} == {
        "month": "2026-10",
        "hub_id": HUB,
        "rating": 2.4,
    }


@pytest.mark.parametrize(
    ("rows", "message", "hint"),
    [
        ([], "row 1: there is nothing in it", "name the columns"),
        (
            [("month", "hub", "rating")],
            "row 1: unknown column 'hub' (did you mean hub_id?)",
            "month;hub_id;rating",
        ),
        (
            [("Ratings of October",), *RATINGS],
            "row 1: this is not the header, which stands in row 2",
            "above row 2",
        ),
    ],
)
def test_a_sheet_that_is_no_table_says_where_why_and_the_way_out(
    tmp_path: Path, rows: Sequence[Sequence[object]], message: str, hint: str
) -> None:
    path = workbook(tmp_path / "figures.xlsx", **{"hub-ratings": rows, "hubs": HUBS})

    found, _ = take_in(path)

    assert [one.stored for one in found] == [True, False]
    problem = found[1].problem
    assert problem is not None
    assert problem.message.startswith(f"{path}, sheet hub-ratings, {message}")
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("content", "message"), [(b"no zip", "is no workbook that can be read"), (b"PK\3\4broken", "is no workbook")]
)
def test_a_file_that_is_no_workbook_is_refused_before_anything_is_stored(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "figures.xlsx").write_bytes(content)

    with pytest.raises(BadInput, match=message) as refused:
        table_files([tmp_path / "figures.xlsx"], BERLIN)

    assert refused.value.hint


def test_a_workbook_that_would_fill_the_memory_is_refused_unread(tmp_path: Path) -> None:
    path = workbook(tmp_path / "bomb.xlsx", **{"hub-ratings": RATINGS})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\1\2") + 24, 2_000_000_000)  # says the last part of itself
    path.write_bytes(content)

    with pytest.raises(BadInput, match=r"bomb\.xlsx is 2,000 MB when it is unpacked, and may be 500") as refused:
        table_files([path], BERLIN)

    assert "CSV" in str(refused.value.hint)


def test_a_workbook_without_a_table_is_refused_by_itself_and_ignored_in_a_folder(tmp_path: Path) -> None:
    path = workbook(tmp_path / "notes.xlsx", Tabelle1=RATINGS, hub=RATINGS)
    (tmp_path / "~$figures.xlsx").write_bytes(b"locked by Excel")
    (tmp_path / "hubs.csv").touch()

    files, ignored = table_files([tmp_path], BERLIN)

    assert [file.name for file in files] == [str(tmp_path / "hubs.csv")]
    assert [(one.name, one.why) for one in ignored] == [
        (f"{path}, sheet Tabelle1", "no table has this name"),
        (f"{path}, sheet hub", "no table has this name (did you mean hubs?)"),
    ]
    with pytest.raises(BadInput, match=r"no sheet .* is named as a table; sheet Tabelle1: no table has this name"):
        table_files([path], BERLIN)


def test_a_sheet_that_nobody_sees_is_not_read_and_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "figures.xlsx", hubs=HUBS, hub_ratings=RATINGS, lists=[("x",)])
    book = load_workbook(path)
    book["hub_ratings"].sheet_state = "hidden"
    book["lists"].sheet_state = "veryHidden"
    book.save(path)

    files, ignored = table_files([path], BERLIN)

    assert [file.name for file in files] == [f"{path}, sheet hubs"]
    assert [(one.name, one.why) for one in ignored] == [
        (f"{path}, sheet hub_ratings", "it is hidden; show it to have it read")
    ]


def test_two_sheets_for_one_table_have_two_meanings(tmp_path: Path) -> None:
    path = workbook(tmp_path / "figures.xlsx", **{"hub-ratings": RATINGS, "hub_ratings": RATINGS})

    with pytest.raises(BadInput, match="the sheets hub-ratings and hub_ratings both hold hub-ratings") as refused:
        table_files([path], BERLIN)

    assert refused.value.hint


def test_a_formula_without_a_result_and_an_error_are_no_empty_cells(tmp_path: Path) -> None:
    rows = [
        (),
        *RATINGS,
        ("2026-10", OTHER, "=AVERAGE(2,3)"),
        ("2026-10", f"3{HUB[1:]}", "#DIV/0!"),
        ("2026-10", f"4{HUB[1:]}", "#N/A"),
    ]

    found, intake = take_in(workbook(tmp_path / "figures.xlsx", **{"hub-ratings": rows}))

    formula, error = map(str, found[0].faults)
    assert formula.startswith("row 4: rating = =AVERAGE(2,3): is a formula without its result")
    assert error.startswith("row 5: rating = #DIV/0!: is an error of the spreadsheet")
    assert found[0].blank == 1
    assert intake.taken == []


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ('<c r="C2"><f>A1</f><v>2.4</v></c>', None),
        ('<c r="C2" t="str"><f>A1&amp;""</f><v></v></c>', None),  # a result that is empty text
        ('<c r="C2"><f>A1+A2</f></c>', "rating = =A1+A2"),
        ('<c s="1" r="C2"><f t="shared" ref="C2:C9" si="0">B2&lt;1</f><v/></c>', "rating = =B2<1"),
        ('<c r="C2"><f t="shared" si="0"/><v></v></c>', "rating = ="),
        ('<c r="C2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "rating = #DIV/0!"),
    ],
)
def test_what_programs_write_for_a_formula_is_told_apart(tmp_path: Path, cell: str, fault: str | None) -> None:
    made, path = workbook(tmp_path / "made.xlsx", **{"hub-ratings": RATINGS}), tmp_path / "figures.xlsx"
    with ZipFile(made) as before, ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content, count = re.subn(rb'<c r="C2".*?</c>', cell.encode(), content)
                assert count == 1
            after.writestr(name, content)

    found, _ = take_in(path)

    assert [str(one.fault).split(": ", maxsplit=1)[0] for one in found[0].faults] == ([fault] if fault else [])


def test_what_says_that_there_is_no_value_is_an_empty_cell(tmp_path: Path) -> None:
    hubs = [HUBS[0], (HUB, "NULL", date(2024, 2, 1), "#NV"), (OTHER, "Coswig", date(2024, 2, 1), "(null)")]

    found, intake = take_in(workbook(tmp_path / "figures.xlsx", hubs=hubs))

    assert found[0].faults == []
    assert [row["name"] for row in intake.taken] == [None, "Coswig"]
    assert [row["decommissioned_on"] for row in intake.taken] == [None, None]


def test_shares_count_as_shown_and_times_are_no_numbers(tmp_path: Path) -> None:
    header = ("month", "hotline_calls", "fcr_rate", "asa_seconds", "rating")
    rows = [header, ("2026-10", 120, 0.93, timedelta(seconds=21), 2), ("2026-09", 120, "93 %", time(0, 0, 21), 2)]
    path = workbook(tmp_path / "figures.xlsx", **{"hotline-ratings": rows})
    book = load_workbook(path)
    book["hotline-ratings"]["C2"].number_format = "0 %"
    book.save(path)

    found, _ = take_in(path)

    assert [str(fault) for fault in found[0].faults] == [
        "row 2: asa_seconds = 0:00:21: is a time: write the number alone, 90 seconds as 90",
        "row 3: asa_seconds = 00:00:21: is a time: write the number alone, 90 seconds as 90",
    ]


def test_progress_adds_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    rows = [*RATINGS, *(("2026-10", HUB, 2) for _ in range(2500))]
    path = workbook(tmp_path / "figures.xlsx", **{"hub-ratings": rows, "hubs": HUBS})
    files, _ = table_files([path], BERLIN)
    told: list[int] = []

    for file in files:
        for _ in file.rows(told.append):
            pass

    assert sum(told) == sum(file.size for file in files)
    assert 0 <= path.stat().st_size - sum(told) < 2
