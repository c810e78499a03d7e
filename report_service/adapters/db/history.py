"""Reports with all their attempts, in SQL."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select

from report_service.adapters.db.status_queries import KIND_ORDER
from report_service.adapters.db.tables import attempts, deliveries, payloads
from report_service.domain.delivery import Evidence, State
from report_service.domain.kinds import KIND_BY_NAME, DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.domain.responses import Outcome
from report_service.ports import AttemptRecord, ReportRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.scope import Scope

_D = deliveries.c
_BATCH = 500
"""How many reports' attempts are asked for at once."""


class SqlHistory:
    """The reports of one ledger, in full (`ports.History`)."""

    def __init__(self, store: Store, scope: Scope) -> None:
        """Take the store, and whose reports the questions are about."""
        self._store = store
        self._scope = scope

    def report(self, key: DeliveryKey) -> ReportRecord | None:
        this = and_(_D.month == str(key.month), _D.kind == key.kind.name, _D.subject == key.subject)
        with self._store.read() as connection:
            return next(iter(self._records(connection, this)), None)

    def reports(self, month: ReportMonth) -> list[ReportRecord]:
        with self._store.read() as connection:
            return self._records(connection, and_(_D.month == str(month), or_(_D.due, _D.attempts > 0)))

    def subjects(self, month: ReportMonth, kind: Kind) -> list[str]:
        of_kind = and_(self._scope.reports, _D.month == str(month), _D.kind == kind.name)
        with self._store.read() as connection:
            return list(connection.execute(select(_D.subject).where(of_kind)).scalars())

    def _records(self, connection: Connection, wanted: ColumnElement[bool]) -> list[ReportRecord]:
        rows = connection.execute(
            select(deliveries, payloads.c.body)
            .outerjoin(payloads, payloads.c.sha256 == _D.payload_sha256)
            .where(self._scope.reports, wanted)
            .order_by(KIND_ORDER, _D.subject)
        ).all()
        found: list[ReportRecord] = []
        for first in range(0, len(rows), _BATCH):
            batch = rows[first : first + _BATCH]
            tries = _attempts(connection, [row.id for row in batch])
            found += [_report(row, tries[row.id]) for row in batch]
        return found


def _attempts(connection: Connection, rows: Sequence[int]) -> dict[int, list[AttemptRecord]]:
    found: dict[int, list[AttemptRecord]] = defaultdict(list)
    tries = attempts.c
    another = and_(payloads.c.sha256 == tries.payload_sha256, tries.payload_sha256 != _D.payload_sha256)
    for row in connection.execute(
        select(attempts, payloads.c.body)
        .join(deliveries, _D.id == tries.delivery_id)
        .outerjoin(payloads, another)
        .where(tries.delivery_id.in_(rows))
        .order_by(tries.started_at)
    ):
        found[row.delivery_id].append(
            AttemptRecord(
                request_id=row.request_id,
                run_id=row.run_id,
                instance=row.instance,
                verb=row.verb,
                path=row.path,
                payload_sha256=row.payload_sha256,
                started_at=row.started_at,
                ended_at=row.ended_at,
                http_status=row.http_status,
                outcome=row.outcome and Outcome(row.outcome),
                answer=row.answer,
                body=None if row.body is None else row.body.encode(),
            )
        )
    return found


def _report(row: Row[Any], tries: Sequence[AttemptRecord]) -> ReportRecord:
    return ReportRecord(
        row=row.id,
        key=DeliveryKey(ReportMonth.parse(row.month), KIND_BY_NAME[row.kind], row.subject),
        due=row.due,
        state=State(row.state),
        evidence=row.evidence and Evidence(row.evidence),
        in_doubt=row.in_doubt,
        drift=row.drift,
        echo_differs=row.echo_differs,
        path=row.path,
        body=None if row.body is None else row.body.encode(),
        payload_sha256=row.payload_sha256,
        source_sha256=row.source_sha256,
        source=row.source,
        obelis_id=row.obelis_id,
        consecutive_failures=row.consecutive_failures,
        last_outcome=row.last_outcome and Outcome(row.last_outcome),
        detail=row.detail,
        next_attempt_at=row.next_attempt_at,
        updated_at=row.updated_at,
        attempts=tuple(tries),
    )
