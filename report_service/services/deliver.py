"""Send what is due of a month, as fast as allowed, and record what becomes of it.

One coordinator (the caller's thread) owns the ledger; workers only exchange bytes. Each turn of its loop:

    1. choose what may go out now: window, lease, pace, outage, token, free workers
    2. one transaction: the outcomes that came in, and the intents of what goes out   <- durable
    3. hand the intents to the workers, and say what became of the outcomes
    4. wait for the next outcome, or for the moment at which something may go out

So an intent is durable before its request leaves, and an outcome before anybody is told of it. A kill before
2 leaves nothing sent and nothing recorded; after 2, a report in flight, whose end is then unknown: whoever
delivers next sends the same bytes again, and the API's answer settles it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from report_service.domain.answers import Outcome, Verdict, echo_differences, excerpt, judge
from report_service.domain.delivery import Delivery, Retry, State, conclude
from report_service.domain.outage import Outage
from report_service.errors import (
    ApiUnavailable,
    CredentialsRefused,
    LeaseLost,
    PermissionRefused,
    Stopped,
    StoreUnavailable,
)
from report_service.ports import Ended, Intent, Request
from report_service.services.announce import announce

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from report_service.domain.months import SubmissionWindow
    from report_service.ports import (
        Clock,
        Events,
        Exchanged,
        Exchanges,
        Lease,
        Ledger,
        Pacer,
        ReportApi,
        Token,
    )

PAGE = 500
"""How many due reports are read from the ledger at once."""
SLICE_S = 0.5
"""The longest wait in one piece: a request to stop is noticed within it."""
RENEW_BEFORE_S = 30.0
"""A lease is renewed when it has less than this left."""
REFUSALS_IN_A_ROW = 20
"""After so many 403s (or redirects, or unknown 4xx) with nothing accepted, the run stops."""
SKEW_WORTH_SAYING_S = 10.0
CHECK_ACCESS = "Check obelis.client_id, obelis.cpo_id and obelis.base_url with OBELIS."


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What delivering takes from outside: one set a process."""

    api: ReportApi
    exchanges: Exchanges
    new_pacer: Callable[[], Pacer]  # one a run, told what the ledger knows of the last minute
    clock: Clock
    retry: Retry
    uniform: Callable[[], float]  # random, 0..1
    new_id: Callable[[], str]  # UUIDs
    redact: Callable[[str], str]  # takes secrets out of what the API says
    timeout_s: float
    stop: Callable[[], str | None]  # why the process is asked to end, if it is
    grace_s: float  # how long it then waits for what is in flight


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What a run did, counted as it goes."""

    sent: int = 0  # requests for reports, token requests not counted
    settled: int = 0  # accepted, rejected, or a conflict
    accepted: int = 0
    failed: int = 0  # put off
    throttled: int = 0
    skew_s: float = 0.0  # the API's clock less ours; 0 as long as its Date agrees within its precision
    stopped: str | None = None  # why it sent no more before there was nothing left to send
    halted: Stopped | None = None  # why it could not go on


@dataclass(slots=True, kw_only=True)
class Credentials:
    """The token in use; kept from run to run."""

    token: Token | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A request that goes out now, and the report that it is for; None: it asks for a token."""

    intent: Intent
    delivery: Delivery | None


@dataclass(slots=True, kw_only=True)
class Deliverer:
    """One run's delivery of one month."""

    ledger: Ledger
    means: Means
    events: Events
    credentials: Credentials
    window: SubmissionWindow
    run_id: str
    patience_s: float
    lease: Lease
    pacer: Pacer
    done: Delivered = field(default_factory=Delivered)
    _queue: deque[Delivery] = field(default_factory=deque)
    _look_again_at: float = 0.0  # monotonic: from then on the ledger may have more that is due
    _under_way: dict[str, Delivery | None] = field(default_factory=dict)  # by request id
    _outage: Outage = field(default_factory=Outage)
    _refused: int = 0  # in a row
    _doubted: bool = False  # the token in use was fetched because the one before was refused, and is not proven
    _progress_at: float = 0.0  # monotonic: when something was last settled
    _stopped_at: float = 0.0

    def run(self) -> Delivered:
        """Deliver until nothing is due, patience ends, the window closes, or the run is stopped or halted.

        Raises StoreUnavailable if the store stays away; `halted` says what else kept it from going on. What
        is in flight when grace ends is left so, which is the truth.
        """
        self._progress_at = self.means.clock.monotonic()
        ended: list[Ended] = []
        while True:
            chosen: list[Chosen] = []
            try:
                if not self._goes_on(ended):
                    return self.done
                chosen = [] if self._stopping() else self._choose()
                self._renew_lease()
                if ended or chosen:
                    self.ledger.record(ended, [one.intent for one in chosen], lease=self.lease)
            except StoreUnavailable as lost:
                self._take_back(chosen)
                self._outlast(lost, ended)
                ended = []
                continue
            except LeaseLost as lost:
                self.events.emit("lease.lost", holder=self.lease.holder, detail=lost.message)
                self.done.halted = lost
                return self.done
            self._let_go(chosen)
            self._tell(ended)
            ended = self._collect(self._wait_s())

    # --- 1. what may go out

    def _goes_on(self, ended: Sequence[Ended]) -> bool:
        """Say whether anything is left to record, to await, or to send within patience."""
        stopping = self._stopping()
        if ended:
            return True
        if self._under_way:
            return not (stopping and self._grace_is_over())
        return not stopping and self._has_more()

    def _has_more(self) -> bool:
        """Say whether something is due, or will be within patience."""
        now = self.means.clock.monotonic()
        if self._outage.down and now - self._progress_at > self.patience_s:
            self._halt(ApiUnavailable(f"the API gave no usable answer for {now - self._progress_at:.0f} s"))
            return False
        if self._peek() is not None:
            return True
        if self._look_again_at == float("inf"):
            waiting = self.ledger.waiting(self.window.month)
            if waiting is None:
                return False
            self._look_again_at = now + max((waiting[0] - self.means.clock.now()).total_seconds(), 0.0)
        if self._look_again_at - self._progress_at <= self.patience_s:
            return True
        if self._outage.failures and not self.done.settled:
            self._halt(ApiUnavailable("the API gave no usable answer to anything"))
        return False

    def _stopping(self) -> bool:
        """Say whether nothing more may be sent; note why when that begins."""
        if self.done.stopped is None:
            halted = self.done.halted.message if self.done.halted else None
            self.done.stopped = halted or self.means.stop() or self._window_is_shut()
            self._stopped_at = self.means.clock.monotonic()
        return self.done.stopped is not None

    def _window_is_shut(self) -> str | None:
        if self.window.is_open(self.means.clock.now(), skew_s=self.done.skew_s):
            return None
        return f"the window of {self.window.month} is not open"

    def _grace_is_over(self) -> bool:
        waited_s = self.means.clock.monotonic() - self._stopped_at
        return self.means.stop() is not None and waited_s >= self.means.grace_s

    def _halt(self, why: Stopped) -> None:
        """Send nothing more in this run; what is under way is still awaited and recorded."""
        if self.done.halted is None:
            self.done.halted = why

    def _choose(self) -> list[Chosen]:
        """Return as many requests as may go out at this moment."""
        now = self.means.clock.monotonic()
        room = self._outage.allowance(self.means.exchanges.capacity) - len(self._under_way)
        chosen: list[Chosen] = []
        while len(chosen) < room and now >= self._outage.probe_at and self.pacer.wait_s(now) <= 0:
            one = self._next(now)
            if one is None:
                break
            self.pacer.granted(one.intent.request.request_id, now)
            chosen.append(one)
            if one.delivery is None:  # the token comes first
                break
            if not self._queue:  # the ledger would give what is chosen once more: it does not know of it yet
                break
        return chosen

    def _next(self, now: float) -> Chosen | None:
        delivery, token = self._peek(), self.credentials.token
        if delivery is None:
            return None
        if token is None or now >= token.refresh_at:
            if None in self._under_way.values():
                return None
            return Chosen(intent=self._intent(self.means.api.token_request(self.means.new_id())), delivery=None)
        self._queue.popleft()
        request = Request(
            request_id=self.means.new_id(), verb="POST", path=delivery.path, body=delivery.body, token=token.value
        )
        return Chosen(intent=self._intent(request, delivery), delivery=delivery)

    def _intent(self, request: Request, delivery: Delivery | None = None) -> Intent:
        return Intent(
            request=request,
            delivery=delivery.row if delivery else None,
            payload_sha256=delivery.payload_sha256 if delivery else None,
            run_id=self.run_id,
            started_at=self.means.clock.now(),
        )

    def _peek(self) -> Delivery | None:
        """Return the next due report, read from the ledger when the last page is used up."""
        if not self._queue and self.means.clock.monotonic() >= self._look_again_at:
            self._queue.extend(self.ledger.due(self.window.month, at=self.means.clock.now(), limit=PAGE))
            if not self._queue:  # until one is put off, or `_has_more` finds one that waits
                self._look_again_at = float("inf")
        return self._queue[0] if self._queue else None

    # --- 2. and 3. the transaction, and what follows it

    def _renew_lease(self) -> None:
        now = self.means.clock.monotonic()
        if self.lease.valid_until - now < RENEW_BEFORE_S:
            self.lease = self.ledger.renew(self.lease, at=now)

    def _let_go(self, chosen: Sequence[Chosen]) -> None:
        for one in chosen:
            delivery = one.delivery and replace(one.delivery, state=State.IN_FLIGHT)
            self._under_way[one.intent.request.request_id] = delivery
            self.done.sent += delivery is not None
            self.means.exchanges.start(one.intent.request, self._permit)

    def _permit(self) -> str | None:
        """Say why a request must not go out at this very moment; the worker asks, last of all."""
        if self.means.clock.monotonic() >= self.lease.valid_until:
            return "the right to deliver ended before it could go out"
        return self._window_is_shut()

    def _tell(self, ended: Sequence[Ended]) -> None:
        for one in ended:
            if one.delivery is not None:
                announce(self.events, one, one.delivery)

    def _take_back(self, chosen: Sequence[Chosen]) -> None:
        """Forget what was chosen and never handed over; the ledger is read anew."""
        for one in chosen:
            self.pacer.ended(one.intent.request.request_id, self.means.clock.monotonic())
        self._queue.clear()
        self._look_again_at = 0.0

    def _outlast(self, lost: StoreUnavailable, ended: list[Ended]) -> None:
        """Wait for the store to come back, sending nothing, and record what came in meanwhile.

        Whether the transaction that failed went through is not known. So the lease is taken anew, and what
        stands in flight then was not sent by us: it is adopted, as from a former holder.
        """
        clock, began = self.means.clock, self.means.clock.monotonic()
        self.events.emit("store.lost", detail=lost.message)
        while self.means.stop() is None and clock.monotonic() - began < self.patience_s:
            ended += self._collect(SLICE_S)
            if self._under_way:
                continue
            try:
                taken = self.ledger.acquire(self.lease.holder, at=clock.monotonic())
                self.lease = self.lease if isinstance(taken, str) else taken
                self.ledger.record(ended, [], lease=self.lease)
                self.ledger.adopt(at=clock.now(), timeout_s=self.means.timeout_s, lease=self.lease)
            except StoreUnavailable:
                continue
            except LeaseLost as gone:
                self._halt(gone)
                return
            self.events.emit("store.recovered", duration_s=round(clock.monotonic() - began, 1))
            self._tell(ended)
            return
        raise lost

    # --- 4. what came back

    def _wait_s(self) -> float:
        """Return how long nothing but an outcome can make a difference."""
        now = self.means.clock.monotonic()
        room = self._outage.allowance(self.means.exchanges.capacity) - len(self._under_way)
        if self._stopping() or room <= 0:
            return SLICE_S
        next_at = max(now if self._queue else self._look_again_at, self._outage.probe_at)
        return min(max(next_at - now, self.pacer.wait_s(now)), SLICE_S)

    def _collect(self, timeout_s: float) -> list[Ended]:
        """Wait for outcomes, and return what they make of their reports."""
        if not self._under_way:
            self.means.clock.sleep(timeout_s)
            return []
        return [self._end(one) for one in self.means.exchanges.finished(timeout_s)]

    def _end(self, exchanged: Exchanged) -> Ended:
        request_id, answer = exchanged.request.request_id, exchanged.answer
        delivery = self._under_way.pop(request_id)
        clock = self.means.clock
        at = clock.now() - timedelta(seconds=clock.monotonic() - exchanged.ended)
        if answer.server_date is not None:
            self._compare_clocks(answer.server_date, at, exchanged.ended - exchanged.started)
        verdict = judge(answer)
        if verdict.outcome is not Outcome.NO_ANSWER:  # then it may still arrive, and the pacer goes on counting it
            self.pacer.ended(request_id, exchanged.ended)
        if delivery is None:
            verdict = self._take_token(exchanged, verdict)
        brings_token = delivery is None and answer.http_status is not None and answer.http_status < 300
        after = delivery and self._conclude(delivery, exchanged, verdict, at)
        about = delivery.row if delivery else None
        self._outage = self._outage.after(
            verdict.outcome, about=about, at=exchanged.ended, uniform=self.means.uniform
        )
        if verdict.outcome is Outcome.THROTTLED:
            self._slow_down(exchanged)
        return Ended(
            request_id=request_id,
            ended_at=at,
            duration_s=exchanged.ended - exchanged.started,
            http_status=answer.http_status,
            outcome=verdict.outcome,
            answer="" if brings_token else self.means.redact(excerpt(answer)),
            delivery=after,
        )

    def _conclude(self, delivery: Delivery, exchanged: Exchanged, verdict: Verdict, at: datetime) -> Delivery:
        """Return the report after its answer, and count it."""
        outcome = verdict.outcome
        after = conclude(
            delivery,
            replace(verdict, detail=self.means.redact(verdict.detail)),
            http_status=exchanged.answer.http_status,
            at=at,
            last_send=self.window.last_send,
            retry=self.means.retry,
            retry_after_s=exchanged.answer.retry_after_s,
            uniform=self.means.uniform,
        )
        self._weigh_token(delivery, exchanged, outcome)
        self.done.accepted += after.state is State.ACCEPTED
        self.done.throttled += outcome is Outcome.THROTTLED
        if outcome.settles:
            self.done.settled += 1
            self._progress_at = exchanged.ended
        elif after.next_attempt_at is not None:
            self.done.failed += 1
            again_at = (
                self.means.clock.monotonic() + (after.next_attempt_at - self.means.clock.now()).total_seconds()
            )
            self._look_again_at = min(self._look_again_at, again_at)
        self._count_refusals(outcome)
        if outcome is Outcome.ACCEPTED and verdict.echo is not None:
            differs = echo_differences(delivery.body, verdict.echo)
            if differs:
                return replace(
                    after, drift=True, detail=self.means.redact("the API stored otherwise: " + "; ".join(differs))
                )
        return after

    def _count_refusals(self, outcome: Outcome) -> None:
        if outcome not in {Outcome.FORBIDDEN, Outcome.MISDIRECTED, Outcome.REFUSED}:
            self._refused = 0
            return
        self._refused += 1
        if self._refused >= REFUSALS_IN_A_ROW and not self.done.accepted:
            self._halt(PermissionRefused(f"{self._refused} reports in a row were {outcome}, and none accepted"))

    def _weigh_token(self, delivery: Delivery, exchanged: Exchanged, outcome: Outcome) -> None:
        """After a 401 have one new token fetched; a 401 with that one, or again for that report, stops the run."""
        token = self.credentials.token
        if token is None or token.value != exchanged.request.token:
            return  # it was sent with a token that is given up already
        if outcome is not Outcome.UNAUTHORIZED:
            self._doubted = self._doubted and outcome.api_down
            return
        self.credentials.token = None
        if self._doubted or delivery.last_outcome is Outcome.UNAUTHORIZED:
            why = CredentialsRefused(
                "the API refuses a token that was fetched for it a moment ago", hint=CHECK_ACCESS
            )
            self.events.emit("auth.failed", detail=why.message, http_status=exchanged.answer.http_status)
            self._halt(why)
        self._doubted = True

    def _take_token(self, exchanged: Exchanged, verdict: Verdict) -> Verdict:
        """Keep the token that an answer brings; return what the answer was, for the ledger."""
        clock = self.means.clock
        try:
            token = self.means.api.read_token(exchanged.answer, at=exchanged.ended)
        except ApiUnavailable:
            return verdict
        except CredentialsRefused as why:
            self.events.emit("auth.failed", detail=why.message, http_status=exchanged.answer.http_status)
            self._halt(why)
            return verdict if verdict.outcome is not Outcome.ACCEPTED else Verdict(outcome=Outcome.UNREADABLE)
        self.credentials.token = token
        expires = clock.now() + timedelta(seconds=token.refresh_at - clock.monotonic())
        self.events.emit("auth.refreshed", expires_unix=int(expires.timestamp()))
        return Verdict(outcome=Outcome.ACCEPTED)

    def _slow_down(self, exchanged: Exchanged) -> None:
        retry_after_s = exchanged.answer.retry_after_s
        rate = self.pacer.throttled(exchanged.ended, started=exchanged.started, retry_after_s=retry_after_s)
        if rate is not None:
            self.events.emit("pace.slowed", rate_per_minute=round(rate, 1), retry_after_s=retry_after_s)

    def _compare_clocks(self, server: datetime, at: datetime, took_s: float) -> None:
        """Note by how much the API's clock is off ours; its Date was written while the request was under way."""
        least = (server - at).total_seconds()
        most = least + took_s + 1  # a Date has whole seconds
        known, self.done.skew_s = self.done.skew_s, 0.0 if least <= 0 <= most else min(least, most, key=abs)
        if abs(self.done.skew_s) >= SKEW_WORTH_SAYING_S > abs(known):
            ahead = "ahead" if self.done.skew_s < 0 else "behind"
            self.events.emit("clock.skewed", skew_s=round(abs(self.done.skew_s), 1), skew_direction=ahead)
