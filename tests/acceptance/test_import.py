"""`report-service import`, beside `test_import_command`: what only a process shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.operator_files import write_rows
from tests.support.processes import MONTH

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.mock_api.operator import Row
    from tests.support.processes import Cli


def test_importing_twice_replaces_rows_and_doubles_none(
    cli: Cli, figures: dict[str, list[Row]], folder: Path
) -> None:
    assert cli("import", folder).code == 0
    write_rows(folder, "hotline-ratings", [figures["hotline-ratings"][0] | {"hotline_calls": 7}])

    assert cli("import", folder / "hotline-ratings.csv").code == 0

    assert cli.rows("SELECT CAST(hotline_calls AS INTEGER) FROM hotline_ratings") == [(7,)]
    assert cli.rows("SELECT count(*) FROM points") == [(9,)]


def test_waivers_come_as_a_file_too(sqlite_cli: Cli, figures: dict[str, list[Row]]) -> None:
    sqlite_cli.stock(figures | {"hotline-ratings": []})
    row: Row = {"key": f"{MONTH}/hotline_rating", "reason": "no calls", "declared_by": "A. Person"}
    write_rows(sqlite_cli.folder, "waivers", [row])

    assert sqlite_cli("import", "waivers.csv").code == 0

    assert sqlite_cli("run").code == 0
    assert sqlite_cli.states()["waived"] == 1


def test_a_path_that_does_not_exist_is_named(sqlite_cli: Cli) -> None:
    done = sqlite_cli("import", "nowhere")

    assert done.code == 2
    assert done.err == "Error: nowhere does not exist\n  -> Name a folder, or files in it.\n"
