"""Send what is due of a month, or corrections: choose, record, hand out, wait.

One coordinator (the caller's thread) owns the ledger; workers only exchange bytes. Each turn of `Dispatcher.run`:

    1. choose    what the gate lets out now                              `gate`, `backlog`
    2. record    one transaction: the results that came in, and the starts of what goes out   <- durable
    3. hand out  the requests to the workers, and say what became of the results
    4. wait      for the next result, or for the moment at which something may go out

So a start is durable before its request leaves, and a result before anybody is told of it. A kill before 2 leaves
nothing sent and nothing recorded; after 2, a report in flight that is in doubt: whoever delivers next sends the
same bytes again, and the API's answer settles it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.domain.circuit_breaker import KIND_THRESHOLD
from report_service.domain.delivery import PUT_OFF_S, Delivery, State
from report_service.domain.kinds import KINDS
from report_service.errors import LeaseLost, StoreUnavailable
from report_service.ports import AttemptStart, Request
from report_service.services.delivery.announce import announce
from report_service.services.delivery.gate import AN_ANSWER, At, Never
from report_service.services.delivery.outcomes import no_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from report_service.domain.kinds import Kind
    from report_service.ports import (
        AttemptLog,
        AttemptResult,
        Clock,
        CompletedRequest,
        Events,
        ReportApi,
        RequestExecutor,
        Token,
    )
    from report_service.services.delivery.backlog import Backlog
    from report_service.services.delivery.gate import SendGate
    from report_service.services.delivery.lease_keeper import LeaseKeeper
    from report_service.services.delivery.outcomes import OutcomeHandler
    from report_service.services.delivery.run_stats import RunStats

SLICE_S = 0.5
"""The longest wait in one piece: a request to stop is noticed within it."""
GATHER_S = 0.01
"""How long the first result waits for others: a transaction costs as much as ten results in it. Much less than
the 30 ms between two requests at the API's limit."""
CHANGED = "it changed in the ledger meanwhile"
"""Why a correction is left to the next call that was never sent."""
ANOTHER_PROBE_S = 2.0
"""How often an open circuit looks whether a report that failed before is due again, to probe with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that goes out now, and the report that it is for; None: it asks for a token."""

    start: AttemptStart
    delivery: Delivery | None


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """One run's delivery of one month, or one call's corrections."""

    attempts: AttemptLog
    lease: LeaseKeeper
    gate: SendGate
    backlog: Backlog
    outcomes: OutcomeHandler
    stats: RunStats
    api: ReportApi
    executor: RequestExecutor
    clock: Clock
    events: Events
    run_id: str
    new_id: Callable[[], str]  # UUIDs
    stop: Callable[[], str | None]  # why the process is asked to end, if it is
    patience_s: float
    grace_s: float  # how long a process that is to end waits for what is in flight
    timeout_s: float
    _sent: dict[str, Delivery | None] = field(default_factory=dict)  # under way, by request id
    _held: At | None = None  # the earliest moment for which something due has to wait
    _stopped_at: float | None = None  # monotonic, as is the next
    _store_lost_at: float | None = None

    def run(self) -> None:
        """Deliver until nothing is due, patience ends, the window closes, or the run is stopped or halted.

        Raises StoreUnavailable if the store stays away; `stats` says what else kept it from going on. What is in
        flight when grace ends is left so, which is the truth.
        """
        results: list[AttemptResult] = []
        while True:
            self.lease.run_lives()
            try:
                results = self._store_returned(results)
                if not results:  # what came in has to be recorded first: some of it may be refused as well
                    self._put_off_refused()
                outgoing = self._choose()
                if results or outgoing:
                    outgoing = self._record(results, outgoing)
                elif self._is_over():
                    self._store_is_back()
                    self.stats.rate_per_minute = self.gate.rate_limiter.rate_per_minute(self.clock.monotonic())
                    return
                self._store_is_back()
            except StoreUnavailable as lost:
                results += self._outlast(lost)
                continue
            except LeaseLost as lost:
                self._lose(lost, results)
                outgoing, results = [], []
            self._hand_out(outgoing)
            self._announce(results)
            results = self._collect(0.0 if results and not self._sent else self._wait_s())

    # --- 1. choose

    def _choose(self) -> list[Outgoing]:
        """Return as many requests as may go out at this moment; note for what the rest has to wait."""
        at = self.clock.monotonic()
        outgoing: list[Outgoing] = []
        self._held = None
        if (over := self.gate.over()) is not None:
            self._stop(over.why)
            return outgoing
        if self._is_exhausted(at):
            return outgoing
        for kind in self.gate.order(KINDS):
            while self.backlog.has(kind):
                verdict = self.gate.next(kind, at)
                if isinstance(verdict, Never):
                    self._stop(verdict.why)
                    return outgoing
                if isinstance(verdict, At):
                    self._hold(verdict)
                    break
                if verdict.token is None:
                    return [*outgoing, self._ask_for_token(at)]
                delivery = self._next_of(kind)
                if delivery is None:
                    self._hold(At(at + ANOTHER_PROBE_S, f"the endpoint of {kind} does not answer"))
                    break
                outgoing.append(self._start(delivery, verdict.token, at))
        return outgoing

    def _next_of(self, kind: Kind) -> Delivery | None:
        """Return the report to send; while a circuit is open, the one to probe with."""
        own, host = self.gate.circuits.of(kind), self.gate.circuits.host
        circuit = own if own.open else host
        if circuit.closed:
            return self.backlog.take(kind)
        tried = circuit.probes_with_tried
        found = self.backlog.take_probe(kind, tried=tried)
        if found is None and not (tried and circuit.untried_used_up and self.backlog.awaits_retry(kind)):
            found = self.backlog.take_probe(kind, tried=not tried)
        return found

    def _start(self, delivery: Delivery, token: Token, at: float) -> Outgoing:
        request = Request(
            request_id=self.new_id(),
            verb="POST" if delivery.correction is None else "PUT",
            path=delivery.path,
            body=delivery.body,
            token=token.value,
        )
        self.gate.started(request.request_id, delivery.key.kind, at)
        return Outgoing(start=self._start_of(request, delivery), delivery=delivery)

    def _ask_for_token(self, at: float) -> Outgoing:
        request = self.api.token_request(self.new_id())
        self.gate.started(request.request_id, None, at)
        return Outgoing(start=self._start_of(request, None), delivery=None)

    def _start_of(self, request: Request, delivery: Delivery | None) -> AttemptStart:
        return AttemptStart(
            request=request,
            delivery=delivery.row if delivery else None,
            payload_sha256=delivery.payload_sha256 if delivery else None,
            run_id=self.run_id,
            started_at=self.clock.now(),
            correction=delivery.correction if delivery else None,
        )

    def _hold(self, until: At) -> None:
        if self._held is None or until.moment < self._held.moment:
            self._held = until

    def _stop(self, why: str) -> None:
        if self._stopped_at is None:
            self._stopped_at = self.clock.monotonic()
            self.stats.stopped = self.stats.stopped or why

    # --- 2. record, 3. hand out

    def _record(self, results: Sequence[AttemptResult], outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Write them; return what may go out: not what somebody else corrected meanwhile."""
        starts = [one.start for one in outgoing]
        begun = self.attempts.record(results, starts, lease=self.lease.ensure_held())
        self.backlog.recorded()
        if len(begun) == len(outgoing):
            return list(outgoing)
        for one in outgoing:
            if one.delivery is not None and one.start not in begun:
                self.gate.ended(one.start.request.request_id)
                self.backlog.ended(replace(one.delivery, state=State.REJECTED, detail=CHANGED))
        return [one for one in outgoing if one.start in begun]

    def _hand_out(self, outgoing: Sequence[Outgoing]) -> None:
        for one in outgoing:
            request, delivery = one.start.request, one.delivery
            self._sent[request.request_id] = delivery and replace(delivery, state=State.IN_FLIGHT)
            self.stats.sent += delivery is not None
            self.stats.tokens += delivery is None
            windowed = delivery is not None and delivery.correction is None
            self.executor.submit(request, self.gate.check_report if windowed else self.gate.check_lease)

    def _announce(self, results: Sequence[AttemptResult]) -> None:
        for one in results:
            if one.delivery is not None and one.delivery.correction is None:
                announce(self.events, one, one.delivery)

    def _put_off_refused(self) -> None:
        """Put off what was rejected of kinds of which everything is: it is not final (`domain.refusals`)."""
        refusals, until = self.outcomes.refusals, self.clock.now() + timedelta(seconds=PUT_OFF_S)
        while refusals.month is not None and refusals.newly_braked:
            kind, lease = refusals.newly_braked[-1], self.lease.ensure_held()
            self.attempts.put_off_rejected(refusals.month, kind, until=until, lease=lease)
            refusals.newly_braked.pop()

    # --- 4. wait

    def _is_over(self) -> bool:
        """Return True if nothing is left to await, and nothing to send within patience; note why."""
        now = self.clock.monotonic()
        if self._sent:
            return self._grace_is_over(now)
        if self._stopped_at is not None:
            return True
        held, next_at = self._held, self.backlog.next_due_at()
        if held is not None:
            next_at = min(next_at, held.moment)
        if not self._is_exhausted(now):
            if (held and held.paced) or next_at <= self.stats.progress_at + self.patience_s:
                return False
            if held is None and next_at == AN_ANSWER:
                return True
        self._give_up(held, next_at - now)
        return True

    def _is_exhausted(self, now: float) -> bool:
        """Return True if requests went out for all of the run's patience, and nothing came of them."""
        return self.stats.unanswered >= KIND_THRESHOLD and now - self.stats.progress_at > self.patience_s

    def _give_up(self, held: At | None, wait_s: float) -> None:
        """Note that what is left is not waited for, and halt if nothing could be sent of what was due (law 8)."""
        next_try = ""
        if wait_s < AN_ANSWER:
            next_try = (
                f"the next try is due at {self.clock.now() + timedelta(seconds=wait_s):%Y-%m-%d %H:%M:%S} UTC"
            )
        self.stats.stopped = "; ".join(filter(None, (held.why if held else "", next_try)))
        if held is not None and held.halts is not None:
            self.stats.halt(held.halts)
        elif self.gate.circuits.host.open or (not self.stats.settled and self._got_nothing(held)):
            waited_s = self.clock.monotonic() - self.stats.progress_at
            how_long = f"for {waited_s:.0f} s" if waited_s >= 1 else "to anything"
            self.stats.halt(no_answer(self.stats, f"{how_long}; {self.stats.stopped}"))

    def _got_nothing(self, held: At | None) -> bool:
        """Return True if the API gave no usable answer, or was not asked, for it gave none to an earlier run."""
        return self.stats.unanswered > 0 or (held is not None and not self.stats.requests)

    def _grace_is_over(self, now: float) -> bool:
        """Return True if the process was asked to end, and what is under way had its time."""
        why = self.stop()
        if why is None:
            return False
        self._stop(why)
        return self._stopped_at is not None and now - self._stopped_at >= self.grace_s

    def _wait_s(self) -> float:
        """Return how long nothing but a result can make a difference, at most SLICE_S."""
        now = self.clock.monotonic()
        if self._stopped_at is not None:
            return SLICE_S if self._sent else 0.0
        held_s = self._held.moment - now if self._held else SLICE_S
        return min(max(min(held_s, self.backlog.next_due_at() - now), 0.0), SLICE_S)

    def _collect(self, timeout_s: float) -> list[AttemptResult]:
        """Wait for results, and return what they make of their reports.

        What an earlier run of this process abandoned may turn up: that is in doubt already.
        """
        if not self._sent:
            self.clock.sleep(timeout_s)
            return []
        results = []
        for completed in self._gather(timeout_s):
            request_id = completed.request.request_id
            if request_id in self._sent:
                self.gate.ended(request_id)
                results.append(self.outcomes.handle(completed, self._sent.pop(request_id)))
        for one in results:
            if one.delivery is not None:
                self.backlog.ended(one.delivery)
        return results

    def _gather(self, timeout_s: float) -> list[CompletedRequest]:
        """Return what has ended and, once there is something, what ends within a moment of it."""
        found = more = list(self.executor.completed(timeout_s))
        until = self.clock.monotonic() + GATHER_S
        while more and len(found) < len(self._sent) and self.clock.monotonic() < until:
            more = list(self.executor.completed(until - self.clock.monotonic()))
            found = found + more
        return found

    # --- what may go wrong with the ledger

    def _outlast(self, lost: StoreUnavailable) -> list[AttemptResult]:
        """Send nothing while the store is away, and return what came in; raise `lost` when patience is over.

        What is under way comes first: then there is something to record, and nothing of ours in flight.
        """
        now = self.clock.monotonic()
        if self._store_lost_at is None:
            self._store_lost_at = now
            self.events.emit("store.lost", detail=lost.message)
        elif now - self._store_lost_at >= self.patience_s or self._grace_is_over(now):
            raise lost
        results = self._collect(SLICE_S)
        while self._sent and not self._grace_is_over(self.clock.monotonic()):
            results += self._collect(SLICE_S)
        return results

    def _store_returned(self, results: list[AttemptResult]) -> list[AttemptResult]:
        """If the store was away, begin anew if the lease is still ours; return what is left to record.

        Whether the transaction that failed went through is not known. If it did, reports stand in flight that
        never went out: they are recovered, as from a former holder.
        """
        if self._store_lost_at is None:
            return results
        self.gate.forget_unsent(self._sent)
        self.attempts.record(results, [], lease=self.lease.renew())
        self.attempts.recover_in_flight(
            at=self.clock.now(), timeout_s=self.timeout_s, lease=self.lease.ensure_held()
        )
        self.backlog.look_again()
        self._announce(results)
        return []

    def _store_is_back(self) -> None:
        """Emit store.recovered, after a whole turn: on a full disk an UPDATE can succeed while an INSERT fails."""
        if self._store_lost_at is not None:
            away_s = self.clock.monotonic() - self._store_lost_at
            self.events.emit("store.recovered", duration_s=round(away_s, 1))
            self._store_lost_at = None

    def _lose(self, lost: LeaseLost, results: Sequence[AttemptResult]) -> None:
        """Send nothing more, another process delivers: the attempts' ends are ours to record, no report is."""
        self.lease.revoke(lost)
        self.outcomes.refusals.newly_braked.clear()  # the next holder's run begins with what is braked
        self._store_lost_at = None
        self.stats.halt(lost)
        with suppress(LeaseLost, StoreUnavailable):
            self.attempts.record(results, [], lease=self.lease.lease)
