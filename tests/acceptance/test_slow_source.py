"""Two daemons on PostgreSQL, and a source that takes longer than the lease lasts."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.processes import MONTH, Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.conftest import StartMock

pytestmark = [pytest.mark.postgres, pytest.mark.long]

HUBS, POINTS_PER_HUB, PROVIDER_GROUPS = 4, 2, 3
DUE = 1 + PROVIDER_GROUPS + HUBS * (2 + POINTS_PER_HUB)


@pytest.fixture
def cli(tmp_path: Path, postgres_url: str, start_mock: StartMock) -> Cli:
    """Return the command line of an operator whose hub ratings come from a query on the same server."""
    stocked = Cli(folder=tmp_path, settings={"STORE__URL": postgres_url}).using(**start_mock().settings)
    stocked.stock(
        made_up_operator(MONTH, hubs=HUBS, points_per_hub=POINTS_PER_HUB, provider_groups=PROVIDER_GROUPS)
    )
    return stocked.using(SOURCES__HUB_RATINGS__URL=postgres_url)


def slow(cli: Cli, seconds: int, **settings: object) -> Cli:
    query = f"SELECT month, hub_id, rating FROM hub_ratings, pg_sleep({seconds}) WHERE month = :month"
    return cli.using(SOURCES__HUB_RATINGS__QUERY=query, **settings)


@contextmanager
def two_daemons(cli: Cli) -> Iterator[None]:
    logs = [(cli.folder / f"daemon-{number}.log").open("w", encoding="utf-8") for number in range(2)]
    running = [
        cli.using(HEALTH__FILE=cli.folder / f"health-{number}").start(
            "daemon", stdout=log.fileno(), stderr=subprocess.STDOUT
        )
        for number, log in enumerate(logs)
    ]
    try:
        yield
    finally:
        for process in running:
            os.kill(process.pid, signal.SIGTERM)
        assert [process.wait(60) for process in running] == [0, 0]
        for log in logs:
            log.close()


def test_a_source_of_seventy_seconds_costs_no_lease_and_no_report(cli: Cli) -> None:
    with two_daemons(slow(cli, 70)):
        wait_until(lambda: cli.states() == {"accepted": DUE}, within_s=240)
    logs = "".join((cli.folder / f"daemon-{number}.log").read_text("utf-8") for number in range(2))
    assert "lease.lost" not in logs
    assert logs.count('"event":"run.failed"') == 0


def test_a_source_that_never_ends_costs_its_kind_alone(cli: Cli) -> None:
    cli = slow(cli, 400, SOURCES__HUB_RATINGS__TIMEOUT_S=5)
    with two_daemons(cli):
        wait_until(lambda: cli.states() == {"accepted": DUE - HUBS, "awaiting_data": HUBS}, within_s=120)
    outstanding = cli.status()["outstanding"]
    assert {"hub-ratings" in each["reason"] and "5 s" in each["reason"] for each in outstanding} == {True}
