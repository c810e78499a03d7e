"""Which of the API's endpoints answer: one circuit breaker a kind, and one for the host that they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.circuit_breaker import HOST_THRESHOLD, CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from report_service.domain.kinds import Kind

API = "api"
"""What the host's circuit is called in the log; a kind's bears the kind's name, the token's is `token`."""


@dataclass(slots=True, kw_only=True)
class Circuits:
    """What one process knows of the API's endpoints, from run to run. Moments are monotonic seconds."""

    host: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(threshold=HOST_THRESHOLD))
    proven: bool = False  # an answer came that could be read, since the run began or since a circuit opened
    _kinds: dict[Kind, CircuitBreaker] = field(default_factory=dict)

    def of(self, kind: Kind) -> CircuitBreaker:
        """Return the circuit of a kind's endpoint."""
        return self._kinds.get(kind) or CircuitBreaker()

    def max_in_flight(self, capacity: int) -> int:
        """Return how many requests may be under way: one, until the API has proven that it answers."""
        return self.host.max_in_flight(capacity) if self.proven else min(capacity, 1)

    def blocked_until(self, kind: Kind) -> float:
        """Return the moment before which nothing of a kind goes out."""
        return max(self.host.half_open_at, self.of(kind).half_open_at)

    def order(self, kinds: Sequence[Kind], last: Kind | None) -> Sequence[Kind]:
        """Return the kinds in the order in which to send them.

        While nothing is proven, begin after the kind that was tried last: whether the host is down, or one
        endpoint, is known after one request each.
        """
        if self.proven or last not in kinds:
            return kinds
        after = kinds.index(last) + 1
        return [*kinds[after:], *kinds[:after]]

    def failed(
        self, kind: Kind, *, about: int, at: float, retry_after_s: float | None, uniform: Callable[[], float]
    ) -> list[str]:
        """Learn that a request for a report failed; return the names of the circuits that opened by it."""
        before_kind, before_host = self.of(kind), self.host
        self._kinds[kind] = before_kind.failed(about=about, at=at, uniform=uniform, retry_after_s=retry_after_s)
        self.host = before_host.failed(about=kind, at=at, uniform=uniform)
        changes = ((kind.name, before_kind, self._kinds[kind]), (API, before_host, self.host))
        opened = [name for name, before, after in changes if before.closed and after.open]
        if opened:
            self.proven = False
        return opened

    def answered(self, kind: Kind, *, readable: bool) -> list[str]:
        """Learn that a kind's endpoint answered; return the names of the circuits that closed by it."""
        changes = ((kind.name, self.of(kind)), (API, self.host))
        self._kinds.pop(kind, None)
        self.host = self.host.answered()
        self.proven = self.proven or readable
        return [name for name, before in changes if before.open]
