"""The store keeps what it is told, and says so in one way when it cannot, on both databases."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy.exc
from sqlalchemy import insert, select, text

from report_service.adapters.db.engine import Store
from report_service.adapters.db.tables import attempts, payloads
from report_service.errors import ConfigurationError, LeaseLost, StoreUnavailable
from tests.support.stores import sqlite_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def put(store: Store, *hashes: str, then: Callable[[], object] = lambda: None) -> None:
    """Write rows in one transaction, and do something after the first of them."""
    with store.write() as connection:
        for at, sha256 in enumerate(hashes):
            connection.execute(insert(payloads).values(sha256=sha256, body="{}"))
            if at == 0:
                then()


def lose_the_lease() -> None:
    raise LeaseLost


def kept(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.scalars(select(payloads.c.sha256).order_by(payloads.c.sha256)))


# --- transactions


def test_what_was_written_is_there_for_every_other_process(store: Store, store_url: str) -> None:
    put(store, "a")
    other = Store(store_url)
    assert kept(other) == ["a"]
    other.close()


def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(LeaseLost):
        put(store, "a", then=lose_the_lease)
    assert kept(store) == []


def test_a_reader_is_not_held_up_by_a_writer_and_sees_only_what_is_done(store: Store) -> None:
    put(store, "a")
    with store.write() as connection:
        connection.execute(insert(payloads).values(sha256="b", body="{}"))
        assert kept(store) == ["a"]
    assert kept(store) == ["a", "b"]


def test_a_row_cannot_refer_to_one_that_is_not_there(store: Store) -> None:
    orphan = {"request_id": "r", "delivery_id": 4711, "endpoint": "mock", "run_id": "x", "instance": "i"}
    with pytest.raises(sqlalchemy.exc.IntegrityError, match=r"(?i)foreign key"), store.write() as connection:
        connection.execute(
            insert(attempts).values(**orphan, verb="POST", path="/x", started_at=text("CURRENT_TIMESTAMP"))
        )


# --- SQLite


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
def sqlite_store(sqlite_path: Path) -> Iterator[Store]:
    sqlite_path.write_bytes(sqlite_tables())
    store = Store(f"sqlite:///{sqlite_path}")
    yield store
    store.close()


def test_sqlite_is_set_up_so_that_a_commit_survives_a_power_cut(sqlite_store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    with sqlite_store.read() as first, sqlite_store.write() as second:  # two connections
        for connection in (first, second):
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
            assert found == wanted


def test_sqlite_takes_the_lock_when_a_write_begins_and_not_when_it_first_writes(
    sqlite_store: Store, sqlite_path: Path
) -> None:
    other = sqlite3.connect(sqlite_path, timeout=0, isolation_level=None)
    with sqlite_store.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with sqlite_store.read() as connection:
        connection.execute(select(payloads)).all()
        other.execute("BEGIN IMMEDIATE")  # a reader holds nobody up
        other.execute("ROLLBACK")
    other.close()


def test_two_sqlite_writers_wait_for_each_other(sqlite_store: Store) -> None:
    """Read and then write, as every method of the ledger does: without the early lock one would fail."""
    both = threading.Barrier(2)

    def count_up() -> None:
        both.wait()
        for _ in range(20):
            with sqlite_store.write() as connection:
                number = len(connection.execute(select(payloads)).all())
                connection.execute(insert(payloads).values(sha256=f"{number:03}", body="{}"))

    threads = [threading.Thread(target=count_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(kept(sqlite_store)) == 40


def test_a_new_file_and_the_logs_beside_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'new.sqlite3'}")) as store, store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE anything (number)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert modes == dict.fromkeys(["new.sqlite3", "new.sqlite3-wal", "new.sqlite3-shm"], 0o600)


def test_a_file_that_others_may_read_stays_theirs_to_read(tmp_path: Path) -> None:
    path = tmp_path / "shared.sqlite3"
    path.touch()
    path.chmod(0o640)
    with closing(Store(f"sqlite:///{path}")) as store, store.read():
        pass

    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_no_database_is_a_store_that_cannot_be_used(sqlite_path: Path) -> None:
    sqlite_path.write_bytes(b"not a database, by any means" * 100)
    store = Store(f"sqlite:///{sqlite_path}")
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        kept(store)
    store.close()


# --- PostgreSQL


@pytest.fixture
def admin(postgres_server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield connection


def cut(admin: psycopg.Connection, url: str) -> int:
    """End every connection to a database; return how many there were."""
    name = url.rpartition("/")[2]
    found = admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    return len(found.fetchall())


@pytest.mark.postgres
def test_postgresql_is_set_up_so_that_a_commit_is_on_disk_and_nothing_hangs(postgres_store: Store) -> None:
    wanted = {
        "synchronous_commit": "on",
        "statement_timeout": "20s",
        "lock_timeout": "10s",
        "TimeZone": "UTC",
        "application_name": "report-service",
    }
    with postgres_store.read() as connection:
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in wanted}
    assert found == wanted


@pytest.mark.postgres
def test_a_connection_that_was_cut_between_two_calls_is_replaced(
    postgres_store: Store, postgres_url: str, admin: psycopg.Connection
) -> None:
    put(postgres_store, "a")
    assert cut(admin, postgres_url) >= 1
    put(postgres_store, "b")
    assert kept(postgres_store) == ["a", "b"]


@pytest.mark.postgres
def test_a_connection_that_is_cut_within_a_call_fails_it_whole_and_the_next_one_works(
    postgres_store: Store, postgres_url: str, admin: psycopg.Connection
) -> None:
    with pytest.raises(StoreUnavailable, match="terminating connection"):
        put(postgres_store, "a", "b", then=lambda: cut(admin, postgres_url))
    assert kept(postgres_store) == []


@pytest.mark.postgres
def test_a_connection_that_is_cut_before_the_commit_fails_the_call(
    postgres_store: Store, postgres_url: str, admin: psycopg.Connection
) -> None:
    with pytest.raises(StoreUnavailable):
        put(postgres_store, "a", then=lambda: cut(admin, postgres_url))
    assert kept(postgres_store) == []


@pytest.mark.postgres
def test_a_database_that_stays_away_is_said_to_be_away_until_it_is_back(
    postgres_store: Store, postgres_url: str, admin: psycopg.Connection
) -> None:
    name = postgres_url.rpartition("/")[2]
    admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
    cut(admin, postgres_url)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="not currently accepting connections"):
            kept(postgres_store)
    admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    assert kept(postgres_store) == []


# --- errors


def test_a_pool_without_a_free_connection_is_a_store_that_cannot_be_used(sqlite_store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="none free"), sqlite_store.read():
        raise sqlalchemy.exc.TimeoutError("none free")


@pytest.mark.parametrize(
    "error",
    [LeaseLost(), ValueError("x"), sqlalchemy.exc.InvalidRequestError("x"), sqlalchemy.exc.CompileError("x")],
)
def test_our_own_errors_and_our_bugs_stay_what_they_are(sqlite_store: Store, error: Exception) -> None:
    with pytest.raises(type(error)) as same, sqlite_store.write():
        raise error
    assert same.value is error


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    store = Store("postgresql+psycopg://someone:test-secret@127.0.0.1:1/ledger?sslpassword=other-secret")
    with pytest.raises(StoreUnavailable) as unusable:
        kept(store)
    store.close()
    assert "postgresql+psycopg://someone:***@127.0.0.1:1/ledger cannot be used" in unusable.value.message
    assert "secret" not in f"{unusable.value.message} {unusable.value.hint}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is not the URL of a database"),
        ("store.sqlite3", "is not the URL of a database"),
        ("postgresql://someone:half@a:test-secret@host/ledger", "is not the URL of a database"),
        (
            "mysql://someone:test-secret@host/ledger",
            "'mysql://someone:***@host/ledger' names no supported database",
        ),
        ("sqlite+aiosqlite:///store", "names no supported database"),
        ("postgresql+asyncpg://host/ledger", "names no supported database"),
        (
            "sqlite:////no/such/folder/store.sqlite3",
            "the folder of '/no/such/folder/store.sqlite3' does not exist",
        ),
    ],
)
def test_a_url_that_cannot_be_a_store_is_refused_with_the_way_out(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Store(url)
    assert said in refused.value.message
    assert refused.value.hint
    assert "test-secret" not in f"{refused.value.message} {refused.value.hint}"


def test_the_short_name_of_postgresql_means_the_driver_that_is_there() -> None:
    store = Store("postgresql://host/ledger")
    assert store.engine.dialect.driver == "psycopg"
    assert not store.is_sqlite
    store.close()
