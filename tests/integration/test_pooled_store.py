"""The store behind PgBouncer in transaction mode, where each transaction may get another connection."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import insert, select

from report_service.adapters.db.engine import Store
from report_service.adapters.db.lease import SqlLeaseStore
from report_service.adapters.db.postgres import SETTINGS
from report_service.adapters.db.schema import require_current, upgrade
from report_service.adapters.db.source import Query, SqlSource
from report_service.adapters.db.tables import payloads
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.errors import LeaseLost
from tests.support.fakes import FakeClock
from tests.support.pgbouncer import CONNECTIONS, pooled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.postgres


@pytest.fixture
def pooled_url(empty_postgres_url: str, tmp_path: Path) -> Iterator[str]:
    with pooled(empty_postgres_url, tmp_path) as url:
        yield url


@pytest.fixture
def pooled_store(pooled_url: str) -> Iterator[Store]:
    store = Store(pooled_url)
    upgrade(store)
    yield store
    store.close()


def test_each_transaction_has_its_settings_and_leaves_none_behind(pooled_store: Store, pooled_url: str) -> None:
    for _ in range(2 * CONNECTIONS):
        with pooled_store.read() as connection:
            found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in SETTINGS}
        assert found == SETTINGS
    with psycopg.connect(pooled_url.replace("+psycopg", ""), autocommit=True) as other:
        seen = {str(other.execute("SHOW statement_timeout").fetchone()) for _ in range(2 * CONNECTIONS)}
    assert seen == {"('0',)"}


def test_a_statement_that_is_said_again_and_again_needs_no_connection_of_its_own(pooled_store: Store) -> None:
    """Prepared statements would be unknown, or known already, on the connection of the next transaction."""

    def write(thread: int) -> None:
        for number in range(30):
            with pooled_store.write() as connection:
                connection.execute(insert(payloads).values(sha256=f"{thread}-{number}", body="{}"))

    threads = [threading.Thread(target=write, args=[number]) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with pooled_store.read() as connection:
        rows = connection.execution_options(yield_per=7).execute(select(payloads.c.sha256)).all()
    assert len(rows) == 30 * CONNECTIONS


def test_a_write_that_fails_leaves_nothing_to_whoever_gets_the_connection_next(pooled_store: Store) -> None:
    def write() -> None:
        with pooled_store.write() as connection:
            connection.execute(insert(payloads).values(sha256="a", body="{}"))
            raise LeaseLost

    with pytest.raises(LeaseLost):
        write()
    with pooled_store.read() as connection:
        assert connection.execute(select(payloads)).all() == []


def test_replicas_that_start_together_migrate_one_after_the_other(pooled_url: str) -> None:
    found: list[str | None] = []

    def start() -> None:
        store = Store(pooled_url)
        found.append(require_current(store, auto_upgrade=True))
        store.close()

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 2


def test_the_lease_is_one_s_alone(pooled_store: Store) -> None:
    leases = SqlLeaseStore(pooled_store, "mock", FakeClock())
    held = leases.acquire("one", at=0.0)

    assert not isinstance(held, str)
    assert leases.acquire("two", at=0.0) == "one"
    assert leases.renew(held, at=20.0).fence == held.fence


def test_an_operator_s_query_is_read_through_a_pooler_too(pooled_store: Store, pooled_url: str) -> None:
    rows = "SELECT :month AS month, i::text AS hub_id, 1 AS rating FROM generate_series(1, 3000) AS i"
    url = pooled_url.replace("postgresql+psycopg", "postgres")
    source = SqlSource(pooled_store, {"hub-ratings": Query(url=url, select=rows)}, clock=FakeClock())

    for _ in range(2 * CONNECTIONS):
        assert len(list(source.rows(HUB_RATING, ReportMonth(2026, 10)))) == 3000
