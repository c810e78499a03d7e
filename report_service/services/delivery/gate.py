"""Who may send, now, when, or never.

Every request passes this one gate, and each of its parts is a small value with a bound of its own:

    submission window    law 1, by our clock and by the API's           `domain.months`, `domain.api_clock`
    lease                one process delivers                            `lease_keeper`
    circuit breakers     one a kind, one for the API's host              `circuits`, `domain.circuit_breaker`
    refusals             a kind, or every id, that is refused            `refusal_watch`, `domain.refusals`
    rate limiter         law 5, and what asked to slow down              `domain.rate_limiter`
    token                and the circuit of the host that gives it       `token_cache`

The answer is one of three: `Now` (with the token to use; without one it has to be asked for first), `At` a moment,
or `Never` in this run. The reasons are what a person reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.errors import ClockDisagrees

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from report_service.domain.api_clock import ApiClock
    from report_service.domain.kinds import Kind
    from report_service.domain.months import SubmissionWindow
    from report_service.errors import RunHalted
    from report_service.ports import Clock, RateLimiter, Token
    from report_service.services.delivery.circuits import Circuits
    from report_service.services.delivery.lease_keeper import LeaseKeeper
    from report_service.services.delivery.refusal_watch import RefusalWatch
    from report_service.services.delivery.run_stats import RunStats
    from report_service.services.delivery.token_cache import TokenCache

AN_ANSWER = math.inf
"""The moment of what only an answer can bring about."""


@dataclass(frozen=True, slots=True)
class Now:
    """The request may go out, with this token; None: a token has to be asked for first."""

    token: Token | None


@dataclass(frozen=True, slots=True)
class At:
    """Nothing before a monotonic moment; `halts`: what it means if nobody waits for that."""

    moment: float
    why: str
    halts: RunHalted | None = None
    paced: bool = False  # it is only a matter of pace: waiting for it is no standstill


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing more in this run."""

    why: str


@dataclass(slots=True, kw_only=True)
class SendGate:
    """Decides for one run. Moments are monotonic seconds."""

    window: SubmissionWindow | None  # None: corrections are sent, which have none
    clock: Clock
    api_clock: ApiClock
    lease: LeaseKeeper
    circuits: Circuits
    refusals: RefusalWatch
    rate_limiter: RateLimiter
    tokens: TokenCache
    stats: RunStats
    stop: Callable[[], str | None]  # why the process is asked to end, if it is
    capacity: int  # how many requests the workers can have under way
    _in_flight: dict[str, Kind | None] = field(default_factory=dict)  # by request id; None: for a token
    _last: Kind | None = None  # the kind that was sent last

    def next(self, kind: Kind, at: float) -> Now | At | Never:
        """Return whether a report of a kind may go out at `at`."""
        if (never := self.over()) is not None:
            return never
        if (held := self._closed_by_api_clock(at)) is not None:
            self.circuits.proven = False  # what measures the clock anew is one request, not many
            return held
        return self._endpoint(kind, at) or self._pace(at) or self._token(at)

    def over(self) -> Never | None:
        """Return why nothing at all goes out any more in this run, if that is so."""
        if self.stats.halted is not None:
            return Never(self.stats.halted.message)
        why = self.stop() or self._closed_by_our_clock()
        return Never(why) if why else None

    def order(self, kinds: Sequence[Kind]) -> Sequence[Kind]:
        """Return the kinds in the order in which to send them."""
        return self.circuits.order(kinds, self._last)

    def started(self, request_id: str, kind: Kind | None, at: float) -> None:
        """Note that a request goes out: for a report of a kind, or (None) for a token."""
        self._in_flight[request_id] = kind
        self._last = kind or self._last
        self.rate_limiter.acquired(request_id, at)

    def ended(self, request_id: str) -> None:
        """Note that its answer, or its failure, is in."""
        self._in_flight.pop(request_id, None)

    def forget_unsent(self, sent: Container[str]) -> None:
        """Forget the requests that were let out and never handed to a worker."""
        for request_id in [each for each in self._in_flight if each not in sent]:
            self.ended(request_id)

    @property
    def in_flight(self) -> int:
        """Return how many requests are under way."""
        return len(self._in_flight)

    def check_report(self) -> str | None:
        """Return why a report must not go out at this very moment; the worker asks, last of all."""
        if self.window is None:
            return "only corrections may go out without a window"
        if (closed := self._closed_by_our_clock()) is not None:
            return closed
        held = self._closed_by_api_clock(self.clock.monotonic())
        return self.check_lease() or (held.why if held else None)

    def check_lease(self) -> str | None:
        """Return why what has no window, a token request or a correction, must not go out at this very moment."""
        return "the right to deliver ended before it could go out" if self.lease.expired else None

    def _closed_by_our_clock(self) -> str | None:
        """Return why the window is not open (law 1)."""
        if self.window is None or self.window.is_open(self.clock.now()):
            return None
        return f"the window of {self.window.month} is not open"

    def _closed_by_api_clock(self, at: float) -> At | None:
        """Return until when the window is not open by the API's clock, as far as that is known (law 1)."""
        if self.window is None:
            return None
        now = self.clock.now()
        skew_s = self.api_clock.skew_s(now, at=at)
        if self.window.is_open(now, skew_s=skew_s):
            return None
        words = f"by the API's clock, {skew_s:+.0f} s off ours, the window of {self.window.month} is not open"
        hint = (
            "See that this machine's clock is right (NTP). If it is, a wrong Date of the API holds reports up for "
        )
        return At(self.api_clock.known_until, words, ClockDisagrees(words, hint=hint + "15 minutes at most."))

    def _endpoint(self, kind: Kind, at: float) -> At | None:
        most = self.refusals.max_in_flight(kind, self.capacity)
        if most == 0:
            return At(AN_ANSWER, f"all of {kind} is refused, so none of it goes out in this run")
        until = self.circuits.blocked_until(kind)
        if at < until:
            return At(until, f"the endpoint of {kind} does not answer")
        of_kind = sum(each is kind for each in self._in_flight.values())
        most = min(most, self.circuits.of(kind).max_in_flight(self.capacity))
        if of_kind >= most or self.in_flight >= self.circuits.max_in_flight(self.capacity):
            return At(AN_ANSWER, "as much as may be is under way")
        return None

    def _pace(self, at: float) -> At | None:
        pause_s = self.refusals.streak.pause_left_s(at)
        if pause_s > 0:
            return At(at + pause_s, "a firewall throttles: 403 to whatever comes, after acceptances")
        wait_s = self.rate_limiter.wait_s(at)
        return At(at + wait_s, "the pace allows no more", paced=True) if wait_s > 0 else None

    def _token(self, at: float) -> Now | At:
        token = self.tokens.valid_at(at)
        if token is None and None in self._in_flight.values():
            return At(AN_ANSWER, "a token is on its way")
        if token is None and at < self.tokens.circuit.half_open_at:
            return At(self.tokens.circuit.half_open_at, "the token's host gives none")
        return Now(token)
