"""Who may call the mock: tokens, verbs and paths."""

from __future__ import annotations

import base64
import json

import pytest

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.mock_api.answers import Dialect
from report_service.mock_api.app import MockObelis
from tests.support.fakes import FakeClock
from tests.support.mock_caller import BODIES, CREDENTIALS, PATHS, PREFIX, Caller, said


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_token_looks_like_the_guides(clock: FakeClock, dialect: Dialect) -> None:
    answer = Caller(MockObelis(clock=clock, dialect=dialect)).ask_token()
    content = said(answer)
    header, claims, signature = content.pop("token").split(".")
    assert answer.http_status == 200
    assert content == {"expires_in": 3600, "token_type": "Bearer"}
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["typ"] == "JWT"
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    now = int(clock.now().timestamp())
    assert (decoded["iat"], decoded["exp"], decoded["client_id"]) == (now, now + 3600, "test-client")
    assert signature


def test_each_token_is_another_one(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, seed=1))
    assert said(caller.ask_token())["token"] != caller.token


@pytest.mark.parametrize("name", list(CREDENTIALS))
def test_credentials_must_be_the_configured_ones(clock: FakeClock, name: str) -> None:
    caller = Caller(MockObelis(clock=clock, credentials=CREDENTIALS))
    answer = caller.ask_token(**{name: "another"})
    assert (answer.http_status, said(answer)["statusCode"]) == (401, 401)


@pytest.mark.parametrize("value", ["", None, 5])
def test_credentials_must_be_there_even_when_any_will_do(clock: FakeClock, value: object) -> None:
    assert Caller(MockObelis(clock=clock)).ask_token(client_secret=value).http_status == 401


def test_a_token_request_without_json_is_refused(clock: FakeClock) -> None:
    assert MockObelis(clock=clock).handle("POST", "/token", {}, b"client_id=test").http_status == 401


def test_tokens_are_only_posted_for(clock: FakeClock) -> None:
    assert MockObelis(clock=clock).handle("GET", "/token", {}, b"").http_status == 405


def test_the_token_path_can_be_another_and_its_query_does_not_matter(clock: FakeClock) -> None:
    mock = MockObelis(clock=clock, token_path="/oauth2/token")
    body = json.dumps(CREDENTIALS).encode()
    assert mock.handle("POST", "/oauth2/token?grant=x", {}, body).http_status == 200
    assert mock.handle("POST", "/token", {}, body).http_status == 401


def test_a_token_expires_on_the_mocks_clock(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, token_lifetime_s=100))
    clock.sleep(99)
    assert caller.create(HUB_RATING).http_status == 200
    clock.sleep(1)
    answer = caller.create(AD_HOC_TARIFF)
    assert (answer.http_status, said(answer)["message"]) == (401, "Unauthorized")
    caller.token = said(caller.ask_token())["token"]
    assert caller.create(AD_HOC_TARIFF).http_status == 200


def test_earlier_tokens_stay_good(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock))
    caller.ask_token()
    assert caller.create(HUB_RATING).http_status == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer another", "Basic dGVzdA==", "token"])
def test_without_a_good_token_nothing_is_done(clock: FakeClock, header: str) -> None:
    caller = Caller(MockObelis(clock=clock))
    answer = caller.send("POST", PATHS[HUB_RATING], BODIES[HUB_RATING], headers={"Authorization": header})
    assert answer.http_status == 401
    assert caller.mock.reports == {}


def test_the_old_dialect_refuses_tokens_with_401_too(clock: FakeClock) -> None:
    mock = MockObelis(clock=clock, dialect=Dialect.V0_9)
    answer = mock.handle("POST", PATHS[HOTLINE_RATING], {}, b"{}")
    assert (answer.http_status, said(answer)["status_code"]) == (401, 2000)


def test_header_names_may_be_written_in_any_case(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock))
    headers = {"AUTHORIZATION": f"Bearer {caller.token}", "content-TYPE": "application/json; charset=utf-8"}
    body = json.dumps(BODIES[HUB_RATING]).encode()
    assert caller.mock.handle("POST", PATHS[HUB_RATING], headers, body).http_status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATHS[HUB_RATING], 405),
        ("DELETE", PATHS[HOTLINE_RATING] + "/10-2026", 405),
        ("PATCH", PATHS[HUB_RATING] + "/10-2026", 405),
        ("PUT", PATHS[HUB_RATING], 405),
        ("POST", PATHS[HUB_RATING] + "/10-2026", 405),
        ("POST", "/", 404),
        ("POST", PREFIX + "/hotline-rating", 404),
        ("POST", PATHS[HUB_RATING] + "/", 404),
        ("GET", "/anything", 404),
    ],
)
def test_other_verbs_and_paths_are_refused(clock: FakeClock, method: str, path: str, status: int) -> None:
    answer = Caller(MockObelis(clock=clock)).send(method, path, {})
    assert (answer.http_status, said(answer)["statusCode"]) == (status, status)
