"""The database goes away in the middle of a month: its connections, its server, its machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.evidence import assert_delivered_once
from tests.support.postgres_server import postgres_server, standby_of
from tests.support.processes import MONTH, wait_until

if TYPE_CHECKING:
    import subprocess

    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli, Done, Mock

pytestmark = pytest.mark.postgres

FIGURES = made_up_operator(MONTH, hubs=4, points_per_hub=6, provider_groups=8)
REPORTS = 1 + 8 + 4 * (2 + 6)


def begin(cli: Cli, mock: Mock, url: str) -> subprocess.Popen[str]:
    """Start a run on a database, and let it deliver some."""
    cli = at_work(cli, mock, url)
    cli.stock(FIGURES)
    run = cli.start("run", "--patience", 60)
    wait_until(lambda: mock.created >= 5)
    return run


def at_work(cli: Cli, mock: Mock, url: str) -> Cli:
    return cli.using(**mock.settings, STORE__URL=url, OBELIS__MAX_IN_FLIGHT=4)


def until_lost(run: subprocess.Popen[str]) -> None:
    assert run.stdout is not None
    assert any("store.lost" in line for line in run.stdout)


def test_connections_that_the_database_ends_cost_nothing(
    sqlite_cli: Cli, postgres_url: str, start_mock: StartMock
) -> None:
    """A connection that was idle then is replaced before it is used, so that nothing need be said of it."""
    mock = start_mock("--latency", "100ms")
    run = begin(sqlite_cli, mock, postgres_url)
    for taken in (10, 20, 30):
        end_connections(postgres_url)
        wait_until(lambda taken=taken: mock.created >= taken)  # type: ignore[misc]

    done = sqlite_cli.end(run)

    assert done.code == 0, done.said
    assert_delivered_once(at_work(sqlite_cli, mock, postgres_url), mock, REPORTS)


def test_a_server_that_crashes_and_starts_again_costs_nothing_but_time(
    sqlite_cli: Cli, start_mock: StartMock
) -> None:
    mock = start_mock("--latency", "300ms")
    with postgres_server() as server:
        run = begin(sqlite_cli, mock, server.url)
        server.crash()
        until_lost(run)
        server.start()
        done = sqlite_cli.end(run)

        assert_recovered(done)
        assert_delivered_once(at_work(sqlite_cli, mock, server.url), mock, REPORTS)


def test_when_a_standby_takes_over_the_run_goes_on_there(sqlite_cli: Cli, start_mock: StartMock) -> None:
    mock = start_mock("--latency", "300ms")
    with postgres_server() as server, standby_of(server) as standby:
        url = f"postgresql://postgres@/postgres?host={server.place}&host={standby.place}"
        run = begin(sqlite_cli, mock, url)
        server.crash()
        until_lost(run)
        standby.promote()
        done = sqlite_cli.end(run)

        assert_recovered(done)
        assert_delivered_once(at_work(sqlite_cli, mock, standby.url), mock, REPORTS)


def assert_recovered(done: Done) -> None:
    """See that a run whose store was lost told of its return, and completed its month."""
    assert done.code == 0, done.said
    assert len(done.events("store.recovered")) == 1
    assert done.events("run.completed")[0]["complete"] is True


def end_connections(url: str) -> None:
    plain, name = url.replace("+psycopg", ""), url.rpartition("/")[2]
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_backend_pid()",
            (name,),
        )
