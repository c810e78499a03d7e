"""`report-service template`: forms that are filled in, imported and delivered."""

from __future__ import annotations

import csv
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from report_service.mock_api.operator import made_up_operator
from tests.support.operator_files import write_rows
from tests.support.processes import MONTH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Cli

NAME = '=HYPERLINK("http://x.invalid","Straße")'
FIGURES: dict[str, object] = {
    "hotline_calls": 120,
    "fcr_rate": 0.93,
    "asa_seconds": 12.5,
    "rating": 2.4,
    "total_complaints": 1,
    "cost_ct_per_kwh": 59,
    "valid_from": str(MONTH.first_day),
    "valid_to": str(MONTH.last_day),
    "contractual_basis": "ROAMING_CONTRACT",
}


@pytest.fixture
def inventory(sqlite_cli: Cli) -> dict[str, list[dict[str, object]]]:
    """Import what there is to report on, and no figures; one hub's name looks like a formula."""
    folder = sqlite_cli.folder / "inventory"
    folder.mkdir()
    made_up = dict(made_up_operator(MONTH, hubs=2, points_per_hub=2, provider_groups=3))
    made_up["hubs"][0]["name"] = NAME
    for name in ("hubs", "points", "provider-groups"):
        write_rows(folder, name, made_up[name])
    assert sqlite_cli("import", folder).code == 0
    return made_up


def fill_in_csv(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        filled = [{name: value or FIGURES.get(name, "") for name, value in row.items()} for row in rows]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(filled)


def fill_in_xlsx(path: Path) -> None:
    book = load_workbook(path)
    for sheet in book:
        names = [cell.value for cell in sheet[1]]
        for row in sheet.iter_rows(min_row=2):
            for name, cell in zip(names, row, strict=True):
                if cell.value is None:
                    cell.value = FIGURES.get(name)
    book.save(path)


def test_a_workbook_that_is_filled_in_is_imported_and_completes_the_month(
    sqlite_cli: Cli, inventory: object
) -> None:
    made = sqlite_cli("template", "--out", "forms.xlsx")
    fill_in_xlsx(sqlite_cli.folder / "forms.xlsx")
    imported = sqlite_cli("import", "forms.xlsx", "--json")
    run = sqlite_cli("run", "--json")

    assert made.code == 0
    assert made.out.splitlines() == [
        "hotline-ratings: 1 row to fill in",
        "nondiscriminatory-access: 3 rows to fill in",
        "hub-ratings: 2 rows to fill in",
        "ad-hoc-tariffs: 2 rows to fill in",
        "point-ratings: 4 rows to fill in",
        "Fill in forms.xlsx, then: report-service import forms.xlsx",
    ]
    assert imported.code == 0
    assert [(file["stored"], file["blank"]) for file in json.loads(imported.out)["files"]] == [(True, 0)] * 5
    assert run.code == 0
    assert json.loads(run.out)["complete"]
    assert json.loads(run.out)["expected"] == 12
    assert sqlite_cli("template").out == f"No report for {MONTH} awaits data: no form was written.\n"


def test_csv_forms_that_are_filled_in_are_imported_and_complete_the_month(
    sqlite_cli: Cli, inventory: object
) -> None:
    made = sqlite_cli("template", "--format", "csv")
    folder = sqlite_cli.folder / f"forms-{MONTH}"
    untouched = (folder / "point-ratings.csv").read_text(encoding="utf-8-sig")
    fill_in_csv(folder)

    assert made.code == 0
    assert '"\'=HYPERLINK(""http://x.invalid"",""Straße"")"' in untouched
    assert sqlite_cli("import", folder).code == 0
    assert json.loads(sqlite_cli("run", "--json").out)["complete"]


def test_a_form_that_is_not_filled_in_stores_nothing(sqlite_cli: Cli, inventory: object) -> None:
    sqlite_cli("template", "--out", "forms.xlsx")

    imported = sqlite_cli("import", "forms.xlsx", "--json")
    again = sqlite_cli("template", "--out", "again.xlsx")

    assert [(file["stored"], file["rows"] - file["blank"]) for file in json.loads(imported.out)["files"]] == [
        (True, 0)
    ] * 5
    assert "point-ratings: 4 rows to fill in" in again.out


def test_only_what_awaits_data_is_in_the_form_unless_all_is_asked_for(
    sqlite_cli: Cli, inventory: dict[str, list[dict[str, object]]]
) -> None:
    first, second = (str(hub["hub_id"]) for hub in inventory["hubs"])
    (sqlite_cli.folder / "hub-ratings.csv").write_text(f"month,hub_id,rating\n{MONTH},{first},2\n")
    waiver = f"key,reason,declared_by\n{MONTH}/hotline_rating,no calls,A. Person\n"
    (sqlite_cli.folder / "waivers.csv").write_text(waiver)
    sqlite_cli("import", "hub-ratings.csv", "waivers.csv")

    sqlite_cli("template", "--out", "some.xlsx")
    sqlite_cli("template", "--all", "--out", "all.xlsx")

    some, all_ = (load_workbook(sqlite_cli.folder / name) for name in ("some.xlsx", "all.xlsx"))
    assert "hotline-ratings" not in some.sheetnames
    assert [row[1] for row in some["hub-ratings"].iter_rows(min_row=2, values_only=True)] == [second]
    assert "hotline-ratings" in all_.sheetnames
    assert {row[1] for row in all_["hub-ratings"].iter_rows(min_row=2, values_only=True)} == {first, second}


def test_a_form_that_may_be_filled_in_is_never_written_over(sqlite_cli: Cli, inventory: object) -> None:
    sqlite_cli("template", "--out", "forms.xlsx")
    before = (sqlite_cli.folder / "forms.xlsx").read_bytes()

    again = sqlite_cli("template", "--out", "forms.xlsx")

    assert again.code == 2
    assert "forms.xlsx is there already, and may be filled in" in again.err
    assert "--out PATH" in again.err
    assert (sqlite_cli.folder / "forms.xlsx").read_bytes() == before


def test_a_form_for_a_table_that_a_query_stands_for_is_never_read_and_that_is_told(
    sqlite_cli: Cli, inventory: object
) -> None:
    sqlite3.connect(sqlite_cli.folder / "theirs.sqlite3").close()
    cli = sqlite_cli.using(
        SOURCES__HUB_RATINGS__URL=f"sqlite:///{sqlite_cli.folder / 'theirs.sqlite3'}",
        SOURCES__HUB_RATINGS__QUERY="SELECT '2000-01' AS month, '' AS hub_id, 1 AS rating",
    )

    made = cli("template", "--out", "forms.xlsx")
    fill_in_xlsx(cli.folder / "forms.xlsx")
    told = cli("import", "forms.xlsx")
    files = json.loads(cli("import", "forms.xlsx", "--json").out)["files"]

    assert "but its figures come from a query, and what is imported is never read" in made.out
    assert told.code == 3
    assert told.out.count("never read: in the configuration [sources.hub-ratings] is a query") == 1
    assert [[warning["rule"] for warning in file["warnings"]] for file in files if file["warnings"]] == [
        ["never read: in the configuration [sources.hub-ratings] is a query, which stands for this table"]
    ]
