"""When refusals are about more than the reports that they answer: pure values.

Three things look like refused reports and are not. A firewall that throttles answers 403 to whatever comes; an
account without permission is answered 403 to everything; an endpoint with a fault answers 400 or 404 to all of a
kind. None of them is mended by a person who looks at one report after the other, and all of them heal: so what
they touch is put off, not final, and told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from report_service.domain.responses import Outcome

HALT_AFTER = 20
"""Refusals in a row, with nothing accepted this month, after which nothing more is sent: it is permission."""
SUSPECT_AFTER = 10
"""403s in a row after acceptances this month that are a firewall's throttle (a WAF's rate rule answers 403).

Each to a report that was not answered so before: one that was may lack permission of its own, and says nothing."""
FIRST_PAUSE_S = 60.0
PAUSES = 3
"""So many pauses in a row, each twice as long and with nothing accepted after it: then it is permission."""
BRAKE_AFTER = 20
"""400s, or 404s, to reports of a kind with none accepted this month: then it is not the data."""
FEWEST = 3
"""Where fewer reports than BRAKE_AFTER are due, all of them unknown (404) are enough, if they are this many."""


class Cause(StrEnum):
    """What a refusal is about, where it is not one report."""

    PAUSE = "pause"  # a firewall throttles: wait, then go slower
    HALT = "halt"  # nothing that is sent is permitted


_NOT_PERMITTED = frozenset({Outcome.FORBIDDEN, Outcome.MISDIRECTED, Outcome.REFUSED, Outcome.OUT_OF_WINDOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalStreak:
    """Refusals in a row, whatever their kind: 403, redirects, unknown 4xx, "not this month"."""

    accepted: bool  # something was, this month
    count: int = 0
    pauses: int = 0  # since something was accepted
    paused_until: float = 0.0  # monotonic

    def record(self, outcome: Outcome, *, at: float, again: bool = False) -> tuple[RefusalStreak, Cause | None]:
        """Return what is known after an answer to a report, seen at the monotonic `at`, and what it calls for.

        `again`: the answer to the report's try before this one was a 403, too.
        """
        if outcome is Outcome.ACCEPTED:
            return replace(self, accepted=True, count=0, pauses=0), None
        if outcome not in _NOT_PERMITTED:
            permitted = outcome.is_conclusive or outcome is Outcome.NOT_FOUND  # it looked the id up
            return (replace(self, count=0) if permitted else self), None
        if self.pauses and at < self.paused_until:  # it was under way when the pause began
            return self, None
        if self.accepted:
            return (self, None) if again or outcome is not Outcome.FORBIDDEN else self._throttled(at)
        known = replace(self, count=self.count + 1)
        return known, Cause.HALT if known.count >= HALT_AFTER else None

    def _throttled(self, at: float) -> tuple[RefusalStreak, Cause | None]:
        known = replace(self, count=self.count + 1)
        if known.count < (1 if self.pauses else SUSPECT_AFTER):
            return known, None
        if self.pauses >= PAUSES:
            return known, Cause.HALT
        pause_s = FIRST_PAUSE_S * 2.0**self.pauses
        return replace(known, count=0, pauses=self.pauses + 1, paused_until=at + pause_s), Cause.PAUSE

    @property
    def throttled(self) -> bool:
        """Return True while a 403 is a firewall's throttle rather than a report's permission."""
        return self.pauses > 0

    def pause_left_s(self, at: float) -> float:
        """Return how long nothing should go out, seconds from the monotonic `at`."""
        return max(self.paused_until - at, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """Answers of one sort (400, or 404) to reports of which none was accepted this month.

    On, it lets one report at a time through, and each run no more than one that is refused; it is off for good
    as soon as one is accepted.
    """

    threshold: int = BRAKE_AFTER
    count: int = 0  # reports that were answered so, in this run or before
    released: bool = False  # one was accepted
    on: bool = False

    @classmethod
    def restored(cls, *, refused: int, accepted: bool, threshold: int = BRAKE_AFTER) -> Brake:
        """Return the brake that the ledger's figures of this month amount to."""
        engaged = refused >= threshold and not accepted
        return cls(threshold=threshold, count=0 if engaged else refused, released=accepted, on=engaged)

    @property
    def stopped(self) -> bool:
        """Return True if nothing more of the kind goes out in this run."""
        return self.on and self.count > 0

    def max_in_flight(self, capacity: int) -> int:
        """Return how many requests of the kind may be under way at once."""
        return 0 if self.stopped else 1 if self.on else capacity

    def refused(self) -> Brake:
        """Return the brake after one more report was answered so."""
        if self.released:
            return self
        count = self.count + 1
        return replace(self, count=count, on=self.on or count >= self.threshold)

    def accepted(self) -> Brake:
        """Return the brake after an acceptance."""
        return replace(self, released=True, on=False, count=0)
