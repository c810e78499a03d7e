"""Send what is due of a month, as fast as allowed, and record what becomes of it.

One coordinator (the caller's thread) owns the ledger; workers only exchange bytes. Each turn of its loop:

    1. choose what may go out now: window, lease, pace, outage, token, free workers
    2. one transaction: the outcomes that came in, and the intents of what goes out   <- durable
    3. hand the intents to the workers, and say what became of the outcomes
    4. wait for the next outcome, or for the moment at which something may go out

So an intent is durable before its request leaves, and an outcome before anybody is told of it. A kill before
2 leaves nothing sent and nothing recorded; after 2, a report in flight, whose end is then unknown: whoever
delivers next sends the same bytes again, and the API's answer settles it.

The ledger is read (`due`) only when everything chosen has been recorded: it would give the same report twice.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.domain.circuit_breaker import FAILURES_IN_A_ROW
from report_service.domain.delivery import Delivery, State
from report_service.errors import LeaseLost, StoreUnavailable
from report_service.ports import AttemptStart, Request
from report_service.services.delivery.announce import announce

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from report_service.domain.months import SubmissionWindow
    from report_service.ports import AttemptLog, AttemptResult, CompletedRequest, Events
    from report_service.services.delivery.lease_keeper import LeaseKeeper
    from report_service.services.delivery.means import Means
    from report_service.services.delivery.outcomes import OutcomeHandler, RunStats

PAGE = 500
"""How many due reports are read from the ledger at once."""
SLICE_S = 0.5
"""The longest wait in one piece: a request to stop is noticed within it."""
GATHER_S = 0.01
"""How long the first outcome waits for others: a transaction costs as much as ten outcomes in it. Much less than
the 30 ms between two requests at the API's limit."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A request that goes out now, and the report that it is for; None: it asks for a token."""

    start: AttemptStart
    delivery: Delivery | None


@dataclass(slots=True, kw_only=True)
class Deliverer:
    """One run's delivery of one month."""

    attempts: AttemptLog
    means: Means
    events: Events
    window: SubmissionWindow
    run_id: str
    patience_s: float
    lease_keeper: LeaseKeeper
    outcomes: OutcomeHandler
    _queue: deque[Delivery] = field(default_factory=deque)
    _look_again_at: float = 0.0  # monotonic: from then on the ledger may have more that is due
    _under_way: dict[str, Delivery | None] = field(default_factory=dict)  # by request id
    _stopped_at: float = 0.0  # monotonic, as is the next
    _store_lost_at: float | None = None

    @property
    def done(self) -> RunStats:
        """Return what was done so far."""
        return self.outcomes.done

    def run(self) -> None:
        """Deliver until nothing is due, patience ends, the window closes, or the run is stopped or halted.

        Raises StoreUnavailable if the store stays away; `halted` says what else kept it from going on. What
        is in flight when grace ends is left so, which is the truth.
        """
        ended: list[AttemptResult] = []
        while True:
            try:
                if self._store_lost_at is not None:
                    ended = self._resume(ended)
                if not self._goes_on(ended):
                    self._store_is_back()
                    return
                lease, chosen = self.lease_keeper.keep(), self._choose()
                if ended or chosen:
                    self.attempts.record(ended, [one.start for one in chosen], lease=lease)
                self._store_is_back()
            except StoreUnavailable as lost:
                ended += self._outlast(lost)
                continue
            except LeaseLost as lost:
                self._give_way(lost, ended)
                chosen, ended = [], []
            self._let_go(chosen)
            self._tell(ended)
            ended = self._collect(self._wait_s(ended))

    # --- 1. what may go out

    def _goes_on(self, ended: Sequence[AttemptResult]) -> bool:
        """Return True if anything is left to record, to await, or to send within patience."""
        if ended:
            return True
        if self._under_way:
            return not self._grace_is_over()
        return not self._stopping() and self._has_more()

    def _has_more(self) -> bool:
        """Return True if something is due, or will be within patience."""
        now = self.means.clock.monotonic()
        idle_s = now - self.outcomes.settled_at
        self._refill()
        if self._queue:
            if idle_s > self.patience_s and self.outcomes.in_vain >= FAILURES_IN_A_ROW:
                self.done.halt(self.outcomes.no_answer(f"for {idle_s:.0f} s"))
            return self.done.halted is None
        if self._look_again_at == NEVER:
            waiting = self.attempts.waiting(self.window.month)
            if waiting is None:
                return False
            self._look_again_at = now + self._in_s(waiting[0])
        if self._look_again_at - self.outcomes.settled_at <= self.patience_s:
            return True
        next_try = self.means.clock.now() + timedelta(seconds=self._look_again_at - now)
        self.done.stopped = f"the next try is due at {next_try:%Y-%m-%d %H:%M:%S} UTC"
        if self.outcomes.outage.down or (self.outcomes.in_vain and not self.done.settled):
            self.done.halt(self.outcomes.no_answer(f"to anything; {self.done.stopped}"))
        return False

    def _stopping(self) -> bool:
        """Return True if nothing more may be sent; note why when that begins."""
        if self.done.stopped is None:
            halted = self.done.halted.message if self.done.halted else None
            self.done.stopped = halted or self.means.stop() or self._window_is_shut()
            self._stopped_at = self.means.clock.monotonic()
        return self.done.stopped is not None

    def _window_is_shut(self) -> str | None:
        now, skew_s = self.means.clock.now(), self.outcomes.session.skew_s
        if self.window.is_open(now, skew_s=skew_s):
            return None
        whose = f" by the API's clock, {skew_s:+.0f} s off ours" if self.window.is_open(now) else ""
        return f"the window of {self.window.month} is not open{whose}"

    def _grace_is_over(self) -> bool:
        """Return True if the process was asked to end, and what is under way had its time."""
        if not self._stopping() or self.means.stop() is None:
            return False
        return self.means.clock.monotonic() - self._stopped_at >= self.means.grace_s

    def _choose(self) -> list[Chosen]:
        """Return as many requests as may go out at this moment."""
        chosen: list[Chosen] = []
        if self._stopping():
            return chosen
        self._refill()
        now = self.means.clock.monotonic()
        while self._queue and self._room() > len(chosen) and self.outcomes.rate_limiter.wait_s(now) <= 0:
            token = self.outcomes.session.token_at(now)
            if token is None:
                if not self._token_is_coming():
                    chosen.append(self._grant(self.means.api.token_request(self.means.new_id()), None, now))
                break
            delivery = self._queue.popleft()
            request = Request(
                request_id=self.means.new_id(),
                verb="POST",
                path=delivery.path,
                body=delivery.body,
                token=token.value,
            )
            chosen.append(self._grant(request, delivery, now))
        return chosen

    def _room(self) -> int:
        """Return how many more may be under way: all workers, or one to see whether the API is there."""
        if self.means.clock.monotonic() < self.outcomes.outage.probe_at:
            return 0
        return self.outcomes.outage.allowance(self.means.executor.capacity) - len(self._under_way)

    def _token_is_coming(self) -> bool:
        return None in self._under_way.values()

    def _grant(self, request: Request, delivery: Delivery | None, now: float) -> Chosen:
        self.outcomes.rate_limiter.acquired(request.request_id, now)
        start = AttemptStart(
            request=request,
            delivery=delivery.row if delivery else None,
            payload_sha256=delivery.payload_sha256 if delivery else None,
            run_id=self.run_id,
            started_at=self.means.clock.now(),
        )
        return Chosen(start=start, delivery=delivery)

    def _refill(self) -> None:
        """Read on in the ledger when the last page is used up and there may be more."""
        if self._queue or self.means.clock.monotonic() < self._look_again_at:
            return
        self._queue.extend(self.attempts.due(self.window.month, at=self.means.clock.now(), limit=PAGE))
        if not self._queue:  # until one is put off, or `_has_more` finds one that waits
            self._look_again_at = NEVER

    # --- 2. and 3. the transaction, and what follows it

    def _let_go(self, chosen: Sequence[Chosen]) -> None:
        for one in chosen:
            delivery = one.delivery and replace(one.delivery, state=State.IN_FLIGHT)
            self._under_way[one.start.request.request_id] = delivery
            self.done.sent += delivery is not None
            self.done.tokens += delivery is None
            self.means.executor.submit(one.start.request, self._permit)

    def _permit(self) -> str | None:
        """Return why a request must not go out at this very moment; the worker asks, last of all."""
        return (
            "the right to deliver ended before it could go out"
            if self.lease_keeper.over
            else self._window_is_shut()
        )

    def _tell(self, ended: Sequence[AttemptResult]) -> None:
        for one in ended:
            if one.delivery is not None:
                announce(self.events, one, one.delivery)

    def _outlast(self, lost: StoreUnavailable) -> list[AttemptResult]:
        """Send nothing while the store is away, and return what came in; raise `lost` when patience is over.

        What is under way comes first: then there is something to record, and nothing of ours in flight.
        """
        now = self.means.clock.monotonic()
        if self._store_lost_at is None:
            self._store_lost_at = now
            self.events.emit("store.lost", detail=lost.message)
        elif now - self._store_lost_at >= self.patience_s or self._grace_is_over():
            raise lost
        ended = self._collect(SLICE_S)
        while self._under_way and not self._grace_is_over():
            ended += self._collect(SLICE_S)
        return ended

    def _resume(self, ended: Sequence[AttemptResult]) -> list[AttemptResult]:
        """Begin anew after the store was away, if the lease is still ours; return that nothing is left to record.

        Whether the transaction that failed went through is not known. If it did, reports stand in flight that
        never went out: they are adopted, as from a former holder.
        """
        lease = self.lease_keeper.keep(within_s=NEVER)
        self.attempts.record(ended, [], lease=lease)
        self.attempts.recover_in_flight(at=self.means.clock.now(), timeout_s=self.means.timeout_s, lease=lease)
        self._look_again_at = 0.0
        self._tell(ended)
        return []

    def _store_is_back(self) -> None:
        """Say so once a whole turn went well: a full disk takes outcomes, and refuses what comes after them."""
        if self._store_lost_at is not None:
            away_s = self.means.clock.monotonic() - self._store_lost_at
            self.events.emit("store.recovered", duration_s=round(away_s, 1))
            self._store_lost_at = None

    def _give_way(self, lost: LeaseLost, ended: Sequence[AttemptResult]) -> None:
        """Send nothing more, another process delivers: the attempts' ends are ours to record, no report is."""
        self.lease_keeper.end()
        self._store_lost_at = None
        self.done.halt(lost)
        with suppress(LeaseLost, StoreUnavailable):
            self.attempts.record(ended, [], lease=self.lease_keeper.lease)

    # --- 4. what came back

    def _wait_s(self, told: Sequence[AttemptResult]) -> float:
        """Return how long nothing but an outcome can make a difference."""
        if not self._under_way and (self._stopping() or (told and not self._queue)):
            return 0.0  # see first whether there is anything to wait for
        now = self.means.clock.monotonic()
        full = len(self._under_way) >= self.outcomes.outage.allowance(self.means.executor.capacity)
        if full or self._token_is_coming() or self._stopping():
            return SLICE_S
        next_at = max(now if self._queue else self._look_again_at, self.outcomes.outage.probe_at)
        return min(max(next_at - now, self.outcomes.rate_limiter.wait_s(now)), SLICE_S)

    def _collect(self, timeout_s: float) -> list[AttemptResult]:
        """Wait for outcomes, and return what they make of their reports.

        What an earlier run of this process abandoned may turn up: that is an unknown end already.
        """
        if not self._under_way:
            self.means.clock.sleep(timeout_s)
            return []
        ended = [
            self.outcomes.hear(one, self._under_way.pop(one.request.request_id))
            for one in self._gather(timeout_s)
            if one.request.request_id in self._under_way
        ]
        for one in ended:
            if one.delivery is not None and one.delivery.next_attempt_at is not None:
                again_at = self.means.clock.monotonic() + self._in_s(one.delivery.next_attempt_at)
                self._look_again_at = min(self._look_again_at, again_at)
        return ended

    def _gather(self, timeout_s: float) -> list[CompletedRequest]:
        """Return what has ended and, once there is something, what ends within a moment of it."""
        clock, executor = self.means.clock, self.means.executor
        found = more = list(executor.completed(timeout_s))
        until = clock.monotonic() + GATHER_S
        while more and len(found) < len(self._under_way) and clock.monotonic() < until:
            more = list(executor.completed(until - clock.monotonic()))
            found = found + more
        return found

    def _in_s(self, moment: datetime) -> float:
        return max((moment - self.means.clock.now()).total_seconds(), 0.0)
