"""Make OBELIS say what the source says: a PUT for each report that changed after it was accepted.

Corrections have no window. The lease, the pace and the record before each request are those of delivering; what is
done with an answer is simpler, since a PUT twice has the effect of one (`domain.correction`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from report_service.domain.correction import NO_PUT, TRIES, Correction, after_answer
from report_service.domain.delivery import Delivery, State
from report_service.domain.responses import Outcome, classify, excerpt, full_text
from report_service.errors import ApiUnavailable, CorrectionsRefused, CredentialsRefused, RunHalted
from report_service.ports import AttemptResult, AttemptStart, CorrectionResult, CorrectionStart, Request
from report_service.services.delivery.lease_keeper import acquire
from report_service.services.delivery.service import LOOK_BACK_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from report_service.domain.months import ReportMonth
    from report_service.ports import (
        Background,
        CompletedRequest,
        Events,
        History,
        Ledger,
        RateLimiter,
        Renderer,
        Token,
    )
    from report_service.services.delivery.lease_keeper import LeaseKeeper
    from report_service.services.delivery.service import DeliveryService
    from report_service.services.explain import Explaining, Story

SLICE_S = 0.5
"""The longest wait in one piece: a request to stop is noticed within it."""
REFUSED_IN_A_ROW = 3
"""After so many refusals that an API without corrections gives, and no correction taken, it has none."""
UNANSWERED_IN_A_ROW = 10
"""After so many tries in a row without an answer the API is down."""
BACK_OFF_S = 2.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A report that differs, field by field: (name, as reported, as the source has it)."""

    correction: Correction
    fields: list[tuple[str, Any, Any]]


@dataclass(slots=True, kw_only=True)
class Corrected:
    """What correcting came to."""

    corrected: list[Correction] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)  # why, by key
    error: RunHalted | None = None  # what ended it before its end


def difference(story: Story, renderer: Renderer) -> Difference | None:
    """Return what a correction would change of a report; None: there is nothing to correct, or nothing to send.

    Raise ConfigurationError when the configured paths cannot name the report.
    """
    report, desired = story.report, story.desired
    if report.state is not State.ACCEPTED or not report.drift or desired is None or report.payload_sha256 is None:
        return None
    put = renderer.correction_of(report.key, report.path, desired.body, obelis_id=report.obelis_id)
    correction = Correction(
        row=report.row,
        key=report.key,
        reported_sha256=report.payload_sha256,
        desired=desired,
        put=put,
        echo_differed=report.echo_differs,
    )
    return Difference(correction, story.differences)


def to_correct(
    history: History, explaining: Explaining, renderer: Renderer, month: ReportMonth, *, at: datetime
) -> list[Difference]:
    """Return what a correction would change in a month, in the order of keys."""
    found = (
        difference(explaining.of(report, at=at), renderer) for report in history.reports(month) if report.drift
    )
    return [one for one in found if one is not None]


@dataclass(slots=True)
class _Turn:
    """A correction on its way through this call."""

    correction: Correction
    due_at: float = 0.0  # monotonic: not sent before
    tries: int = 0
    in_doubt: bool = False  # a try of it has an unknown end


@dataclass(slots=True, kw_only=True)
class Correcting:
    """Sends corrections of one ledger: one call of `run`."""

    ledger: Ledger
    delivery: DeliveryService
    background: Background
    events: Events
    run_id: str  # of the run that planned: what these attempts are filed under
    patience_s: float  # for another process to let go of the lease
    done: Corrected = field(default_factory=Corrected)
    _waiting: deque[_Turn] = field(default_factory=deque)
    _sent: dict[str, _Turn] = field(default_factory=dict)  # under way, by request id
    _unanswered: int = 0  # tries in a row without an answer
    _refused: int = 0  # in a row, in words that an API without corrections has
    _proven: bool = False  # an answer to a correction was understood: more than one may be under way

    def run(self, corrections: Sequence[Correction]) -> Corrected:
        """Send them; return what came of it. Raises LeaseHeld before anything is sent, StoreUnavailable."""
        delivery, clock = self.delivery, self.delivery.clock
        lease = acquire(
            self.ledger.leases,
            endpoint=self.ledger.endpoint,
            holder=self.ledger.instance,
            clock=clock,
            background=self.background,
            events=self.events,
            patience_s=self.patience_s,
            stop=delivery.stop,
        )
        end_keeping = lease.keep(self.background)
        try:
            limiter = delivery.new_rate_limiter()
            recent = delivery.attempts.sent_since(LOOK_BACK_S, at=clock.now())
            limiter.restore(recent, at=clock.monotonic())
            self._waiting.extend(map(_Turn, corrections))
            self._loop(lease, limiter)
        except RunHalted as why:
            self.done.error = why
        finally:
            end_keeping()
            lease.release()
        for turn in (*self._waiting, *self._sent.values()):
            self.done.left.setdefault(str(turn.correction.key), "it was not sent")
        return self.done

    def _loop(self, lease: LeaseKeeper, limiter: RateLimiter) -> None:
        results: list[CorrectionResult] = []
        while True:
            starts = self._choose(lease, limiter)
            if results or starts:
                begun = self.ledger.corrections.record(results, starts, lease=lease.ensure_held())
                self._hand_out(starts, begun, lease)
            results = []
            if self.done.error is not None and not self._sent:
                return
            if not self._sent and (not self._waiting or self.delivery.stop()):
                return
            results = self._collect(limiter)

    # --- what goes out

    def _choose(self, lease: LeaseKeeper, limiter: RateLimiter) -> list[CorrectionStart]:
        """Return the PUTs that may go out now: at first a single one, which proves that the API takes them."""
        starts: list[CorrectionStart] = []
        clock = self.delivery.clock
        room = (self.delivery.executor.capacity if self._proven else 1) - len(self._sent)
        while self.done.error is None and not self.delivery.stop() and len(starts) < room:
            now = clock.monotonic()
            turn = next((one for one in self._waiting if one.due_at <= now), None)
            if turn is None or limiter.wait_s(now) > 0:
                break
            token = self._token(lease, limiter) if not starts else self.delivery.tokens.valid_at(now)
            if token is None or limiter.wait_s(clock.monotonic()) > 0:
                break
            self._waiting.remove(turn)
            starts.append(self._start(turn, token, limiter))
        return starts

    def _start(self, turn: _Turn, token: Token, limiter: RateLimiter) -> CorrectionStart:
        put, clock = turn.correction.put, self.delivery.clock
        request = Request(
            request_id=self.delivery.new_id(), verb="PUT", path=put.path, body=put.body, token=token.value
        )
        limiter.acquired(request.request_id, clock.monotonic())
        self._sent[request.request_id] = turn
        start = AttemptStart(
            request=request,
            delivery=turn.correction.row,
            payload_sha256=put.sha256,
            run_id=self.run_id,
            started_at=clock.now(),
        )
        return CorrectionStart(correction=turn.correction, start=start)

    def _hand_out(
        self, starts: Sequence[CorrectionStart], begun: Sequence[CorrectionStart], lease: LeaseKeeper
    ) -> None:
        """Send what is recorded; what changed in the ledger meanwhile is left to the next call."""
        recorded = {one.start.request.request_id for one in begun}
        for one in starts:
            request = one.start.request
            if request.request_id in recorded:
                self.delivery.executor.submit(request, lambda: "the lease ended" if lease.expired else None)
            else:
                del self._sent[request.request_id]
                self.done.left[str(one.correction.key)] = "it changed in the ledger meanwhile"

    # --- what comes back

    def _collect(self, limiter: RateLimiter) -> list[CorrectionResult]:
        clock = self.delivery.clock
        if not self._sent:
            now = clock.monotonic()
            until = max(min(one.due_at for one in self._waiting), now + limiter.wait_s(now))
            clock.sleep(min(max(until - now, 0.0), SLICE_S))
            return []
        return [
            self._handle(completed, limiter)
            for completed in self.delivery.executor.completed(SLICE_S)
            if completed.request.request_id in self._sent
        ]

    def _handle(self, completed: CompletedRequest, limiter: RateLimiter) -> CorrectionResult:
        request, response = completed.request, completed.response
        turn = self._sent.pop(request.request_id)
        found = classify(response)
        if found.outcome is not Outcome.NO_ANSWER:  # then it may still arrive, and goes on counting
            limiter.completed(request.request_id, completed.ended)
        if found.outcome is Outcome.THROTTLED:
            limiter.throttled(completed.ended, started=completed.started, retry_after_s=response.retry_after_s)
        after = after_answer(turn.correction, found, in_doubt=turn.in_doubt)
        after = replace(after, detail=self.delivery.redact(after.detail))
        turn.in_doubt = turn.in_doubt or found.outcome.is_ambiguous
        self._count(turn, found.outcome, after.detail, settled=after.settled, ended=completed.ended)
        clock = self.delivery.clock
        result = AttemptResult(
            request_id=request.request_id,
            ended_at=clock.now() - timedelta(seconds=clock.monotonic() - completed.ended),
            duration_s=completed.ended - completed.started,
            http_status=response.http_status,
            outcome=found.outcome,
            answer=self.delivery.redact(excerpt(response)),
            delivery=_named(turn.correction),
            full_answer=self.delivery.redact(full_text(response)),
            verb=request.verb,
            path=request.path,
        )
        self._weigh_token(request.token, found.outcome)
        return CorrectionResult(correction=turn.correction, result=result, after=after)

    def _count(self, turn: _Turn, outcome: Outcome, detail: str, *, settled: bool, ended: float) -> None:
        """Take note of an answer; decide whether it is sent again, or whether nothing more is."""
        key = str(turn.correction.key)
        self._unanswered = self._unanswered + 1 if outcome.is_failure else 0
        self._refused = self._refused + 1 if outcome in NO_PUT else 0
        turn.tries += 1
        if outcome is Outcome.ACCEPTED and not detail:
            self.done.corrected.append(turn.correction)
            self._proven = True
        elif settled or turn.tries >= TRIES:
            self.done.left[key] = detail
        else:
            turn.due_at = ended + self.delivery.uniform() * BACK_OFF_S * 2.0**turn.tries
            self._waiting.append(turn)
        if self._refused >= REFUSED_IN_A_ROW and not self._proven:
            self._end(
                CorrectionsRefused(
                    f"{self._refused} corrections in a row were {outcome}, and none was taken",
                    hint="The API may take none: `report-service contract` with its OpenAPI file tells. What "
                    "changed is then told to the authority by other means; the drift stays.",
                )
            )
        if self._unanswered >= UNANSWERED_IN_A_ROW:
            self._end(ApiUnavailable(f"the API gave no usable answer to {self._unanswered} corrections in a row"))

    def _end(self, why: RunHalted) -> None:
        """Send nothing more; what is under way is waited for."""
        self.done.error = self.done.error or why

    # --- the token

    def _token(self, lease: LeaseKeeper, limiter: RateLimiter) -> Token | None:
        """Return a token, asked for and recorded first if need be; raise CredentialsRefused, ApiUnavailable."""
        delivery, clock = self.delivery, self.delivery.clock
        if (token := delivery.tokens.valid_at(clock.monotonic())) is not None or self._sent:
            return token
        request = delivery.api.token_request(delivery.new_id())
        start = AttemptStart(
            request=request, delivery=None, payload_sha256=None, run_id=self.run_id, started_at=clock.now()
        )
        limiter.acquired(request.request_id, clock.monotonic())
        delivery.attempts.record([], [start], lease=lease.ensure_held())
        delivery.executor.submit(request, lambda: "the lease ended" if lease.expired else None)
        completed = self._await(request.request_id)
        limiter.completed(request.request_id, completed.ended)
        response, outcome = completed.response, classify(completed.response).outcome
        try:
            token = delivery.api.read_token(response, at=completed.ended)
            outcome = Outcome.ACCEPTED
            delivery.tokens.store(token)
        finally:
            result = AttemptResult(
                request_id=request.request_id,
                ended_at=clock.now(),
                duration_s=completed.ended - completed.started,
                http_status=response.http_status,
                outcome=outcome,
                answer="",  # it may hold a token
            )
            delivery.attempts.record([result], [], lease=lease.ensure_held())
        return token

    def _await(self, request_id: str) -> CompletedRequest:
        while True:
            for completed in self.delivery.executor.completed(SLICE_S):
                if completed.request.request_id == request_id:
                    return completed

    def _weigh_token(self, used: str | None, outcome: Outcome) -> None:
        try:
            self.delivery.tokens.weigh(used, outcome)
        except CredentialsRefused as why:
            self._end(why)


def _named(correction: Correction) -> Delivery:
    """Return what names the report in the evidence, with what was sent."""
    return Delivery(
        row=correction.row,
        key=correction.key,
        state=State.ACCEPTED,
        path=correction.put.path,
        payload_sha256=correction.put.sha256,
        body=correction.put.body,
    )
