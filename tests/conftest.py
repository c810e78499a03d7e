"""Stores for the tests: a SQLite file, and a PostgreSQL database of the test's own."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from report_service.adapters.db.engine import Store
from report_service.adapters.db.schema import upgrade
from report_service.adapters.db.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # machines are shared: no test is timed

POSTGRES_URL = os.environ.get(
    "REPORT_SERVICE_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)


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


@contextmanager
def database(server: str) -> Iterator[str]:
    """Make an empty database, and drop it afterwards with whoever is still connected."""
    name = f"report_service_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    yield POSTGRES_URL.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of an empty database of the test's own."""
    with database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """Return an open store with this version's tables on PostgreSQL."""
    opened = Store(postgres_url)
    upgrade(opened)
    yield opened
    opened.close()


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store; each test that takes it runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Return an open store with this version's tables."""
    opened = Store(store_url)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session", params=BOTH)
def lasting_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return an open store with this version's tables that all tests share."""
    if request.param == "sqlite":
        opened = Store(f"sqlite:///{tmp_path_factory.mktemp('lasting') / 'store.sqlite3'}")
        upgrade(opened)
        yield opened
        opened.close()
        return
    with database(request.getfixturevalue("postgres_server")) as url:
        opened = Store(url)
        upgrade(opened)
        yield opened
        opened.close()


@pytest.fixture
def emptied_store(lasting_store: Store) -> Store:
    """Return a store with nothing in it: `store`, but quick, for tests that leave the schema alone."""
    with lasting_store.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return lasting_store
