"""Stores for the tests: made once by the migrations, then copied.

A migration takes a tenth of a second on SQLite and more on PostgreSQL, and most tests want nothing but its tables:
they get a copy of a file, or a database made from a template.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from report_service.adapters.db.engine import Store
from report_service.adapters.db.schema import upgrade
from report_service.adapters.db.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POSTGRES_URL = os.environ.get(
    "REPORT_SERVICE_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
MARIADB_URL = os.environ.get("REPORT_SERVICE_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test")
PREFIX = "report_service_tests"
"""A database's name is `<PREFIX>_<process>_<number>`, so that what a killed process left can be found."""
SCHEMA = " UNION ALL ".join(
    f"SELECT '{catalog}', count(*), max(xmin::text::bigint) FROM {catalog}"
    for catalog in (
        "pg_class",
        "pg_attribute",
        "pg_trigger",
        "pg_proc",
        "pg_namespace",
        "pg_db_role_setting",
        "alembic_version",
    )
)
"""What finds something else after every statement that changes tables, rights, settings or the revision."""


@lru_cache(maxsize=1)
def sqlite_tables() -> bytes:
    """Return the content of a SQLite file with this version's empty tables."""
    return _sqlite(b"", upgrade)


def sqlite_content(fill: Callable[[Store], None]) -> bytes:
    """Return the same, with what `fill` puts into the tables."""
    return _sqlite(sqlite_tables(), fill)


def sqlite_url(folder: Path) -> str:
    """Make a SQLite file with this version's empty tables in a folder, and return its URL."""
    path = folder / "store.sqlite3"
    path.write_bytes(sqlite_tables())
    return f"sqlite:///{path}"


def _sqlite(begin: bytes, fill: Callable[[Store], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "template.sqlite3")
        path.write_bytes(begin)
        with closing(Store(f"sqlite:///{path}")) as store:
            fill(store)
        return path.read_bytes()


class PostgresDatabases:
    """The databases of one process of tests on a server; they go when it ends, or when the next one begins.

    Dropping one makes the server write all it holds to its disk, up to seconds on a busy one: so databases with
    tables are emptied and used again, and all are dropped together.
    """

    def __init__(self, server: str) -> None:
        """Take the URL of a database to administer the server from, in the form of libpq."""
        self._admin = psycopg.connect(server, autocommit=True)
        self._process = secrets.randbelow(2**31)
        self._number = 0
        self._admin.execute("SELECT pg_advisory_lock(%s)", [self._process])  # as long as this process lives
        self._free: list[str] = []
        self._template = ""

    def empty(self) -> str:
        """Make an empty database, and return its URL."""
        return self._url(self._make("template1"))

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Yield the URL of a database with this version's empty tables, which nobody else uses meanwhile."""
        if not self._template:
            self._template = self._migrate()
        name = self._free.pop() if self._free else self._make(self._template)
        with self._connect(name) as database:
            before = database.execute(SCHEMA.encode()).fetchall()
        yield self._url(name)
        if self._emptied(name, before):
            self._free.append(name)

    def close(self) -> None:
        """Drop the databases of this process."""
        self._drop(self._process)
        self._admin.close()

    def drop_stale(self) -> None:
        """Drop the databases of processes that are no more: nobody holds their lock."""
        names = self._admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}_%"])
        for process in {int(name.removeprefix(f"{PREFIX}_").partition("_")[0]) for (name,) in names.fetchall()}:
            if process == self._process:
                continue
            free = self._admin.execute("SELECT pg_try_advisory_lock(%s)", [process]).fetchone()
            if free == (True,):
                self._drop(process)
                self._admin.execute("SELECT pg_advisory_unlock(%s)", [process])

    def _make(self, template: str) -> str:
        self._number += 1
        name = f"{PREFIX}_{self._process}_{self._number}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def _migrate(self) -> str:
        name = self._make("template1")
        with closing(Store(self._url(name))) as store:
            upgrade(store)
        return name

    def _emptied(self, name: str, before: list[tuple[object, ...]]) -> bool:
        """Empty a database, with nobody connected any more; return False if a test changed more than rows."""
        gone = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        self._admin.execute(gone, [name]).fetchall()
        with self._connect(name) as database:
            if database.execute(SCHEMA.encode()).fetchall() != before:
                return False
            for table in reversed(metadata.sorted_tables):
                database.execute(f'DELETE FROM "{table.name}"'.encode())
        return True

    def _drop(self, process: int) -> None:
        mine = self._admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}_{process}_%"]
        )
        for (name,) in mine.fetchall():
            self._admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self._url(name).replace("+psycopg", ""))

    @staticmethod
    def _url(name: str) -> str:
        return f"{POSTGRES_URL.rpartition('/')[0]}/{name}"
