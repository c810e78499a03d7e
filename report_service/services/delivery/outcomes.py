"""Understand what came back: what an answer, or the lack of one, says of its report, its token and the API."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from report_service.domain.access_hints import access_hint
from report_service.domain.circuit_breaker import Outage
from report_service.domain.delivery import Delivery, State, apply_outcome
from report_service.domain.responses import Classification, Outcome, classify, excerpt, full_text
from report_service.errors import ApiUnavailable, CredentialsRefused, PermissionRefused, RunHalted
from report_service.ports import AttemptResult

if TYPE_CHECKING:
    from report_service.ports import CompletedRequest, Events, RateLimiter
    from report_service.services.delivery.means import Means
    from report_service.services.delivery.session import Session

REFUSALS_IN_A_ROW = 20
"""After so many 403s (or redirects, or unknown 4xx) with nothing accepted, the run stops."""
SKEW_WORTH_SAYING_S = 10.0


@dataclass(slots=True, kw_only=True)
class RunStats:
    """What a run did, counted as it goes."""

    sent: int = 0  # requests for reports
    tokens: int = 0  # requests for tokens
    settled: int = 0  # accepted, rejected, or a conflict
    accepted: int = 0
    failed: int = 0  # put off
    throttled: int = 0
    busy_s: float = 0.0  # the sum of the times that the requests took
    skew_s: float = 0.0  # the API's clock less ours
    stopped: str | None = None  # why it sent no more before there was nothing left to send
    halted: RunHalted | None = None  # why it could not go on

    @property
    def requests(self) -> int:
        """Return how many requests went out."""
        return self.sent + self.tokens

    def halt(self, why: RunHalted) -> None:
        """Send nothing more in this run; the first reason counts."""
        self.halted = self.halted or why


@dataclass(slots=True, kw_only=True)
class OutcomeHandler:
    """The answers of one run."""

    means: Means
    events: Events
    session: Session
    rate_limiter: RateLimiter
    last_send: datetime
    done: RunStats
    settled_at: float  # monotonic: when a report was last settled; at first, when the run began
    outage: Outage = field(default_factory=Outage)
    in_vain: int = 0  # answers in a row that say nothing of their report: failures and 429s
    last_failure: str = ""  # what the last of them said
    _refused: int = 0  # in a row

    def hear(self, exchanged: CompletedRequest, delivery: Delivery | None) -> AttemptResult:
        """Return what the ledger is told of a request; `delivery` is its report, None: it was for a token."""
        request, answer, clock = exchanged.request, exchanged.answer, self.means.clock
        took_s = exchanged.ended - exchanged.started
        at = clock.now() - timedelta(seconds=clock.monotonic() - exchanged.ended)
        self.done.busy_s += took_s
        if answer.server_date is not None:
            self._compare_clocks(answer.server_date, at, took_s)
        verdict = classify(answer)
        if verdict.outcome is not Outcome.NO_ANSWER:  # then it may still arrive, and the pacer goes on counting it
            self.rate_limiter.completed(request.request_id, exchanged.ended)
        if verdict.outcome is Outcome.THROTTLED:
            self.done.throttled += 1
            self._slow_down(exchanged)
        if delivery is None:
            verdict = replace(verdict, outcome=self._take_token(exchanged, verdict.outcome))
        brings_token = delivery is None and _is_2xx(answer.http_status)  # and that is not to be kept
        words = "" if brings_token else self.means.redact(excerpt(answer))
        in_full = "" if delivery is None else self.means.redact(full_text(answer))
        self._judge_api(verdict.outcome, delivery, exchanged.ended, words)
        return AttemptResult(
            request_id=request.request_id,
            ended_at=at,
            duration_s=took_s,
            http_status=answer.http_status,
            outcome=verdict.outcome,
            answer=words,
            delivery=delivery and self._conclude(delivery, exchanged, verdict, at),
            full_answer=in_full,
            verb=request.verb,
            path=request.path,
        )

    def _conclude(
        self, delivery: Delivery, exchanged: CompletedRequest, verdict: Classification, at: datetime
    ) -> Delivery:
        """Return the report after its answer, and count it."""
        after = apply_outcome(
            delivery,
            verdict,
            http_status=exchanged.answer.http_status,
            at=at,
            last_send=self.last_send,
            retry=self.means.retry,
            retry_after_s=exchanged.answer.retry_after_s,
            uniform=self.means.uniform,
        )
        self.done.accepted += after.state is State.ACCEPTED
        if verdict.outcome.is_conclusive:
            self.done.settled += 1
            self.settled_at = exchanged.ended
        else:
            self.done.failed += 1
        self._weigh_refusal(verdict.outcome, exchanged)
        return replace(after, detail=self.means.redact(after.detail))

    def _judge_api(self, outcome: Outcome, delivery: Delivery | None, at: float, words: str) -> None:
        """Learn whether the API as a whole answers; a token proves nothing, it may come from another host."""
        fails = outcome.api_down or outcome is Outcome.THROTTLED
        if delivery is None and not fails:
            return
        self.in_vain = self.in_vain + 1 if fails else 0
        self.last_failure = words if fails else ""
        about = delivery.row if delivery else None
        if delivery is None:  # without one nothing goes on, whatever the answer
            outcome = Outcome.NO_ANSWER
        self.outage = self.outage.after(outcome, about=about, at=at, uniform=self.means.uniform)

    def _weigh_refusal(self, outcome: Outcome, exchanged: CompletedRequest) -> None:
        """Halt when the token, or everything that is sent, is refused."""
        try:
            self.session.weigh(exchanged.request.token, outcome)
        except CredentialsRefused as why:
            self._no_access(why, exchanged)
        if outcome not in {Outcome.FORBIDDEN, Outcome.MISDIRECTED, Outcome.REFUSED}:
            self._refused = 0
            return
        self._refused += 1
        if self._refused >= REFUSALS_IN_A_ROW and not self.done.accepted:
            why_not = f"{self._refused} reports in a row were {outcome}, and none accepted"
            self.done.halt(PermissionRefused(why_not, hint=access_hint(excerpt(exchanged.answer))))

    def _take_token(self, exchanged: CompletedRequest, outcome: Outcome) -> Outcome:
        """Keep the token that an answer brings; return what the answer was, for the ledger."""
        clock = self.means.clock
        try:
            token = self.means.api.read_token(exchanged.answer, at=exchanged.ended)
        except ApiUnavailable:
            return outcome
        except CredentialsRefused as why:
            self._no_access(why, exchanged)
            return outcome if outcome is not Outcome.ACCEPTED else Outcome.UNREADABLE
        self.session.token = token
        expires = clock.now() + timedelta(seconds=token.refresh_at - clock.monotonic())
        self.events.emit("auth.refreshed", expires_unix=int(expires.timestamp()))
        return Outcome.ACCEPTED

    def no_answer(self, how_long: str) -> ApiUnavailable:
        """Return what stops a run to which the API gives no usable answer, with what the last failure said."""
        said = f"; the last failure: {self.last_failure}" if self.last_failure else ""
        return ApiUnavailable(
            f"the API gave no usable answer {how_long}{said}",
            hint="See that obelis.base_url and obelis.token_url are right and can be reached from here. What is "
            "left stays due: run it again later; a daemon goes on trying by itself.",
        )

    def _no_access(self, why: CredentialsRefused, exchanged: CompletedRequest) -> None:
        self.events.emit("auth.failed", detail=why.message, http_status=exchanged.answer.http_status)
        self.done.halt(why)

    def _slow_down(self, exchanged: CompletedRequest) -> None:
        retry_after_s = exchanged.answer.retry_after_s
        rate = self.rate_limiter.throttled(exchanged.ended, started=exchanged.started, retry_after_s=retry_after_s)
        if rate is not None:
            self.events.emit("pace.slowed", rate_per_minute=round(rate, 1), retry_after_s=retry_after_s)

    def _compare_clocks(self, server: datetime, at: datetime, took_s: float) -> None:
        known = abs(self.session.skew_s)
        self.session.compare_clocks(server, at=at, took_s=took_s)
        skew_s = self.done.skew_s = self.session.skew_s
        if abs(skew_s) >= SKEW_WORTH_SAYING_S > known:
            ours = "ahead" if skew_s < 0 else "behind"
            self.events.emit("clock.skewed", skew_s=round(abs(skew_s), 1), skew_direction=ours)


def _is_2xx(http_status: int | None) -> bool:
    return http_status is not None and http_status < 300
