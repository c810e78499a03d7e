"""What a run did, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report_service.errors import RunHalted


@dataclass(slots=True, kw_only=True)
class RunStats:
    """The figures of one run's delivery. Moments are monotonic seconds."""

    began_at: float = 0.0
    progress_at: float = 0.0  # when a report was last settled; at first, when the run began
    sent: int = 0  # requests for reports
    tokens: int = 0  # requests for tokens
    settled: int = 0  # accepted, rejected, or a conflict
    accepted: int = 0
    failed: int = 0  # put off
    throttled: int = 0
    unanswered: int = 0  # in a row: no report was answered, or no token given
    last_failure: str = ""  # what the last of these said
    busy_s: float = 0.0  # the sum of the times that the requests took
    rate_per_minute: float | None = None  # the pace at the end, as the rate limiter had it
    stopped: str | None = None  # why it sent no more before there was nothing left to send
    halted: RunHalted | None = None  # why it could not go on
    alarms: dict[str, str] = field(default_factory=dict)  # by what they are about: what a person should know

    @property
    def requests(self) -> int:
        """Return how many requests went out."""
        return self.sent + self.tokens

    def add(self, further: RunStats) -> None:
        """Count what else was sent in the same run."""
        self.sent += further.sent
        self.tokens += further.tokens
        self.throttled += further.throttled

    def halt(self, why: RunHalted) -> None:
        """Send nothing more in this run; the first reason counts."""
        self.halted = self.halted or why
