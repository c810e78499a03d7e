"""A correction: what makes a report that OBELIS has say what the source says now.

Two hashes say what is to be done: that of what was reported, and that of what is desired. A PUT replaces the
whole report, so that the same one twice does no harm: an unknown end is settled by sending it again. From the
moment of its start until an answer settles it, what OBELIS has counts as unknown (`echo_differs`): the drift
outlives a kill.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.responses import Classification, Outcome, echo_differences

if TYPE_CHECKING:
    from report_service.domain.kinds import DeliveryKey
    from report_service.domain.planning import Payload

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
    reported_sha256: str  # of the create body that was last known to be there
    desired: Payload  # what would create it as it should be
    put: Payload  # what is sent
    echo_differed: bool  # what OBELIS has was in doubt before


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionState:
    """How a report stands after an answer to its correction."""

    sha256: str  # of the create body that OBELIS is taken to have
    echo_differs: bool  # what it has is not what was sent, or nobody knows
    detail: str
    settled: bool  # False: to be sent again


def after_answer(correction: Correction, found: Classification, *, in_doubt: bool) -> CorrectionState:
    """Return how the report stands; `in_doubt`: an earlier try of this correction has an unknown end."""
    if found.outcome is Outcome.ACCEPTED:
        differs = echo_differences(correction.put.body, found.echo or {})
        return CorrectionState(
            sha256=correction.desired.sha256,
            echo_differs=bool(differs),
            detail="the API stored otherwise: " + "; ".join(differs) if differs else "",
            settled=True,
        )
    left = CorrectionState(
        sha256=correction.reported_sha256,
        echo_differs=correction.echo_differed or in_doubt or found.outcome.is_ambiguous,
        detail=f"the correction was not taken ({found.outcome}): {found.detail}",
        settled=found.outcome not in _AGAIN,
    )
    return left if left.settled else replace(left, detail=f"the correction has no answer yet: {found.detail}")
