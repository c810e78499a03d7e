"""The ledger while a month is delivered: what is due, intents, outcomes, and what is left when a window closes.

Inside transactions of the caller's; `wanted` and `scope` say which reports it is about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from report_service.adapters.db import status_queries
from report_service.adapters.db.tables import attempts, deliveries, payloads
from report_service.domain.delivery import OPEN, SENDABLE, Delivery, State, Trigger, next_state
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.domain.rate_limiter import RecentRequest
from report_service.domain.responses import Outcome
from report_service.errors import IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

    from report_service.ports import AttemptResult, AttemptStart, DeliveryStatus

_D = deliveries.c

LEFT_BEHIND = "the process that sent it ended before the answer was recorded"
"""The reason of a report that was found in flight."""

_SENDABLE = [state.value for state in SENDABLE]
_OPEN = [state.value for state in OPEN]

# Built once: SQLAlchemy then finds the compiled SQL by identity, which is half the price of a small statement.
_END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.request_id == bindparam("r_id"))
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


def due(connection: Connection, wanted: ColumnElement[bool], *, at: datetime, limit: int) -> list[Delivery]:
    """Return due reports that may be sent at `at`, in the order of sending: untried first, then by kind."""
    rows = connection.execute(
        select(deliveries, payloads.c.body)
        .join(payloads, payloads.c.sha256 == _D.payload_sha256)
        .where(wanted, _D.state.in_(_SENDABLE), or_(_D.next_attempt_at.is_(None), _D.next_attempt_at <= at))
        .order_by(_D.state, status_queries.KIND_ORDER, _D.subject)  # pending sorts before retrying
        .limit(limit)
    )
    return [_delivery(row) for row in rows]


def waiting(connection: Connection, wanted: ColumnElement[bool]) -> tuple[datetime, datetime] | None:
    """Return when the first and the last of the reports that wait for their time are due; None: none waits."""
    first, last = connection.execute(
        select(func.min(_D.next_attempt_at), func.max(_D.next_attempt_at)).where(wanted, _D.state.in_(_SENDABLE))
    ).one()
    return None if first is None else (first, last)


def end_attempts(connection: Connection, ended: Sequence[AttemptResult]) -> None:
    """Write what became of requests; what it makes of their reports is for `conclude`."""
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
    if rows:
        connection.execute(_END_ATTEMPT, rows)


def conclude(connection: Connection, ended: Sequence[AttemptResult]) -> None:
    """Write what requests made of their reports."""
    rows = [_conclusion(one.delivery, one.ended_at) for one in ended if one.delivery is not None]
    if rows:
        connection.execute(_CONCLUDE, rows)


def intend(connection: Connection, starts: Sequence[AttemptStart], *, endpoint: str, instance: str) -> None:
    """Write that requests are about to go out; raise IllegalTransition for a report that is not to be sent."""
    rows = [
        {
            "request_id": start.request.request_id,
            "delivery_id": start.delivery,
            "endpoint": endpoint,
            "run_id": start.run_id,
            "instance": instance,
            "verb": start.request.verb,
            "path": start.request.path,
            "payload_sha256": start.payload_sha256,
            "started_at": start.started_at,
        }
        for start in starts
    ]
    if rows:
        connection.execute(insert(attempts), rows)
    sent = [{"d_id": one.delivery, "at": one.started_at} for one in starts if one.delivery is not None]
    if sent and connection.execute(_SEND, sent).rowcount != len(sent):
        raise IllegalTransition("a report was to be sent that is in flight, or done")


def recover_in_flight(
    connection: Connection, scope: ColumnElement[bool], *, at: datetime, timeout_s: float
) -> int:
    """Make every report that was left in flight an unknown end; return how many there were.

    Each is due again `timeout_s` after its request went out, by a clock that may have run ahead of ours.
    """
    begun = select(func.max(attempts.c.started_at)).where(attempts.c.delivery_id == _D.id).scalar_subquery()
    left = connection.execute(select(_D.id, begun).where(scope, _D.state == State.IN_FLIGHT.value)).all()
    for row, started_at in left:
        connection.execute(
            update(deliveries)
            .where(_D.id == row)
            .values(
                state=next_state(State.IN_FLIGHT, Trigger.DEFERRED, in_doubt=True).value,
                in_doubt=True,
                attempts=_D.attempts + 1,
                last_outcome=Outcome.NO_ANSWER.value,
                http_status=None,
                detail=LEFT_BEHIND,
                next_attempt_at=min(started_at or at, at) + timedelta(seconds=timeout_s),
                updated_at=at,
            )
        )
    return len(left)


def sent_since(connection: Connection, endpoint: str, ago_s: float, *, at: datetime) -> list[RecentRequest]:
    """Return the requests, token requests included, that began or ended in the seconds before `at`.

    What lies in the future is of another replica's clock, which is ahead, and counts as new; what lies further
    in it is of a clock that was put right since, and says nothing.
    """
    columns, reach = attempts.c, timedelta(seconds=ago_s)
    since = at - reach
    recent = or_(columns.started_at > since, columns.ended_at > since)
    earliest = since - timedelta(minutes=10)  # none takes that long; the index can help
    bound = and_(columns.started_at > earliest, columns.started_at <= at + reach)
    rows = connection.execute(
        select(columns.started_at, columns.ended_at, columns.outcome)
        .where(columns.endpoint == endpoint, bound, recent)
        .order_by(columns.started_at)
    )
    return [
        RecentRequest(
            started_ago_s=_ago_s(started_at, at),
            ended_ago_s=None if ended_at is None else _ago_s(ended_at, at),
            throttled=outcome == Outcome.THROTTLED.value,
        )
        for started_at, ended_at, outcome in rows
    ]


def _ago_s(then: datetime, at: datetime) -> float:
    return max((at - then).total_seconds(), 0.0)


def close(connection: Connection, wanted: ColumnElement[bool], *, at: datetime) -> list[DeliveryStatus]:
    """Make what is still open `missed` or `unresolved`; return those reports."""
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
        key=DeliveryKey(ReportMonth.parse(row.month), Kind(row.kind), row.subject),
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
