"""CSV files of a made-up operator, as `report-service import` takes them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from report_service.mock_api.operator import made_up_operator

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.domain.months import ReportMonth
    from report_service.mock_api.operator import Row


def write_rows(folder: Path, name: str, rows: list[Row]) -> None:
    """Write one table's file; the first row says which columns there are."""
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_operator(folder: Path, month: ReportMonth, **size: int) -> Path:
    """Write everything that an operator has to say of a month, complete and valid; return the folder."""
    folder.mkdir()
    for name, rows in made_up_operator(month, **size).items():
        write_rows(folder, name, rows)
    return folder
