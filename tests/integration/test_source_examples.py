"""The example's queries make a month's figures of a believable back end, on PostgreSQL and on MariaDB."""

from __future__ import annotations

import tomllib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine

from report_service.adapters.db.engine import Store
from report_service.adapters.db.source import Query, SqlSource
from report_service.domain.kinds import KIND_BY_NAME, KINDS
from report_service.domain.months import ReportMonth
from report_service.domain.reports import Report, read_report
from report_service.domain.table_schemas import INVENTORY_SCHEMAS
from tests.support.fakes import FakeClock
from tests.support.stores import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
RATED, UNRATED = (f"{digit}a2e7db7-1bea-44db-9e52-2ddab118d699" for digit in "23")


def queries(example: str) -> dict[str, str]:
    sources = tomllib.loads((ROOT / "config" / example).read_text())["sources"]
    return {name: one["query"] for name, one in sources.items()}


@pytest.fixture(
    params=[
        pytest.param(
            ("postgres_url", "backend.sql", "sources.example.toml"), id="postgresql", marks=pytest.mark.postgres
        ),
        pytest.param(
            ("mariadb_url", "backend.mysql.sql", "sources.mysql.example.toml"),
            id="mariadb",
            marks=pytest.mark.mariadb,
        ),
    ]
)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlSource]:
    """Return the source that an example describes, on a database with the back end's tables."""
    url_fixture, tables, file = request.param
    url = request.getfixturevalue(url_fixture)
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (ROOT / "tests/data" / tables).read_text().split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    berlin = ZoneInfo("Europe/Berlin")
    with closing(Store(sqlite_url(tmp_path))) as store:
        yield SqlSource(
            store,
            {name: Query(url=url, select=query, zone=berlin) for name, query in queries(file).items()},
            clock=FakeClock(),
        )


def reports(source: SqlSource, kind: str) -> dict[str, Report | tuple[object, ...]]:
    rows = list(source.rows(KIND_BY_NAME[kind], MONTH))
    subject = KIND_BY_NAME[kind].subject
    return {
        str(row[subject.column]) if subject else "": read_report(KIND_BY_NAME[kind], MONTH, row, hub_id=HUB)
        for row in rows
    }


def figures(source: SqlSource, kind: str) -> dict[str, object]:
    (report,) = reports(source, kind).values()
    assert isinstance(report, Report), report
    return dict(report.figures)


@pytest.mark.parametrize("file", ["sources.example.toml", "sources.mysql.example.toml"])
def test_an_example_has_a_query_for_every_table(file: str) -> None:
    assert set(queries(file)) == {schema.name for schema in INVENTORY_SCHEMAS} | {kind.source for kind in KINDS}


def test_the_inventory_is_what_is_registered_and_in_operation(example: SqlSource) -> None:
    found = example.inventory(MONTH)

    assert found.faults == ()
    assert list(found.hubs) == [HUB]
    assert sorted(found.points) == [RATED, UNRATED]
    assert found.subjects(KIND_BY_NAME["nondiscriminatory_access"]) == ("DEVFL",)


def test_single_calls_make_the_hotlines_figures_of_a_month_of_berlin(example: SqlSource) -> None:
    assert {name: str(value) for name, value in figures(example, "hotline_rating").items()} == {
        "hotline_calls": "3",
        "fcr_rate": "0.5000",
        "asa_seconds": "12.5",
        "rating": "2",
    }


def test_single_ratings_make_a_grade_and_complaints_are_counted(example: SqlSource) -> None:
    points = reports(example, "point_rating")
    rated, unrated = points[RATED], points[UNRATED]

    assert figures(example, "hub_rating") == {"rating": 3}  # of 2 and 3: half up
    assert isinstance(rated, Report)
    assert rated.figures == {"rating": 3, "total_complaints": 0}
    assert isinstance(unrated, tuple)
    assert [str(fault).partition(":")[0] for fault in unrated] == ["rating is empty"]


def test_the_price_at_the_end_of_the_month_is_reported_for_the_days_that_it_held(example: SqlSource) -> None:
    tariff, access = figures(example, "ad_hoc_tariff"), figures(example, "nondiscriminatory_access")

    assert (tariff["cost_ct_per_kwh"], access["cost_ct_per_kwh"]) == (61, 45)
    assert tariff["valid_from"] == datetime(2026, 10, 14, 22, tzinfo=UTC)
    assert access["valid_from"] == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert tariff["valid_to"] == access["valid_to"] == datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC)
