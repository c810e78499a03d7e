"""What the API's clock says, as far as its answers prove it (law 1).

An answer's `Date` was written between the request's start and its end, and has whole seconds: that bounds how far
the API's clock is from our monotonic one, which nobody sets. Two answers that agree narrow the bounds, one that
disagrees replaces them. So when our wall clock is put right, nothing has to be measured anew; and what was
measured is no evidence after EVIDENCE_S: a wrong `Date` holds nothing up for longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

EVIDENCE_S = 900.0
"""How long an answer's Date counts (law 1)."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The API's clock less our monotonic clock, seconds: no less than `least`, no more than `most`."""

    least: float
    most: float
    measured_at: float  # monotonic


class ApiClock:
    """The API's clock as one process knows it; its evidence is replaced as a whole, so any thread may ask."""

    def __init__(self) -> None:
        self._evidence: _Evidence | None = None

    def observe(self, server_date: datetime, *, started: float, ended: float) -> None:
        """Learn from the Date of an answer to a request that lasted from `started` to `ended` (monotonic)."""
        said = server_date.timestamp()
        least, most = said - ended, said + 1.0 - started
        known = self._evidence
        if known is not None and self.is_known(ended) and known.least <= most and least <= known.most:
            least, most = max(least, known.least), min(most, known.most)
        self._evidence = _Evidence(least, most, ended)

    def is_known(self, at: float) -> bool:
        """Return True if there is evidence at `at`, monotonic seconds."""
        return self._evidence is not None and at < self.known_until

    @property
    def known_until(self) -> float:
        """Return the monotonic moment from which on what was measured is no evidence any more."""
        return self._evidence.measured_at + EVIDENCE_S if self._evidence else 0.0

    def skew_s(self, now: datetime, *, at: float) -> float:
        """Return how far the API's clock is ahead of `now`, seconds, as little as the evidence allows; 0: none.

        `at` is the monotonic moment at which the wall clock says `now`.
        """
        evidence = self._evidence
        if evidence is None or not self.is_known(at):
            return 0.0
        least, most = (bound + at - now.timestamp() for bound in (evidence.least, evidence.most))
        return 0.0 if least <= 0 <= most else min(least, most, key=abs)
