"""The operator's figures: from the canonical tables, or by a query of the operator's own on another database.

Values come as raw as the driver gives them, so that an odd one is a fault of its row. What keeps a table from
being read, whatever it is, is a fault of that table: nobody waits for it longer than its time-out.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, column, create_engine, event, select, table, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from report_service.adapters.db.bounded import within
from report_service.adapters.db.engine import parsed, without_password
from report_service.adapters.db.sqlite import lenient_text
from report_service.domain import parsers, table_schemas
from report_service.domain.field_errors import InvalidValue
from report_service.domain.inventory import Inventory
from report_service.domain.table_schemas import CONFLICT
from report_service.domain.written import UTC_ZONE, Conventions, written
from report_service.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy import Select, TextClause

    from report_service.adapters.db.engine import Store
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.table_schemas import TableSchema
    from report_service.ports import Background, Clock

    Row = Mapping[str, object]

TIMEOUT_S = 300.0
"""How long reading one table may take, unless the configuration says otherwise."""
_BATCH = 1000
_CONNECT_TIMEOUT_S = 10
_MYSQL = ("mysql", "mariadb")
_RENAMED = 0.4
"""How alike a column is that was renamed, of those that the form does not know: `fcr` is `fcr_rate`."""
_OPCODES = 100_000
"""So many steps of SQLite's virtual machine are a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An operator's query, which stands for a table."""

    url: str
    select: str
    zone: ZoneInfo = UTC_ZONE  # of the date-times that it gives without one
    timeout_s: float = TIMEOUT_S


class SqlSource:
    """Reads each table where it is: in the store, unless a query stands for it."""

    def __init__(
        self,
        store: Store,
        queries: Mapping[str, Query],
        *,
        clock: Clock,
        background: Background | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Take the operator's queries by the name of the table that they stand for; `timeout_s` is the others'.

        A query may use `:month` (text, 2026-10), `:month_start` and `:next_month_start` (dates: half-open), and
        `:month_end` (the month's last day); rows of other months are passed over.
        """
        self._store = store
        self._queries = queries
        self._clock = clock
        self._background = background
        self._timeout_s = timeout_s

    def inventory(self, month: ReportMonth) -> Inventory:
        """Return everything that may be reported on, with what is wrong with it and what cannot be read."""
        unread: dict[str, str] = {}

        def rows(schema: TableSchema) -> list[Row]:
            try:
                return list(self._read(schema, month))
            except SourceUnavailable as exc:
                unread[schema.name] = str(exc)
                return []

        return Inventory.read(
            month,
            hubs=rows(table_schemas.HUBS),
            points=rows(table_schemas.POINTS),
            provider_groups=rows(table_schemas.PROVIDER_GROUPS),
            unread=unread,
        )

    def rows(self, kind: Kind, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        """Yield the raw rows of one kind and month as they are read; raise SourceUnavailable."""
        return self._read(table_schemas.REPORT_SCHEMAS[kind], month)

    def _read(self, schema: TableSchema, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        query = self._queries.get(schema.name)
        name = f"sources.{schema.name}" if query else f"the store's table {schema.table}"
        timeout_s = query.timeout_s if query else self._timeout_s

        def read(given_up: Callable[[], bool]) -> Generator[Sequence[Row]]:
            return _queried(schema, month, query, given_up) if query else self._stored(schema, month, given_up)

        try:
            yield from within(timeout_s, read, clock=self._clock, background=self._background)
        except TimeoutError:
            raise SourceUnavailable(
                f"{name} was not read within {timeout_s:g} s",
                hint="See whether something locks what it reads, or what makes its query slow; "
                "sources.*.timeout_s allows a query more.",
            ) from None

    def _stored(
        self, schema: TableSchema, month: ReportMonth, given_up: Callable[[], bool]
    ) -> Generator[Sequence[Row]]:
        names = [*schema.columns, CONFLICT] if "month" in schema.columns else list(schema.columns)
        statement: Select[*tuple[Any, ...]] = select(*map(column, names)).select_from(table(schema.table))
        if "month" in schema.columns:
            statement = statement.where(column("month") == str(month))
        with (
            self._store.read() as connection,
            _table_translated(schema.table, self._store),
            _ended_when(given_up, connection),
        ):
            result = connection.execution_options(yield_per=_BATCH).execute(statement)
            for rows in result.partitions():
                yield [dict(zip(names, row, strict=True)) for row in rows]


def _queried(
    schema: TableSchema, month: ReportMonth, query: Query, given_up: Callable[[], bool]
) -> Generator[Sequence[Row]]:
    """Yield the rows of an operator's query; raise SourceUnavailable, which names the source, never a password."""
    local, by = schema.local_columns, Conventions(zone=query.zone)
    with _translated(schema.name, query.url):
        statement = _bound(schema.name, query.select, month)
        with (
            _read_only(parsed(query.url)).connect() as connection,
            _ended_when(given_up, connection, timeout_s=query.timeout_s),
            connection.execution_options(yield_per=_BATCH).execute(statement) as result,
        ):
            position_of = _positions(schema, list(result.keys()))
            values_of = itemgetter(*position_of.values())
            for batch in result.partitions():
                rows = [dict(zip(position_of, values_of(values), strict=True)) for values in batch]
                yield [
                    written(row, local, by)
                    for row in rows
                    if "month" not in row or _may_be_of(month, row["month"])
                ]


@contextmanager
def _ended_when(
    given_up: Callable[[], bool], connection: Connection, *, timeout_s: float | None = None
) -> Iterator[None]:
    """Make the database itself end a statement that nobody waits for any more, where it can."""
    if timeout_s is not None:
        _limit(connection, timeout_s + 1)  # later than we give up, so that there is one message
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(given_up, _OPCODES)
    try:
        yield
    finally:  # the connection may go on to others
        driver.set_progress_handler(None, 0)


def _limit(connection: Connection, timeout_s: float) -> None:
    """Tell the database how long a statement of this connection may take, if it is one that can be told."""
    dialect: Any = connection.dialect
    if dialect.name == "postgresql":  # not in `options`, which PgBouncer refuses
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(1000 * timeout_s)}")
    elif dialect.name in _MYSQL:
        limit = f"max_statement_time = {timeout_s}"
        if not dialect.is_mariadb:
            limit = f"max_execution_time = {round(1000 * timeout_s)}"
        connection.exec_driver_sql(f"SET SESSION {limit}")


def _may_be_of(month: ReportMonth, raw: object) -> bool:
    """Return True if a row is one of the month; what cannot be read is left to be a fault of its row."""
    try:
        return parsers.month(raw) == month
    except InvalidValue:
        return True


def _bound(name: str, query: str, month: ReportMonth) -> TextClause:
    """Return the query with the month's values in their places."""
    known = {
        "month": str(month),
        "month_start": month.first_day,
        "next_month_start": month.shift(1).first_day,
        "month_end": month.last_day,
    }
    statement = text(query)
    wanted = statement.compile().params.keys()
    if unknown := sorted(wanted - known.keys()):
        raise SourceUnavailable(
            f"the query of sources.{name} uses :{unknown[0]}, which is nothing it may use",
            hint=f"It may use :{', :'.join(known)}. Write a colon that starts no name as \\:.",
        )
    return statement.bindparams(**{parameter: known[parameter] for parameter in wanted})


def _positions(schema: TableSchema, found: Sequence[str]) -> dict[str, int]:
    """Return where each of the form's columns is among those found; others are ignored."""
    names = [name.lower() for name in found]
    wanted = [column for column in schema.columns if column in names or column not in schema.omissible]
    others = [name for name in names if name not in schema.columns]
    for needed in wanted:
        if names.count(needed) != 1:
            count = "two columns" if needed in names else "no column"
            near = next(iter(get_close_matches(needed, others, n=1, cutoff=_RENAMED)), "...")
            raise SourceUnavailable(
                f"the query of sources.{schema.name} gives {count} {needed}; it gives {', '.join(found)}",
                hint=f"Name each column once, as in the CSV file, for example SELECT {near} AS {needed}.",
            )
    return {column: names.index(column) for column in wanted}


def _read_only(url: URL) -> Engine:
    """Return an engine that cannot change what it reads; no connection outlives its use.

    SQLite, PostgreSQL, MySQL and MariaDB are told so. Any other database is only never asked to commit.
    """
    match url.get_backend_name():
        case "sqlite":
            return _read_only_sqlite(url)
        case "postgresql" | "postgres":
            driver = url.drivername if "+" in url.drivername else "postgresql+psycopg"
            arguments: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT_S}
            if driver == "postgresql+psycopg":
                arguments["prepare_threshold"] = None  # PgBouncer hands each transaction another connection
            engine = create_engine(url.set(drivername=driver), poolclass=NullPool, connect_args=arguments)
            return engine.execution_options(postgresql_readonly=True)
        case name:
            engine = create_engine(url, poolclass=NullPool)
            if name in _MYSQL:
                event.listen(engine, "connect", _read_only_mysql)
            return engine


def _read_only_mysql(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
    with closing(connection.cursor()) as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def _read_only_sqlite(url: URL) -> Engine:
    """Open the file in a mode that neither makes nor changes it."""
    file = quote(str(Path(url.database or "").resolve()))
    engine = create_engine(
        url.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"}),
        poolclass=NullPool,
        connect_args={"check_same_thread": False},  # each batch is read by another thread, in turn
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.text_factory = lenient_text
        connection.execute("PRAGMA query_only=ON")

    return engine


@contextmanager
def _table_translated(name: str, store: Store) -> Iterator[None]:
    """Turn what keeps a table of the store from being read into SourceUnavailable, unless the store is away."""
    try:
        yield
    except Exception as exc:
        if isinstance(exc, DBAPIError) and exc.connection_invalidated:
            raise
        reason = without_password(_words(exc), store.engine.url)
        raise SourceUnavailable(
            f"the store's table {name} cannot be read: {reason}",
            hint="See who locks it, or changed it; `report-service check` tries every table.",
        ) from exc


@contextmanager
def _translated(name: str, url: str) -> Iterator[None]:
    """Turn what databases and drivers raise into SourceUnavailable: the one place where that happens."""
    try:
        yield
    except (NoSuchModuleError, ImportError) as exc:  # the former is an ArgumentError, too
        raise SourceUnavailable(
            f"sources.{name}: no driver is installed for {parsed(url).drivername}: {exc}",
            hint="sqlite:// and postgresql+psycopg:// are built in; the extras report-service[mysql], [mssql] and "
            "[oracle] are mysql+pymysql://, mssql+pymssql:// and oracle+oracledb://.",
        ) from exc
    except ArgumentError as exc:  # its own words may hold the URL
        raise SourceUnavailable(
            f"sources.{name}.url is not the URL of a database",
            hint="Write it as sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
        ) from exc
    except SourceUnavailable:
        raise
    except Exception as exc:  # drivers raise what they like: for a value that they cannot read, for instance
        place, reason = parsed(url), _words(exc)
        raise SourceUnavailable(
            f"sources.{name} cannot be read from {place.host or place.database}: "
            f"{without_password(reason, place)}",
            hint="See that this database is up, and that url and query are right; "
            "`report-service check` tries every source.",
        ) from exc


def _words(exc: Exception) -> str:
    """Return an error's words, the driver's own where it is one's, in one line."""
    return " ".join(str(exc.orig if isinstance(exc, DBAPIError) else exc).split())
