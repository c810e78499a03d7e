"""What the two databases really raise: a store that is away is waited for, a bug is seen as one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from report_service.adapters.db import schema, triage
from report_service.adapters.db.engine import Store
from report_service.cli.main import invoke
from report_service.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOAD = "INSERT INTO payloads (sha256, body) VALUES ('a', '{}')"


def run(store: Store, *statements: str) -> None:
    with store.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ((PAYLOAD, PAYLOAD), "unique"),
        (("INSERT INTO payloads (sha256, body) VALUES ('a', NULL)",), "null"),
        (("SELECT no_such_column FROM payloads",), "no_such_column"),
        (("SELECT * FROM no_such_table",), "no_such_table"),
        (("SELEKT 1",), "syntax error"),
    ],
    ids=["unique", "not null", "column", "table", "syntax"],
)
def test_a_statement_that_can_never_succeed_is_a_bug(store: Store, statements: tuple[str, ...], says: str) -> None:
    with pytest.raises(DBAPIError, match=f"(?i){says}"):
        run(store, *statements)


def test_a_bug_is_told_without_the_values_that_were_written(store: Store) -> None:
    with pytest.raises(DBAPIError) as bug, store.write() as connection:
        connection.execute(text("INSERT INTO no_such_table VALUES (:body)"), {"body": "a reason of a person"})

    assert "a reason of a person" not in str(bug.value)


# --- SQLite


def put_under_a_lock(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with store.read() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            connection.exec_driver_sql(PAYLOAD)


def fill_the_disk(store: Store, _path: Path) -> None:
    run(store, "PRAGMA max_page_count=1", "INSERT INTO payloads VALUES ('a', hex(zeroblob(1000000)))")


def write_where_only_reading_is_allowed(store: Store, _path: Path) -> None:
    run(store, "PRAGMA query_only=ON", PAYLOAD)


def put_a_folder_in_its_place(store: Store, path: Path) -> None:
    store.close()
    path.unlink()
    path.mkdir()
    run(store, PAYLOAD)


def damage(store: Store, path: Path) -> None:
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    run(store, PAYLOAD)


def overwrite(store: Store, path: Path) -> None:
    store.close()
    path.write_bytes(b"not a database, by any means" * 100)
    run(store, PAYLOAD)


@pytest.mark.parametrize(
    ("harm", "hint"),
    [
        (put_under_a_lock, triage.TIME),
        (fill_the_disk, triage.ROOM),
        (write_where_only_reading_is_allowed, triage.ACCESS),
        (put_a_folder_in_its_place, triage.ACCESS),
        (damage, triage.REPAIR),
        (overwrite, triage.REPAIR),
    ],
)
def test_a_sqlite_file_that_is_away_is_told_with_the_way_out(
    tmp_path: Path, harm: Callable[[Store, Path], None], hint: str
) -> None:
    path = tmp_path / "store.sqlite3"
    with closing(Store(f"sqlite:///{path}")) as store:
        schema.upgrade(store)

        with pytest.raises(StoreUnavailable, match=r"store\.sqlite3 cannot be used: .+") as away:
            harm(store, path)

    assert away.value.hint == f"{hint} Nothing is lost: what was recorded stays, the rest is still due."


def test_too_few_values_for_a_sqlite_statement_are_a_bug(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")

    with closing(store), pytest.raises(DBAPIError, match="binding"):
        run(store, "SELECT ?")


# --- PostgreSQL


def raises(sqlstate: str) -> str:
    """Return a statement that fails as a server does whose disk, memory or machine cannot be had in a test."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{sqlstate}'; END $$"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statements", "hint"),
    [
        (("SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)"), triage.TIME),
        (("SET TRANSACTION READ ONLY", PAYLOAD), triage.ACCESS),
        (("SET LOCAL ROLE pg_read_all_stats", "SELECT * FROM payloads"), triage.ACCESS),
        ((raises("40P01"),), triage.TIME),
        ((raises("53100"),), triage.ROOM),
        ((raises("53300"),), triage.ROOM),
        ((raises("57P01"),), triage.NETWORK),
        ((raises("08P01"),), triage.NETWORK),
        ((raises("58030"),), triage.REPAIR),
        ((raises("XX001"),), triage.REPAIR),
    ],
)
def test_a_postgresql_that_is_away_is_told_with_the_way_out(
    postgres_store: Store, statements: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(StoreUnavailable) as away:
        run(postgres_store, *statements)

    assert away.value.hint is not None
    assert away.value.hint.startswith(hint)


@pytest.mark.postgres
@pytest.mark.parametrize("statement", ["SELECT 'x'::integer", "SELECT 1 / 0", raises("P0001"), raises("40002")])
def test_what_postgresql_can_never_do_is_a_bug(postgres_store: Store, statement: str) -> None:
    with pytest.raises(DBAPIError):
        run(postgres_store, statement)


@pytest.mark.postgres
def test_a_value_that_the_driver_cannot_send_is_a_bug(postgres_store: Store) -> None:
    with pytest.raises(DBAPIError, match="NUL"), postgres_store.write() as connection:
        connection.execute(text("SELECT :value"), {"value": "\x00"})


@pytest.mark.postgres
def test_two_writers_of_one_row_are_no_bug(postgres_store: Store, postgres_url: str) -> None:
    run(postgres_store, PAYLOAD)

    def change_what_another_changed_meanwhile() -> None:
        with closing(Store(postgres_url)) as other, postgres_store.write() as late:
            late.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            late.exec_driver_sql("SELECT * FROM payloads")
            run(other, "UPDATE payloads SET body = '[]'")
            late.exec_driver_sql("UPDATE payloads SET body = '[]'")

    with pytest.raises(StoreUnavailable, match="concurrent update"):
        change_what_another_changed_meanwhile()


@pytest.mark.postgres
@pytest.mark.parametrize("wrong", ["_more", "?user=nobody_here"])
def test_a_database_or_user_that_is_not_there_is_named(postgres_url: str, wrong: str) -> None:
    with closing(Store(postgres_url + wrong)) as store, pytest.raises(StoreUnavailable, match="does not exist"):
        run(store, "SELECT 1")


# --- migrations


@pytest.mark.postgres
def test_a_migration_takes_as_long_as_it_takes_and_waits_for_no_lock_for_ever(postgres_url: str) -> None:
    seen: dict[str, str] = {}
    with closing(Store(postgres_url)) as store:
        with schema.migrating(store) as connection:
            for name in ("statement_timeout", "lock_timeout"):
                seen[name] = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
        with store.read() as connection:
            after = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()

    assert seen == {"statement_timeout": "0", "lock_timeout": "10s"}
    assert after == "20s"


@pytest.mark.postgres
def test_a_migration_that_meets_a_lock_says_what_to_wait_for(postgres_store: Store, postgres_url: str) -> None:
    def migrate() -> None:
        with schema.migrating(postgres_store) as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 20")
            connection.exec_driver_sql("DROP TABLE hubs")

    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE hubs")
        with pytest.raises(StoreUnavailable, match="lock timeout") as away:
            migrate()

    assert str(away.value.hint).startswith("Another process holds what is needed here (a migration,")


# --- commands


def test_a_bug_ends_a_command_with_1_and_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    with closing(Store(url)) as store:
        schema.upgrade(store)
        run(store, "DROP TABLE leases")
    monkeypatch.setenv("REPORT_SERVICE_OBELIS__MODE", "mock")
    monkeypatch.setenv("REPORT_SERVICE_STORE__URL", url)

    assert invoke(["run", "--patience", "600"]) == 1

    out = capsys.readouterr().out
    assert '"event":"service.crashed"' in out
    assert "no such table: leases" in out
    assert "store.lost" not in out
