"""The store in a simulated month: a real SQLite file in memory, and what befalls databases.

Every transaction of a process begins and ends with a switch: there it may die, wait, find the store away or full,
or lose the answer to a commit that went through.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from report_service.adapters.db.engine import Store, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.simulation.engine import Process, World

MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
"""Where files are kept that need not outlive the machine."""
_home = str(MEMORY) if MEMORY else None


def keep_in(folder: str) -> None:
    """Keep this process's files in a folder, which somebody else removes."""
    global _home  # noqa: PLW0603 - once, when a worker begins
    _home = folder


class Disk:
    """The one file of this operating-system process, used for one month after the other."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="report-service-", dir=_home))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = self.folder / "store.sqlite3"
        self.url = f"sqlite:///{self.path}"
        self.store = Store(self.url)
        event.listen(self.store.engine, "connect", _in_haste)

    def write(self, content: bytes) -> None:
        """Begin anew with a file of this content."""
        self.store.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.path.write_bytes(content)
        (self.folder / "original.sqlite3").write_bytes(content)


@lru_cache(maxsize=1)
def disk() -> Disk:
    """Return the disk of this process; its engine compiles each statement once, a tenth of a second in all."""
    return Disk()


class Database:
    """The month's database server: whether it answers, how fast, and whether there is room."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.away_until = 0.0  # true seconds, as is the next
        self.full_until = 0.0
        self.slow_until = 0.0
        self.slow_s = 0.0  # what a transaction then takes
        self.commits_lost = 0  # so many of the next commits go through, and nobody is told
        self._backup: sqlite3.Connection | None = None

    def back_up(self) -> None:
        self._backup = sqlite3.connect(":memory:")
        with sqlite3.connect(disk().path) as live:
            live.backup(self._backup)
        live.close()

    def restore(self) -> bool:
        """Put the store back to how it was at its last back-up; return False if there is none."""
        if self._backup is None:
            return False
        live = sqlite3.connect(disk().path)
        self._backup.backup(live)
        live.close()
        return True

    def close(self) -> None:
        if self._backup is not None:
            self._backup.close()


class SimulatedStore(Store):
    """A process's connections to the database."""

    def __init__(self, process: Process, database: Database) -> None:
        shared = disk().store
        self.engine, self._writing = shared.engine, shared._writing
        self._process = process
        self._database = database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._begin()
        with super().read() as connection:
            yield connection
        self._process.switch()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._begin()
        database = self._database
        with super().write() as connection:
            yield connection
            if self._process.dead or database.full_until > self._process.world.elapsed:
                raise _failure("database or disk is full", "SQLITE_FULL")
        if database.commits_lost:
            database.commits_lost -= 1
            self._fail("disk I/O error", "SQLITE_IOERR")
        self._process.switch()

    def close(self) -> None:
        """Leave the shared engine as it is."""

    def _begin(self) -> None:
        database, world = self._database, self._process.world
        self._process.switch(database.slow_s if database.slow_until > world.elapsed else 0.0)
        if database.away_until > world.elapsed:
            self._fail("unable to open database file", "SQLITE_CANTOPEN")

    def _fail(self, words: str, code: str) -> None:
        self._process.world.note(self._process.name, f"the store: {words}")
        with translated(self.engine):
            raise _failure(words, code)


def _failure(words: str, code: str) -> OperationalError:
    """Return what SQLAlchemy raises when SQLite fails so."""
    origin = sqlite3.OperationalError(words)
    origin.sqlite_errorcode = getattr(sqlite3, code)
    origin.sqlite_errorname = code
    return OperationalError("COMMIT", {}, origin)


def _in_haste(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    """Do not wait for the disk: a simulated death is no power cut."""
    connection.execute("PRAGMA synchronous=OFF")
