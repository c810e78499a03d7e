"""The refusals of a month, seen together: what they say of the account, of a kind, and of the ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.descriptors import HUB, POINT
from report_service.domain.kinds import KINDS
from report_service.domain.refusals import BRAKE_AFTER, FEWEST, Brake, Cause, RefusalStreak
from report_service.domain.responses import Outcome
from report_service.errors import PermissionRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.errors import RunHalted
    from report_service.ports import Events, MonthCounts
    from report_service.services.delivery.run_stats import RunStats

BY_ID = frozenset(kind for kind in KINDS if kind.subject in {HUB, POINT})
"""The kinds whose path holds an id that OBELIS gave: a 404 to one of them says that it does not know the id."""


@dataclass(slots=True, kw_only=True)
class RefusalWatch:
    """One run's refusals, beginning with what the ledger knows of the month's."""

    month: ReportMonth | None  # None: of corrections, whatever their months
    events: Events
    stats: RunStats
    streak: RefusalStreak
    rejected: dict[Kind, Brake]  # 400s, by kind
    unknown: Brake  # 404s, of all kinds BY_ID
    newly_braked: list[Kind] = field(default_factory=list)  # the dispatcher puts their rejected reports off

    @classmethod
    def of(
        cls,
        counts: MonthCounts,
        refused: Mapping[tuple[Kind, Outcome], int],
        *,
        events: Events,
        stats: RunStats,
    ) -> RefusalWatch:
        """Return the watch for a run; `refused` counts the reports whose last answer was a 400 or a 404."""
        accepted = {kind: states.get(State.ACCEPTED, 0) > 0 for kind, states in counts.by_kind.items()}
        rejected = {
            kind: Brake.restored(refused=refused.get((kind, Outcome.REJECTED), 0), accepted=accepted[kind])
            for kind in KINDS
        }
        due = sum(sum(counts.by_kind[kind].values()) for kind in BY_ID)
        unknown = Brake.restored(
            refused=sum(refused.get((kind, Outcome.NOT_FOUND), 0) for kind in BY_ID),
            accepted=any(accepted[kind] for kind in BY_ID),
            threshold=min(BRAKE_AFTER, max(FEWEST, due)),
        )
        return cls(
            month=counts.month,
            events=events,
            stats=stats,
            streak=RefusalStreak(accepted=any(accepted.values())),
            rejected=rejected,
            unknown=unknown,
            newly_braked=[kind for kind, brake in rejected.items() if brake.on],
        )

    def max_in_flight(self, kind: Kind, capacity: int) -> int:
        """Return how many requests of a kind may be under way; 0: none goes out in this run."""
        unknown = self.unknown.max_in_flight(capacity) if kind in BY_ID else capacity
        return min(unknown, self.rejected[kind].max_in_flight(capacity))

    def record(self, kind: Kind, outcome: Outcome, *, at: float, words: str, again: bool = False) -> Cause | None:
        """Learn from an answer to a report; return what it calls for beyond that report.

        `at`: monotonic. `again`: the report was refused so (403) when it was sent last, too.
        """
        self.streak, cause = self.streak.record(outcome, at=at, again=again)
        if outcome is Outcome.ACCEPTED:
            self.rejected[kind] = self.rejected[kind].accepted()
            self.unknown = self.unknown.accepted() if kind in BY_ID else self.unknown
        elif outcome is Outcome.REJECTED:
            self._reject(kind, words)
        elif outcome is Outcome.NOT_FOUND and kind in BY_ID:
            self._not_found(words)
        return cause

    def permission_refused(self, outcome: Outcome, hint: str) -> RunHalted:
        """Return what halts a run of which everything is refused."""
        return PermissionRefused(f"report after report was {outcome}, and none accepted", hint=hint)

    def _reject(self, kind: Kind, words: str) -> None:
        before, after = self.rejected[kind], self.rejected[kind].refused()
        self.rejected[kind] = after
        if not after.on:
            return
        said = f"the API rejects every {kind} ({words}): none is in this month, so it is hardly the data"
        self._alarm(kind.name, said)
        if not before.on:
            self.newly_braked.append(kind)
            hint = "Ask OBELIS. They are tried again each hour; mend the rows if it is the data after all."
            self.events.emit("kind.paused", kind=kind.name, month=str(self.month), detail=said, hint=hint)

    def _not_found(self, words: str) -> None:
        before, self.unknown = self.unknown, self.unknown.refused()
        if not self.unknown.on:
            return
        said = f"every hub and point is unknown to the API ({words}): are these the ids of this system?"
        self._alarm("ids", said)
        if not before.on:
            hint = "Compare obelis.base_url with where the ids in `hubs` and `points` come from: QA has others."
            self.events.emit("inventory.unrecognised", month=str(self.month), detail=said, hint=hint)

    def _alarm(self, about: str, said: str) -> None:
        """Tell of a fault once, in the words that the API had for it first."""
        self.stats.alarms.setdefault(about, said)
