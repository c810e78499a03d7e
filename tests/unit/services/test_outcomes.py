"""What an answer tells the rate limiter, the circuits, the token and the run, beside its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from report_service.domain.api_clock import ApiClock
from report_service.domain.circuit_breaker import KIND_THRESHOLD
from report_service.domain.delivery import Delivery, RetryPolicy, State
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.refusals import HALT_AFTER
from report_service.domain.responses import ApiResponse, Outcome
from report_service.errors import ApiUnavailable, CredentialsRefused, PermissionRefused
from report_service.ports import AttemptResult, CompletedRequest, MonthCounts, Request, Token
from report_service.services.delivery.circuits import Circuits
from report_service.services.delivery.outcomes import OutcomeHandler
from report_service.services.delivery.refusal_watch import RefusalWatch
from report_service.services.delivery.run_stats import RunStats
from report_service.services.delivery.token_cache import TokenCache
from tests.support.fakes import FakeClock, RecordingEvents

if TYPE_CHECKING:
    from report_service.ports import RateLimiter, ReportApi

ACCEPTED = ApiResponse(http_status=200, body=b'{"data": {"id": "x"}, "statusCode": 200}')
HOTLINE = DeliveryKey.parse("2026-10/hotline_rating")


@dataclass
class RateLimiterNotes:
    """Keeps what a rate limiter is told."""

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

    token_comes_from_api: bool = False
    rotated: bool = False  # another secret is to be found

    def reread_credentials(self) -> bool:
        found, self.rotated = self.rotated, False
        return found

    def read_token(self, answer: ApiResponse, *, at: float) -> Token:
        if answer.http_status != 200:
            raise ApiUnavailable("the token endpoint answered")
        if b"token" not in answer.body:
            raise CredentialsRefused("no token in it")
        return Token(value="new", refresh_at=at + 60)


@dataclass
class Room:
    """A handler of outcomes, and what surrounds it."""

    clock: FakeClock = field(default_factory=FakeClock)
    rate_limiter: RateLimiterNotes = field(default_factory=RateLimiterNotes)
    events: RecordingEvents = field(default_factory=RecordingEvents)
    stats: RunStats = field(default_factory=RunStats)
    tokens: TokenCache = field(default_factory=TokenCache)
    reader: TokenReader = field(default_factory=TokenReader)
    circuits: Circuits = field(default_factory=Circuits)
    outcomes: OutcomeHandler = field(init=False)

    def __post_init__(self) -> None:
        counts = MonthCounts(month=HOTLINE.month, by_kind={kind: {} for kind in KINDS}, drifted=0, in_doubt=0)
        self.outcomes = OutcomeHandler(
            api=cast("ReportApi", self.reader),
            clock=self.clock,
            events=self.events,
            rate_limiter=cast("RateLimiter", self.rate_limiter),
            api_clock=ApiClock(),
            tokens=self.tokens,
            circuits=self.circuits,
            refusals=RefusalWatch.of(counts, {}, events=self.events, stats=self.stats),
            stats=self.stats,
            last_send=datetime(2026, 11, 30, tzinfo=UTC),
            retry=RetryPolicy(),
            uniform=lambda: 0.5,
            redact=lambda text: text.replace("a secret", "***"),
        )

    def hear(self, answer: ApiResponse, *, row: int = 1, took_s: float = 1.0, late_s: float = 0.0) -> Delivery:
        """Handle an answer that took so long, so much after it came in."""
        now = self.clock.monotonic() - late_s
        request = Request(request_id="r", verb="POST", path="/x", body=b"{}", token="t")
        delivery = Delivery(row=row, key=HOTLINE, state=State.IN_FLIGHT, path="/x", payload_sha256="", body=b"{}")
        ended = self.outcomes.handle(
            CompletedRequest(request=request, response=answer, started=now - took_s, ended=now), delivery
        )
        assert ended.ended_at == self.clock.now() - timedelta(seconds=late_s)
        assert ended.duration_s == took_s
        assert ended.delivery is not None
        return ended.delivery

    def hear_token(self, answer: ApiResponse) -> AttemptResult:
        now = self.clock.monotonic()
        request = Request(request_id="r", verb="POST", path="/token", body=b"{}")
        completed = CompletedRequest(request=request, response=answer, started=now, ended=now)
        return self.outcomes.handle(completed, None)


def test_a_token_is_taken_told_of_and_not_kept() -> None:
    room = Room()
    ended = room.hear_token(ApiResponse(http_status=200, body=b'{"token": "new"}'))
    assert (ended.outcome, ended.answer, ended.delivery) == (Outcome.ACCEPTED, "", None)
    assert room.tokens.token == Token(value="new", refresh_at=1060.0)
    [refreshed] = room.events.of("auth.refreshed")
    assert refreshed["expires_unix"] == int(room.clock.now().timestamp()) + 60


def test_a_token_proves_nothing_of_the_api() -> None:
    room = Room()
    for _ in range(4):
        room.hear(ApiResponse(http_status=503))
    before = (room.circuits.of(HOTLINE_RATING), room.circuits.host, room.circuits.proven)
    room.hear_token(ApiResponse(http_status=200, body=b'{"token": "new"}'))
    assert (room.circuits.of(HOTLINE_RATING), room.circuits.host, room.circuits.proven) == before


@pytest.mark.parametrize("http_status", [503, 429, None])
def test_a_host_that_gives_no_token_is_left_alone_for_a_while(http_status: int | None) -> None:
    room = Room()
    room.hear_token(ApiResponse(http_status=http_status, retry_after_s=30.0))
    assert room.tokens.circuit.half_open_at == room.clock.monotonic() + 30
    assert [event["circuit"] for event in room.events.of("circuit.opened")] == ["token"]
    assert room.circuits.host.closed, "another host's failure says nothing of the API's"
    assert room.stats.halted is None
    room.hear_token(ApiResponse(http_status=200, body=b'{"token": "new"}'))
    assert room.tokens.circuit.closed
    assert [event["circuit"] for event in room.events.of("circuit.closed")] == ["token"]


def test_an_acceptance_without_a_token_is_not_readable_and_stops_the_run() -> None:
    room = Room()
    ended = room.hear_token(ACCEPTED)
    assert ended.outcome is Outcome.UNREADABLE
    assert isinstance(room.stats.halted, CredentialsRefused)
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
    assert room.stats.throttled == 2


def test_an_answer_that_waited_to_be_heard_ended_when_it_came() -> None:
    Room().hear(ACCEPTED, late_s=3.0)


def test_what_the_api_says_is_kept_without_secrets() -> None:
    room = Room()
    after = room.hear(ApiResponse(http_status=400, body=b'{"statusCode": 400, "message": "a secret is wrong"}'))
    assert after.detail == "*** is wrong"
    room.hear(ApiResponse(http_status=503, body=b"a secret"))
    assert room.stats.last_failure == "***"


def test_refusals_stop_the_run_only_in_a_row_and_with_nothing_accepted() -> None:
    room = Room()
    refused = ApiResponse(http_status=403, body=b'{"statusCode": 403}')
    for _ in range(HALT_AFTER - 1):
        room.hear(refused)
    room.hear(ApiResponse(http_status=404))
    for _ in range(HALT_AFTER - 1):
        room.hear(refused)
    assert room.stats.halted is None
    room.hear(refused)
    assert isinstance(room.stats.halted, PermissionRefused)


def test_what_stops_the_run_says_what_to_check_by_the_words_of_the_refusal() -> None:
    room = Room()
    for _ in range(HALT_AFTER):
        room.hear(ApiResponse(http_status=403, body=b'{"message":"Missing Authentication Token"}'))
    assert room.stats.halted is not None
    assert str(room.stats.halted.hint).startswith("Check obelis.paths first")


def test_failures_are_counted_until_something_is_answered() -> None:
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
        counts.append(room.stats.unanswered)
    assert counts == [1, 2, 3, 0, 1, 0]


def test_a_request_that_was_held_back_says_nothing_of_the_api() -> None:
    room = Room()
    for row in range(2 * KIND_THRESHOLD):
        after = room.hear(ApiResponse(sent=False, cancelled=True, detail="the window closed"), row=row)
        assert after.state is State.RETRYING
    assert room.circuits.of(HOTLINE_RATING).closed
    assert room.stats.unanswered == 0


def test_an_answer_in_unknown_words_is_no_outage_and_is_told_with_its_words() -> None:
    room = Room()
    for row in range(2 * KIND_THRESHOLD):
        room.hear(ApiResponse(http_status=201, body=b"<html>hello</html>"), row=row)
    assert room.circuits.of(HOTLINE_RATING).closed
    assert not room.circuits.proven
    assert "hello" in str(room.events.of("contract.drifted")[0]["detail"])


def test_the_first_reason_to_stop_counts() -> None:
    done = RunStats()
    first, second = PermissionRefused("first"), PermissionRefused("second")
    done.halt(first)
    done.halt(second)
    assert done.halted is first


def test_credentials_that_are_refused_are_read_anew_and_tried_again_before_any_alarm() -> None:
    room = Room(reader=TokenReader(rotated=True))

    room.hear_token(ApiResponse(http_status=200, body=b"{}"))
    assert room.stats.halted is None
    assert room.events.emitted == [("secrets.reread", {"reason": "refused", "changed": True})]

    room.hear_token(ApiResponse(http_status=200, body=b"{}"))  # refused with the new ones, too
    assert isinstance(room.stats.halted, CredentialsRefused)
    assert len(room.events.of("auth.failed")) == 1


def test_a_fresh_token_that_is_refused_has_the_credentials_read_anew_as_well() -> None:
    room = Room(reader=TokenReader(rotated=True))
    for _ in range(2):
        room.tokens.store(Token(value="t", refresh_at=1e9))
        room.hear(ApiResponse(http_status=401))

    assert room.stats.halted is None
    assert room.events.of("secrets.reread") == [{"reason": "refused", "changed": True}]
    assert room.events.of("auth.failed") == []
