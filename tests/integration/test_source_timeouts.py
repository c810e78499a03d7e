"""A source has its time, and no more: then its kind waits and the rest goes out, on real databases."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from report_service.adapters.db.engine import Store
from report_service.adapters.db.schema import upgrade
from report_service.adapters.db.source import Query, SqlSource
from report_service.domain.delivery import State
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.errors import SourceUnavailable
from tests.support.fakes import FakeClock
from tests.support.simulation import MONTH, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
"""A query that SQLite computes for ever."""
PATIENCE_S = 30.0


def reached(condition: Callable[[], bool]) -> bool:
    """Return whether a condition became true in reasonable time."""
    until = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while time.monotonic() < until:
        if condition():
            return True
        pause.wait(0.01)
    return False


def nobody_reads() -> bool:
    return not any(thread.name == "source" for thread in threading.enumerate())


def refused(source: SqlSource) -> str:
    with pytest.raises(SourceUnavailable) as late:
        list(source.rows(HUB_RATING, MONTH))
    assert late.value.hint is not None
    assert "timeout_s" in late.value.hint
    return late.value.message


@pytest.fixture
def plain(postgres_url: str) -> str:
    return postgres_url.replace("+psycopg", "")


@contextmanager
def locked(plain: str, table: str) -> Iterator[None]:
    """Keep a table locked, as a migration in another window does."""
    with psycopg.connect(plain) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def queried(store: Store, url: str, select: str, *, timeout_s: float) -> SqlSource:
    query = Query(url=url, select=select, timeout_s=timeout_s)
    return SqlSource(store, {"hub-ratings": query}, clock=FakeClock())


def test_a_query_that_sqlite_computes_for_ever_is_given_up_and_ended(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "theirs.sqlite3").close()
    with closing(Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")) as store:
        url = f"sqlite:///{tmp_path / 'theirs.sqlite3'}"
        assert (
            refused(queried(store, url, ENDLESS, timeout_s=0.2)) == "sources.hub-ratings was not read within 0.2 s"
        )
    assert reached(nobody_reads)


@pytest.mark.postgres
@pytest.mark.parametrize("sleeping", ["SELECT pg_sleep(600)", "SELECT month FROM locked"])
def test_a_query_that_postgresql_does_not_answer_is_given_up_and_ended(
    tmp_path: Path, plain: str, sleeping: str
) -> None:
    with psycopg.connect(plain) as connection:
        connection.execute("CREATE TABLE locked (month text)")
    with closing(Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")) as store, locked(plain, "locked"):
        assert "was not read within 0.2 s" in refused(queried(store, plain, sleeping, timeout_s=0.2))
        with psycopg.connect(plain, autocommit=True) as watcher:
            active = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
                "AND pid <> pg_backend_pid()"
            )
            assert reached(lambda: watcher.execute(active).fetchone() == (0,)), "the server goes on by itself"
    assert reached(nobody_reads)


@pytest.mark.postgres
def test_a_locked_table_of_the_store_holds_nobody(postgres_url: str, plain: str) -> None:
    with closing(Store(postgres_url)) as store:
        upgrade(store)
        source = SqlSource(store, {}, clock=FakeClock(), timeout_s=0.2)
        with locked(plain, "hub_ratings"):
            assert refused(source) == "the store's table hub_ratings was not read within 0.2 s"
            assert list(source.rows(POINT_RATING, MONTH)) == []
        assert reached(nobody_reads)
        assert list(source.rows(HUB_RATING, MONTH)) == []


def test_a_run_with_an_endless_query_delivers_the_rest(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "theirs.sqlite3").close()
    place = site(
        tmp_path,
        environ={
            "sources__hub_ratings__url": f"sqlite:///{tmp_path / 'theirs.sqlite3'}",
            "sources__hub_ratings__query": ENDLESS,
            "sources__hub_ratings__timeout_s": "0.2",
        },
    )
    with place.process() as process:
        result = process.run()
        assert result.error is None
        assert process.states() == {State.ACCEPTED: 9, State.AWAITING_DATA: 2}
        assert {one.reason for one in process.service.ledger.status.outstanding(MONTH)} == {
            "sources.hub-ratings was not read within 0.2 s"
        }
    assert reached(nobody_reads)


def test_a_connection_of_the_store_serves_others_after_it_was_told_to_end(tmp_path: Path) -> None:
    """It goes back to the pool: what interrupted its statement must not interrupt the ledger's."""
    with closing(Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")) as store:
        upgrade(store)
        columns = "'2026-10' AS month, 'x' AS hub_id, 1 AS rating, NULL AS conflict"
        with store.write() as connection:
            connection.exec_driver_sql("DROP TABLE hub_ratings")
            connection.exec_driver_sql(f"CREATE VIEW hub_ratings AS SELECT {columns} WHERE ({ENDLESS}) > 0")
        source = SqlSource(store, {}, clock=FakeClock(), timeout_s=0.2)
        assert "was not read within 0.2 s" in refused(source)
        assert reached(nobody_reads)
        for _ in range(3):
            with store.read() as connection:
                counted = connection.exec_driver_sql(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
                    "SELECT count(*) FROM n"
                ).scalar_one()
            assert counted == 200_000
