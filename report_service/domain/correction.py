"""A correction: what makes a report that OBELIS has say what the source says now.

Two hashes say what is to be done: that of what was reported, and that of what is desired. A PUT replaces the
whole report, so that the same one twice does no harm: an unknown end is settled by sending it again. From the
moment of its start until an answer settles it, what OBELIS has counts as unknown (`echo_differs`): the drift
outlives a kill.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.domain.delivery import Delivery, State, Trigger, next_state
from report_service.domain.responses import Outcome, echo_differences

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from report_service.domain.delivery import RetryPolicy
    from report_service.domain.kinds import DeliveryKey
    from report_service.domain.planning import Payload
    from report_service.domain.responses import Classification

TRIES = 4
"""How often one correction is sent in one call; then it is left to the next call."""
_AGAIN = frozenset(
    {
        *(Outcome.UNAUTHORIZED, Outcome.THROTTLED, Outcome.SERVER_ERROR),
        *(Outcome.UNREADABLE, Outcome.NO_ANSWER, Outcome.NOT_SENT),
    }
)
"""What says nothing of the correction: it is sent again."""
NO_PUT = frozenset({Outcome.NOT_FOUND, Outcome.FORBIDDEN, Outcome.REFUSED, Outcome.MISDIRECTED})
"""What an API says that takes no corrections, and what it says of a report that it does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One report to be corrected."""

    row: int  # the ledger's number
    key: DeliveryKey
    state: State  # of the report: accepted, or already_reported by someone else
    reported_sha256: str  # of the create body that was last known to be there
    desired: Payload  # what would create it as it should be
    put: Payload  # what is sent
    echo_differed: bool  # what OBELIS has was in doubt before
    breach: str = ""  # why the API's description forbids what would be sent: then it is not

    def delivery(self) -> Delivery:
        """Return it as it is sent; its state then says what became of the PUT, not of the report."""
        return Delivery(
            row=self.row,
            key=self.key,
            state=State.PENDING,
            path=self.put.path,
            payload_sha256=self.put.sha256,
            body=self.put.body,
            correction=self,
        )


def apply_to_correction(
    delivery: Delivery,
    verdict: Classification,
    *,
    http_status: int | None,
    at: datetime,
    last_send: datetime,
    retry: RetryPolicy,
    retry_after_s: float | None,
    uniform: Callable[[], float],
    put_off_s: float = 0.0,
) -> Delivery:
    """Return the delivery of a correction after an answer, or the lack of one; as `delivery.apply_outcome` does.

    `accepted`: OBELIS has what was desired, or says what it has instead. `retrying`: to be sent again.
    `rejected`: left to the next call, with the reason.
    """
    outcome, correction = verdict.outcome, delivery.correction
    assert correction is not None
    tries = delivery.attempts + 1
    tried = replace(
        delivery, attempts=tries, last_outcome=outcome, http_status=http_status, next_attempt_at=None, detail=""
    )
    if outcome is Outcome.ACCEPTED:
        differs = echo_differences(delivery.body, verdict.echo or {})
        said = "the API stored otherwise: " + "; ".join(differs) if differs else ""
        return replace(
            tried,
            state=next_state(correction.state, Trigger.REPLACED),
            in_doubt=False,
            echo_differs=bool(differs),
            detail=said,
            obelis_id=verdict.obelis_id,
        )
    in_doubt = delivery.in_doubt or outcome.is_ambiguous
    left = replace(
        tried,
        state=State.REJECTED,
        in_doubt=in_doubt,
        echo_differs=correction.echo_differed or in_doubt,
        detail=f"the correction was not taken ({outcome}): {verdict.detail}",
    )
    if outcome not in _AGAIN:
        return left
    left = replace(left, detail=f"the correction has no answer yet: {verdict.detail}")
    if tries >= TRIES:
        return left
    remaining_s = (last_send - at).total_seconds()
    delay_s = retry.delay_s(outcome, tries, remaining_s=remaining_s, retry_after_s=retry_after_s, uniform=uniform)
    return replace(left, state=State.RETRYING, next_attempt_at=at + timedelta(seconds=max(delay_s, put_off_s)))
