"""A source on MariaDB: typed values, read-only, and ended when nobody waits for it any more."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, create_engine

from report_service.adapters.db.engine import Store
from report_service.adapters.db.source import Query, SqlSource
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.reports import Report, read_report
from report_service.errors import SourceUnavailable
from tests.support.fakes import FakeClock
from tests.support.stores import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.mariadb

MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
PATIENCE_S = 30.0


@pytest.fixture
def database(mariadb_url: str) -> Iterator[Connection]:
    engine = create_engine(mariadb_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def queried(tmp_path: Path, mariadb_url: str) -> Iterator[Callable[..., list[dict[str, object]]]]:
    with closing(Store(sqlite_url(tmp_path))) as store:

        def rows(select: str, *, timeout_s: float = 60) -> list[dict[str, object]]:
            query = Query(url=mariadb_url, select=select, timeout_s=timeout_s)
            source = SqlSource(store, {"hub-ratings": query}, clock=FakeClock())
            return list(map(dict, source.rows(HUB_RATING, MONTH)))

        yield rows


def test_rows_are_read_as_they_are_typed(
    database: Connection, queried: Callable[..., list[dict[str, object]]]
) -> None:
    database.exec_driver_sql("CREATE TABLE ratings (day date, hub uuid, grade decimal(3, 2))")
    database.exec_driver_sql(f"INSERT INTO ratings VALUES ('2026-10-01', '{HUB.upper()}', 2.40)")

    (row,) = queried("SELECT day AS month, hub AS hub_id, grade AS rating, '5%' LIKE '%' AS more FROM ratings")
    report = read_report(HUB_RATING, MONTH, row, hub_id=None)

    assert row["rating"] == Decimal("2.40")
    assert isinstance(report, Report)
    assert (report.key.subject, report.figures) == (HUB, {"rating": 2})


def test_a_query_cannot_change_what_it_reads(
    database: Connection, queried: Callable[..., list[dict[str, object]]]
) -> None:
    database.exec_driver_sql("CREATE TABLE ratings (month text)")

    with pytest.raises(SourceUnavailable, match="READ ONLY transaction"):
        queried("INSERT INTO ratings VALUES ('2026-10') RETURNING month, month AS hub_id, 2 AS rating")

    assert database.exec_driver_sql("SELECT count(*) FROM ratings").scalar_one() == 0


def test_a_query_that_is_not_answered_is_given_up_and_ended(
    database: Connection, queried: Callable[..., list[dict[str, object]]]
) -> None:
    with pytest.raises(SourceUnavailable, match=r"was not read within 0\.2 s"):
        queried("SELECT sleep(600) AS month", timeout_s=0.2)

    asleep = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info LIKE %s"
    until, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while database.exec_driver_sql(asleep, ("SELECT sleep%",)).scalar_one():
        assert time.monotonic() < until, "the server goes on by itself"
        pause.wait(0.05)


def test_a_column_that_was_renamed_names_the_nearest(queried: Callable[..., list[dict[str, object]]]) -> None:
    with pytest.raises(SourceUnavailable) as refused:
        queried("SELECT '2026-10' AS month, 'x' AS hub_id, 2 AS avg_rating")

    assert str(refused.value).startswith(
        "the query of sources.hub-ratings gives no column rating; it gives month,"
    )
    assert "SELECT avg_rating AS rating" in (refused.value.hint or "")
