"""Ten years of a large operator in one ledger: whether what is asked every day stays fast."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, literal, select, text, update

from benchmarks.figures import Figure, Target
from benchmarks.processes import COMMAND, usage_of
from benchmarks.stage import Operator, mock_api
from report_service.adapters.db import tables
from report_service.adapters.db.engine import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, FromClause, Table

    from benchmarks.stage import Database, Stage
    from report_service.domain.months import ReportMonth

YEARS = 10
OF_A_MONTH = (tables.deliveries, tables.evidence, tables.runs, tables.month_inventories)
OF_ALL_MONTHS = ("cpo_id", "obelis_id")
LARGE = Operator(hubs=1200, groups=499)
"""12,500 reports a month: 1.5 million in ten years."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield for each database how long plan, heartbeat and questions take beside ten years."""
    for database in stage.databases:
        yield from _measured(stage, database)


def _measured(stage: Stage, database: Database) -> Iterator[Figure]:
    operator = stage.operator if stage.quick else LARGE
    months = 12 * (1 if stage.quick else YEARS)
    with mock_api("--limit", "0") as api, stage.store(database, operator) as url:
        stage.work("deliver", url, api)
        young = _answers(stage, url, api)
        before = stage.month.shift(-1)
        with closing(Store(url)) as store:
            _put_back(store, stage.month, before)
        young_plans = _plans(stage, url, api)
        stage.say(f"decade: {months * operator.reports:,} reports in {database.name}")
        with closing(Store(url)) as store:
            for back in range(1, months - 1):
                _copy(store, api, before, before.shift(-back))
            with store.write() as connection:
                connection.execute(text("ANALYZE"))
        plans = _plans(stage, url, api)
        stage.work("deliver", url, api)
        beside = f"beside {months * operator.reports:,} reports in {database.name}"
        yield Figure(name=f"plan of {operator.reports:,} reports {beside}", unit="s", values=plans)
        yield _growth(plans, young_plans)
        for name, took in _answers(stage, url, api).items():
            unit, bound = ("ms", 50.0) if name == "heartbeat" else ("s", 0.5)
            yield Figure(name=f"{name} {beside}", unit=unit, values=took, target=Target(bound=bound))
            yield _growth(took, young[name])


def _growth(old: tuple[float, ...], young: tuple[float, ...]) -> Figure:
    """Return what years cost, by the fastest runs: whatever else the machine does only adds to them."""
    return Figure(
        name="... / in the first month", unit="", values=(min(old) / min(young),), target=Target(bound=1.25)
    )


def _answers(stage: Stage, url: str, api: str) -> dict[str, tuple[float, ...]]:
    """Return how long it takes to say how the month stands: ms for a heartbeat, seconds for whole commands."""
    with closing(Store(url)) as store, store.read() as connection:
        key = connection.execute(text("SELECT max(report_key) FROM report_status")).scalar_one()
    took = {"heartbeat": tuple(stage.work("beat", url, api)["beat_ms"] for _ in range(stage.runs))}
    for name, command in {"status": ["status"], "explain": ["explain", key]}.items():
        used = [usage_of([COMMAND, *command], stage.environ(url, api)) for _ in range(stage.runs)]
        took[name] = tuple(one.wall_s for one in used)
        took[f"{name}, CPU"] = tuple(one.cpu_s for one in used)
    return took


def _plans(stage: Stage, url: str, api: str) -> tuple[float, ...]:
    """Plan the month so often, each time as if it had just opened."""
    took = []
    for _ in range(stage.runs):
        took.append(stage.work("plan", url, api)["plan_s"])
        with closing(Store(url)) as store, store.write() as connection:
            for table in OF_A_MONTH:
                connection.execute(delete(table).where(table.c.month == str(stage.month)))
    return tuple(took)


def _put_back(store: Store, month: ReportMonth, to: ReportMonth) -> None:
    """Let a month that is delivered be another one."""
    with store.write() as connection:
        for table in OF_A_MONTH:
            change = update(table).where(table.c.month == str(month)).values(month=str(to))
            connection.execute(change)


def _copy(store: Store, api: str, month: ReportMonth, to: ReportMonth) -> None:
    """Let what a month left behind be there for another one, too: reports, bodies, attempts, evidence."""
    reports, attempts, payloads = tables.deliveries, tables.attempts, tables.payloads
    copies = reports.alias()

    def of(table: FromClause, which: ReportMonth) -> ColumnElement[bool]:
        named = {"endpoint": api, "cpo_id": "BENCH", "month": str(which)}
        return and_(*(table.c[name] == value for name, value in named.items()))

    def value(column: ColumnElement[Any]) -> ColumnElement[Any]:
        if column is attempts.c.delivery_id:
            return copies.c.id
        if column.name == "month":
            return literal(str(to))
        begins_with_it = column.name.endswith(("sha256", "_id", "_key")) and column.name not in OF_ALL_MONTHS
        return literal(str(to)) + func.substr(column, 8) if begins_with_it else column

    of_copies = and_(
        of(copies, to), reports.c.kind == copies.c.kind, reports.c.subject == copies.c.subject, of(reports, month)
    )
    rows: dict[Table, ColumnElement[bool]] = {
        payloads: payloads.c.sha256.in_(select(reports.c.payload_sha256).where(of(reports, month))),
        reports: of(reports, month),
        attempts: and_(attempts.c.delivery_id == reports.c.id, of_copies),
        **{table: of(table, month) for table in OF_A_MONTH if table is not reports},
    }
    with store.write() as connection:
        if not store.is_sqlite:  # of rows that are as new as these PostgreSQL believes that there are none
            connection.execute(text("SET LOCAL enable_nestloop = off"))
        for table, which in rows.items():
            columns = [column for column in table.c if column is not reports.c.id]
            chosen = select(*map(value, columns)).where(which)
            connection.execute(insert(table).from_select([column.name for column in columns], chosen))
