"""Fixtures for every level: stores with this version's tables, or without any."""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from report_service.adapters.db.engine import Store
from tests.support.stores import MARIADB_URL, POSTGRES_URL, PostgresDatabases, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # machines are shared: no test is timed


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """Return the URL of a server that answers; under CI it must, elsewhere its absence is a reason to skip."""
    plain = POSTGRES_URL.replace("+psycopg", "")
    try:
        psycopg.connect(plain, connect_timeout=3).close()
    except psycopg.OperationalError as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL answers at {POSTGRES_URL}: {exc}")
    return plain


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str) -> Iterator[PostgresDatabases]:
    """Return what makes databases; those of earlier processes that were killed go first."""
    with closing(PostgresDatabases(postgres_server)) as databases:
        databases.drop_stale()
        yield databases


@pytest.fixture
def empty_postgres_url(postgres_databases: PostgresDatabases) -> str:
    """Return the URL of a database of the test's own, without any table."""
    return postgres_databases.empty()


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """Return the URL of a database of the test's own, with this version's empty tables."""
    with postgres_databases.migrated() as url:
        yield url


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """Return an open store with this version's tables on PostgreSQL."""
    with closing(Store(postgres_url)) as store:
        yield store


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """Return the URL of a database of the test's own, without any table; a server must answer as PostgreSQL's."""
    engine = create_engine(MARIADB_URL)
    name = f"report_service_test_{secrets.token_hex(6)}"
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    except OperationalError as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no MariaDB answers at {MARIADB_URL}: {exc}")
    yield f"{MARIADB_URL.rpartition('/')[0]}/{name}"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    engine.dispose()


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store without any table; each test that takes it runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store with this version's empty tables, on both databases likewise."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Return the same, open."""
    with closing(Store(store_url)) as store:
        yield store
