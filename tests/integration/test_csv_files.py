from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from report_service.adapters.csv_files import CsvFile
from report_service.adapters.table_files import table_files
from report_service.domain.field_errors import FieldError
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.domain.written import of_raw
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from report_service.domain.field_errors import FieldErrors

BERLIN = ZoneInfo("Europe/Berlin")
HUB_RATINGS = "month,hub_id,rating\n2026-10,h1,2\n2026-10,h2,3\n"
ROWS = [
    (2, {"month": "2026-10", "hub_id": "h1", "rating": "2"}),
    (3, {"month": "2026-10", "hub_id": "h2", "rating": "3"}),
]


def read(path: Path, content: str | bytes) -> list[tuple[int, Mapping[str, object] | FieldErrors]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = CsvFile(path, TABLE_SCHEMAS["hub-ratings"], BERLIN).rows(lambda read: None)
    return [(line, row if isinstance(row, tuple) else unwrapped(row)) for line, row in rows]


def unwrapped(row: Mapping[str, object]) -> dict[str, object]:
    return {column: of_raw(value)[0] for column, value in row.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub-ratings.csv"


@pytest.mark.parametrize(
    "content",
    [
        HUB_RATINGS,
        HUB_RATINGS.rstrip(),
        "\ufeff" + HUB_RATINGS,
        HUB_RATINGS.replace(",", ";"),
        HUB_RATINGS.replace("\n", "\r\n"),
        'rating;"Month"; HUB_ID \n2;2026-10;h1\n3;"2026-10";h2\n',
        HUB_RATINGS + ",,\n,\n\n",
    ],
    ids=["comma", "no newline at the end", "byte order mark", "semicolon", "CRLF", "free header", "blank ends"],
)
def test_a_file_is_read_in_each_of_the_usual_forms(path: Path, content: str) -> None:
    assert read(path, content) == ROWS


def test_a_row_is_known_by_its_first_line_after_blank_lines_and_quoted_newlines(path: Path) -> None:
    rows = read(path, '\n \nmonth,hub_id,rating\n\n2026-10,"h\n1",2\n2026-10,"h, ""2""",3\n')

    assert rows == [
        (5, {"month": "2026-10", "hub_id": "h\n1", "rating": "2"}),
        (7, {"month": "2026-10", "hub_id": 'h, "2"', "rating": "3"}),
    ]


def test_a_ragged_row_is_a_fault_of_that_row_alone(path: Path) -> None:
    short, long, good = read(path, "month,hub_id,rating\n2026-10,h1\n2026-10,h1,2,4\n2026-10,h2,3\n")

    rule = "must be 3, as in the header; a value with ',' in it goes in double quotes"
    assert short == (2, (FieldError("cells", 2, rule),))
    assert long == (3, (FieldError("cells", 4, rule),))
    assert good[1] == {"month": "2026-10", "hub_id": "h2", "rating": "3"}


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("", "line 1: there is nothing in it", "The first line must name the columns, in any order: month;hub_id"),
        (
            "month,hub_ident,rating,rating,\n",
            (
                "line 1: unknown column 'hub_ident' (did you mean hub_id?); "
                "column hub_id is missing; column rating is there twice"
            ),
            "month;hub_id;rating",
        ),
        (
            HUB_RATINGS.encode() + "2026-10,Köln,3\n".encode("cp1252"),
            "line 4: is not UTF-8 (byte 0xf6)",
            'in Excel as "CSV UTF-8"',
        ),
        (
            "\n\nRatings of October\n\n" + HUB_RATINGS,
            "line 3: this is not the header, which stands in line 5",
            "Delete what stands above line 5",
        ),
        (
            HUB_RATINGS + '2026-10,"h3,3\n2026-10,h4,1\n',
            "line 4: this row cannot be read: unexpected end",
            "closed",
        ),
        (HUB_RATINGS + '2026-10,"h3"x,3\n', "line 4: this row cannot be read: ',' expected after '\"'", "closed"),
    ],
)
def test_a_file_that_is_no_table_says_where_why_and_the_way_out(
    path: Path, content: str | bytes, message: str, hint: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(path, content)

    assert str(refused.value).startswith(f"{path}, {message}")
    assert hint in (refused.value.hint or "")


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    file = CsvFile(tmp_path / "hubs.csv", TABLE_SCHEMAS["hubs"], BERLIN)

    with pytest.raises(BadInput, match=r"hubs\.csv cannot be read: No such file"):
        list(file.rows(lambda read: None))
    assert file.size == 0


def test_progress_adds_up_to_the_size_of_the_file(path: Path) -> None:
    path.write_text("month,hub_id,rating\n" + "2026-10,h1,2\n" * 20_000)
    file = CsvFile(path, TABLE_SCHEMAS["hub-ratings"], BERLIN)
    told: list[int] = []

    for _ in file.rows(told.append):
        pass

    assert len(told) > 3
    assert sum(told) == file.size == path.stat().st_size


def test_a_folder_gives_its_files_in_the_order_of_the_tables_and_names_the_rest(tmp_path: Path) -> None:
    for name in ("point-ratings.csv", "hubs.csv", "waivers.CSV", "notes.txt", "Hub_ratings.csv", "points (2).csv"):
        (tmp_path / name).touch()
    (tmp_path / "points.csv").mkdir()

    files, ignored = table_files([tmp_path, tmp_path / "hubs.csv"], BERLIN)

    assert [file.name for file in files] == [
        str(tmp_path / name) for name in ("hubs.csv", "Hub_ratings.csv", "point-ratings.csv", "waivers.CSV")
    ]
    assert [(one.name, one.why) for one in ignored] == [
        (f"{tmp_path}/notes.txt", "no table has this name"),
        (f"{tmp_path}/points (2).csv", "no table has this name (did you mean points.csv?)"),
    ]


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (
            "file",
            "hub-rating.csv",
            "hub-rating.csv: no table has this name (did you mean hub-ratings.csv?)",
        ),
        ("file", "hubs.txt", "hubs.txt: no table has this name"),
        ("file", "hubs.xls", "hubs.xls: workbooks are read as xlsx only: save it as one"),
        ("folder", "csv", "holds no file to import"),
        ("nothing", "csv", "does not exist"),
    ],
)
def test_a_path_that_holds_no_table_is_refused(tmp_path: Path, make: str, name: str, message: str) -> None:
    path = tmp_path / name
    if make == "file":
        path.touch()
    elif make == "folder":
        path.mkdir()
        (path / "notes.txt").touch()

    with pytest.raises(BadInput) as refused:
        table_files([path], BERLIN)

    assert message in str(refused.value)
    assert refused.value.hint
