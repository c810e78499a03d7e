"""What came back: what an answer, or the lack of one, says of its report, its endpoint, its token and the clock.

`classify` and `apply_outcome` are pure; here is what everything else learns of an answer, in this order:

    rate limiter     it has arrived, and no longer counts from now on; a 429 slows everything down
    API's clock      its Date, if it comes from the API's own host and in words that were understood
    token            a new one; or that the one in use is refused
    circuits         whether the endpoint answers at all
    refusals         whether this is about more than the one report: a firewall, permission, a whole kind
    the report       its next state, which the dispatcher records
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from report_service.domain.access_hints import access_hint
from report_service.domain.correction import apply_to_correction
from report_service.domain.delivery import PUT_OFF_S, Delivery, RetryPolicy, State, apply_outcome
from report_service.domain.refusals import Cause
from report_service.domain.responses import Classification, Outcome, classify, excerpt, full_text
from report_service.errors import ApiUnavailable, CredentialsRefused
from report_service.ports import AttemptResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.api_clock import ApiClock
    from report_service.ports import Clock, CompletedRequest, Events, RateLimiter, ReportApi
    from report_service.services.delivery.circuits import Circuits
    from report_service.services.delivery.refusal_watch import RefusalWatch
    from report_service.services.delivery.run_stats import RunStats
    from report_service.services.delivery.token_cache import TokenCache

SKEW_WORTH_SAYING_S = 10.0


@dataclass(slots=True, kw_only=True)
class OutcomeHandler:
    """The answers of one run."""

    api: ReportApi
    clock: Clock
    events: Events
    rate_limiter: RateLimiter
    api_clock: ApiClock
    tokens: TokenCache
    circuits: Circuits
    refusals: RefusalWatch
    stats: RunStats
    last_send: datetime  # the end of the month's window
    retry: RetryPolicy
    uniform: Callable[[], float]  # random, 0..1
    redact: Callable[[str], str]  # takes secrets out of what the API says
    _skew_said: bool = field(default=False)

    def handle(self, completed: CompletedRequest, delivery: Delivery | None) -> AttemptResult:
        """Return what the ledger is told of a request; `delivery` is its report, None: it was for a token."""
        response, took_s = completed.response, completed.ended - completed.started
        at = self._at(completed)
        self.stats.busy_s += took_s
        found = classify(response)
        if found.outcome is not Outcome.NO_ANSWER:  # then it may still arrive, and goes on counting
            self.rate_limiter.completed(completed.request.request_id, completed.ended)
        if delivery is None:
            found, words = self._token(completed, found)
            after = None
        else:
            words = self.redact(excerpt(response))
            after = self._report(completed, found, delivery, at, words)
        return AttemptResult(
            request_id=completed.request.request_id,
            ended_at=at,
            duration_s=took_s,
            http_status=response.http_status,
            outcome=found.outcome,
            answer=words,
            delivery=after,
            full_answer="" if delivery is None else self.redact(full_text(response)),
            verb=completed.request.verb,
            path=completed.request.path,
        )

    def _at(self, completed: CompletedRequest) -> datetime:
        """Return when a request ended, by the wall clock as it goes now."""
        return self.clock.now() - timedelta(seconds=self.clock.monotonic() - completed.ended)

    # --- a report

    def _report(
        self, completed: CompletedRequest, found: Classification, before: Delivery, at: datetime, words: str
    ) -> Delivery:
        """Return the report after its answer."""
        response = completed.response
        put_off_s = 0.0
        if not response.cancelled:
            if found.understood and response.server_date is not None:
                self._compare_clocks(response.server_date, completed, at)
            self._weigh_token(completed, found.outcome)
            self._learn_of_endpoint(completed, found.outcome, before, words)
            put_off_s = self._learn_of_refusals(completed, found, before)
        apply = apply_outcome if before.correction is None else apply_to_correction
        after = apply(
            before,
            found,
            http_status=response.http_status,
            at=at,
            last_send=self.last_send,
            retry=self.retry,
            retry_after_s=response.retry_after_s,
            uniform=self.uniform,
            put_off_s=put_off_s,
        )
        self._count(found.outcome, after, completed.ended)
        return replace(after, detail=self.redact(after.detail))

    def _count(self, outcome: Outcome, after: Delivery, ended: float) -> None:
        self.stats.accepted += after.state is State.ACCEPTED
        self.stats.throttled += outcome is Outcome.THROTTLED
        if after.state is State.RETRYING:
            self.stats.failed += 1
        else:
            self.stats.settled += 1
            self.stats.progress_at = ended

    def _learn_of_endpoint(
        self, completed: CompletedRequest, outcome: Outcome, before: Delivery, words: str
    ) -> None:
        kind = before.key.kind
        self._note_unanswered(outcome, words)
        if outcome.is_failure:
            retry_after_s = completed.response.retry_after_s
            for name in self.circuits.failed(
                kind, about=before.row, at=completed.ended, retry_after_s=retry_after_s, uniform=self.uniform
            ):
                self.events.emit("circuit.opened", circuit=name, detail=words or outcome.value)
        else:
            for name in self.circuits.answered(kind, readable=outcome is not Outcome.UNREADABLE):
                self.events.emit("circuit.closed", circuit=name)
        if outcome is Outcome.UNREADABLE:
            status = completed.response.http_status
            self.events.emit(
                "contract.drifted", detail=f"answered {status}: {words or 'nothing'}", http_status=status
            )

    def _note_unanswered(self, outcome: Outcome, words: str) -> None:
        if outcome.is_failure or outcome is Outcome.THROTTLED:
            self.stats.unanswered += 1
            self.stats.last_failure = words
        else:
            self.stats.unanswered = 0

    def _learn_of_refusals(self, completed: CompletedRequest, found: Classification, before: Delivery) -> float:
        """Return how long the report is put off at least; more than 0: the answer is not about this report."""
        outcome = found.outcome
        if outcome is Outcome.THROTTLED:
            self._slow_down(completed)
            return 0.0
        kind, words = before.key.kind, self.redact(found.detail)
        again = before.last_outcome is Outcome.FORBIDDEN
        cause = self.refusals.record(kind, outcome, at=completed.ended, words=words, again=again)
        if cause is Cause.HALT:
            self.stats.halt(self.refusals.permission_refused(outcome, access_hint(found.detail)))
        elif cause is Cause.PAUSE:
            pause_s = self.refusals.streak.pause_left_s(completed.ended)
            rate = self.rate_limiter.slow_down(completed.ended, hold_s=pause_s)
            self.circuits.proven = False
            self.events.emit("pace.slowed", rate_per_minute=round(rate, 1), retry_after_s=pause_s)
        if outcome is Outcome.FORBIDDEN and self.refusals.streak.throttled:
            self.stats.throttled += 1
        return PUT_OFF_S if outcome is Outcome.REJECTED and self.refusals.rejected[kind].on else 0.0

    def _slow_down(self, completed: CompletedRequest) -> None:
        retry_after_s = completed.response.retry_after_s
        rate = self.rate_limiter.throttled(completed.ended, started=completed.started, retry_after_s=retry_after_s)
        if rate is not None:
            self.events.emit("pace.slowed", rate_per_minute=round(rate, 1), retry_after_s=retry_after_s)

    def _compare_clocks(self, server_date: datetime, completed: CompletedRequest, at: datetime) -> None:
        self.api_clock.observe(server_date, started=completed.started, ended=completed.ended)
        skew_s = self.api_clock.skew_s(at, at=completed.ended)
        differs = abs(skew_s) >= SKEW_WORTH_SAYING_S
        if differs and not self._skew_said:
            ours = "ahead" if skew_s < 0 else "behind"
            self.events.emit("clock.skewed", skew_s=round(abs(skew_s), 1), skew_direction=ours)
        self._skew_said = differs

    # --- the token

    def _weigh_token(self, completed: CompletedRequest, outcome: Outcome) -> None:
        try:
            self.tokens.weigh(completed.request.token, outcome)
        except CredentialsRefused as why:
            self._no_access(why, completed)

    def _token(self, completed: CompletedRequest, found: Classification) -> tuple[Classification, str]:
        """Keep the token that an answer brings; return what the answer was, and its words, for the ledger."""
        try:
            token = self.api.read_token(completed.response, at=completed.ended)
        except ApiUnavailable as why:
            return self._no_token(completed, found, self.redact(why.message))
        except CredentialsRefused as why:
            self._no_access(why, completed)
            outcome = Outcome.UNREADABLE if found.outcome is Outcome.ACCEPTED else found.outcome
            brought = completed.response.http_status is not None and completed.response.http_status < 300
            words = "" if brought else self.redact(excerpt(completed.response))  # it may hold a token
            return replace(found, outcome=outcome), words
        if self.api.token_comes_from_api and completed.response.server_date is not None:
            self._compare_clocks(completed.response.server_date, completed, self._at(completed))
        was_open = self.tokens.circuit.open
        self.tokens.store(token)
        if was_open:
            self.events.emit("circuit.closed", circuit="token")
        expires = self.clock.now() + timedelta(seconds=token.refresh_at - self.clock.monotonic())
        self.events.emit("auth.refreshed", expires_unix=int(expires.timestamp()))
        return replace(found, outcome=Outcome.ACCEPTED), ""

    def _no_token(
        self, completed: CompletedRequest, found: Classification, words: str
    ) -> tuple[Classification, str]:
        """Leave the token's host alone for a while: it gave none, and may give one next time."""
        before = self.tokens.circuit
        self.tokens.circuit = before.failed(
            about=None,
            at=completed.ended,
            uniform=self.uniform,
            retry_after_s=completed.response.retry_after_s,
        )
        if before.closed and not completed.response.cancelled:
            self.events.emit("circuit.opened", circuit="token", detail=words)
        self.stats.unanswered += 1
        self.stats.last_failure = words
        return found, words

    def _no_access(self, why: CredentialsRefused, completed: CompletedRequest) -> None:
        """Halt, unless the secret was rotated meanwhile: then a token is asked for with the new one."""
        if self.api.reread_credentials():
            self.events.emit("secrets.reread", reason="refused", changed=True)
            return
        self.events.emit("auth.failed", detail=why.message, http_status=completed.response.http_status)
        self.stats.halt(why)


def no_answer(stats: RunStats, how_long: str) -> ApiUnavailable:
    """Return what halts a run to which the API gives no usable answer, with what the last failure said."""
    said = f"; the last failure: {stats.last_failure}" if stats.last_failure else ""
    return ApiUnavailable(
        f"the API gave no usable answer {how_long}{said}",
        hint="See that obelis.base_url and obelis.token_url are right and can be reached from here. What is "
        "left stays due: run it again later; a daemon goes on trying by itself.",
    )
