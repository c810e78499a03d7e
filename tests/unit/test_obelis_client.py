"""The client without a network: what goes out, and what an answer or a failure becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from report_service import __version__
from report_service.adapters.obelis.client import BODY_LIMIT
from report_service.adapters.obelis.in_process import InProcessTransport
from report_service.domain.responses import ApiResponse, Outcome, classify
from report_service.errors import CredentialsRefused
from tests.support.api_client import NOW, SECRET, TOKEN, Api, Handler, a_request, allowed, credentials

if TYPE_CHECKING:
    from collections.abc import Iterator


def raising(failure: Exception) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise failure

    return handler


# --- what the environment says in vain


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (httpx.ConnectError("refused"), "ConnectError: refused (HTTPS_PROXY not read: obelis.proxy is)"),
        (httpx.ConnectTimeout("slow"), "ConnectTimeout: slow (HTTPS_PROXY not read: obelis.proxy is)"),
        (httpx.ReadError("reset"), "ReadError: reset"),
    ],
)
def test_what_kept_a_request_from_leaving_may_be_a_variable_that_is_not_read(
    an_api: Api, failure: Exception, said: str
) -> None:
    api = an_api.over(raising(failure), unread="HTTPS_PROXY not read: obelis.proxy is")

    assert api.exchange(a_request(), allowed).detail == said


# --- what goes out


def test_a_report_carries_the_token_and_both_ids(an_api: Api) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201)

    api = an_api.over(handler, {"OCPI-from-party-id": "ABC", "User-Agent": "ours"})
    api.exchange(a_request(path="/reports/10-2026?x=1", verb="PUT"), allowed)
    [sent] = seen
    assert (sent.method, str(sent.url), sent.content) == (
        "PUT",
        "https://api.example/reports/10-2026?x=1",
        b'{"month":"10-2026"}',
    )
    assert dict(sent.headers) == {
        "host": "api.example",
        "content-length": "19",
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {TOKEN}",
        "x-request-id": "7e1f6f4e-0000-4000-8000-000000000001",
        "x-correlation-id": "c0ffee00-0000-4000-8000-000000000000",
        "ocpi-from-party-id": "ABC",
        "user-agent": "ours",
    }


def test_a_token_request_goes_to_its_own_url_with_the_credentials_and_no_token(an_api: Api) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    api = an_api.over(handler)
    request = api.token_request("some-id")
    api.exchange(request, allowed)
    [sent] = seen
    assert (request.verb, request.path) == ("POST", "https://auth.example/oauth/token")
    assert str(sent.url) == "https://auth.example/oauth/token?pool=1"
    assert json.loads(sent.content) == {"client_id": "client-1", "client_secret": SECRET, "cpo_id": "DEABC"}
    assert "authorization" not in sent.headers
    assert sent.headers["user-agent"] == f"report-service/{__version__}"
    assert sent.headers["x-request-id"] == "some-id"


@pytest.mark.parametrize("secret", ["päßwört-1", "密码密码", 'with "quotes" and \\'])
def test_a_secret_in_any_script_is_sent_as_it_is_and_not_repeated(secret: str) -> None:
    mine = replace(credentials(), client_secret=lambda: secret)
    body = mine.token_request("some-id").body
    assert json.loads(body)["client_secret"] == secret

    for echoed in (body, json.dumps({"message": secret}, ensure_ascii=False).encode()):
        with pytest.raises(CredentialsRefused) as refused:
            mine.read_token(ApiResponse(http_status=400, body=echoed), at=0.0)
        assert secret not in refused.value.message
        assert json.dumps(secret)[1:-1] not in refused.value.message


def test_without_permission_nothing_goes_out(an_api: Api) -> None:
    api = an_api.over(raising(AssertionError("asked")))
    answer = api.exchange(a_request(), lambda: "the window is closed")
    assert answer == ApiResponse(sent=False, cancelled=True, detail="the window is closed")
    assert classify(answer).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("broken", [{"path": "@elsewhere.example/"}, {"path": "/\x00"}, {"token": "naïve"}])
def test_what_cannot_be_put_into_a_request_was_not_sent(an_api: Api, broken: dict[str, object]) -> None:
    answer = an_api.over(raising(AssertionError("asked"))).exchange(a_request(**broken), allowed)
    assert not answer.sent
    assert "naïve" not in answer.detail


# --- what comes back


def test_an_answer_keeps_status_body_and_date(an_api: Api) -> None:
    api = an_api.over(
        lambda _: httpx.Response(201, content=b'{"a":1}', headers={"Date": "Mon, 02 Nov 2026 08:59:58 GMT"})
    )
    assert api.exchange(a_request(), allowed) == ApiResponse(
        http_status=201, body=b'{"a":1}', server_date=datetime(2026, 11, 2, 8, 59, 58, tzinfo=UTC)
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(an_api: Api, status: int) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"Location": "https://elsewhere.example/"})

    answer = an_api.over(handler).exchange(a_request(), allowed)
    assert (answer.http_status, asked) == (status, ["https://api.example/reports"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("Mon, 02 Nov 2026 09:01:00 GMT", 60.0),
        ("Mon, 02 Nov 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("Mon, 02 Nov 99999 09:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(an_api: Api, text: str, seconds: float | None) -> None:
    api = an_api.over(lambda _: httpx.Response(429, headers={"Retry-After": text}))
    assert api.exchange(a_request(), allowed).retry_after_s == seconds


def test_a_retry_after_date_is_read_by_the_server_s_own_clock(an_api: Api) -> None:
    headers = {"Retry-After": "Mon, 02 Nov 2026 10:00:30 GMT", "Date": "Mon, 02 Nov 2026 10:00:00 GMT"}
    answer = an_api.over(lambda _: httpx.Response(503, headers=headers)).exchange(a_request(), allowed)
    assert answer.retry_after_s == 30.0


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Mon, 02 Nov 2026 09:00:00 GMT", NOW),
        ("Mon, 02 Nov 2026 10:00:00 +0100", NOW),
        ("Mon, 02 Nov 2026 09:00:00 -0000", NOW),
        ("yesterday", None),
        ("Fri, 31 Dec 9999 23:30:00 -2300", None),
    ],
)
def test_the_server_s_date_is_utc_or_nothing(an_api: Api, text: str, date: datetime | None) -> None:
    answer = an_api.over(lambda _: httpx.Response(200, headers={"Date": text})).exchange(a_request(), allowed)
    assert answer.server_date == date


@pytest.mark.parametrize(
    ("size", "complete"), [(BODY_LIMIT, True), (BODY_LIMIT + 1, False), (10 * BODY_LIMIT, False)]
)
def test_a_body_is_read_up_to_a_limit(an_api: Api, size: int, complete: bool) -> None:
    read = 0

    def body() -> Iterator[bytes]:
        nonlocal read
        for start in range(0, size, 1024):
            read += min(1024, size - start)
            yield b"x" * min(1024, size - start)

    answer = an_api.over(lambda _: httpx.Response(200, content=body())).exchange(a_request(), allowed)
    assert (answer.http_status, len(answer.body), answer.complete) == (200, min(size, BODY_LIMIT), complete)
    assert bool(answer.detail) is not complete
    assert read <= BODY_LIMIT + 1024


def test_a_body_that_breaks_off_keeps_its_status(an_api: Api) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"half'
        raise httpx.ReadError("connection reset")

    answer = an_api.over(lambda _: httpx.Response(200, content=body())).exchange(a_request(), allowed)
    assert (answer.http_status, answer.body, answer.complete) == (200, b'{"half', False)
    assert answer.detail == "the answer was cut off: ReadError: connection reset"
    assert classify(answer).outcome is Outcome.UNREADABLE


# --- failures


NEVER_LEFT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
MAY_HAVE_LEFT = {
    *("HTTPError", "RequestError", "TransportError", "TimeoutException", "ReadTimeout", "WriteTimeout"),
    *("NetworkError", "ReadError", "WriteError", "CloseError", "ProtocolError", "LocalProtocolError"),
    *("RemoteProtocolError", "DecodingError", "TooManyRedirects", "HTTPStatusError"),
    *("StreamError", "StreamConsumed", "StreamClosed", "ResponseNotRead", "RequestNotRead"),
}


def family(*roots: type[Exception]) -> Iterator[type[Exception]]:
    for root in roots:
        yield root
        yield from family(*root.__subclasses__())


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        return kind("?", request=httpx.Request("GET", "/"), response=httpx.Response(500))
    if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError:
        return kind()  # type: ignore[call-arg]
    return kind("?")


FAMILY = sorted(set(family(httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)), key=lambda kind: kind.__name__)


def test_every_failure_that_httpx_knows_is_in_the_table() -> None:
    assert {kind.__name__ for kind in FAMILY} == NEVER_LEFT | MAY_HAVE_LEFT


@pytest.mark.parametrize("kind", FAMILY)
def test_a_failure_is_not_sent_only_if_it_says_so_itself(an_api: Api, kind: type[Exception]) -> None:
    answer = an_api.over(raising(made(kind))).exchange(a_request(), allowed)
    assert answer.http_status is None
    assert answer.sent is (kind.__name__ in MAY_HAVE_LEFT)
    assert answer.detail.startswith(kind.__name__)


def test_a_failure_of_the_socket_itself_may_have_come_after_sending(an_api: Api) -> None:
    answer = an_api.over(raising(OSError(5, "Input/output error"))).exchange(a_request(), allowed)
    assert (answer.sent, answer.http_status) == (True, None)
    assert answer.detail == "OSError: [Errno 5] Input/output error"


def test_a_failure_that_quotes_the_request_is_not_repeated(an_api: Api) -> None:
    quoting = httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'")
    assert an_api.over(raising(quoting)).exchange(a_request(), allowed).detail == "LocalProtocolError"


def test_a_token_that_the_answer_repeats_is_masked(an_api: Api) -> None:
    api = an_api.over(lambda _: httpx.Response(401, content=f"bad header: Bearer {TOKEN}".encode()))
    assert api.exchange(a_request(), allowed).body == b"bad header: Bearer ***"


@pytest.mark.parametrize("said", [SECRET, json.dumps(SECRET)])
def test_a_secret_that_a_refusal_repeats_is_masked(an_api: Api, said: str) -> None:
    api = an_api.over(lambda _: httpx.Response(400, content=f"bad secret {said}".encode()))
    body = api.exchange(api.token_request("id"), allowed).body
    assert b"***" in body
    assert b"test-" not in body


def test_a_token_answer_is_left_as_it_is(an_api: Api) -> None:
    body = json.dumps({"token": "t", "expires_in": 60, "note": SECRET}).encode()
    api = an_api.over(lambda _: httpx.Response(200, content=body))
    assert api.exchange(api.token_request("id"), allowed).body == body


def test_nothing_shows_a_secret_when_printed(an_api: Api) -> None:
    api = an_api.over(lambda _: httpx.Response(200), {"x-api-key": "hush-hush"})
    request, secrets = api.token_request("id"), credentials()
    shown = repr([api, vars(api), request, secrets, a_request(), InProcessTransport(api, sleep=print)])  # type: ignore[arg-type]
    assert "test-" not in repr([request, secrets, api, a_request()])
    assert TOKEN not in shown
