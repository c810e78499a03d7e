"""Corrections in SQL: attempts like others, of reports that stay accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Boolean, bindparam, case, false, func, insert, true, update

from report_service.adapters.db import evidence
from report_service.adapters.db.attempts import end_attempts
from report_service.adapters.db.tables import attempts, deliveries, insert_into, payloads
from report_service.domain.delivery import Evidence, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.lease import SqlLeaseStore
    from report_service.adapters.db.scope import Scope
    from report_service.ports import CorrectionResult, CorrectionStart, Lease

_D = deliveries.c
_DIFFERS, _CORRECTED = bindparam("differs", type_=Boolean), bindparam("corrected", type_=Boolean)
_BEGIN = (
    update(deliveries)
    .where(
        _D.id == bindparam("d_id"),
        _D.state == State.ACCEPTED.value,
        _D.payload_sha256 == bindparam("reported"),
    )
    .values(drift=True, echo_differs=True, updated_at=bindparam("at"))
)
_END = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"))
    .values(
        payload_sha256=bindparam("sha256"),
        echo_differs=_DIFFERS,
        drift=case((_DIFFERS, true()), else_=func.coalesce(_D.source_sha256 != bindparam("sha256"), false())),
        evidence=case((_CORRECTED, Evidence.CONFIRMED.value), else_=_D.evidence),
        detail=bindparam("detail"),
        http_status=bindparam("status"),
        updated_at=bindparam("at"),
    )
)


class SqlCorrectionLog:
    """The corrections of one ledger (`ports.CorrectionLog`)."""

    def __init__(self, store: Store, scope: Scope, leases: SqlLeaseStore, *, instance: str) -> None:
        """Take the store, whose reports it is about, the lease to write under, and what marks the attempts."""
        self._store = store
        self._scope = scope
        self._leases = leases
        self._instance = instance

    def record(
        self, ended: Sequence[CorrectionResult], starts: Sequence[CorrectionStart], *, lease: Lease
    ) -> list[CorrectionStart]:
        results = [one.result for one in ended]
        with self._store.write() as connection:
            holds = self._leases.holds(connection, lease)
            end_attempts(connection, results)
            evidence.append(connection, self._scope, results)
            begun = self._begin(connection, starts) if holds else []
            if holds:
                _end(connection, ended)
        if not holds:
            raise self._leases.lost()
        return begun

    def _begin(self, connection: Connection, starts: Sequence[CorrectionStart]) -> list[CorrectionStart]:
        """Write that PUTs are about to go out; leave out those whose report changed meanwhile."""
        begun = []
        for one in starts:
            correction, start = one.correction, one.start
            row = {"d_id": correction.row, "reported": correction.reported_sha256, "at": start.started_at}
            if connection.execute(_BEGIN, row).rowcount:
                begun.append(one)
        bodies = {
            payload.sha256: payload.body.decode()
            for one in begun
            for payload in (one.correction.desired, one.correction.put)
        }
        if bodies:  # sorted, so that two that write the same ones never wait for each other
            rows = [{"sha256": sha256, "body": body} for sha256, body in sorted(bodies.items())]
            connection.execute(insert_into(payloads, connection).on_conflict_do_nothing(), rows)
            connection.execute(insert(attempts), [self._attempt(one) for one in begun])
        return begun

    def _attempt(self, one: CorrectionStart) -> dict[str, object]:
        request = one.start.request
        return {
            "request_id": request.request_id,
            "delivery_id": one.correction.row,
            "endpoint": self._scope.endpoint,
            "run_id": one.start.run_id,
            "instance": self._instance,
            "verb": request.verb,
            "path": request.path,
            "payload_sha256": one.correction.put.sha256,
            "started_at": one.start.started_at,
        }


def _end(connection: Connection, ended: Sequence[CorrectionResult]) -> None:
    rows = [
        {
            "d_id": one.correction.row,
            "sha256": one.after.sha256,
            "differs": one.after.echo_differs,
            "corrected": one.after.sha256 == one.correction.desired.sha256,
            "detail": one.after.detail,
            "status": one.result.http_status,
            "at": one.result.ended_at,
        }
        for one in ended
    ]
    if rows:
        connection.execute(_END, rows)
