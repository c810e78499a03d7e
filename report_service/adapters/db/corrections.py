"""Corrections in SQL: what an attempt means for a report that stays accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Boolean, Text, bindparam, case, false, func, true, update

from report_service.adapters.db.tables import deliveries, insert_into, payloads
from report_service.domain.delivery import Evidence, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from report_service.domain.correction import Correction
    from report_service.domain.delivery import Delivery
    from report_service.ports import AttemptStart

_D = deliveries.c
_DIFFERS, _CORRECTED = bindparam("differs", type_=Boolean), bindparam("corrected", type_=Boolean)
_BEGIN = (
    update(deliveries)
    .where(
        _D.id == bindparam("d_id"),
        _D.state == bindparam("stands"),
        _D.payload_sha256 == bindparam("reported"),
    )
    .values(drift=True, echo_differs=True, updated_at=bindparam("at"))
)
_END = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"))
    .values(
        state=case((_CORRECTED, State.ACCEPTED.value), else_=_D.state),
        payload_sha256=bindparam("sha256"),
        obelis_id=func.coalesce(bindparam("given_id", type_=Text), _D.obelis_id),
        echo_differs=_DIFFERS,
        drift=case((_DIFFERS, true()), else_=func.coalesce(_D.source_sha256 != bindparam("sha256"), false())),
        evidence=case((_CORRECTED, Evidence.CONFIRMED.value), else_=_D.evidence),
        detail=bindparam("detail"),
        http_status=bindparam("status"),
        updated_at=bindparam("at"),
    )
)


def begin(connection: Connection, starts: Sequence[AttemptStart]) -> list[AttemptStart]:
    """Write what the starts mean for their reports; leave out the corrections whose report changed meanwhile."""
    begun = [
        one for one in starts if one.correction is None or _begins(connection, one.correction, one.started_at)
    ]
    bodies = {
        payload.sha256: payload.body.decode()
        for one in begun
        if one.correction is not None
        for payload in (one.correction.desired, one.correction.put)
    }
    if bodies:  # sorted, so that two that write the same ones never wait for each other
        rows = [{"sha256": sha256, "body": body} for sha256, body in sorted(bodies.items())]
        connection.execute(insert_into(payloads, connection).on_conflict_do_nothing(), rows)
    return begun


def _begins(connection: Connection, correction: Correction, at: datetime) -> bool:
    row = {
        "d_id": correction.row,
        "stands": correction.state.value,
        "reported": correction.reported_sha256,
        "at": at,
    }
    return connection.execute(_BEGIN, row).rowcount > 0


def conclude(connection: Connection, correction: Correction, after: Delivery, at: datetime) -> None:
    """Write what an answer makes of the report."""
    corrected = after.state is State.ACCEPTED
    row = {
        "d_id": correction.row,
        "sha256": correction.desired.sha256 if corrected else correction.reported_sha256,
        "given_id": after.obelis_id,
        "differs": after.echo_differs,
        "corrected": corrected,
        "detail": after.detail,
        "status": after.http_status,
        "at": at,
    }
    connection.execute(_END, row)
