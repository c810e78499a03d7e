"""Say what became of one report: one line of the log for each outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.delivery import State, is_stuck
from report_service.domain.responses import Outcome

if TYPE_CHECKING:
    from report_service.domain.delivery import Delivery
    from report_service.ports import AttemptResult, Events


def announce(events: Events, ended: AttemptResult, delivery: Delivery) -> None:
    """Emit the event for an outcome that the ledger has; `delivery` is the report as it is from now on."""
    common = {
        "key": str(delivery.key),
        "kind": delivery.key.kind.name,
        "month": str(delivery.key.month),
        "http_status": ended.http_status,
        "attempt": delivery.attempts,
    }
    evidence = delivery.evidence and delivery.evidence.value
    if ended.outcome is Outcome.ACCEPTED:
        events.emit(
            "report.accepted",
            **common,
            evidence=evidence,
            duration_ms=round(ended.duration_s * 1000),
            obelis_id=delivery.obelis_id,
        )
    elif ended.outcome is Outcome.CONFLICT:
        events.emit("report.reconciled", **common, state=delivery.state.value, evidence=evidence)
    elif delivery.state is State.REJECTED:
        events.emit("report.rejected", **common, detail=delivery.detail)
    else:
        assert delivery.next_attempt_at is not None, "what is not settled is tried again"
        events.emit(
            "report.stuck" if is_stuck(ended.outcome, delivery.consecutive_failures) else "report.deferred",
            **common,
            reason=ended.outcome.value,
            detail=delivery.detail,
            next_attempt_unix=int(delivery.next_attempt_at.timestamp()),
        )
    if delivery.drift:
        events.emit("report.drifted", key=common["key"], kind=common["kind"], month=common["month"])
