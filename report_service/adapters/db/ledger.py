"""The ledger in SQL: every method one short transaction, durable when it returns."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from report_service.adapters.db import standings
from report_service.adapters.db.lease import LeaseTable
from report_service.adapters.db.tables import attempts, deliveries, payloads, runs, waivers
from report_service.domain.answers import Outcome
from report_service.domain.delivery import OPEN, SENDABLE, Delivery, State, Step, advance
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.domain.planning import Planned
from report_service.errors import LeaseLost
from report_service.ports import RunRecord, Sent, Waiver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Table

    from report_service.adapters.db.engine import Store
    from report_service.domain.planning import Change
    from report_service.ports import Clock, Ended, Intent, Lease, Standing, Tally, Undelivered

_D = deliveries.c

# Built once: SQLAlchemy then finds the compiled SQL by identity, which is half the price of a small statement.
_END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.request_id == bindparam("r_id"))
    .values({name: bindparam(name) for name in ("ended_at", "http_status", "outcome", "answer")})
)
_CONCLUDED = (
    "state",
    "evidence",
    "unsettled",
    "drift",
    "obelis_id",
    "attempts",
    "streak",
    "last_outcome",
    "http_status",
    "detail",
    "next_attempt_at",
    "updated_at",
)
_CONCLUDE = (
    update(deliveries).where(_D.id == bindparam("d_id")).values({name: bindparam(name) for name in _CONCLUDED})
)
_SEND = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"))
    .values(state=State.IN_FLIGHT.value, next_attempt_at=None, updated_at=bindparam("at"))
)
_PLANNED = ("due", "state", "drift", "path", "payload_sha256", "source_sha256", "source", "detail", "updated_at")
_REPLAN = update(deliveries).where(_D.id == bindparam("d_id")).values({name: bindparam(name) for name in _PLANNED})
_RESTART = (
    update(deliveries).where(_D.id == bindparam("d_id")).values(streak=0, http_status=None, next_attempt_at=None)
)


class SqlLedger:
    """What is due, what was sent and what became of it, for one endpoint and CPO."""

    def __init__(self, store: Store, *, endpoint: str, cpo_id: str, instance: str, clock: Clock) -> None:
        """Take the store, whose reports it is about, and the name of this process, which marks its attempts."""
        self.endpoint = endpoint
        self.cpo_id = cpo_id
        self._store = store
        self.instance = instance
        self._clock = clock
        self._lease = LeaseTable(endpoint, clock)
        self._scope = and_(_D.endpoint == endpoint, _D.cpo_id == cpo_id)

    # --- planning

    def planned(self, month: ReportMonth, kind: Kind) -> dict[str, Planned]:
        """Return what is known, by subject, of one kind's reports."""
        columns = (
            _D.subject,
            _D.id,
            _D.state,
            _D.due,
            _D.unsettled,
            _D.drift,
            _D.attempts,
            _D.path,
            _D.payload_sha256,
            _D.source_sha256,
            _D.detail,
        )
        with self._store.read() as connection:
            rows = connection.execution_options(yield_per=500).execute(
                select(*columns).where(self._scope, _D.month == str(month), _D.kind == kind.value)
            )
            return {
                subject: Planned(
                    row=row,
                    state=State(state),
                    due=due,
                    unsettled=unsettled,
                    drift=drift,
                    attempts=attempts_,
                    path=path,
                    payload_sha256=payload,
                    source_sha256=source,
                    detail=detail,
                )
                for subject, row, state, due, unsettled, drift, attempts_, path, payload, source, detail in rows
            }

    def save_plan(
        self, month: ReportMonth, kind: Kind, changes: Sequence[Change], *, at: datetime, lease: Lease
    ) -> None:
        """Write changes of one kind's reports."""
        bodies = {
            change.found.rendered.sha256: change.found.rendered.body.decode()
            for change in changes
            if change.found.rendered is not None and change.after.payload_sha256 == change.found.rendered.sha256
        }
        fixed = {"endpoint": self.endpoint, "cpo_id": self.cpo_id, "month": str(month), "kind": kind.value}
        values = [(change, _plan_values(change, at)) for change in changes]
        new = [fixed | {"subject": change.subject} | row for change, row in values if change.before.row is None]
        known = [{"d_id": change.before.row} | row for change, row in values if change.before.row is not None]
        restarted = [
            {"d_id": change.before.row} for change in changes if change.restart and change.before.row is not None
        ]
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            if bodies:
                rows = [{"sha256": sha256, "body": body} for sha256, body in sorted(bodies.items())]
                connection.execute(_insert(connection, payloads).on_conflict_do_nothing(), rows)
            if new:
                connection.execute(insert(deliveries), new)
            if known:
                connection.execute(_REPLAN, known)
            if restarted:
                connection.execute(_RESTART, restarted)

    def drop_undue(self, month: ReportMonth, kind: Kind, subjects: Sequence[str], *, lease: Lease) -> None:
        """Take reports out of what is expected: those never sent are deleted, the others kept as not due."""
        of_kind = and_(self._scope, _D.month == str(month), _D.kind == kind.value)
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            for start in range(0, len(subjects), 500):
                these = _D.subject.in_(subjects[start : start + 500])
                unsent = ~select(attempts.c.request_id).where(attempts.c.delivery_id == _D.id).exists()
                connection.execute(delete(deliveries).where(of_kind, these, unsent))
                connection.execute(update(deliveries).where(of_kind, these).values(due=False))

    def waivers(self, month: ReportMonth) -> Mapping[DeliveryKey, Waiver]:
        """Return the waivers of a month."""
        mine = and_(waivers.c.cpo_id == self.cpo_id, waivers.c.key.startswith(f"{month}/", autoescape=True))
        with self._store.read() as connection:
            rows = connection.execute(select(waivers).where(mine)).all()
        found = [
            Waiver(
                key=DeliveryKey.parse(row.key),
                reason=row.reason,
                declared_by=row.declared_by,
                declared_at=row.declared_at,
            )
            for row in rows
        ]
        return {waiver.key: waiver for waiver in found}

    def waive(self, waiver: Waiver) -> None:
        """Record a waiver; a newer one for the same report replaces it."""
        said = {
            "reason": waiver.reason,
            "declared_by": waiver.declared_by,
            "declared_at": waiver.declared_at,
        }
        with self._store.write() as connection:
            statement = _insert(connection, waivers).values(cpo_id=self.cpo_id, key=str(waiver.key), **said)
            connection.execute(statement.on_conflict_do_update(index_elements=["cpo_id", "key"], set_=said))

    def unwaive(self, key: DeliveryKey) -> bool:
        """Take a waiver back; say whether there was one."""
        with self._store.write() as connection:
            gone = connection.execute(
                delete(waivers).where(waivers.c.cpo_id == self.cpo_id, waivers.c.key == str(key))
            )
            return gone.rowcount == 1

    # --- delivering

    def due(self, month: ReportMonth, *, at: datetime, limit: int) -> list[Delivery]:
        """Return due reports that may be sent at `at`, in the order of sending: untried first, then by kind."""
        with self._store.read() as connection:
            rows = connection.execute(
                select(deliveries, payloads.c.body)
                .join(payloads, payloads.c.sha256 == _D.payload_sha256)
                .where(self._sendable(month), or_(_D.next_attempt_at.is_(None), _D.next_attempt_at <= at))
                .order_by(_D.state, standings.KIND_ORDER, _D.subject)  # pending sorts before retrying
                .limit(limit)
            ).all()
        return [_delivery(row) for row in rows]

    def waiting(self, month: ReportMonth) -> tuple[datetime, datetime] | None:
        """Return when the first and the last of the reports that wait for their time are due; None: none waits."""
        with self._store.read() as connection:
            first, last = connection.execute(
                select(func.min(_D.next_attempt_at), func.max(_D.next_attempt_at)).where(self._sendable(month))
            ).one()
        return None if first is None else (first, last)

    def record(self, ended: Sequence[Ended], intents: Sequence[Intent], *, lease: Lease) -> None:
        """Write outcomes and intents in one transaction; with a lost lease only the attempts' outcomes."""
        with self._store.write() as connection:
            holds = self._lease.holds(connection, lease)
            if ended:
                connection.execute(_END_ATTEMPT, [_attempt_end(one) for one in ended])
            concluded = [_conclusion(one.delivery, one.ended_at) for one in ended if one.delivery is not None]
            if holds and concluded:
                connection.execute(_CONCLUDE, concluded)
            if holds and intents:
                self._write_intents(connection, intents)
        if not holds:
            raise LeaseLost(f"another process delivers to {self.endpoint} now")

    def _write_intents(self, connection: Connection, intents: Sequence[Intent]) -> None:
        rows = [
            {
                "request_id": intent.request.request_id,
                "delivery_id": intent.delivery,
                "endpoint": self.endpoint,
                "run_id": intent.run_id,
                "instance": self.instance,
                "verb": intent.request.verb,
                "path": intent.request.path,
                "payload_sha256": intent.payload_sha256,
                "started_at": intent.started_at,
            }
            for intent in intents
        ]
        connection.execute(insert(attempts), rows)
        sent = [{"d_id": one.delivery, "at": one.started_at} for one in intents if one.delivery is not None]
        if sent:
            connection.execute(_SEND, sent)

    def adopt(self, *, at: datetime, timeout_s: float, lease: Lease) -> int:
        """Make every report that a former holder left in flight an unknown end; return how many there were."""
        left = and_(self._scope, _D.state == State.IN_FLIGHT.value)
        begun = select(func.max(attempts.c.started_at)).where(attempts.c.delivery_id == _D.id).scalar_subquery()
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            rows = connection.execute(select(_D.id, begun).where(left)).all()
            for row, started_at in rows:
                connection.execute(
                    update(deliveries)
                    .where(_D.id == row)
                    .values(
                        state=advance(State.IN_FLIGHT, Step.DEFERRED, unsettled=True).value,
                        unsettled=True,
                        attempts=_D.attempts + 1,
                        last_outcome=Outcome.NO_ANSWER.value,
                        detail="the process that sent it ended before the answer was recorded",
                        next_attempt_at=(started_at or at) + timedelta(seconds=timeout_s),
                        updated_at=at,
                    )
                )
        return len(rows)

    def sent_since(self, ago_s: float, *, at: datetime) -> list[Sent]:
        """Return the requests, token requests included, that began or ended in the seconds before `at`."""
        columns, since = attempts.c, at - timedelta(seconds=ago_s)
        recent = or_(columns.started_at > since, columns.ended_at > since)
        bound = columns.started_at > since - timedelta(minutes=10)  # none takes that long; the index can help
        with self._store.read() as connection:
            rows = connection.execute(
                select(columns.started_at, columns.ended_at, columns.outcome)
                .where(columns.endpoint == self.endpoint, bound, recent)
                .order_by(columns.started_at)
            ).all()
        return [
            Sent(
                started_ago_s=(at - started_at).total_seconds(),
                ended_ago_s=None if ended_at is None else (at - ended_at).total_seconds(),
                throttled=outcome == Outcome.THROTTLED.value,
            )
            for started_at, ended_at, outcome in rows
        ]

    def close_month(self, month: ReportMonth, *, at: datetime, lease: Lease) -> list[Standing]:
        """Make what is still open `missed` or `unresolved`; return those reports."""
        open_ = and_(self._scope, _D.month == str(month), _D.due, _D.state.in_([state.value for state in OPEN]))
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            rows = connection.execute(select(_D.id, _D.state, _D.unsettled).where(open_)).all()
            for state in {advance(State(row.state), Step.CLOSED, unsettled=row.unsettled) for row in rows}:
                closing = [
                    row.id
                    for row in rows
                    if advance(State(row.state), Step.CLOSED, unsettled=row.unsettled) is state
                ]
                for start in range(0, len(closing), 500):
                    connection.execute(
                        update(deliveries)
                        .where(_D.id.in_(closing[start : start + 500]))
                        .values(state=state.value, next_attempt_at=None, updated_at=at)
                    )
            ids = [row.id for row in rows]
            closed = []
            for start in range(0, len(ids), 500):
                closed += standings.standings(connection, [_D.id.in_(ids[start : start + 500])])
            return closed

    # --- the lease

    def acquire(self, holder: str, *, at: float) -> Lease | str:
        """Take the lease for 60 s; return it, or the name of the one who holds it."""
        with self._store.write() as connection:
            return self._lease.acquire(connection, holder, at=at)

    def renew(self, lease: Lease, *, at: float) -> Lease:
        """Hold on for another 60 s; raise LeaseLost."""
        with self._store.write() as connection:
            return self._lease.renew(connection, lease, at=at)

    def release(self, lease: Lease) -> None:
        """Let another have it at once; nothing happens if it is lost already."""
        with self._store.write() as connection:
            self._lease.release(connection, lease)

    def holder(self) -> str | None:
        """Return who holds the lease, or held it last; None: nobody did yet."""
        with self._store.read() as connection:
            return self._lease.holder(connection)

    # --- looking

    def tally(self, month: ReportMonth) -> Tally:
        """Count the due reports of a month."""
        with self._store.read() as connection:
            return standings.tally(connection, self._scope, month)

    def outstanding(self, month: ReportMonth, *, limit: int | None = None) -> list[Standing]:
        """Return the due reports that are not done, and those that drifted, in the order of keys."""
        with self._store.read() as connection:
            return standings.outstanding(connection, self._scope, month, limit=limit)

    def undelivered(self, month: ReportMonth) -> list[Undelivered]:
        """Return the due reports that are missed or unresolved, with what would have been sent, by key."""
        with self._store.read() as connection:
            return standings.undelivered(connection, self._scope, month)

    def months(self) -> list[ReportMonth]:
        """Return the months that the ledger knows, in order."""
        with self._store.read() as connection:
            return standings.months(connection, self._scope)

    def last_completed(self) -> tuple[ReportMonth, datetime] | None:
        """Return the latest month with every due report delivered, and when the last of them changed."""
        with self._store.read() as connection:
            return standings.last_completed(connection, self._scope)

    def begin_run(self, run: RunRecord, *, instance: str) -> None:
        """Record that a run began."""
        with self._store.write() as connection:
            connection.execute(
                insert(runs).values(
                    run_id=run.run_id,
                    endpoint=self.endpoint,
                    cpo_id=self.cpo_id,
                    month=str(run.month),
                    started_by=run.started_by,
                    instance=instance,
                    started_at=run.started_at,
                )
            )

    def end_run(self, run: RunRecord, *, summary: Mapping[str, object]) -> None:
        """Record how it ended."""
        with self._store.write() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run.run_id)
                .values(
                    ended_at=run.ended_at, result=run.result, detail=run.detail, summary=json.dumps(dict(summary))
                )
            )

    def last_run(self, month: ReportMonth) -> RunRecord | None:
        """Return the newest run of a month."""
        mine = and_(runs.c.endpoint == self.endpoint, runs.c.cpo_id == self.cpo_id, runs.c.month == str(month))
        with self._store.read() as connection:
            row = connection.execute(
                select(runs).where(mine).order_by(runs.c.started_at.desc()).limit(1)
            ).one_or_none()
        if row is None:
            return None
        return RunRecord(
            run_id=row.run_id,
            month=month,
            started_by=row.started_by,
            started_at=row.started_at,
            ended_at=row.ended_at,
            result=row.result,
            detail=row.detail,
        )

    def _sendable(self, month: ReportMonth) -> ColumnElement[bool]:
        states = [state.value for state in SENDABLE]
        return and_(self._scope, _D.month == str(month), _D.due, _D.state.in_(states))


def _insert(connection: Connection, table: Table) -> Any:  # noqa: ANN401 - two dialects, one method in common
    """Return an INSERT that knows ON CONFLICT."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _plan_values(change: Change, at: datetime) -> dict[str, object]:
    after = change.after
    return {
        "due": after.due,
        "state": after.state.value,
        "drift": after.drift,
        "path": after.path,
        "payload_sha256": after.payload_sha256,
        "source_sha256": after.source_sha256,
        "source": change.found.raw,
        "detail": after.detail,
        "updated_at": at,
    }


def _attempt_end(ended: Ended) -> dict[str, object]:
    return {
        "r_id": ended.request_id,
        "ended_at": ended.ended_at,
        "http_status": ended.http_status,
        "outcome": ended.outcome.value,
        "answer": ended.answer,
    }


def _conclusion(delivery: Delivery, at: datetime) -> dict[str, object]:
    return {
        "d_id": delivery.row,
        "state": delivery.state.value,
        "evidence": delivery.evidence and delivery.evidence.value,
        "unsettled": delivery.unsettled,
        "drift": delivery.drift,
        "obelis_id": delivery.obelis_id,
        "attempts": delivery.attempts,
        "streak": delivery.streak,
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
        unsettled=row.unsettled,
        attempts=row.attempts,
        streak=row.streak,
        last_outcome=row.last_outcome and Outcome(row.last_outcome),
        drift=row.drift,
        obelis_id=row.obelis_id,
        http_status=row.http_status,
        detail=row.detail,
        next_attempt_at=row.next_attempt_at,
    )
