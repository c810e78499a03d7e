"""The tables, as SQLAlchemy Core sees them; the migrations create them.

Names of the source tables' columns are those of the CSV files. Source values are stored as the operator
gave them: the rules of the reports are checked when a month is planned, not by the database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    true,
)

from report_service.domain import parsers
from report_service.domain.kinds import KINDS
from report_service.domain.table_schemas import CONFLICT, REPORT_SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, UTC on both sides; SQLite, which knows no zone, stores UTC without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give SQLite UTC without a zone."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return it aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """A decimal that keeps its digits: SQLite's own numbers are binary, so it stores text."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's own signature
        """Store text in SQLite."""
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 - as above
        """Give SQLite the digits."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002
        """Return the digits as a decimal."""
        return None if value is None else Decimal(str(value))


def _ledger(*, key: bool = False, month: bool = True) -> list[Column[Any]]:
    """Return the columns that say whose ledger a row belongs to, and to which month of it."""
    names = {"endpoint": Text(), "cpo_id": Text()} | ({"month": String(7)} if month else {})
    return [Column(name, type_, primary_key=key, nullable=False) for name, type_ in names.items()]


def _operation() -> list[Column[Any]]:
    """Return the columns that say from when to when an inventory's thing was in operation."""
    return [Column("commissioned_on", Date), Column("decommissioned_on", Date)]


def _declared(what: str) -> list[Column[Any]]:
    """Return the columns of a person's word on a report: `what` was said, by whom, when."""
    return [
        Column("key", Text, primary_key=True),
        Column(what, Text, nullable=False),
        Column("declared_by", Text, nullable=False),
        Column("declared_at", UtcDateTime, nullable=False),
    ]


# --- inventory: what has to be reported on

hubs = Table(
    "hubs",
    metadata,
    Column("hub_id", String(36), primary_key=True),
    Column("name", Text),
    *_operation(),
)
points = Table(
    "points",
    metadata,
    Column("point_id", String(36), primary_key=True),
    Column("hub_id", String(36), nullable=False),
    Column("evse_id", Text),
    *_operation(),
)
provider_groups = Table(
    "provider_groups",
    metadata,
    Column("provider_group", String(5), primary_key=True),
    Column("valid_from", Date),
    Column("valid_to", Date),
)

# --- source: one table a kind of report; `conflict` says why a row of it holds no figures

_TYPES: Mapping[Callable[[object], object], TypeEngine[Any]] = {
    parsers.number: Exact(),
    parsers.plain_number: Exact(),
    parsers.share: Exact(),
    parsers.valid_from: UtcDateTime(),
    parsers.valid_to: UtcDateTime(),
    parsers.uuid: String(36),
    parsers.provider_group: String(5),
}
"""By what a column takes, how it is stored; text unless it stands here."""

for _kind in KINDS:
    _subject = _kind.subject
    Table(
        REPORT_SCHEMAS[_kind].table,
        metadata,
        Column("month", String(7), primary_key=True),
        *([Column(_subject.column, _TYPES[_subject.parse], primary_key=True)] if _subject else []),
        *(Column(column.name, _TYPES.get(column.stored, Text())) for column in _kind.columns),
        Column(CONFLICT, Text),
    )

# --- ledger: what became of each report

payloads = Table(
    "payloads",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("body", Text, nullable=False),  # the exact bytes, which are UTF-8 JSON
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    *_ledger(),
    Column("kind", String(32), nullable=False),
    Column("subject", Text, nullable=False),  # '' for the hotline
    Column("due", Boolean, nullable=False, server_default=true()),  # false: sent once, no longer expected
    Column("state", String(20), nullable=False),
    Column("evidence", String(10)),
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    Column("drift", Boolean, nullable=False, server_default=false()),
    Column("echo_differs", Boolean, nullable=False, server_default=false()),  # OBELIS stored something else
    Column("path", Text, nullable=False, server_default=""),
    Column("payload_sha256", String(64), ForeignKey("payloads.sha256")),  # to send, or sent
    Column("source_sha256", String(64)),  # what the source's row would send now
    Column("source", Text),  # the row's raw values, JSON
    Column("obelis_id", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("consecutive_failures", Integer, nullable=False, server_default="0"),
    Column("last_outcome", String(20)),
    Column("http_status", Integer),
    Column("detail", Text, nullable=False, server_default=""),
    Column("next_attempt_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("endpoint", "cpo_id", "month", "kind", "subject"),
    Index("ix_deliveries_due", "endpoint", "cpo_id", "month", "state", "next_attempt_at"),
)
attempts = Table(
    "attempts",
    metadata,
    Column("request_id", String(36), primary_key=True),
    Column("delivery_id", Integer, ForeignKey("deliveries.id"), index=True),  # null: a token request
    Column("endpoint", Text, nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("instance", Text, nullable=False),
    Column("verb", String(6), nullable=False),
    Column("path", Text, nullable=False),
    Column("payload_sha256", String(64)),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # null: the answer was never recorded
    Column("http_status", Integer),
    Column("outcome", String(20)),
    Column("answer", Text),
    Index("ix_attempts_pace", "endpoint", "started_at"),
)
evidence = Table(  # one chain a month: rows are added, and never changed
    "evidence",
    metadata,
    *_ledger(key=True),
    Column("position", Integer, primary_key=True),
    Column("report_key", Text, nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("verb", String(6), nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64)),
    Column("at", UtcDateTime, nullable=False),
    Column("http_status", Integer),
    Column("outcome", String(20), nullable=False),
    Column("answer", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # of the row and of the one before it
)
runs = Table(
    "runs",
    metadata,
    Column("run_id", String(36), primary_key=True),
    *_ledger(),
    Column("started_by", String(20), nullable=False),
    Column("instance", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("result", String(20)),
    Column("detail", Text, nullable=False, server_default=""),
    Column("summary", Text),  # the fields of its log line, JSON
    Index("ix_runs_latest", "endpoint", "cpo_id", "month", "started_at"),
)
month_inventories = Table(
    "month_inventories",  # what a month's inventory is measured by
    metadata,
    *_ledger(key=True),
    Column("largest", Integer, nullable=False),
    Column("doubt", Text, nullable=False),
    Column("doubted_at", UtcDateTime),
    Column("accepted_by", Text, nullable=False),
    Column("accepted_at", UtcDateTime),
)
leases = Table(
    "leases",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
waivers = Table(
    "waivers",
    metadata,
    Column("cpo_id", Text, primary_key=True),
    *_declared("reason"),
)
hand_ins = Table(
    "hand_ins",
    metadata,
    *_ledger(key=True, month=False),
    *_declared("reference"),
)


def insert_into(table: Table, connection: Connection) -> Any:  # noqa: ANN401 - two dialects, one method in common
    """Return an INSERT that knows ON CONFLICT, in the words of the connection's database."""
    return dialect_of(connection.dialect.name).insert(table)


@cache
def dialect_of(database: str) -> Any:  # noqa: ANN401 - as above
    """Return SQLAlchemy's module for a database, `sqlite` or `postgresql`; only the one in use is imported."""
    return import_module(f"sqlalchemy.dialects.{database}")
