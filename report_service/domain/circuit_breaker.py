"""What is tried while an endpoint does not answer, and when: pure values.

    closed     requests go out as fast as everything else allows
    open       `threshold` requests in a row failed, each about something else than the one before it:
               nothing goes out until `half_open_at`
    half open  one probe at a time: its answer closes the circuit, its failure opens it for longer

One breaker stands for each kind of report, for each has an endpoint of its own; there a failure is about a report,
so that one bad report, which has a back-off of its own, never stops its kind. One stands for the API's host, where
a failure is about a kind. One stands for the token's host, where every failure counts. What a breaker believes is
measured anew after at most LONGEST_PAUSE_S, or LONGEST_RETRY_AFTER_S if the endpoint asked for more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

KIND_THRESHOLD = 5
"""Reports of one kind that fail in a row until its circuit opens."""
HOST_THRESHOLD = 3
"""Kinds that fail in a row, with no answer in between, until the API's host counts as down."""
TOKEN_THRESHOLD = 1
"""Failures of the token's host until it is left alone for a while."""
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
"""Between two probes: exponential with jitter, at most this."""
LONGEST_RETRY_AFTER_S = 600.0
"""The most that a Retry-After keeps a circuit open."""
UNTRIED_PROBES = 5
"""How many probes of an open circuit may be reports that nothing was sent of yet: each may leave one more in
doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """What the last answers said of one endpoint. Times are monotonic seconds."""

    threshold: int = KIND_THRESHOLD
    failures: int = 0  # in a row
    about: Hashable = None  # what the last of them was about
    half_open_at: float = -math.inf  # an open circuit lets no request through before

    @property
    def closed(self) -> bool:
        """Return True if nothing speaks against sending."""
        return self.failures < self.threshold

    @property
    def open(self) -> bool:
        """Return True if no more than a probe may go out."""
        return not self.closed

    def max_in_flight(self, capacity: int) -> int:
        """Return how many requests may be under way at once."""
        return capacity if self.closed else 1

    @property
    def probes_with_tried(self) -> bool:
        """Return True if the next probe should be a report that failed before, False for one not yet tried.

        They alternate, so that neither an outage leaves many reports in doubt, nor one bad report keeps the
        circuit open.
        """
        return (self.failures - self.threshold) % 2 == 0 or self.untried_used_up

    @property
    def untried_used_up(self) -> bool:
        """Return True if enough untried reports were risked since the circuit opened."""
        return self.failures - self.threshold >= 2 * UNTRIED_PROBES

    def failed(
        self, *, about: Hashable, at: float, uniform: Callable[[], float], retry_after_s: float | None = None
    ) -> CircuitBreaker:
        """Return what is believed after a failure, seen at `at`; `uniform` gives 0..1.

        While closed, a failure about the same thing as the one before it is not counted. While open, one that
        comes before `half_open_at` is of a request that was under way when it opened, and says nothing new.
        """
        if self.closed and self.failures and about is not None and about == self.about:
            return self
        if self.open and at < self.half_open_at:
            return self
        failures = self.failures + 1
        if failures < self.threshold:
            return replace(self, failures=failures, about=about)
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - self.threshold, 30))
        pause *= 0.5 + uniform() / 2
        if retry_after_s is not None:
            pause = max(pause, min(retry_after_s, LONGEST_RETRY_AFTER_S))
        return replace(self, failures=failures, about=about, half_open_at=at + pause)

    def answered(self) -> CircuitBreaker:
        """Return what is believed after an answer, whatever it said: the endpoint is there."""
        return CircuitBreaker(threshold=self.threshold)
