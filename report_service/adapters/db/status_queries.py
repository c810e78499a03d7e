"""How a month stands: questions to the ledger that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, or_, select

from report_service.adapters.db.tables import attempts, deliveries, payloads
from report_service.domain.delivery import DONE, OVER, State
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.ports import DeliveryStatus, MonthCounts, Undelivered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import ColumnElement, Connection

KIND_ORDER: ColumnElement[int] = case({kind.value: kind.rank for kind in Kind}, value=deliveries.c.kind)
"""Kinds in the order of sending."""


def month_counts(connection: Connection, scope: ColumnElement[bool], month: ReportMonth) -> MonthCounts:
    """Count the due reports of a month by kind and state."""
    columns = deliveries.c
    flags = (func.count().filter(columns.drift), func.count().filter(columns.in_doubt))
    rows = connection.execute(
        select(columns.kind, columns.state, func.count(), *flags)
        .where(scope, columns.month == str(month), columns.due)
        .group_by(columns.kind, columns.state)
    ).all()
    by_kind: dict[Kind, dict[State, int]] = {kind: {} for kind in Kind}
    for kind, state, count, _drifted, _unsettled in rows:
        by_kind[Kind(kind)][State(state)] = count
    return MonthCounts(
        month=month,
        by_kind=by_kind,
        drifted=sum(row[3] for row in rows),
        in_doubt=sum(row[4] for row in rows),
    )


def outstanding(
    connection: Connection, scope: ColumnElement[bool], month: ReportMonth, *, limit: int | None
) -> list[DeliveryStatus]:
    """Return the due reports that are not done, and those that drifted, in the order of keys."""
    columns = deliveries.c
    wanted = or_(columns.state.not_in([state.value for state in DONE]), columns.drift)
    return standings(connection, [scope, columns.month == str(month), columns.due, wanted], limit=limit)


def standings(
    connection: Connection, wanted: Sequence[ColumnElement[bool]], *, limit: int | None = None
) -> list[DeliveryStatus]:
    """Return the reports that fit, in the order of keys."""
    columns = deliveries.c
    rows = connection.execute(
        select(
            columns.month,
            columns.kind,
            columns.subject,
            columns.state,
            columns.detail,
            columns.next_attempt_at,
            columns.in_doubt,
            columns.drift,
        )
        .where(*wanted)
        .order_by(columns.month, KIND_ORDER, columns.subject)
        .limit(limit)
    ).all()
    return [_standing(row) for row in rows]


def _standing(row: Any) -> DeliveryStatus:  # noqa: ANN401 - a row's type names its columns
    return DeliveryStatus(
        key=DeliveryKey(ReportMonth.parse(row.month), Kind(row.kind), row.subject),
        state=State(row.state),
        reason=row.detail,
        next_attempt_at=row.next_attempt_at,
        in_doubt=row.in_doubt,
        drift=row.drift,
    )


def undelivered(connection: Connection, scope: ColumnElement[bool], month: ReportMonth) -> list[Undelivered]:
    """Return the due reports that are missed or unresolved, with what would have been sent, by key."""
    columns = deliveries.c
    rows = connection.execute(
        select(
            columns.kind,
            columns.subject,
            columns.state,
            columns.detail,
            columns.path,
            columns.payload_sha256,
            columns.source_sha256,
            payloads.c.body,
        )
        .outerjoin(payloads, payloads.c.sha256 == columns.payload_sha256)
        .where(scope, columns.month == str(month), columns.due, columns.state.in_([state.value for state in OVER]))
        .order_by(KIND_ORDER, columns.subject)
    )
    found = []
    for row in rows:
        # What was sent stays what it was; what never left counts only as far as the source still says it.
        usable = row.state == State.UNRESOLVED or row.source_sha256 == row.payload_sha256
        found.append(
            Undelivered(
                key=DeliveryKey(month, Kind(row.kind), row.subject),
                state=State(row.state),
                reason=row.detail,
                path=row.path,
                payload_sha256=row.payload_sha256 if usable else None,
                body=row.body.encode() if usable and row.body is not None else None,
            )
        )
    return found


def months(connection: Connection, scope: ColumnElement[bool]) -> list[ReportMonth]:
    """Return the months that the ledger knows, in order."""
    found = connection.execute(select(deliveries.c.month).where(scope).distinct().order_by(deliveries.c.month))
    return [ReportMonth.parse(month) for month in found.scalars()]


def last_completed(connection: Connection, scope: ColumnElement[bool]) -> tuple[ReportMonth, datetime] | None:
    """Return the latest month with every due report delivered, and when the last of them changed.

    Goes back month by month for two years: a whole history would be read anew at each heartbeat.
    """
    columns = deliveries.c
    undone = func.count().filter(columns.state.not_in([state.value for state in DONE]))
    before = None
    for _ in range(24):
        earlier = scope if before is None else and_(scope, columns.month < before)
        month = connection.execute(select(func.max(columns.month)).where(earlier, columns.due)).scalar_one()
        if month is None:
            return None
        of_month = select(undone, func.max(columns.updated_at)).where(scope, columns.month == month, columns.due)
        left, at = connection.execute(of_month).one()
        if not left:
            return ReportMonth.parse(month), at
        before = month
    return None


def durations(connection: Connection, *, limit: int = 10_000) -> list[float]:
    """Return the durations, in seconds, of the newest answered requests."""
    rows = connection.execute(
        select(attempts.c.started_at, attempts.c.ended_at)
        .where(attempts.c.http_status.is_not(None), attempts.c.ended_at.is_not(None))
        .order_by(attempts.c.started_at.desc())
        .limit(limit)
    )
    return [(ended_at - started_at).total_seconds() for started_at, ended_at in rows]
