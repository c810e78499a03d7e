"""Forms as files: safe to open, checked as they are filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from report_service.adapters.form_files import write_csv, write_xlsx
from report_service.domain.forms import Form
from report_service.domain.kinds import KIND_BY_NAME
from report_service.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"


def form(name: str = "=1+1", kind: str = "hub_rating") -> Form:
    return Form(kind=KIND_BY_NAME[kind], given=("month", "hub_id", "hub_name"), rows=[("2026-10", HUB, name)])


@pytest.mark.parametrize("name", ["=1+1", "+49 30", "-1", "@SUM(A1)", "Bürgerplatz"])
def test_a_name_is_a_name_and_no_formula(tmp_path: Path, name: str) -> None:
    write_csv(tmp_path / "csv", [form(name)])
    write_xlsx(tmp_path / "forms.xlsx", [form(name)])

    written = (tmp_path / "csv/hub-ratings.csv").read_text(encoding="utf-8-sig").splitlines()
    cell = load_workbook(tmp_path / "forms.xlsx")["hub-ratings"]["C2"]
    harmless = name if name[0].isalpha() else f"'{name}"
    assert written == ["month;hub_id;hub_name;rating", f"2026-10;{HUB};{harmless};"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (name, "s", True)


def test_a_long_name_does_not_lie_over_the_cells_to_be_filled_in(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "forms.xlsx", [form("Ladepark " * 20)])

    sheet = load_workbook(tmp_path / "forms.xlsx")["hub-ratings"]
    assert sheet["C2"].alignment.shrink_to_fit
    assert sheet.column_dimensions["C"].width <= 60


def test_a_csv_form_opens_in_excel_with_its_umlauts(tmp_path: Path) -> None:
    (path,) = write_csv(tmp_path, [form("Bürgerplatz")])

    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "Bürgerplatz".encode() in path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "cell", "rule"),
    [
        ("hub_rating", "D2", ("decimal", "1", "6")),
        ("ad_hoc_tariff", "D2", ("whole", "0", "2147483647")),
        ("nondiscriminatory_access", "H2", ("list", '"ROAMING_CONTRACT,BILATERAL_CONTRACT"', None)),
        ("hotline_rating", "E2", ("decimal", "0", "1")),
        ("hotline_rating", "D2", ("whole", "0", "2147483647")),
    ],
)
def test_cells_are_checked_as_they_are_filled_in(
    tmp_path: Path, kind: str, cell: str, rule: tuple[str, str, str | None]
) -> None:
    write_xlsx(tmp_path / "forms.xlsx", [form(kind=kind)])

    (sheet,) = load_workbook(tmp_path / "forms.xlsx")
    (found,) = [one for one in sheet.data_validations.dataValidation if cell in one.sqref]
    assert (found.type, found.formula1, found.formula2) == rule
    assert found.showErrorMessage
    assert found.prompt


def test_of_several_forms_none_is_written_where_one_may_be_filled_in(tmp_path: Path) -> None:
    (tmp_path / "hub-ratings.csv").write_text("filled in")

    with pytest.raises(BadInput, match=r"hub-ratings\.csv is there already"):
        write_csv(tmp_path, [form(kind="hotline_rating"), form()])

    assert [path.name for path in tmp_path.iterdir()] == ["hub-ratings.csv"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadInput, match="cannot be written") as csv:
        write_csv(tmp_path / "file/forms", [form()])
    with pytest.raises(BadInput, match="cannot be written") as xlsx:
        write_xlsx(tmp_path / "nowhere/forms.xlsx", [form()])

    assert "--out PATH" in f"{csv.value.hint}"
    assert "--out PATH" in f"{xlsx.value.hint}"
