"""The ledger in SQL: every method one short transaction, durable when it returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import and_, insert, select, update

from report_service.adapters.db import attempts, plan_store, status_queries
from report_service.adapters.db.lease import LeaseTable
from report_service.adapters.db.tables import deliveries, runs
from report_service.ports import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from report_service.adapters.db.engine import Store
    from report_service.domain.delivery import Delivery
    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import KnownDelivery, PlannedChange
    from report_service.domain.rate_limiter import RecentRequest
    from report_service.ports import (
        AttemptResult,
        AttemptStart,
        Clock,
        DeliveryStatus,
        Lease,
        MonthCounts,
        Undelivered,
        Waiver,
    )

_D = deliveries.c


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

    def known_deliveries(self, month: ReportMonth, kind: Kind) -> dict[str, KnownDelivery]:
        """Return what is known, by subject, of one kind's reports."""
        with self._store.read() as connection:
            return plan_store.known_deliveries(connection, self._names(month, kind))

    def save_plan(
        self, month: ReportMonth, kind: Kind, changes: Sequence[PlannedChange], *, at: datetime, lease: Lease
    ) -> None:
        """Write changes of one kind's reports."""
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            plan_store.save(connection, self._names(month, kind), changes, at=at)

    def withdraw(self, month: ReportMonth, kind: Kind, subjects: Sequence[str], *, lease: Lease) -> None:
        """Take reports out of what is expected: those never sent are deleted, the others kept as not due."""
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            plan_store.withdraw(connection, self._names(month, kind), subjects)

    def waivers(self, month: ReportMonth) -> Mapping[DeliveryKey, Waiver]:
        """Return the waivers of a month."""
        with self._store.read() as connection:
            return plan_store.waived(connection, self.cpo_id, month)

    def waive(self, waiver: Waiver) -> None:
        """Record a waiver; a newer one for the same report replaces it."""
        with self._store.write() as connection:
            plan_store.waive(connection, self.cpo_id, waiver)

    def unwaive(self, key: DeliveryKey) -> bool:
        """Take a waiver back; say whether there was one."""
        with self._store.write() as connection:
            return plan_store.unwaive(connection, self.cpo_id, key)

    # --- delivering

    def due(self, month: ReportMonth, *, at: datetime, limit: int) -> list[Delivery]:
        """Return due reports that may be sent at `at`, in the order of sending: untried first, then by kind."""
        with self._store.read() as connection:
            return attempts.due(connection, self._due(month), at=at, limit=limit)

    def waiting(self, month: ReportMonth) -> tuple[datetime, datetime] | None:
        """Return when the first and the last of the reports that wait for their time are due; None: none waits."""
        with self._store.read() as connection:
            return attempts.waiting(connection, self._due(month))

    def record(self, ended: Sequence[AttemptResult], starts: Sequence[AttemptStart], *, lease: Lease) -> None:
        """Write outcomes and intents in one transaction; with a lost lease only the attempts' outcomes."""
        with self._store.write() as connection:
            holds = self._lease.holds(connection, lease)
            attempts.end_attempts(connection, ended)
            if holds:
                attempts.conclude(connection, ended)
                attempts.intend(connection, starts, endpoint=self.endpoint, instance=self.instance)
        if not holds:
            raise self._lease.lost()

    def recover_in_flight(self, *, at: datetime, timeout_s: float, lease: Lease) -> int:
        """Make every report that a former holder left in flight an unknown end; return how many there were."""
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            return attempts.recover_in_flight(connection, self._scope, at=at, timeout_s=timeout_s)

    def sent_since(self, ago_s: float, *, at: datetime) -> list[RecentRequest]:
        """Return the requests, token requests included, that began or ended in the seconds before `at`."""
        with self._store.read() as connection:
            return attempts.sent_since(connection, self.endpoint, ago_s, at=at)

    def close_month(self, month: ReportMonth, *, at: datetime, lease: Lease) -> list[DeliveryStatus]:
        """Make what is still open `missed` or `unresolved`; return those reports."""
        with self._store.write() as connection:
            self._lease.require(connection, lease)
            return attempts.close(connection, self._due(month), at=at)

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

    def month_counts(self, month: ReportMonth) -> MonthCounts:
        """Count the due reports of a month."""
        with self._store.read() as connection:
            return status_queries.month_counts(connection, self._scope, month)

    def outstanding(self, month: ReportMonth, *, limit: int | None = None) -> list[DeliveryStatus]:
        """Return the due reports that are not done, and those that drifted, in the order of keys."""
        with self._store.read() as connection:
            return status_queries.outstanding(connection, self._scope, month, limit=limit)

    def undelivered(self, month: ReportMonth) -> list[Undelivered]:
        """Return the due reports that are missed or unresolved, with what would have been sent, by key."""
        with self._store.read() as connection:
            return status_queries.undelivered(connection, self._scope, month)

    def months(self) -> list[ReportMonth]:
        """Return the months that the ledger knows, in order."""
        with self._store.read() as connection:
            return status_queries.months(connection, self._scope)

    def last_completed(self) -> tuple[ReportMonth, datetime] | None:
        """Return the latest month with every due report delivered, and when the last of them changed."""
        with self._store.read() as connection:
            return status_queries.last_completed(connection, self._scope)

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

    def _names(self, month: ReportMonth, kind: Kind) -> dict[str, str]:
        return {"endpoint": self.endpoint, "cpo_id": self.cpo_id, "month": str(month), "kind": kind.value}

    def _due(self, month: ReportMonth) -> ColumnElement[bool]:
        return and_(self._scope, _D.month == str(month), _D.due)
