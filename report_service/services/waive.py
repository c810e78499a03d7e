"""Record a person's word that there is nothing to report, or its withdrawal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, State
from report_service.domain.kinds import DeliveryKey
from report_service.errors import BadInput, UnknownDelivery
from report_service.ports import Waiver
from report_service.services.known_keys import known_reports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.domain.planning import KnownDelivery
    from report_service.ports import Clock, PlanStore, WaiverStore

NEXT = "it counts from the next run on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiving:
    """Waivers of one ledger. They are facts about the operator's data, so they hold for every endpoint."""

    plans: PlanStore
    waivers: WaiverStore
    clock: Clock

    def declare(self, keys: Sequence[str], *, reason: str, declared_by: str) -> list[str]:
        """Waive reports, all or none; return a line on each.

        Raise BadInput for an empty reason or a report that is delivered or may be, UnknownDelivery for a key
        that is not due.
        """
        if not reason.strip():
            raise BadInput("a waiver needs a reason", hint='Say why there is nothing to report: --reason "...".')
        parsed = [DeliveryKey.parse(key) for key in keys]
        for key, known in known_reports(self.plans, parsed).items():
            _check(key, known)
        for key in parsed:
            self.waivers.declare(
                Waiver(key=key, reason=reason.strip(), declared_by=declared_by, declared_at=self.clock.now())
            )
        return [f"{key}: waived by {declared_by}; {NEXT}" for key in parsed]

    def withdraw(self, keys: Sequence[str]) -> list[str]:
        """Take waivers back; return a line on each. Raise UnknownDelivery for a key that is not waived."""
        parsed = [DeliveryKey.parse(key) for key in keys]
        for key in parsed:
            if key not in self.waivers.of(key.month):
                raise UnknownDelivery(f"{key} is not waived", hint="`report-service status` shows what is.")
        for key in parsed:
            self.waivers.withdraw(key)
        return [f"{key}: not waived any more; {NEXT}" for key in parsed]


def _check(key: DeliveryKey, known: KnownDelivery) -> None:
    """Raise BadInput for a report that is delivered, or may be."""
    if known.state in DONE - {State.WAIVED}:
        raise BadInput(f"{key} is {known.state}: it was reported", hint="There is nothing to waive.")
    if known.state is State.IN_FLIGHT or known.in_doubt:
        raise BadInput(
            f"{key} was sent, and the API may have it: whether it does is still unknown",
            hint="Let a run settle it first.",
        )
