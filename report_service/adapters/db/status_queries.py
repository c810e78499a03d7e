"""How months stand, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, or_, select

from report_service.adapters.db.tables import attempts, deliveries, month_inventories, payloads
from report_service.domain.delivery import DONE, OVER, State
from report_service.domain.kinds import KIND_BY_NAME, KINDS, DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.ports import DeliveryStatus, MonthCounts, Undelivered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import ColumnElement, Connection

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.scope import Scope

_D, _I = deliveries.c, month_inventories.c
_DONE = [state.value for state in DONE]
_OVER = [state.value for state in OVER]

KIND_ORDER: ColumnElement[int] = case({kind.name: kind.rank for kind in KINDS}, value=_D.kind)
"""Kinds in the order of sending."""


class SqlStatusQueries:
    """How the months of one ledger stand (`ports.StatusQueries`)."""

    def __init__(self, store: Store, scope: Scope) -> None:
        """Take the store, and whose reports the questions are about."""
        self._store = store
        self._scope = scope

    def month_counts(self, month: ReportMonth) -> MonthCounts:
        flags = (func.count().filter(_D.drift), func.count().filter(_D.in_doubt))
        with self._store.read() as connection:
            rows = connection.execute(
                select(_D.kind, _D.state, func.count(), *flags)
                .where(self._scope.due(month))
                .group_by(_D.kind, _D.state)
            ).all()
            doubt = connection.execute(
                select(_I.doubt).where(self._scope.inventories, _I.month == str(month))
            ).scalar_one_or_none()
        by_kind: dict[Kind, dict[State, int]] = {kind: {} for kind in KINDS}
        for kind, state, count, _drifted, _in_doubt in rows:
            by_kind[KIND_BY_NAME[kind]][State(state)] = count
        return MonthCounts(
            month=month,
            by_kind=by_kind,
            drifted=sum(row[3] for row in rows),
            in_doubt=sum(row[4] for row in rows),
            inventory_doubt=doubt or "",
        )

    def outstanding(self, month: ReportMonth, *, limit: int | None = None) -> list[DeliveryStatus]:
        wanted = [self._scope.due(month), or_(_D.state.not_in(_DONE), _D.drift)]
        with self._store.read() as connection:
            return standings(connection, wanted, limit=limit)

    def undelivered(self, month: ReportMonth) -> list[Undelivered]:
        with self._store.read() as connection:
            rows = connection.execute(
                select(
                    _D.kind,
                    _D.subject,
                    _D.state,
                    _D.detail,
                    _D.path,
                    _D.payload_sha256,
                    _D.source_sha256,
                    payloads.c.body,
                )
                .outerjoin(payloads, payloads.c.sha256 == _D.payload_sha256)
                .where(self._scope.due(month), _D.state.in_(_OVER))
                .order_by(KIND_ORDER, _D.subject)
            )
            return [_undelivered(month, row) for row in rows]

    def months(self) -> list[ReportMonth]:
        with self._store.read() as connection:
            found = connection.execute(select(_D.month).where(self._scope.reports).distinct().order_by(_D.month))
            return [ReportMonth.parse(month) for month in found.scalars()]

    def last_completed(self) -> tuple[ReportMonth, datetime] | None:
        """Goes back month by month: a whole history would be read anew at each heartbeat."""
        undone, scope = func.count().filter(_D.state.not_in(_DONE)), self._scope.reports
        before = None
        with self._store.read() as connection:
            doubted = select(_I.month).where(self._scope.inventories, _I.doubt != "")
            in_doubt = frozenset(connection.execute(doubted).scalars())
            for _ in range(24):
                earlier = scope if before is None else and_(scope, _D.month < before)
                month = connection.execute(select(func.max(_D.month)).where(earlier, _D.due)).scalar_one()
                if month is None:
                    return None
                of_month = select(undone, func.max(_D.updated_at)).where(scope, _D.month == month, _D.due)
                left, at = connection.execute(of_month).one()
                if not left and month not in in_doubt:
                    return ReportMonth.parse(month), at
                before = month
        return None


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
        key=DeliveryKey(ReportMonth.parse(row.month), KIND_BY_NAME[row.kind], row.subject),
        state=State(row.state),
        reason=row.detail,
        next_attempt_at=row.next_attempt_at,
        in_doubt=row.in_doubt,
        drift=row.drift,
    )


def _undelivered(month: ReportMonth, row: Any) -> Undelivered:  # noqa: ANN401 - a row's type names its columns
    # What was sent stays what it was; what never left counts only as far as the source still says it.
    usable = row.state == State.UNRESOLVED or row.source_sha256 == row.payload_sha256
    return Undelivered(
        key=DeliveryKey(month, KIND_BY_NAME[row.kind], row.subject),
        state=State(row.state),
        reason=row.detail,
        path=row.path,
        payload_sha256=row.payload_sha256 if usable else None,
        body=row.body.encode() if usable and row.body is not None else None,
    )


def durations(connection: Connection, *, limit: int = 10_000) -> list[float]:
    """Return the durations, in seconds, of the newest answered requests."""
    rows = connection.execute(
        select(attempts.c.started_at, attempts.c.ended_at)
        .where(attempts.c.http_status.is_not(None), attempts.c.ended_at.is_not(None))
        .order_by(attempts.c.started_at.desc())
        .limit(limit)
    )
    return [(ended_at - started_at).total_seconds() for started_at, ended_at in rows]
