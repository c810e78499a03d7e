"""Runs that are killed without a warning: nothing is lost, nothing arrives twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.evidence import assert_delivered_once, assert_nothing_false
from tests.support.processes import MONTH, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli, Mock

TIMEOUT_S = 2
MANY = 157
FIGURES = made_up_operator(MONTH, hubs=12, points_per_hub=10, provider_groups=12)


def test_a_run_killed_several_times_is_finished_by_the_next(cli: Cli, start_mock: StartMock) -> None:
    mock = start_mock("--latency", "200ms", "--fault", "lost:0.05", "--seed", 1)
    cli = cli.using(**mock.settings, OBELIS__TIMEOUT_S=TIMEOUT_S)
    cli.stock(FIGURES)
    for taken in (1, 40, 80):
        _kill(cli, mock, taken)
        assert_nothing_false(cli, mock)
        cli.end_leases()

    assert cli("run", "--patience", 30).code == 0

    assert_delivered_once(cli, mock, MANY)
    assert any(line["ruling"] == "duplicate" for line in mock.lines())


@pytest.mark.long
def test_the_lease_of_a_killed_run_is_waited_out_on_both_databases(
    sqlite_cli: Cli, postgres_url: str, tmp_path: Path, start_mock: StartMock
) -> None:
    """Here the 60 s go by for real, on both at the same time."""
    mocks = [start_mock("--latency", "200ms") for _ in range(2)]
    (tmp_path / "on-postgresql").mkdir()
    others = [sqlite_cli, sqlite_cli.using(STORE__URL=postgres_url)]
    clis = [
        cli.using(**mock.settings, OBELIS__TIMEOUT_S=TIMEOUT_S) for cli, mock in zip(others, mocks, strict=True)
    ]
    for cli, mock in zip(clis, mocks, strict=True):
        cli.stock(FIGURES)
        _kill(cli, mock, 30)

    waiting = [cli.start("run", "--patience", 90) for cli in clis]
    ended = [cli.end(process, timeout_s=120) for cli, process in zip(clis, waiting, strict=True)]

    for done, cli, mock in zip(ended, clis, mocks, strict=True):
        assert done.code == 0
        assert done.events("lease.waiting")
        assert_delivered_once(cli, mock, MANY)


def _kill(cli: Cli, mock: Mock, taken: int) -> None:
    """Kill a run, not a fast one, as soon as the API has taken so many reports."""
    process = cli.using(OBELIS__MAX_IN_FLIGHT=8).start("run")
    wait_until(lambda: mock.created >= taken)
    process.kill()
    process.communicate(timeout=10)
    assert process.returncode == -9
