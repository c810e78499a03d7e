"""When the next request may go out: the API's limit as it is counted there, when requests arrive (law 5).

Two rules hold at once.

**Even spacing.** One request each 60 / rate seconds, at 99 % of the limit, as in the generic cell rate
algorithm. A wake-up that is late by up to one interval is made good, anything more is lost: in d seconds there
are at most d * rate / 60 + 2 grants, so 35 in any second at the limit of 2,000.

**A window that no delay can break.** A request counts from its grant until a minute after its end (its answer
or its failure); granted is only while fewer than limit - 1 count. Then fewer than `limit` arrive in any 60 s:

    Take what arrives in any 60 s, and of it the request r that was granted last. Every other one, q, was
    granted before r and, r arriving less than 60 s after q if after it at all, r was granted less than 60 s
    after q arrived. The end of q is no earlier than its arrival, so q still counted when r was granted:
    there were at most limit - 2 such q, and with r at most limit - 1 requests.

This takes as given that a request arrives before its end, and one whose end nobody notes within
`unknown_end_s` of its grant. The price of knowing nothing else about delays: with answers that take longer than
half a second the pace sinks below 99 %, to limit - 1 requests each 60 s + the time of an answer.

A 429 begins a slowing: nothing goes out for a while, then at half the pace, which grows back to the whole
within a minute. 429s to requests that were under way by then belong to the same slowing.

No clock in here: times are arguments, monotonic seconds. Not safe for several threads: one coordinator asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARE = 0.99
"""The part of the limit that is used (law 5)."""

COUNTED_S = 60.05
"""How long a request counts after its end: the API's minute, and what its clock and ours may differ by in one."""

RECOVERY_S = 60.0
"""A slowing's pace grows by the whole pace in this time."""

SLOWEST = 1 / 50
"""The part of the whole pace that slowings never go below."""

MOMENT_S = 1.0
"""How long nothing goes out after a 429 without Retry-After: the guide speaks of limits within a second."""

CEILING_S = 3600.0
"""How long the pace stays at half of what a firewall throttled (`slow_down`)."""

LONGEST_HOLD_S = 600.0
"""The most that a Retry-After holds up everything; the throttled report's own next try is the ledger's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRequest:
    """A request that went out before, by its age in seconds."""

    started_ago_s: float
    ended_ago_s: float | None  # None: its end is unknown
    throttled: bool = False  # it was answered 429


class GcraRateLimiter:
    """Keep fewer than `limit_per_minute` requests arriving in any 60 s (a limit of 1: one), evenly spaced."""

    def __init__(self, limit_per_minute: int = 2000, *, unknown_end_s: float = 30.0) -> None:
        """Take the limit, at least 1, and how long after its grant a request without a noted end may arrive.

        `lookback_s` is how long ago a request that `restore` must be told of may have started.
        """
        self.lookback_s = COUNTED_S + unknown_end_s
        self._most = max(1, limit_per_minute - 1)
        self._whole = min(SHARE * limit_per_minute, self._most)  # requests a minute
        self._unknown_end_s = unknown_end_s
        self._open: dict[str, float] = {}  # request id: grant, oldest first
        self._ended: list[float] = []  # heap: until when each ended one counts
        self._due = -math.inf  # the evenly spaced moment of the next grant
        self._pace = self._whole  # what it was when it began to grow
        self._growing_since = -math.inf
        self._slowed_at = -math.inf
        self._held_until = -math.inf
        self._ceiling = self._whole
        self._ceiling_until = -math.inf

    def restore(self, sent: Iterable[RecentRequest], *, at: float) -> None:
        """Count requests that this limiter did not grant: those started within `lookback_s`, each of them once.

        A 429 among them counts as seen when it ended, so that a restart does not end a slowing.
        """
        spaced = -math.inf
        for one in sorted(sent, key=lambda one: -one.started_ago_s):
            started = at - one.started_ago_s
            ended = started + self._unknown_end_s if one.ended_ago_s is None else at - one.ended_ago_s
            heappush(self._ended, ended + COUNTED_S)
            if one.throttled:
                self.throttled(min(ended, at), started=started)
            spaced = self._next(spaced, started)
        self._due = max(self._due, spaced)

    def wait_s(self, at: float) -> float:
        """Return the seconds until a request may go out, or until it is worth asking again; 0: now.

        A `completed` meanwhile never makes it less.
        """
        self._forget(at)
        free_at = -math.inf
        if len(self._open) + len(self._ended) >= self._most:
            free_at = min(at + COUNTED_S, *self._ended[:1], self._oldest_open())
        return max(0.0, self._due - self._interval_s(at) - at, self._held_until - at, free_at - at)

    def acquired(self, request_id: str, at: float) -> None:
        """Count a request as going out now."""
        self._open[request_id] = at
        self._due = self._next(self._due, at)

    def completed(self, request_id: str, at: float) -> None:
        """Note that its answer, or its failure, is in: it cannot arrive any later than this."""
        if self._open.pop(request_id, None) is not None:
            heappush(self._ended, at + COUNTED_S)

    def throttled(
        self, at: float, *, retry_after_s: float | None = None, started: float | None = None
    ) -> float | None:
        """Slow down after a 429; return the new rate a minute if this begins a slowing, None within one.

        Within: it came while nothing goes out, or its request went out (`started`) before the slowing began.
        """
        within = at < self._held_until or (started is not None and started <= self._slowed_at)
        pace, hold_s = self.rate_per_minute(at), 0.0
        if not within:
            pace, hold_s = max(self._whole * SLOWEST, pace / 2), MOMENT_S
            self._slowed_at = at
        if retry_after_s is not None:
            hold_s = min(max(retry_after_s, hold_s), LONGEST_HOLD_S)
        self._held_until = max(self._held_until, at + hold_s)
        self._pace, self._growing_since = pace, self._held_until
        return None if within else pace

    def slow_down(self, at: float, *, hold_s: float) -> float:
        """Send nothing for `hold_s` seconds, then no faster than at half the pace for CEILING_S; return that pace.

        For a firewall's throttle: unlike a 429 it does not say when it begins, and going on prolongs it.
        """
        self._ceiling = max(self._whole * SLOWEST, self.rate_per_minute(at) / 2)
        self._ceiling_until = at + hold_s + CEILING_S
        self._held_until = max(self._held_until, at + hold_s)
        return self._ceiling

    def rate_per_minute(self, at: float) -> float:
        """Return the pace as it is now."""
        grown = self._whole * max(0.0, at - self._growing_since) / RECOVERY_S
        ceiling = self._ceiling if at < self._ceiling_until else self._whole
        return min(ceiling, self._pace + grown)

    def _interval_s(self, at: float) -> float:
        return 60 / self.rate_per_minute(at)

    def _next(self, due: float, at: float) -> float:
        """Return the moment evenly after a grant; a grant may be one interval early to make good a late one."""
        return max(due, at) + self._interval_s(at)

    def _oldest_open(self) -> float:
        """Return until when the request counts that has waited longest for its end."""
        return next(iter(self._open.values()), math.inf) + self.lookback_s

    def _forget(self, at: float) -> None:
        while self._ended and self._ended[0] <= at:
            heappop(self._ended)
        while self._oldest_open() <= at:
            del self._open[next(iter(self._open))]
