"""PostgreSQL as it is met: directly, behind a pooler, or as one of several servers.

A pooler such as PgBouncer hands each transaction another connection. So nothing is asked of a connection that is
to outlive a transaction: no start-up options (PgBouncer refuses them), no prepared statements (another connection
does not know them), no advisory lock of a session. What a transaction needs is set with its BEGIN, in one message:
that costs no further round trip, and is the same with and without a pooler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, ExceptionContext

SETTINGS = {
    "synchronous_commit": "on",
    "statement_timeout": "20s",  # the ledger's statements are short; a migration takes what it takes, see `schema`
    "lock_timeout": "10s",
    "timezone": "UTC",
}
_BEGIN = "; ".join(["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in SETTINGS.items())])
_NO_CURSOR = {"yield_per": None, "stream_results": False}
"""What a connection may have been told for the rows of its first statement, and is not for BEGIN."""
_READ_ONLY = "25006"
"""SQLSTATE of a write to a server that has become, or still is, a standby (appendix A)."""


def postgres_engine(url: URL) -> Engine:
    """Return an engine for a `postgresql+psycopg` URL; what its query says goes to libpq as it is."""
    arguments: dict[str, Any] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 15000,
        "application_name": "report-service",
        "prepare_threshold": None,
    }
    if len(url.normalized_query.get("host", ())) > 1 and "target_session_attrs" not in url.query:
        arguments["target_session_attrs"] = "read-write"  # of several servers only one is no standby
    engine = create_engine(url, pool_pre_ping=True, pool_size=2, hide_parameters=True, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.autocommit = True  # transactions are begun below, not by the driver

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(_BEGIN, execution_options=_NO_CURSOR)

    @event.listens_for(engine, "handle_error")
    def give_up(context: ExceptionContext) -> None:
        """Leave a server that became a standby: the pool would keep its connections for good."""
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

    return engine
