"""The limit on requests, the counts of them, the log, and the paths beside the API."""

from __future__ import annotations

import hashlib
import json

import pytest

from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.mock_api.answers import Dialect
from report_service.mock_api.app import MockObelis
from report_service.mock_api.latency import constant
from tests.support.fakes import FakeClock
from tests.support.mock_caller import BODIES, HUB, PATHS, Caller, said


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_the_request_above_the_limit_is_refused_until_the_window_has_moved_on(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, requests_per_minute=3))  # its token is the first request
    clock.sleep(1)
    assert [caller.create(HUB_RATING).http_status for _ in range(3)] == [200, 409, 429]
    clock.sleep(58.9)
    assert caller.create(HUB_RATING).http_status == 429
    clock.sleep(1.2)  # of the last 60 s there is the one 429 of just now, since refused ones count as well
    assert [caller.create(HUB_RATING).http_status for _ in range(3)] == [409, 409, 429]


def test_one_exactly_as_old_as_the_window_no_longer_counts(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, requests_per_minute=1))
    clock.sleep(60)
    assert caller.create(HUB_RATING).http_status == 200


def test_the_guides_limit_holds_unless_told_otherwise(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock))
    statuses = [caller.create(HUB_RATING).http_status for _ in range(2000)]
    assert statuses.index(429) == 1999
    assert caller.mock.stats()["max_in_60_s"] == 2001


@pytest.mark.parametrize("off", [0, None])
def test_the_limit_can_be_off(clock: FakeClock, off: int | None) -> None:
    caller = Caller(MockObelis(clock=clock, requests_per_minute=off, requests_per_second=off))
    assert 429 not in {caller.create(HUB_RATING).http_status for _ in range(2100)}


def test_there_can_be_a_limit_for_a_second_as_well(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, requests_per_second=2))
    clock.sleep(1)
    assert [caller.create(HUB_RATING).http_status for _ in range(3)] == [200, 409, 429]
    clock.sleep(1)
    assert caller.create(HUB_RATING).http_status == 409


def test_retry_after_is_given_when_set(clock: FakeClock) -> None:
    for retry_after_s, expected in ((None, None), (7, "7"), (0.5, "0.5")):
        mock = MockObelis(clock=clock, requests_per_minute=1, retry_after_s=retry_after_s)
        answer = Caller(mock).create(HUB_RATING)
        assert (answer.http_status, answer.headers.get("Retry-After")) == (429, expected)
        assert said(answer)["message"] == "Too many requests"


def test_the_old_dialect_limits_with_429_too(clock: FakeClock) -> None:
    answer = Caller(MockObelis(clock=clock, dialect=Dialect.V0_9, requests_per_minute=1)).create(HUB_RATING)
    assert (answer.http_status, said(answer)["status_code"]) == (429, 2000)


def test_a_limited_request_is_not_delayed(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, requests_per_minute=2, latency=constant(0.2)))
    assert [caller.create(HUB_RATING).delay_s for _ in range(2)] == [0.2, 0]


def test_requests_are_counted_by_kind_status_and_ruling(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, requests_per_minute=6))
    caller.create(HUB_RATING)
    caller.create(HUB_RATING)
    clock.sleep(2)
    caller.create(POINT_RATING, rating=0)
    caller.send("GET", "/elsewhere", {})
    caller.correct(HUB_RATING)
    caller.correct(HUB_RATING)
    assert caller.mock.stats() == {
        "requests": 7,
        "by_kind": {"token": 1, "hub_rating": 4, "point_rating": 1, "other": 1},
        "by_status": {"200": 3, "409": 1, "400": 1, "404": 1, "429": 1},
        "by_ruling": {
            "token": 1,
            "created": 1,
            "duplicate": 1,
            "invalid": 1,
            "no_route": 1,
            "corrected": 1,
            "limited": 1,
        },
        "conflicts": 1,
        "max_in_60_s": 7,
        "max_in_1_s": 4,
        "reports": 1,
    }


def test_conflicts_are_counted_in_the_old_dialect_too(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, dialect=Dialect.V0_9))
    for _ in range(3):
        caller.create(HOTLINE_RATING)
    assert caller.mock.stats()["conflicts"] == 2


def test_each_request_has_a_line_in_the_log(clock: FakeClock) -> None:
    lines: list[str] = []
    caller = Caller(MockObelis(clock=clock, log=lines.append, skew_s=5))
    clock.sleep(2.5)
    body = json.dumps(BODIES[HUB_RATING]).encode()
    caller.send("POST", PATHS[HUB_RATING], body, headers={"X-Request-ID": "request-1"})
    caller.send("POST", PATHS[HUB_RATING], b"", headers={"X-Request-ID": "request-2"})
    token, created, invalid = (json.loads(line) for line in lines)
    assert created == {
        "monotonic": clock.monotonic(),
        "unix": clock.now().timestamp(),
        "method": "POST",
        "path": PATHS[HUB_RATING],
        "key": f"2026-10/hub_rating/{HUB}",
        "ruling": "created",
        "http_status": 200,
        "request_id": "request-1",
        "body_sha256": hashlib.sha256(body).hexdigest(),
    }
    assert (token["key"], token["ruling"], token["request_id"]) == (None, "token", None)
    assert (invalid["key"], invalid["ruling"], invalid["http_status"]) == (None, "invalid", 400)
    assert all(line.endswith("\n") for line in lines)


def test_the_log_holds_no_secret_and_no_token(clock: FakeClock) -> None:
    lines: list[str] = []
    caller = Caller(MockObelis(clock=clock, log=lines.append))
    caller.create(HUB_RATING)
    assert len(lines) == 2
    assert not any(secret in line for line in lines for secret in ("test-secret", caller.token))


@pytest.fixture
def caller(clock: FakeClock) -> Caller:
    return Caller(MockObelis(clock=clock, requests_per_minute=2))


def control(caller: Caller, method: str, path: str, content: object = None) -> tuple[int, object]:
    answer = caller.mock.handle(method, f"/_mock/{path}", {}, json.dumps(content).encode())
    return answer.http_status, said(answer)


def test_stats_are_open_to_all_and_neither_counted_nor_limited(caller: Caller) -> None:
    for _ in range(5):
        assert control(caller, "GET", "stats") == (200, caller.mock.stats())
    assert caller.mock.stats()["requests"] == 1


def test_the_reports_can_be_read_from_outside(caller: Caller) -> None:
    caller.create(HUB_RATING)
    assert control(caller, "GET", "reports") == (200, {f"2026-10/hub_rating/{HUB}": BODIES[HUB_RATING]})


def test_faults_can_be_set_and_lifted_from_outside(caller: Caller, clock: FakeClock) -> None:
    assert control(caller, "POST", "faults", ["503"]) == (200, {})
    assert caller.create(HUB_RATING).http_status == 503
    clock.sleep(60)
    assert control(caller, "POST", "faults", []) == (200, {})
    assert caller.create(HUB_RATING).http_status == 200


def test_the_clock_can_be_shifted_from_outside(caller: Caller) -> None:
    assert control(caller, "POST", "clock", {"skew_s": 90}) == (200, {})
    assert caller.create(HUB_RATING).headers["Date"] == "Mon, 02 Nov 2026 09:01:30 GMT"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("faults", ["teapot"]),
        ("faults", 5),
        ("faults", [5]),
        ("clock", {}),
        ("clock", []),
        ("clock", {"skew_s": "x"}),
    ],
)
def test_what_is_wrong_from_outside_is_refused(caller: Caller, path: str, content: object) -> None:
    assert control(caller, "POST", path, content)[0] == 400


def test_other_paths_beside_the_api_do_not_exist(caller: Caller) -> None:
    assert control(caller, "GET", "elsewhere")[0] == 404
    assert control(caller, "POST", "stats")[0] == 404
