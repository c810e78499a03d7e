"""Record what was handed in by other means, after its window closed; or take that back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import OVER, State
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.errors import BadInput
from report_service.ports import HandIn
from report_service.services.known_keys import known_reports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import KnownDelivery
    from report_service.ports import Clock, HandInStore, PlanStore

_CHANGED = "a run changed these reports just now; nothing was recorded"
_AGAIN = "Call it again: `report-service status` shows how they stand."


@dataclass(frozen=True, slots=True, kw_only=True)
class HandingIn:
    """What was handed in of one ledger's reports, all or none of those named."""

    plans: PlanStore
    hand_ins: HandInStore
    clock: Clock

    def named(self, keys: Sequence[str], *, reference: str, declared_by: str) -> list[DeliveryKey]:
        """Record these reports; raise BadInput for one that no closed window left, UnknownDelivery."""
        found = known_reports(self.plans, map(DeliveryKey.parse, keys))
        wrong = [
            f"{key} is {one.state}: only what a closed window left undelivered is handed in by other means"
            for key, one in found.items()
            if one.state not in OVER | {State.HANDED_IN}
        ]
        _refuse(wrong)
        return self._declare(found, reference=reference, declared_by=declared_by)

    def left_of(self, month: ReportMonth, *, reference: str, declared_by: str) -> list[DeliveryKey]:
        """Record every report of a month that its closed window left undelivered; raise BadInput if none was."""
        left = self._in(month, OVER)
        if not left and not self._in(month, {State.HANDED_IN}):
            raise BadInput(
                f"nothing of {month} is recorded as missed or unresolved",
                hint=f"What can still be sent, `report-service run --month {month}` sends. If its window is over, "
                f"`report-service backfill --from {month} --to {month}` records first what is left.",
            )
        return self._declare(left, reference=reference, declared_by=declared_by)

    def withdraw(self, keys: Sequence[str], month: ReportMonth) -> list[DeliveryKey]:
        """Take back what was recorded of these reports, or without keys of a month; raise BadInput."""
        if keys:
            found = known_reports(self.plans, map(DeliveryKey.parse, keys))
        else:
            found = self._in(month, {State.HANDED_IN})
        _refuse([f"{key} is {one.state}" for key, one in found.items() if one.state is not State.HANDED_IN])
        if not self.hand_ins.withdraw(found, at=self.clock.now()):
            raise BadInput(_CHANGED, hint=_AGAIN)
        return list(found)

    def _in(self, month: ReportMonth, states: frozenset[State] | set[State]) -> dict[DeliveryKey, KnownDelivery]:
        return {
            DeliveryKey(month, kind, subject): one
            for kind in KINDS
            for subject, one in sorted(self.plans.known_deliveries(month, kind).items())
            if one.due and one.state in states
        }

    def _declare(
        self, found: Mapping[DeliveryKey, KnownDelivery], *, reference: str, declared_by: str
    ) -> list[DeliveryKey]:
        if not reference.strip():
            raise BadInput(
                "what was handed in needs a reference",
                hint='Say where to find it again, such as the e-mail of that day: --reference "...".',
            )
        at = self.clock.now()
        rows = [
            (one, HandIn(key=key, reference=reference.strip(), declared_by=declared_by, declared_at=at))
            for key, one in found.items()
        ]
        if not self.hand_ins.declare(rows):
            raise BadInput(_CHANGED, hint=_AGAIN)
        return list(found)


def _refuse(reasons: Sequence[str]) -> None:
    if reasons:
        raise BadInput("\n       ".join(reasons), hint="Nothing was recorded. Leave these out, and call it again.")
