"""Tokens: how long one lives, and what an answer without a usable one means."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import httpx
import pytest

from report_service.adapters.obelis.auth import LONGEST_MARGIN_S, MARGIN, UNKNOWN_LIFE_S
from report_service.domain.responses import ApiResponse
from report_service.errors import ApiUnavailable, CredentialsRefused
from tests.support.api_client import NOW, SECRET, Api, allowed, credentials


def a_jwt(**claims: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


def answered(status: int = 200, date: datetime | None = None, **said: object) -> ApiResponse:
    return ApiResponse(http_status=status, body=json.dumps(said).encode(), server_date=date)


@pytest.mark.parametrize(("lifetime", "margin"), [(3600, 300), (3000, 300), (600, 60), (10, 1), (0.5, 0.05)])
def test_a_token_is_given_up_a_little_before_its_end(lifetime: float, margin: float) -> None:
    token = credentials().read_token(answered(token="abc", expires_in=lifetime, token_type="Bearer"), at=1000.0)
    assert token.value == "abc"
    assert token.refresh_at == pytest.approx(1000 + lifetime - margin)


UNIX = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("claims", "date", "lifetime"),
    [
        ({"exp": UNIX + 600}, NOW, 600),  # the JWT ends earlier than expires_in says
        ({"exp": UNIX + 7200}, NOW, 3600),
        ({"exp": UNIX + 600, "iat": UNIX}, None, 600),  # no Date: the JWT's own clock
        ({"exp": UNIX + 600, "iat": UNIX}, datetime(2026, 11, 2, 9, 5, tzinfo=UTC), 300),  # handed out late
        ({"exp": UNIX + 600}, None, 3600),  # nothing to compare with
        ({"exp": "soon"}, NOW, 3600),
        ({"exp": True}, NOW, 3600),
        ({"exp": 10**400}, NOW, 3600),
        ({}, NOW, 3600),
    ],
)
def test_a_token_lives_no_longer_than_it_says_itself(
    claims: dict[str, object], date: datetime | None, lifetime: float
) -> None:
    token = credentials().read_token(answered(token=a_jwt(**claims), expires_in=3600, date=date), at=0.0)
    assert token.refresh_at == pytest.approx(lifetime - min(300, lifetime / 10))


@pytest.mark.parametrize("value", ["opaque", "a.b", "a.b.c", "a.!!!.c", "a.W10.c", "é.b.c".encode().hex()])
def test_a_token_that_is_no_jwt_lives_as_long_as_expires_in_says(value: str) -> None:
    token = credentials().read_token(answered(token=value, expires_in=100, date=NOW), at=0.0)
    assert token.refresh_at == 90


def test_a_jwt_may_say_its_end_alone() -> None:
    token = credentials().read_token(answered(token=a_jwt(exp=UNIX + 100), date=NOW), at=0.0)
    assert token.refresh_at == 90


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_any_spelling_of_bearer_will_do(kind: str) -> None:
    assert credentials().read_token(answered(token="t", expires_in=60, token_type=kind), at=0.0).value == "t"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ApiResponse(http_status=200, body=b"<html>"), "has no `token`; its fields: none"),
        (ApiResponse(http_status=200, body=b"[1]"), "has no `token`; its fields: none"),
        (ApiResponse(http_status=200, body=b"[" * 100_000), "has no `token`; its fields: none"),
        (answered(access_token="sesame", expires_in=60), "has no `token`; its fields: access_token, expires_in"),
        (answered(token="", expires_in=60), "has no `token`"),
        (answered(token=7, expires_in=60), "has no `token`"),
        (answered(token="two words", expires_in=60), "has no `token`"),
        (answered(token="line\r\nbreak", expires_in=60), "has no `token`"),
        (answered(token="t", expires_in=60, token_type="MAC"), "has a token_type other than Bearer"),
    ],
)
def test_an_answer_without_a_usable_token_is_a_refusal_that_names_the_fault(answer: ApiResponse, why: str) -> None:
    with pytest.raises(CredentialsRefused) as refused:
        credentials().read_token(answer, at=0.0)
    assert why in refused.value.message
    assert "sesame" not in refused.value.message
    assert "obelis.token_url" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("status", "setting"),
    [
        (400, "client_secret"),
        (401, "client_secret"),
        (403, "client_secret"),
        (404, "token_url"),
        (302, "token_url"),
    ],
)
def test_a_refusal_says_the_status_the_words_and_what_to_check(status: int, setting: str) -> None:
    with pytest.raises(CredentialsRefused) as refused:
        credentials().read_token(answered(status, message="unknown client"), at=0.0)
    assert refused.value.message == f"the token endpoint answered {status}: unknown client"
    assert f"obelis.{setting}" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "life_s"),
    [
        (answered(token="t", expires_in="3600"), 3600),
        (answered(token="t", expires_in=3600, token_type=None), 3600),
        (answered(token="t"), UNKNOWN_LIFE_S),
        (answered(token="t", expires_in=True), UNKNOWN_LIFE_S),
        (answered(token="t", expires_in=0), UNKNOWN_LIFE_S),
        (answered(token="t", expires_in="soon"), UNKNOWN_LIFE_S),
        (
            answered(token=a_jwt(exp=UNIX - 86_400), expires_in=3600, date=NOW),
            3600,
        ),  # a clock is off
        (answered(token=a_jwt(exp=UNIX - 86_400), date=NOW), UNKNOWN_LIFE_S),
    ],
)
def test_what_can_be_used_is_used(answer: ApiResponse, life_s: float) -> None:
    token = credentials().read_token(answer, at=0.0)
    assert token.refresh_at == life_s - min(life_s * MARGIN, LONGEST_MARGIN_S)


@pytest.mark.parametrize(
    "answer",
    [
        ApiResponse(http_status=403, body=b"<html>Request blocked</html>"),
        ApiResponse(http_status=403),
        answered(400, __type="TooManyRequestsException"),
        answered(400, message="Rate exceeded"),
        answered(403, message="Request was throttled"),
    ],
)
def test_a_throttled_token_is_no_refused_credential(answer: ApiResponse) -> None:
    with pytest.raises(ApiUnavailable) as away:
        credentials().read_token(answer, at=0.0)
    assert "throttles" in away.value.message


def test_a_refusal_repeats_neither_the_secret_nor_a_token() -> None:
    body = f"no {json.dumps(SECRET)} {SECRET} {a_jwt(sub='x')}".encode()
    with pytest.raises(CredentialsRefused) as refused:
        credentials().read_token(ApiResponse(http_status=400, body=body), at=0.0)
    assert refused.value.message == 'the token endpoint answered 400: no "***" *** ***'


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ApiResponse(sent=False, detail="ConnectError: refused"), "gave no answer: ConnectError: refused"),
        (ApiResponse(), "gave no answer: without a word"),
        (answered(429, message="slower"), "answered 429: slower"),
        (answered(408), "answered 408"),
        (answered(500), "answered 500"),
        (answered(503, message="later"), "answered 503: later"),
        (ApiResponse(http_status=200, body=b'{"tok', complete=False, detail="cut off"), "answered 200: cut off"),
    ],
)
def test_what_may_go_better_next_time_is_no_refusal(answer: ApiResponse, words: str) -> None:
    with pytest.raises(ApiUnavailable, match=words):
        credentials().read_token(answer, at=0.0)


def test_the_client_reads_tokens_with_its_credentials(an_api: Api) -> None:
    api = an_api.over(lambda _: httpx.Response(200, json={"token": "t", "expires_in": 10, "token_type": "Bearer"}))
    answer = api.exchange(api.token_request("id"), allowed)
    assert api.read_token(answer, at=5.0).refresh_at == 14
