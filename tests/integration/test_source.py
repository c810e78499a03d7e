from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest

from report_service.adapters.db.engine import Store
from report_service.adapters.db.intake import SqlIntake
from report_service.adapters.db.source import Query, SqlSource
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.parsers import AdditionalCost
from report_service.domain.reports import Report, read_report
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import SourceUnavailable, StoreUnavailable
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11"
RATINGS = "SELECT '2026-10' AS month, hub_id, rating FROM ratings"


def store_rows(store: Store, name: str, *rows: dict[str, object]) -> None:
    """Store raw rows as an import does."""
    schema = TABLE_SCHEMAS[name]
    values = [schema.read(row) for row in rows]
    SqlIntake(store, {}).upsert(schema, [value for value in values if isinstance(value, dict)])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return an operator's own SQLite database with two ratings of hubs."""
    path = tmp_path / "operator's 100%.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE ratings (hub_id TEXT, rating REAL, day TEXT)")
        connection.executemany(
            "INSERT INTO ratings VALUES (?, ?, ?)", [(HUB, 2.5, "2026-10-31"), ("h2", 9, "2026-11-01")]
        )
    connection.close()
    return path


def source_of(store: Store, queries: dict[str, Query]) -> SqlSource:
    return SqlSource(store, queries, clock=FakeClock())


def queried(store: Store, url: str, query: str, name: str = "hub-ratings") -> list[dict[str, object]]:
    source = source_of(store, {name: Query(url=url, select=query)})
    return [dict(row) for row in source.rows(HUB_RATING, MONTH)]


def test_stored_rows_come_back_as_the_reports_that_they_are(store: Store) -> None:
    validity = {"valid_from": "2026-10-01T00:00:00+02:00", "valid_to": "2026-11-01"}
    cost = {"cost_ct_per_kwh": "45,0", "additional_costs": '[{"description": "Büro", "cost": 5}]'}
    store_rows(
        store,
        "hotline-ratings",
        {"month": "2026-10", "hotline_calls": "1", "fcr_rate": "0,93", "asa_seconds": "1e1", "rating": "1.80"},
    )
    store_rows(store, "ad-hoc-tariffs", {"month": "2026-10", "hub_id": HUB.upper(), **cost, **validity})
    store_rows(store, "point-ratings", {"month": "2026-10", "point_id": POINT, "rating": 3, "total_complaints": 0})
    source = source_of(store, {})

    (hotline,) = source.rows(HOTLINE_RATING, MONTH)
    (tariff,) = source.rows(AD_HOC_TARIFF, MONTH)
    (point,) = source.rows(POINT_RATING, MONTH)

    assert read_report(HOTLINE_RATING, MONTH, hotline, hub_id=None) == Report(
        key=DeliveryKey(MONTH, HOTLINE_RATING),
        figures={"hotline_calls": 1, "fcr_rate": Decimal("0.93"), "asa_seconds": Decimal(10), "rating": 2},
    )
    found = read_report(AD_HOC_TARIFF, MONTH, tariff, hub_id=None)
    assert isinstance(found, Report)
    assert (found.key.subject, found.figures["cost_ct_per_kwh"]) == (HUB, 45)
    assert found.figures["additional_costs"] == (AdditionalCost(description="Büro", cost_ct=5),)
    assert found.figures["valid_from"] == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert read_report(POINT_RATING, MONTH, point, hub_id=HUB) == Report(
        key=DeliveryKey(MONTH, POINT_RATING, POINT), hub_id=HUB, figures={"rating": 3, "total_complaints": 0}
    )


def test_only_the_rows_of_the_month_are_read(store: Store) -> None:
    for month in ("2026-09", "2026-10", "2026-11"):
        store_rows(store, "hub-ratings", {"month": month, "hub_id": HUB, "rating": 2})

    assert [row["month"] for row in source_of(store, {}).rows(HUB_RATING, MONTH)] == ["2026-10"]


def test_the_inventory_is_read_from_the_store(store: Store) -> None:
    store_rows(store, "hubs", {"hub_id": HUB, "name": "Coswig", "commissioned_on": "2025-01-01"})
    store_rows(store, "points", {"point_id": POINT, "hub_id": HUB, "commissioned_on": "2026-10-31"})
    store_rows(store, "provider-groups", {"provider_group": "DEVFL", "valid_to": "2026-10-01"})

    found = source_of(store, {}).inventory(MONTH)

    assert [len(found.subjects(kind)) for kind in KINDS] == [1, 1, 1, 1, 1]
    assert found.hubs[HUB].operation.first == date(2025, 1, 1)
    assert found.faults == ()


def test_a_store_that_is_away_is_the_stores_failure() -> None:
    with closing(Store("postgresql://nobody@127.0.0.1:1/none")) as away, pytest.raises(StoreUnavailable):
        list(source_of(away, {}).rows(HUB_RATING, MONTH))


def test_a_query_stands_for_its_table_alone_and_sees_the_month(store: Store, database: Path) -> None:
    query = f"{RATINGS} WHERE :month = '2026-10' AND day BETWEEN :month_start AND :month_end"
    source = source_of(store, {"hub-ratings": Query(url=f"sqlite:///{database}", select=query)})

    (row,) = source.rows(HUB_RATING, MONTH)

    assert read_report(HUB_RATING, MONTH, row, hub_id=None) == Report(
        key=DeliveryKey(MONTH, HUB_RATING, HUB), figures={"rating": 3}
    )
    assert list(source.rows(AD_HOC_TARIFF, MONTH)) == []


def test_a_query_may_give_columns_in_any_order_and_case_and_more_of_them(store: Store, database: Path) -> None:
    query = "SELECT day, rating AS RATING, hub_id AS Hub_Id, '2026-10' AS month FROM ratings"

    assert queried(store, f"sqlite:///{database}", query)[0] == {"month": "2026-10", "hub_id": HUB, "rating": 2.5}


def test_date_times_of_a_query_that_name_no_zone_are_read_by_the_clock_of_its_source(
    store: Store, database: Path
) -> None:
    select = (
        f"SELECT '2026-10' AS month, '{HUB}' AS hub_id, 59 AS cost_ct_per_kwh, NULL AS additional_costs, "
        "'2026-10-01' AS valid_from, '2026-10-31 12:00:00' AS valid_to"
    )
    query = Query(url=f"sqlite:///{database}", select=select, zone=ZoneInfo("Europe/Berlin"))

    (row,) = source_of(store, {"ad-hoc-tariffs": query}).rows(AD_HOC_TARIFF, MONTH)
    found = read_report(AD_HOC_TARIFF, MONTH, row, hub_id=None)

    assert isinstance(found, Report)
    assert found.figures["valid_from"] == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert found.figures["valid_to"] == datetime(2026, 10, 31, 11, tzinfo=UTC)


@pytest.mark.parametrize("basis", [None, "BILATERAL_CONTRACT"])
def test_a_query_gives_the_basis_of_a_tariff_or_does_without_the_column(
    store: Store, database: Path, basis: str | None
) -> None:
    given = f"'{basis}' AS contractual_basis, " if basis else ""
    select = (
        f"SELECT '2026-10' AS month, '{HUB}' AS hub_id, {given}"
        "59 AS cost_ct_per_kwh, NULL AS additional_costs, '2026-10-01' AS valid_from, '2026-10-31' AS valid_to"
    )
    query = Query(url=f"sqlite:///{database}", select=select)

    (row,) = source_of(store, {"ad-hoc-tariffs": query}).rows(AD_HOC_TARIFF, MONTH)
    found = read_report(AD_HOC_TARIFF, MONTH, row, hub_id=None)

    assert isinstance(found, Report)
    assert found.figures["contractual_basis"] == basis


def test_a_month_is_asked_for_half_open(store: Store, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE ratings SET day = '2026-10-31 18:30:00' WHERE hub_id = ?", (HUB,))
    connection.close()
    url = f"sqlite:///{database}"

    half_open = queried(store, url, f"{RATINGS} WHERE day >= :month_start AND day < :next_month_start")
    between = queried(store, url, f"{RATINGS} WHERE day BETWEEN :month_start AND :month_end")

    assert [row["hub_id"] for row in half_open] == [HUB]
    assert between == []


def test_a_query_that_gives_every_month_is_read_for_the_one_that_is_asked_for(
    store: Store, database: Path
) -> None:
    query = f"SELECT substr(day, 1, 7) AS month, hub_id, rating FROM ratings UNION ALL SELECT 'Oct', '{HUB}', 1"

    assert [row["month"] for row in queried(store, f"sqlite:///{database}", query)] == ["2026-10", "Oct"]


def test_a_query_reads_an_inventory_table(store: Store, database: Path) -> None:
    query = "SELECT hub_id, NULL AS name, '2025-01-01' AS commissioned_on, NULL AS decommissioned_on FROM ratings"

    found = source_of(store, {"hubs": Query(url=f"sqlite:///{database}", select=query)}).inventory(MONTH)

    assert found.subjects(HUB_RATING) == (HUB,)
    assert [str(fault) for fault in found.faults] == [
        (
            "hubs, hub_id h2: hub_id = h2: must be the UUID that OBELIS assigned, "
            "for example 191e7db7-1bea-44db-9e52-2ddab118d699"
        )
    ]


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        (
            "SELECT '2026-10' AS month, hub_id, rating AS raiting, day FROM ratings",
            "the query of sources.hub-ratings gives no column rating; it gives month, hub_id, raiting, day",
            "SELECT raiting AS rating",
        ),
        (
            "SELECT '2026-10' AS month, hub_id, rating AS month_avg_rating FROM ratings",
            "the query of sources.hub-ratings gives no column rating; it gives month, hub_id, month_avg_rating",
            "SELECT month_avg_rating AS rating",
        ),
        (
            "SELECT '2026-10' AS month, hub_id FROM ratings",
            "gives no column rating; it gives month, hub_id",
            "SELECT ... AS rating",
        ),
        (f"{RATINGS.replace(' FROM', ', day AS rating FROM')}", "gives two columns rating", "each column once"),
        (
            f"{RATINGS} WHERE day > :moth",
            "uses :moth, which is nothing it may use",
            ":month, :month_start, :next_month_start, :month_end",
        ),
        (
            "SELECT * FROM nowhere",
            "cannot be read from {database}: no such table: nowhere",
            "report-service check",
        ),
        ("DELETE FROM ratings", "attempt to write a readonly database", "report-service check"),
        ("PRAGMA query_only=OFF", "does not return rows", "report-service check"),
    ],
)
def test_a_query_that_cannot_serve_says_which_why_and_the_way_out(
    store: Store, database: Path, query: str, message: str, hint: str
) -> None:
    with pytest.raises(SourceUnavailable) as refused:
        queried(store, f"sqlite:///{database}", query)

    assert message.format(database=database) in str(refused.value)
    assert "hub-ratings" in str(refused.value)
    assert hint in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("test-secret", "sources.hub-ratings.url is not the URL of a database"),
        ("nosuchdb://me:test-secret@localhost/x", "no driver is installed for nosuchdb"),
        ("mssql+pymssql://me:test-secret@localhost/x", "no driver is installed for mssql+pymssql"),
        ("postgresql://me:test-secret@127.0.0.1:1/x", "cannot be read from 127.0.0.1: "),
        ("sqlite:////nowhere/at-all.db", "cannot be read from /nowhere/at-all.db: unable to open database file"),
    ],
)
def test_a_source_that_cannot_be_opened_says_so_without_its_password(store: Store, url: str, message: str) -> None:
    with pytest.raises(SourceUnavailable) as refused:
        queried(store, url, RATINGS)

    assert message in str(refused.value)
    assert refused.value.hint
    assert "test-secret" not in f"{refused.value} {refused.value.hint}"


def test_a_source_that_is_not_there_is_not_made(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        queried(store, f"sqlite:///{tmp_path / 'missing.db'}", RATINGS)

    assert not (tmp_path / "missing.db").exists()


@pytest.mark.postgres
def test_a_query_on_postgresql_reads_its_types_and_cannot_write(store: Store, postgres_url: str) -> None:
    plain = postgres_url.replace("+psycopg", "")
    with psycopg.connect(plain) as connection:
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute("CREATE TABLE tariffs (hub uuid, day date, ct numeric, extra jsonb)")
        connection.execute(
            "INSERT INTO tariffs VALUES (%s, '2026-10-31', 45.00, %s)",
            (HUB, '[{"description": "parking", "cost": 5.0}]'),
        )
    query = r"""
        SELECT to_char(day, 'YYYY-MM') AS month, hub AS hub_id, ct AS cost_ct_per_kwh, extra AS additional_costs,
               day::timestamptz AS valid_from, day + 1 AS valid_to, to_char(day, 'YYYY\:DD') || :month AS ignored
        FROM tariffs WHERE day BETWEEN :month_start AND :month_end AND 100 % 3 = 1;
    """
    source = source_of(
        store,
        {
            "ad-hoc-tariffs": Query(url=plain, select=query),
            "hub-ratings": Query(url=plain, select="SELECT nextval('numbers')"),
        },
    )

    (row,) = source.rows(AD_HOC_TARIFF, MONTH)
    found = read_report(AD_HOC_TARIFF, MONTH, row, hub_id=None)

    assert isinstance(found, Report)
    assert (found.key.subject, found.figures["cost_ct_per_kwh"]) == (HUB, 45)
    assert found.figures["additional_costs"] == (AdditionalCost(description="parking", cost_ct=5),)
    assert found.figures["valid_to"] == datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(SourceUnavailable, match=r"cannot execute nextval\(\) in a read-only transaction"):
        list(source.rows(HUB_RATING, MONTH))
