"""Corrections on their way: which are left to be sent, what became of each, and when the API takes none."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.correction import NO_PUT, Correction
from report_service.domain.delivery import State
from report_service.domain.kinds import KINDS
from report_service.domain.refusals import Brake, Cause, RefusalStreak
from report_service.errors import CorrectionsRefused
from report_service.services.delivery.backlog import NEVER
from report_service.services.delivery.outcomes import no_answer
from report_service.services.delivery.refusal_watch import RefusalWatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from report_service.domain.delivery import Delivery
    from report_service.domain.kinds import Kind
    from report_service.domain.responses import Outcome
    from report_service.errors import RunHalted
    from report_service.ports import Clock, Events
    from report_service.services.delivery.run_stats import RunStats

REFUSED_IN_A_ROW = 3
"""After so many refusals that an API without corrections gives, and no correction taken, it has none."""
UNANSWERED_IN_A_ROW = 10
"""After so many tries in a row without an answer the API is down."""


@dataclass(slots=True, kw_only=True)
class CorrectionBacklog:
    """The corrections of one call (`Backlog`), in memory: what is not corrected stays drifted in the ledger."""

    clock: Clock
    corrected: list[Correction] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)  # why, by key
    _queues: dict[Kind, deque[Delivery]] = field(default_factory=lambda: {kind: deque() for kind in KINDS})
    _taken: list[Delivery] = field(default_factory=list)  # the ledger does not have the starts of these

    @classmethod
    def of(cls, corrections: Sequence[Correction], *, clock: Clock) -> CorrectionBacklog:
        """Return the backlog of these, in the order of sending; what must not be sent is left from the start."""
        made = cls(clock=clock)
        for one in corrections:
            if one.breach:
                made.left[str(one.key)] = one.breach
            else:
                made._queues[one.key.kind].append(one.delivery())
        return made

    def has(self, kind: Kind) -> bool:
        return next(self._due(kind), None) is not None

    def take(self, kind: Kind) -> Delivery:
        return self._take(next(self._due(kind)))

    def take_probe(self, kind: Kind, *, tried: bool) -> Delivery | None:
        found = next((one for one in self._due(kind) if (one.attempts > 0) == tried), None)
        return found and self._take(found)

    def awaits_retry(self, kind: Kind) -> bool:
        now = self.clock.now()
        return any(not _is_due(one, now) for one in self._queues[kind])

    def recorded(self) -> None:
        self._taken.clear()

    def ended(self, delivery: Delivery) -> None:
        assert delivery.correction is not None
        if delivery.next_attempt_at is not None:
            self._queues[delivery.key.kind].append(delivery)
        elif delivery.state is State.ACCEPTED and not delivery.echo_differs:
            self.corrected.append(delivery.correction)
        else:
            self.left[str(delivery.key)] = delivery.detail

    def look_again(self) -> None:
        for one in reversed(self._taken):
            self._queues[one.key.kind].appendleft(one)
        self._taken.clear()

    def next_due_at(self) -> float:
        now = self.clock.now()
        waiting = (one.next_attempt_at for queue in self._queues.values() for one in queue)
        wait_s = min(((at - now).total_seconds() for at in waiting if at is not None and at > now), default=NEVER)
        return self.clock.monotonic() + wait_s

    def _due(self, kind: Kind) -> Iterator[Delivery]:
        now = self.clock.now()
        return (one for one in self._queues[kind] if _is_due(one, now))

    def _take(self, delivery: Delivery) -> Delivery:
        self._queues[delivery.key.kind].remove(delivery)
        self._taken.append(delivery)
        return delivery


def _is_due(delivery: Delivery, now: datetime) -> bool:
    return delivery.next_attempt_at is None or delivery.next_attempt_at <= now


@dataclass(slots=True, kw_only=True)
class CorrectionRefusals(RefusalWatch):
    """Watches for an API that takes no corrections, or is down: there is no month whose figures would tell."""

    _refused: int = 0  # in a row, in words that an API without corrections has
    _unanswered: int = 0  # tries in a row without an answer

    @classmethod
    def begin(cls, *, events: Events, stats: RunStats) -> CorrectionRefusals:
        """Return the watch for a call; whether the data is refused is each correction's own affair."""
        off = Brake(released=True)
        streak = RefusalStreak(accepted=False)
        return cls(
            month=None, events=events, stats=stats, streak=streak, rejected=dict.fromkeys(KINDS, off), unknown=off
        )

    def max_in_flight(self, kind: Kind, capacity: int) -> int:
        """Return how many may be under way: a single one, until one proves that the API takes them."""
        most = RefusalWatch.max_in_flight(self, kind, capacity)
        return most if self.streak.accepted else 1

    def record(self, kind: Kind, outcome: Outcome, *, at: float, words: str, again: bool = False) -> Cause | None:
        """Learn from an answer to a correction; return what it calls for beyond that one."""
        cause = RefusalWatch.record(self, kind, outcome, at=at, words=words, again=again)
        self._refused = self._refused + 1 if outcome in NO_PUT else 0
        self._unanswered = self._unanswered + 1 if outcome.is_failure else 0
        if self._unanswered >= UNANSWERED_IN_A_ROW:
            self.stats.halt(no_answer(self.stats, f"to {self._unanswered} corrections in a row"))
        none_taken = self._refused >= REFUSED_IN_A_ROW and not self.streak.accepted
        return Cause.HALT if none_taken else cause

    def permission_refused(self, outcome: Outcome, hint: str) -> RunHalted:
        """Return what halts a call of which everything is refused."""
        if self.streak.accepted:
            return RefusalWatch.permission_refused(self, outcome, hint)
        return CorrectionsRefused(
            f"{self._refused} corrections in a row were {outcome}, and none was taken",
            hint="The API may take none: `report-service contract` with its OpenAPI file tells. What changed is "
            "then told to the authority by other means; the drift stays.",
        )
