"""That a process of `report-service` ends and speaks as the same command does within the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.processes import MONTH

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["db", "upgrade"], 0),
        (["status", "--month", MONTH], 3),
        (["status", "--month", "13"], 2),
        (["explain", "nonsense"], 2),
        (["--nonsense"], 2),
        (["waive", "caf\udce9", "--reason", "x"], 2),
        ([], 2),
    ],
    ids=str,
)
def test_a_process_ends_with_the_command_s_exit_code_and_says_the_same(
    sqlite_cli: Cli, words: list[object], code: int
) -> None:
    process, within = sqlite_cli.process(*words), sqlite_cli(*words)

    assert process == within
    assert process.code == code


def test_a_process_that_is_stopped_by_refused_credentials_ends_with_4(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    sqlite_cli.stock(figures)
    cli = sqlite_cli.using(**start_mock("--fault", "401@token").settings)

    assert cli.process("run", "--patience", 0).code == cli("run", "--patience", 0).code == 4
