"""What a database's error means: the store is away, or there is a bug.

The store is away when the same statement can succeed later without a change of ours: waiting mends it, or somebody
who sees to the database does. Anything else (a broken constraint, an unknown column, a value that does not fit)
fails each time, and is a bug: it must not be waited for.

| SQLSTATE (PostgreSQL, appendix A)                     | SQLite (sqlite.org/rescode.html)          | mended by |
|-------------------------------------------------------|-------------------------------------------|-----------|
| 08 connection, 57 intervention; none: never connected |                                           | NETWORK   |
| 40 rollback; 55006, 55P03 locks; 25P03, 25P04 waits   | BUSY, LOCKED, INTERRUPT, SCHEMA, PROTOCOL | TIME      |
| 53 resources, 54000 limits                            | FULL, NOMEM                               | ROOM      |
| 25006 read-only, 28, 42501 rights, 3D000 database     | CANTOPEN, READONLY, PERM                  | ACCESS    |
| 58 system, XX damage                                  | IOERR, CORRUPT, NOTADB, NOLFS             | REPAIR    |
| all others                                            | all others, and errors of the module      | nobody    |

40002 is a broken constraint: a bug, although its class is not.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK = "See that the database runs, and can be reached from here at the address in store.url."
TIME = (
    "Another process holds what is needed here (a migration, a back-up, a long query): try again when it is done."
)
ROOM = "The database has no room left (disk, memory, connections): give it more, or end what takes it."
ACCESS = (
    "See that file or database, user and password in store.url are right, and that it may be read and written."
)
REPAIR = "The database's files or its disk are damaged: have them checked, and restore a back-up if need be."

_BY_SQLSTATE: Mapping[str, str] = {
    "08": NETWORK,
    "57": NETWORK,
    "57014": TIME,  # statement_timeout
    "40": TIME,
    "55006": TIME,
    "55P03": TIME,
    "25P03": TIME,
    "25P04": TIME,
    "53": ROOM,
    "54000": ROOM,  # as when no transaction ids are left
    "25006": ACCESS,  # as after a fail-over to a standby
    "28": ACCESS,
    "3D000": ACCESS,
    "42501": ACCESS,
    "58": REPAIR,
    "XX": REPAIR,
}
"""By class, or by whole code; a whole code says more."""
_BUGS = frozenset({"40002"})

_BY_RESULT_CODE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: TIME,
    sqlite3.SQLITE_LOCKED: TIME,
    sqlite3.SQLITE_INTERRUPT: TIME,
    sqlite3.SQLITE_SCHEMA: TIME,
    sqlite3.SQLITE_PROTOCOL: TIME,
    sqlite3.SQLITE_FULL: ROOM,
    sqlite3.SQLITE_NOMEM: ROOM,
    sqlite3.SQLITE_CANTOPEN: ACCESS,
    sqlite3.SQLITE_READONLY: ACCESS,
    sqlite3.SQLITE_PERM: ACCESS,
    sqlite3.SQLITE_IOERR: REPAIR,
    sqlite3.SQLITE_CORRUPT: REPAIR,
    sqlite3.SQLITE_NOTADB: REPAIR,
    sqlite3.SQLITE_NOLFS: REPAIR,
}


def way_out(error: DBAPIError) -> str | None:
    """Return what a person does about a store that is away; None: the error is a bug."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return by_result_code(getattr(cause, "sqlite_errorcode", None))
    sqlstate: str | None = getattr(cause, "sqlstate", None)
    if sqlstate is not None:
        return by_sqlstate(sqlstate)
    # What never reached the server, or lost it, has no code; what the driver refuses is no OperationalError.
    return NETWORK if error.connection_invalidated or isinstance(error, OperationalError) else None


def by_sqlstate(code: str) -> str | None:
    """Return what mends an error with this SQLSTATE (five characters); None: it is a bug."""
    return None if code in _BUGS else _BY_SQLSTATE.get(code, _BY_SQLSTATE.get(code[:2]))


def by_result_code(code: int | None) -> str | None:
    """Return what mends an error with this result code of SQLite, extended or not; None: it is a bug."""
    return None if code is None else _BY_RESULT_CODE.get(code & 0xFF)
