"""What an answer tells the pacer and the run, beside its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from report_service.domain.circuit_breaker import FAILURES_IN_A_ROW
from report_service.domain.delivery import Delivery, RetryPolicy, State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.responses import ApiResponse, Outcome
from report_service.errors import ApiUnavailable, CredentialsRefused, PermissionRefused
from report_service.ports import AttemptResult, CompletedRequest, Request, Token
from report_service.services.delivery.means import Means
from report_service.services.delivery.outcomes import REFUSALS_IN_A_ROW, OutcomeHandler, RunStats
from report_service.services.delivery.session import Session
from tests.support.fakes import FakeClock, RecordingEvents

if TYPE_CHECKING:
    from report_service.ports import RateLimiter, ReportApi, RequestExecutor

ACCEPTED = ApiResponse(http_status=200, body=b'{"data": {"id": "x"}, "statusCode": 200}')


@dataclass
class PacerNotes:
    """Keeps what a pacer is told."""

    over: list[str] = field(default_factory=list)
    slowed: list[tuple[float, float, float | None]] = field(default_factory=list)

    def completed(self, request_id: str, at: float) -> None:
        self.over.append(request_id)

    def throttled(self, at: float, *, started: float, retry_after_s: float | None) -> float | None:
        self.slowed.append((at, started, retry_after_s))
        return 100.0 if len(self.slowed) == 1 else None


@dataclass
class TokenReader:
    """Finds a token in an answer of 200 that has one."""

    def read_token(self, answer: ApiResponse, *, at: float) -> Token:
        if answer.http_status != 200:
            raise ApiUnavailable
        if b"token" not in answer.body:
            raise CredentialsRefused("no token in it")
        return Token(value="new", refresh_at=at + 60)


@dataclass
class Room:
    """A hearing, and what surrounds it."""

    clock: FakeClock = field(default_factory=FakeClock)
    rate_limiter: PacerNotes = field(default_factory=PacerNotes)
    events: RecordingEvents = field(default_factory=RecordingEvents)
    outcomes: OutcomeHandler = field(init=False)

    def __post_init__(self) -> None:
        means = Means(
            api=cast("ReportApi", TokenReader()),
            executor=cast("RequestExecutor", None),
            new_rate_limiter=lambda: cast("RateLimiter", self.rate_limiter),
            clock=self.clock,
            retry=RetryPolicy(),
            uniform=lambda: 0.5,
            new_id=lambda: "id",
            redact=lambda text: text.replace("a secret", "***"),
            timeout_s=25,
            stop=lambda: None,
            grace_s=8,
        )
        self.outcomes = OutcomeHandler(
            means=means,
            events=self.events,
            session=Session(),
            rate_limiter=cast("RateLimiter", self.rate_limiter),
            last_send=datetime(2026, 11, 30, tzinfo=UTC),
            done=RunStats(),
            settled_at=1000.0,
        )

    def hear(self, answer: ApiResponse, *, took_s: float = 1.0, late_s: float = 0.0) -> Delivery:
        """Hear an answer that took so long, so much after it came in."""
        now = self.clock.monotonic() - late_s
        request = Request(request_id="r", verb="POST", path="/x", body=b"{}", token="t")
        delivery = Delivery(
            row=1,
            key=DeliveryKey.parse("2026-10/hotline_rating"),
            state=State.IN_FLIGHT,
            path="/x",
            payload_sha256="",
            body=b"{}",
        )
        ended = self.outcomes.hear(
            CompletedRequest(request=request, answer=answer, started=now - took_s, ended=now), delivery
        )
        assert ended.ended_at == self.clock.now() - timedelta(seconds=late_s)
        assert ended.duration_s == took_s
        assert ended.delivery is not None
        return ended.delivery

    def hear_token(self, answer: ApiResponse) -> AttemptResult:
        now = self.clock.monotonic()
        request = Request(request_id="r", verb="POST", path="/token", body=b"{}")
        return self.outcomes.hear(CompletedRequest(request=request, answer=answer, started=now, ended=now), None)


def test_a_token_is_taken_told_of_and_not_kept() -> None:
    room = Room()
    ended = room.hear_token(ApiResponse(http_status=200, body=b'{"token": "new"}'))
    assert (ended.outcome, ended.answer, ended.delivery) == (Outcome.ACCEPTED, "", None)
    assert room.outcomes.session.token == Token(value="new", refresh_at=1060.0)
    [refreshed] = room.events.of("auth.refreshed")
    assert refreshed["expires_unix"] == int(room.clock.now().timestamp()) + 60


def test_a_token_proves_nothing_of_the_api() -> None:
    room = Room()
    for _ in range(4):
        room.hear(ApiResponse(http_status=503))
    before = (room.outcomes.outage, room.outcomes.in_vain)
    room.hear_token(ApiResponse(http_status=200, body=b'{"token": "new"}'))
    assert (room.outcomes.outage, room.outcomes.in_vain) == before


@pytest.mark.parametrize("http_status", [503, 429, None])
def test_a_token_that_is_not_given_is_as_bad_as_no_answer(http_status: int | None) -> None:
    room = Room()
    for _ in range(FAILURES_IN_A_ROW):
        assert not room.outcomes.outage.down
        room.hear_token(ApiResponse(http_status=http_status))
    assert room.outcomes.outage.down
    assert room.outcomes.done.halted is None


def test_an_acceptance_without_a_token_is_not_readable_and_stops_the_run() -> None:
    room = Room()
    ended = room.hear_token(ACCEPTED)
    assert ended.outcome is Outcome.UNREADABLE
    assert isinstance(room.outcomes.done.halted, CredentialsRefused)
    assert room.events.of("auth.failed")[0]["http_status"] == 200


@pytest.mark.parametrize(
    ("answer", "over"),
    [
        (ACCEPTED, True),
        (ApiResponse(http_status=503), True),
        (ApiResponse(sent=False), True),
        (ApiResponse(detail="timed out"), False),
    ],
)
def test_a_request_without_an_answer_may_still_arrive_and_goes_on_counting(
    answer: ApiResponse, over: bool
) -> None:
    room = Room()
    room.hear(answer)
    assert room.rate_limiter.over == (["r"] if over else [])


def test_a_throttled_request_tells_when_it_began_and_how_long_to_wait() -> None:
    room = Room()
    for _ in range(2):
        room.hear(ApiResponse(http_status=429, retry_after_s=7.0), took_s=2.0)
    assert room.rate_limiter.slowed == [(1000.0, 998.0, 7.0)] * 2
    assert [event["rate_per_minute"] for event in room.events.of("pace.slowed")] == [100.0]
    assert room.outcomes.done.throttled == 2


def test_an_answer_that_waited_to_be_heard_ended_when_it_came() -> None:
    Room().hear(ACCEPTED, late_s=3.0)


def test_what_the_api_says_is_kept_without_secrets() -> None:
    room = Room()
    after = room.hear(ApiResponse(http_status=400, body=b'{"statusCode": 400, "message": "a secret is wrong"}'))
    assert after.detail == "*** is wrong"
    room.hear(ApiResponse(http_status=503, body=b"a secret"))
    assert room.outcomes.last_failure == "***"


def test_refusals_stop_the_run_only_in_a_row_and_with_nothing_accepted() -> None:
    room = Room()
    refused = ApiResponse(http_status=403, body=b'{"statusCode": 403}')
    for _ in range(REFUSALS_IN_A_ROW - 1):
        room.hear(refused)
    room.hear(ApiResponse(http_status=404))
    for _ in range(REFUSALS_IN_A_ROW - 1):
        room.hear(refused)
    assert room.outcomes.done.halted is None
    room.hear(refused)
    assert isinstance(room.outcomes.done.halted, PermissionRefused)


def test_what_stops_the_run_says_what_to_check_by_the_words_of_the_refusal() -> None:
    room = Room()
    for _ in range(REFUSALS_IN_A_ROW):
        room.hear(ApiResponse(http_status=403, body=b'{"message":"Missing Authentication Token"}'))
    assert room.outcomes.done.halted is not None
    assert str(room.outcomes.done.halted.hint).startswith("Check obelis.paths first")


def test_refusals_after_an_acceptance_do_not_stop_the_run() -> None:
    room = Room()
    room.hear(ACCEPTED)
    for _ in range(2 * REFUSALS_IN_A_ROW):
        room.hear(ApiResponse(http_status=403))
    assert room.outcomes.done.halted is None


def test_failures_in_vain_are_counted_until_something_is_settled() -> None:
    room = Room()
    counts = []
    for answer in (
        ApiResponse(http_status=503),
        ApiResponse(http_status=429),
        ApiResponse(detail="timed out"),
        ApiResponse(http_status=404),
        ApiResponse(http_status=500),
        ACCEPTED,
    ):
        room.hear(answer)
        counts.append(room.outcomes.in_vain)
    assert counts == [1, 2, 3, 0, 1, 0]


def test_the_first_reason_to_stop_counts() -> None:
    done = RunStats()
    first, second = PermissionRefused("first"), PermissionRefused("second")
    done.halt(first)
    done.halt(second)
    assert done.halted is first
