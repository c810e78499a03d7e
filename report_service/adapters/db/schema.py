"""Bring the store's tables to this version, through alembic.

Alembic is imported only when there is something to migrate: it takes 8 MB and a tenth of a second, and every
process asks for the revision when it starts.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

import report_service
from report_service.adapters.db import grants
from report_service.errors import ConfigurationError, SchemaOutdated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.config import Config
    from sqlalchemy import Connection

    from report_service.adapters.db.engine import Store

_PACKAGE = Path(report_service.__file__).parent
_MIGRATIONS = next(place for place in (_PACKAGE / "migrations", _PACKAGE.parent / "migrations") if place.is_dir())
"""In a wheel the migrations lie within the package, in a checkout beside it."""
_REVISIONS = sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))
"""A migration's file is named `0002_ledger.py` for revision 0002, and each one follows the one before it."""
_LOCK = 7_263_001
"""The number of the advisory lock under which replicas that start together migrate one after the other."""


def current_revision(store: Store) -> str | None:
    """Return the revision of the store's tables; None when it has none."""
    with store.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def head_revision() -> str:
    """Return the revision that this version needs."""
    return _REVISIONS[-1]


def upgrade(store: Store, *, revision: str = "head") -> None:
    """Bring the tables up to a revision; all or nothing."""
    from alembic import command  # noqa: PLC0415 - see above

    with migrating(store) as connection:
        command.upgrade(_config(connection), revision)


def upgrade_script(store: Store) -> str:
    """Return the SQL that brings the tables to this version, for somebody who may run it; PostgreSQL only.

    It ends with what lets this store's role use them. Raise ConfigurationError for SQLite, where nobody else may.
    """
    from alembic import command  # noqa: PLC0415 - see above

    if store.is_sqlite:
        raise ConfigurationError(
            "the store is a file: there are no statements for somebody else to run",
            hint="Run `report-service db upgrade` without --sql.",
        )
    current, script = current_revision(store), StringIO()
    with store.read() as connection:
        config = _config(connection)
        config.output_buffer = script
        command.upgrade(config, f"{current or 'base'}:head", sql=True)
        return f"{script.getvalue()}{grants.grants_to(connection)}\n"


def downgrade(store: Store, *, revision: str) -> None:
    """Take the tables down to a revision (`base`: remove them all, with what they hold)."""
    from alembic import command  # noqa: PLC0415 - see above

    with migrating(store) as connection:
        command.downgrade(_config(connection), revision)


def require_current(store: Store, *, auto_upgrade: bool) -> str | None:
    """Make sure that the tables are this version's; upgrade them if allowed, else raise SchemaOutdated.

    Returns the revision that they were upgraded to, None if nothing had to be done.
    """
    current, head = current_revision(store), head_revision()
    if current == head:
        _require(grants.require_use, store)
        return None
    if current is not None and current not in _REVISIONS:
        raise SchemaOutdated(
            f"the store's tables are at revision {current}, which this version ({report_service.__version__}) "
            "does not know: a newer version made them",
            hint="Run that newer version, or restore the back-up made before the upgrade.",
        )
    if not auto_upgrade:
        first = "Make a back-up, then run" if current else "Run"
        raise SchemaOutdated(
            f"the store's tables are at revision {current}, this version needs {head}"
            if current
            else f"the store has no tables yet; this version needs those of revision {head}",
            hint=f"{first} `report-service db upgrade`; "
            "or set store.auto_upgrade = true to have it done at start.",
        )
    _require(grants.require_change, store)
    upgrade(store)
    return head


def _require(rights: Callable[[Connection], None], store: Store) -> None:
    """Raise what `rights` raises when the store's role has not got them; whoever has a file has them all."""
    if not store.is_sqlite:
        with store.read() as connection:
            rights(connection)


@contextmanager
def migrating(store: Store) -> Iterator[Connection]:
    """Yield a transaction in which one process alone migrates, however long it takes on tables of many years.

    SQLite's write transaction is that already. On PostgreSQL only the wait for a lock has an end, 10 s: whoever
    comes after one that waits for a table waits, too.
    """
    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
