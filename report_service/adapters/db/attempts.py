"""What is to be sent, what went out and what became of it, in SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, true, update

from report_service.adapters.db import corrections, evidence, status_queries
from report_service.adapters.db.tables import attempts, deliveries, payloads
from report_service.domain.delivery import OPEN, SENDABLE, Delivery, State, Trigger, next_state
from report_service.domain.kinds import KIND_BY_NAME, DeliveryKey
from report_service.domain.months import ReportMonth
from report_service.domain.rate_limiter import RecentRequest
from report_service.domain.responses import Outcome
from report_service.errors import IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select, Update

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.lease import SqlLeaseStore
    from report_service.adapters.db.scope import Scope
    from report_service.domain.kinds import Kind
    from report_service.ports import AttemptResult, AttemptStart, DeliveryStatus, Lease

_D = deliveries.c

LEFT_BEHIND = "the process that sent it ended before the answer was recorded"
"""The reason of a report that was found in flight."""

_SENDABLE = [state.value for state in SENDABLE]
_OPEN = [state.value for state in OPEN]
_REFUSED = [State.REJECTED.value, State.RETRYING.value]
_REFUSALS = [Outcome.REJECTED.value, Outcome.NOT_FOUND.value]

# Built once: SQLAlchemy then finds the compiled SQL by identity, which is half the price of a small statement.
_END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.request_id == bindparam("r_id"), attempts.c.ended_at.is_(None))
    .values({name: bindparam(name) for name in ("ended_at", "http_status", "outcome", "answer")})
)
_CONCLUDED = (
    *("state", "evidence", "in_doubt", "drift", "echo_differs", "obelis_id", "attempts", "consecutive_failures"),
    *("last_outcome", "http_status", "detail", "next_attempt_at", "updated_at"),
)
_CONCLUDE = (
    update(deliveries).where(_D.id == bindparam("d_id")).values({name: bindparam(name) for name in _CONCLUDED})
)
_SEND = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"), or_(*(_D.state == state for state in _SENDABLE)))  # no IN in executemany
    .values(state=State.IN_FLIGHT.value, next_attempt_at=None, updated_at=bindparam("at"))
)


class SqlAttemptLog:
    """The reports and attempts of one ledger as delivering sees them (`ports.AttemptLog`)."""

    def __init__(self, store: Store, scope: Scope, leases: SqlLeaseStore, *, instance: str) -> None:
        """Take the store, whose reports it is about, the lease to write under, and what marks the attempts."""
        self._store = store
        self._scope = scope
        self._leases = leases
        self._instance = instance

    def due(
        self, month: ReportMonth, kind: Kind, *, at: datetime, limit: int, tried: bool | None = None
    ) -> list[Delivery]:
        now = or_(_D.next_attempt_at.is_(None), _D.next_attempt_at <= at)
        which = true() if tried is None else (_D.attempts > 0) == tried
        with self._store.read() as connection:
            rows = connection.execute(
                select(deliveries, payloads.c.body)
                .join(payloads, payloads.c.sha256 == _D.payload_sha256)
                .where(self._sendable(month), _D.kind == kind.name, now, which)
                .order_by(_D.state.desc(), _D.subject)  # retrying sorts after pending
                .limit(limit)
            )
            return [_delivery(row) for row in rows]

    def next_attempt(
        self, month: ReportMonth, kind: Kind | None = None, *, after: datetime | None = None
    ) -> datetime | None:
        of_kind = true() if kind is None else _D.kind == kind.name
        later = true() if after is None else _D.next_attempt_at > after
        return self._moment(select(func.min(_D.next_attempt_at)).where(self._sendable(month), of_kind, later))

    def last_attempt(self, month: ReportMonth) -> datetime | None:
        return self._moment(select(func.max(_D.next_attempt_at)).where(self._sendable(month)))

    def refused(self, month: ReportMonth) -> dict[tuple[Kind, Outcome], int]:
        with self._store.read() as connection:
            rows = connection.execute(
                select(_D.kind, _D.last_outcome, func.count())
                .where(self._scope.due(month), _D.state.in_(_REFUSED), _D.last_outcome.in_(_REFUSALS))
                .group_by(_D.kind, _D.last_outcome)
            )
            return {(KIND_BY_NAME[kind], Outcome(outcome)): count for kind, outcome, count in rows}

    def put_off_rejected(self, month: ReportMonth, kind: Kind, *, until: datetime, lease: Lease) -> int:
        then = next_state(State.REJECTED, Trigger.PUT_OFF)
        rejected = (self._scope.due(month), _D.kind == kind.name, _D.state == State.REJECTED.value)
        with self._store.write() as connection:
            self._leases.require(connection, lease)
            return connection.execute(
                update(deliveries).where(*rejected).values(state=then.value, next_attempt_at=until)
            ).rowcount

    def _moment(self, query: Select[datetime | None]) -> datetime | None:
        with self._store.read() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
            return found

    def _sendable(self, month: ReportMonth) -> ColumnElement[bool]:
        return and_(self._scope.due(month), _D.state.in_(_SENDABLE))

    def record(
        self, ended: Sequence[AttemptResult], starts: Sequence[AttemptStart], *, lease: Lease
    ) -> Sequence[AttemptStart]:
        begun: Sequence[AttemptStart] = ()
        with self._store.write() as connection:
            holds = self._leases.holds(connection, lease)
            evidence.append(connection, self._scope, _end_attempts(connection, ended))
            if holds:
                _conclude(connection, ended)
                begun = corrections.begin(connection, starts)
                self._intend(connection, begun)
        if not holds:
            raise self._leases.lost()
        return begun

    def recover_in_flight(self, *, at: datetime, timeout_s: float, lease: Lease) -> int:
        begun = select(func.max(attempts.c.started_at)).where(attempts.c.delivery_id == _D.id).scalar_subquery()
        left_behind = select(_D.id, begun).where(self._scope.reports, _D.state == State.IN_FLIGHT.value)
        with self._store.write() as connection:
            self._leases.require(connection, lease)
            found = connection.execute(left_behind).all()
            for row, started_at in found:
                again_at = min(started_at or at, at) + timedelta(seconds=timeout_s)
                connection.execute(_recovered(row, again_at=again_at, at=at))
        return len(found)

    def sent_since(self, ago_s: float, *, at: datetime) -> list[RecentRequest]:
        columns, reach = attempts.c, timedelta(seconds=ago_s)
        since = at - reach
        recent = or_(columns.started_at > since, columns.ended_at > since)
        earliest = since - timedelta(minutes=10)  # none takes that long; the index can help
        bound = and_(columns.started_at > earliest, columns.started_at <= at + reach)
        with self._store.read() as connection:
            rows = connection.execute(
                select(columns.started_at, columns.ended_at, columns.outcome)
                .where(columns.endpoint == self._scope.endpoint, bound, recent)
                .order_by(columns.started_at)
            ).all()
        return [
            RecentRequest(
                started_ago_s=_ago_s(started_at, at),
                ended_ago_s=None if ended_at is None else _ago_s(ended_at, at),
                throttled=outcome == Outcome.THROTTLED.value,
            )
            for started_at, ended_at, outcome in rows
        ]

    def close_month(self, month: ReportMonth, *, at: datetime, lease: Lease) -> list[DeliveryStatus]:
        of_unknown_end = or_(_D.in_doubt, _D.state == State.IN_FLIGHT.value)
        with self._store.write() as connection:
            self._leases.require(connection, lease)
            _close(connection, and_(self._scope.of(month), ~_D.due, of_unknown_end), at=at)
            return _close(connection, self._scope.due(month), at=at)

    def _intend(self, connection: Connection, starts: Sequence[AttemptStart]) -> None:
        """Write that requests are about to go out."""
        rows = [
            {
                "request_id": start.request.request_id,
                "delivery_id": start.delivery,
                "endpoint": self._scope.endpoint,
                "run_id": start.run_id,
                "instance": self._instance,
                "verb": start.request.verb,
                "path": start.request.path,
                "payload_sha256": start.payload_sha256,
                "started_at": start.started_at,
            }
            for start in starts
        ]
        if rows:
            connection.execute(insert(attempts), rows)
        sent = [
            {"d_id": one.delivery, "at": one.started_at}
            for one in starts
            if one.delivery is not None and one.correction is None
        ]
        if sent and connection.execute(_SEND, sent).rowcount != len(sent):
            raise IllegalTransition("a report was to be sent that is in flight, or done")


def _end_attempts(connection: Connection, ended: Sequence[AttemptResult]) -> Sequence[AttemptResult]:
    """Write what became of requests; return those of which it was not written before.

    Some was: when a commit went through and its acknowledgement was lost, or the lease was lost in between. What
    it makes of their reports is for `_conclude`.
    """
    rows = [
        {
            "r_id": one.request_id,
            "ended_at": one.ended_at,
            "http_status": one.http_status,
            "outcome": one.outcome.value,
            "answer": one.answer,
        }
        for one in ended
    ]
    if not rows or connection.execute(_END_ATTEMPT, rows).rowcount == len(rows):
        return ended
    known = evidence.known(connection, [one.request_id for one in ended])
    return [one for one in ended if one.request_id not in known]


def _conclude(connection: Connection, ended: Sequence[AttemptResult]) -> None:
    """Write what requests made of their reports."""
    rows = []
    for after, at in ((one.delivery, one.ended_at) for one in ended):
        if after is not None and after.correction is not None:
            corrections.conclude(connection, after.correction, after, at)
        elif after is not None:
            rows.append(_conclusion(after, at))
    if rows:
        connection.execute(_CONCLUDE, rows)


def _recovered(row: int, *, again_at: datetime, at: datetime) -> Update:
    """Return what makes a report that was left in flight an unknown end."""
    return (
        update(deliveries)
        .where(_D.id == row)
        .values(
            state=next_state(State.IN_FLIGHT, Trigger.DEFERRED, in_doubt=True).value,
            in_doubt=True,
            attempts=_D.attempts + 1,
            last_outcome=Outcome.NO_ANSWER.value,
            http_status=None,
            detail=LEFT_BEHIND,
            next_attempt_at=again_at,
            updated_at=at,
        )
    )


def _ago_s(then: datetime, at: datetime) -> float:
    return max((at - then).total_seconds(), 0.0)


def _close(connection: Connection, wanted: ColumnElement[bool], *, at: datetime) -> list[DeliveryStatus]:
    """Write what a closed window makes of the open ones of these reports, and return those."""
    before = status_queries.standings(connection, [wanted, _D.state.in_(_OPEN)])
    after = [_closed(one) for one in before]
    alike = {(one.state, one.in_doubt): then for one, then in zip(before, after, strict=True)}
    for (state, in_doubt), then in alike.items():
        connection.execute(
            update(deliveries)
            .where(wanted, _D.state == state.value, _D.in_doubt == in_doubt)
            .values(state=then.state.value, in_doubt=then.in_doubt, next_attempt_at=None, updated_at=at)
        )
    return after


def _closed(one: DeliveryStatus) -> DeliveryStatus:
    then = next_state(one.state, Trigger.CLOSED, in_doubt=one.in_doubt)
    return replace(one, state=then, in_doubt=then is State.UNRESOLVED, next_attempt_at=None)


def _conclusion(delivery: Delivery, at: datetime) -> dict[str, object]:
    return {
        "d_id": delivery.row,
        "state": delivery.state.value,
        "evidence": delivery.evidence and delivery.evidence.value,
        "in_doubt": delivery.in_doubt,
        "drift": delivery.drift,
        "echo_differs": delivery.echo_differs,
        "obelis_id": delivery.obelis_id,
        "attempts": delivery.attempts,
        "consecutive_failures": delivery.consecutive_failures,
        "last_outcome": delivery.last_outcome and delivery.last_outcome.value,
        "http_status": delivery.http_status,
        "detail": delivery.detail,
        "next_attempt_at": delivery.next_attempt_at,
        "updated_at": at,
    }


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row=row.id,
        key=DeliveryKey(ReportMonth.parse(row.month), KIND_BY_NAME[row.kind], row.subject),
        state=State(row.state),
        path=row.path,
        payload_sha256=row.payload_sha256,
        body=row.body.encode(),
        in_doubt=row.in_doubt,
        outdated=row.source is not None and row.source_sha256 != row.payload_sha256,
        attempts=row.attempts,
        consecutive_failures=row.consecutive_failures,
        last_outcome=row.last_outcome and Outcome(row.last_outcome),
        drift=row.drift,
        echo_differs=row.echo_differs,
        obelis_id=row.obelis_id,
        http_status=row.http_status,
        detail=row.detail,
        next_attempt_at=row.next_attempt_at,
    )
