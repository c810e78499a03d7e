"""`report-service import` as its users run it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Cli

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a good file, one with a value that cannot be reported, a bad one and a stranger."""
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "provider-groups.csv").write_text("provider_group;valid_from;valid_to\nDEVFL;;\nATABC;;\n")
    (folder / "hub-ratings.csv").write_text(f"month,hub_id,rating\n2026-10,{HUB},7\n")
    (folder / "hubs.csv").write_text("hub_id,name,commissioned_on,decommissioned_on\n7,Coswig,1/1/2025,\n")
    (folder / "points.csv").write_text("point_id,hub\n")
    (folder / "notes.txt").touch()
    return folder


def test_good_files_are_stored_and_the_command_succeeds(cli: Cli, folder: Path) -> None:
    assert cli("import", folder / "provider-groups.csv").code == 0


def test_rows_that_cannot_be_reported_are_stored_and_need_a_person(cli: Cli, folder: Path) -> None:
    done = cli("import", folder / "provider-groups.csv", folder / "hub-ratings.csv")

    assert done.code == 3
    assert done.out.splitlines() == [
        f"{folder}/provider-groups.csv: 2 rows stored",
        f"{folder}/hub-ratings.csv: 1 row stored, but not all can be reported as they are (1):",
        "  line 2: rating = 7: must be 1 to 6 (1 best)",
    ]


def test_a_folder_with_bad_files_is_refused_in_part_and_everything_is_told(cli: Cli, folder: Path) -> None:
    done = cli("import", folder)

    assert done.code == 2
    assert done.out.splitlines() == [
        f"{folder}/hubs.csv: refused, nothing of its 1 row is stored; what is wrong (2):",
        f"  line 2: hub_id = 7: must be the UUID that OBELIS assigned, for example {HUB}",
        (
            "  line 2: commissioned_on = 1/1/2025: has two meanings, day or month first: "
            "must be a date as YYYY-MM-DD, for example 2026-10-01"
        ),
        f"{folder}/points.csv: refused",
        (
            f"  {folder}/points.csv, line 1: unknown column 'hub' (did you mean hub_id?); "
            "column hub_id is missing; "
            "column evse_id is missing; column commissioned_on is missing; column decommissioned_on is missing"
        ),
        (
            "  -> The first line must name the columns, in any order: "
            "point_id;hub_id;evse_id;commissioned_on;decommissioned_on"
        ),
        f"{folder}/provider-groups.csv: 2 rows stored",
        f"{folder}/hub-ratings.csv: 1 row stored, but not all can be reported as they are (1):",
        "  line 2: rating = 7: must be 1 to 6 (1 best)",
        f"{folder}/notes.txt: ignored, no table has this name",
    ]


def test_json_has_every_fault_and_the_terminal_the_first_fifty(cli: Cli, folder: Path) -> None:
    rows = "".join(f"2026-10,{uuid.uuid4()},bad\n" for _ in range(60))
    (folder / "hub-ratings.csv").write_text(f"month,hub_id,rating\n{rows}")

    told = cli("import", folder / "hub-ratings.csv")
    found = json.loads(cli("import", folder, "--json").out)

    assert told.out.count("must be a number") == 50
    assert told.out.endswith("  ... and 10 more; --json lists all of them\n")
    hubs, points, groups, ratings = found["files"]
    assert found["ignored"] == [f"{folder}/notes.txt"]
    assert [file["stored"] for file in found["files"]] == [False, False, True, False]
    assert hubs["faults"][1] == {
        "line": 2,
        "column": "commissioned_on",
        "value": "1/1/2025",
        "rule": "has two meanings, day or month first: must be a date as YYYY-MM-DD, for example 2026-10-01",
    }
    assert "unknown column 'hub'" in points["problem"]
    assert points["hint"].startswith("The first line must name the columns")
    assert (groups["table"], groups["rows"], groups["problem"]) == ("provider-groups", 2, None)
    assert len(ratings["faults"]) == 60


def test_a_name_that_no_table_has_stops_the_command_before_anything_is_stored(cli: Cli, folder: Path) -> None:
    done = cli("import", folder / "provider-groups.csv", folder / "notes.txt")

    assert (done.code, done.out) == (2, "")
    assert "notes.txt: no table has this name" in done.err
    assert "provider-groups.csv" in done.err


def test_what_a_file_no_longer_has_is_told_with_what_it_means_and_goes_when_asked(cli: Cli, folder: Path) -> None:
    cli("import", folder / "provider-groups.csv")
    (folder / "provider-groups.csv").write_text("provider_group;valid_from;valid_to\nDEVFL;;\n")

    kept = cli("import", folder / "provider-groups.csv")
    removed = cli("import", folder / "provider-groups.csv", "--replace")
    after = cli("import", folder / "provider-groups.csv", "--json")

    stored = f"{folder}/provider-groups.csv: 1 row stored"
    assert kept.out.splitlines() == [
        stored,
        "  kept stored 1 row that this file does not have: ATABC",
        (
            "  -> they stay in the inventory, and reports about them stay due; "
            "if they are to go, import with --replace"
        ),
    ]
    assert removed.out.splitlines() == [stored, "  removed stored 1 row that this file does not have: ATABC"]
    assert [json.loads(after.out)["files"][0][name] for name in ("name", "stored", "gone", "removed")] == [
        f"{folder}/provider-groups.csv",
        True,
        [],
        False,
    ]


def test_replace_takes_one_file_a_table(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/provider-groups.csv").write_text("provider_group;valid_from;valid_to\nDEMOB;;\n")

    done = cli("import", folder / "provider-groups.csv", tmp_path / "more", "--replace")

    assert (done.code, done.out) == (2, "")
    assert "--replace takes one file a table" in done.err
    assert "both hold provider-groups" in done.err


def test_odd_figures_are_told_and_are_no_reason_to_fail(cli: Cli, folder: Path) -> None:
    header = "month;hotline_calls;fcr_rate;asa_seconds;rating\n"
    (folder / "hotline-ratings.csv").write_text(f"{header}2026-10;1873;0,87;0,4;1,9\n")

    told = cli("import", folder / "hotline-ratings.csv")
    found = json.loads(cli("import", folder / "hotline-ratings.csv", "--json").out)

    words = "0.4 s is no average speed of answer: seconds are wanted"
    assert told.code == 0
    assert told.out.splitlines()[1:] == [f"  implausible: hotline-ratings, asa_seconds: {words}"]
    (warning,) = found["files"][0]["warnings"]
    assert (warning["line"], warning["column"], warning["rule"]) == (None, "asa_seconds", words)


def test_a_terminal_sees_a_bar_and_then_the_same_lines(sqlite_cli: Cli, folder: Path) -> None:
    rows = "".join(f"2026-10,{uuid.uuid4()},2\n" for _ in range(12_000))
    (folder / "hub-ratings.csv").write_text(f"month,hub_id,rating\n{rows}")

    done = sqlite_cli.on_terminal("import", folder / "hub-ratings.csv", columns=200)

    assert done.code == 0
    seen = plain(done.out)
    assert "importing" in seen
    assert "MB" in seen
    assert f"{folder}/hub-ratings.csv: 12,000 rows stored" in seen
