"""SQLite, the embedded default: one file, on a disk of this machine."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event

from report_service.adapters.whole_file import PRIVATE
from report_service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL, Connection, Engine

BUSY_TIMEOUT_S = 10
"""How long a writer waits for another: well below the lease's 60 s."""

_NO_WAL = "which shares no memory between processes: is it a network share?"


def sqlite_engine(url: URL) -> Engine:
    """Return an engine for a `sqlite` URL; raise ConfigurationError when the file's folder is not there."""
    file = url.database if url.database and not url.database.startswith((":memory:", "file:")) else None
    if file and not Path(file).resolve().parent.is_dir():
        raise ConfigurationError(
            f"store.url: the folder of {file!r} does not exist", hint="Make it, or name another file."
        )
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "do_connect")
    def make_private(*_: object) -> None:
        """Make a new file before SQLite does, so that only its owner may read it, nor the logs beside it."""
        if file:
            with suppress(OSError):  # it is there, or SQLite will say why it cannot be
                os.close(os.open(file, os.O_CREAT | os.O_EXCL, PRIVATE))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.text_factory = lenient_text
        connection.isolation_level = None  # transactions are begun below, not by the driver
        with suppress(sqlite3.OperationalError):  # where there is no shared memory; `shared_safely` tells
            connection.execute("PRAGMA journal_mode=WAL")
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def lenient_text(raw: bytes) -> str:
    """Return SQLite's bytes as text; what is no UTF-8 stays recognizable, as half a surrogate pair for each byte.

    By default one such cell makes the whole table unreadable. So it is a fault of its row, which no text may hold.
    """
    return raw.decode(errors="surrogateescape")


def shared_safely(connection: Connection) -> bool:
    """Return True if write-ahead logging came about: then processes that share the file see the same of it."""
    return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def hold_alone(connection: Connection) -> Callable[[], None]:
    """Keep a second daemon from this file until what is returned is called, or the process ends.

    Raise ConfigurationError if another has it. Only for a file that is not `shared_safely`.
    """
    file = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
    held = Path(f"{file}-daemon").open("w", encoding="utf-8")  # noqa: SIM115 - it is open as long as it is held
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        held.close()
        raise ConfigurationError(
            f"another daemon works with {file}, on a file system without write-ahead logging, {_NO_WAL}",
            hint="Run one daemon, put the file on a disk of this machine, or use PostgreSQL.",
        ) from exc
    return held.close
