"""Whether the API as a whole answers, and how hard it may be tried: pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.responses import Outcome

FAILURES_IN_A_ROW = 5
"""After so many the API counts as down."""
FIRST_PROBE_S = 2.0
LONGEST_PROBE_S = 60.0
"""Between two probes: exponential with jitter, at most this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What the last answers said of the API; a run begins not knowing, which is one request at a time."""

    proven: bool = False  # it answered, since the last time that it was down
    failures: int = 0  # in a row, of different reports
    about: int | None = None  # the report that failed last; None: a token request
    probe_at: float = 0.0  # monotonic seconds; before that nothing is sent

    @property
    def down(self) -> bool:
        """Return True if the API counts as down: one probe at a time, further and further apart."""
        return self.failures >= FAILURES_IN_A_ROW

    def allowance(self, capacity: int) -> int:
        """Return how many requests may be under way at once."""
        return capacity if self.proven else 1

    def after(self, outcome: Outcome, *, about: int | None, at: float, uniform: Callable[[], float]) -> Outage:
        """Return what is known after one more answer, or the lack of one, to a request for a report.

        One report that fails again and again says nothing of the others: it has its own back-off. Nor do failures
        say anything new that come before the next probe: their requests were under way when the API went down.
        """
        if not outcome.api_down:
            return Outage(proven=True)
        if self.failures and about is not None and about == self.about:
            return self
        if at < self.probe_at:
            return self
        failures = self.failures + 1
        if failures < FAILURES_IN_A_ROW:
            return replace(self, failures=failures, about=about)
        pause = min(LONGEST_PROBE_S, FIRST_PROBE_S * 2.0 ** min(failures - FAILURES_IN_A_ROW, 30))
        return Outage(failures=failures, about=about, probe_at=at + pause * (0.5 + uniform() / 2))
