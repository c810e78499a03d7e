"""Put back what was refused: a person says that it can be sent again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, State, Trigger, next_state
from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.domain.months import SubmissionWindow
from report_service.errors import BadInput, IllegalTransition
from report_service.services.known_keys import known_reports
from report_service.services.status import NEXT_STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import KnownDelivery
    from report_service.ports import Clock, PlanStore

LOOKS = 3
"""How often what another process has changed meanwhile is looked at anew: two at once settle in one more look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """A report that the next run sends."""

    key: DeliveryKey
    before: State
    after: State
    reason: str  # what had kept it from being accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """Puts reports of one ledger back, all or none; never those in flight, delivered or without a row to send."""

    plans: PlanStore
    clock: Clock
    window_guard_s: float

    def named(self, keys: Sequence[str]) -> list[PutBack]:
        """Put these reports back, whatever has kept them waiting.

        Raise UnknownDelivery, BadInput for one that cannot be put back, WindowClosed.
        """
        wanted = [DeliveryKey.parse(key) for key in keys]
        for month in {key.month for key in wanted}:
            self._require_open(month)
        return self._put_back(lambda: known_reports(self.plans, wanted))

    def chosen(self, month: ReportMonth, *, kind: Kind | None, state: State) -> list[PutBack]:
        """Put every due report of a month, and kind, back that is in a state; raise WindowClosed."""
        self._require_open(month)
        kinds = KINDS if kind is None else [kind]
        return self._put_back(lambda: self._in_state(month, kinds, state))

    def _in_state(
        self, month: ReportMonth, kinds: Sequence[Kind], state: State
    ) -> dict[DeliveryKey, KnownDelivery]:
        return {
            DeliveryKey(month, kind, subject): one
            for kind in kinds
            for subject, one in sorted(self.plans.known_deliveries(month, kind).items())
            if one.due and one.state is state
        }

    def _require_open(self, month: ReportMonth) -> None:
        window, now = SubmissionWindow.of(month, guard_s=self.window_guard_s), self.clock.now()
        if now >= window.last_send:
            window.require_open(now)

    def _put_back(self, find: Callable[[], Mapping[DeliveryKey, KnownDelivery]]) -> list[PutBack]:
        """Compare and set: a daemon or another person may be at the same reports."""
        for _ in range(LOOKS):
            found = find()
            outcome = [_outcome(key, one) for key, one in found.items()]
            _refuse([one for one in outcome if isinstance(one, str)])
            if self.plans.put_back(list(found.values()), at=self.clock.now()):
                return [one for one in outcome if isinstance(one, PutBack)]
        raise BadInput(
            "a run is sending these reports right now; nothing was put back",
            hint="Call it again when the run is over: `report-service status` shows what is left.",
        )


def _outcome(key: DeliveryKey, one: KnownDelivery) -> PutBack | str:
    """Return what putting it back makes of a report, or why that cannot be."""
    try:
        after = next_state(one.state, Trigger.RETRIED, in_doubt=one.in_doubt)
    except IllegalTransition:
        way_out = "there is nothing to retry" if one.state in DONE else NEXT_STEPS[one.state]
        return f"{key} is {one.state}{f' ({one.detail})' if one.detail else ''}: {way_out}"
    return PutBack(key=key, before=one.state, after=after, reason=one.detail)


def _refuse(reasons: Sequence[str]) -> None:
    if reasons:
        raise BadInput("\n       ".join(reasons), hint="Nothing was put back. Leave these out, and call it again.")
