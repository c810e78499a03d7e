"""What arrives: the limit on it, and the counts of it."""

from __future__ import annotations

from collections import Counter, deque


class SlidingWindow:
    """How many arrivals lie in the last `span_s` seconds; half-open: one exactly that old no longer does."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._arrivals: deque[float] = deque()
        self.peak = 0

    def arrive(self, at: float) -> int:
        """Add an arrival, not before the last one; return how many there are with it."""
        self._arrivals.append(at)
        while self._arrivals[0] <= at - self._span_s:
            self._arrivals.popleft()
        self.peak = max(self.peak, len(self._arrivals))
        return len(self._arrivals)


class Traffic:
    """The requests that arrived, limited and counted; those that were refused count as well.

    The guide's limit is 2,000 a minute, enforced on any given second: it is looked at on each arrival.
    """

    def __init__(self, *, per_minute: int | None, per_second: int | None) -> None:
        """Take the limits; None or 0 means none."""
        self._limits = (per_minute, per_second)
        self._windows = (SlidingWindow(60), SlidingWindow(1))
        self._by_status: Counter[str] = Counter()
        self._by_target: Counter[str] = Counter()
        self._by_ruling: Counter[str] = Counter()

    def arrive(self, at: float) -> bool:
        """Count an arrival (monotonic seconds); say whether it is within the limits."""
        counts = [window.arrive(at) for window in self._windows]
        return all(not limit or count <= limit for limit, count in zip(self._limits, counts, strict=True))

    def answered(self, *, target: str, status: int | None, ruling: str) -> None:
        """Count an answer; a status of None is a dropped connection."""
        self._by_target[target] += 1
        self._by_status["dropped" if status is None else str(status)] += 1
        self._by_ruling[ruling] += 1

    def stats(self) -> dict[str, object]:
        """Return all counts, as JSON-able values."""
        minute, second = self._windows
        return {
            "requests": self._by_target.total(),
            "by_kind": dict(self._by_target),
            "by_status": dict(self._by_status),
            "by_ruling": dict(self._by_ruling),
            "conflicts": self._by_ruling["duplicate"],
            "max_in_60_s": minute.peak,
            "max_in_1_s": second.peak,
        }
