"""The client without a network: what goes out, what an answer or a failure becomes, tokens, workers, the mock."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from report_service import __version__
from report_service.adapters.obelis.auth import LONGEST_MARGIN_S, MARGIN, UNKNOWN_LIFE_S, ClientCredentials
from report_service.adapters.obelis.client import BODY_LIMIT, HttpReportApi
from report_service.adapters.obelis.executor import ThreadedExecutor
from report_service.adapters.obelis.in_process import InProcessReply, InProcessTransport
from report_service.adapters.obelis.request_guard import RequestGuard, SendCancelled
from report_service.adapters.obelis.transport import WorkerConnection
from report_service.domain.responses import ApiResponse, Outcome, classify
from report_service.errors import ApiUnavailable, CredentialsRefused
from report_service.mock_api.app import MockObelis
from report_service.ports import CompletedRequest, Request, SendCheck
from tests.support.fakes import FakeClock

TOKEN = "tok.en-1234567890"
SECRET = 'test-"secret"-äöü'
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


def allowed() -> None:
    return None


def a_request(**changes: object) -> Request:
    fields: dict[str, object] = {
        "request_id": "7e1f6f4e-0000-4000-8000-000000000001",
        "verb": "POST",
        "path": "/reports",
        "body": b'{"month":"10-2026"}',
        "token": TOKEN,
    }
    return Request(**{**fields, **changes})  # type: ignore[arg-type]


def credentials() -> ClientCredentials:
    return ClientCredentials(
        token_url="https://auth.example/oauth/token?pool=1",
        client_id="client-1",
        client_secret=lambda: SECRET,
        cpo_id="DEABC",
    )


class Api:
    """Make clients over a function in place of a network, and close them."""

    def __init__(self) -> None:
        self.made: list[HttpReportApi] = []

    def over(
        self,
        handler: Handler | httpx.BaseTransport,
        headers: Mapping[str, str] | None = None,
        unread: str = "",
    ) -> HttpReportApi:
        transport = handler if isinstance(handler, httpx.BaseTransport) else httpx.MockTransport(handler)
        api = HttpReportApi(
            base_url="https://api.example",
            credentials=credentials(),
            transports=lambda: transport,
            clock=FakeClock(),
            timeout_s=25,
            correlation_id="c0ffee00-0000-4000-8000-000000000000",
            headers=headers,
            unread=unread,
        )
        self.made.append(api)
        return api


@pytest.fixture
def an_api() -> Iterator[Api]:
    factory = Api()
    yield factory
    for one in factory.made:
        one.close()


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


# --- the last moment before the first byte


def a_passage(clock: FakeClock, send_check: SendCheck = allowed) -> RequestGuard:
    return RequestGuard(
        connection=WorkerConnection(httpx.MockTransport(lambda _: httpx.Response(200))),
        send_check=send_check,
        clock=clock,
        timeout_s=25,
    )


POST, CONNECT = {"request": SimpleNamespace(method=b"POST")}, {"request": SimpleNamespace(method=b"CONNECT")}
FIRST_BYTE = "http11.send_request_headers.started"


def test_nothing_has_left_while_the_connection_is_being_made() -> None:
    guard = a_passage(FakeClock())
    guard.trace("connection.connect_tcp.started", {})
    guard.trace("connection.connect_tcp.failed", {})
    assert not guard.may_have_left(httpx.ReadError("?"))


def test_what_a_proxy_is_told_is_not_the_request() -> None:
    guard = a_passage(FakeClock())
    for event in (FIRST_BYTE, "http11.receive_response_headers.started", "http11.response_closed.started"):
        guard.trace(event, CONNECT if "closed" not in event else {})
    assert not guard.may_have_left(httpx.RemoteProtocolError("?"))
    guard.trace("proxy.start_tls.started", {})
    guard.trace(FIRST_BYTE, POST)
    assert guard.may_have_left(httpx.ConnectError("?"))


def test_an_event_that_nobody_knows_counts_as_left() -> None:
    guard = a_passage(FakeClock())
    guard.trace("http4.something.started", {})
    assert guard.may_have_left(httpx.ConnectError("?"))


def test_connecting_beyond_the_time_holds_the_request_back() -> None:
    clock = FakeClock()
    guard = a_passage(clock)
    clock.sleep(25)
    with pytest.raises(SendCancelled, match="connecting took too long"):
        guard.trace(FIRST_BYTE, POST)
    guard.trace("http11.response_closed.started", {})
    assert not guard.may_have_left(httpx.ReadError("?"))


def test_permission_withdrawn_while_connecting_holds_the_request_back() -> None:
    guard = a_passage(FakeClock(), send_check=lambda: "the window has closed")
    with pytest.raises(SendCancelled, match="the window has closed"):
        guard.trace(FIRST_BYTE, POST)


def test_each_step_has_what_is_left_of_the_time() -> None:
    clock = FakeClock()
    guard = a_passage(clock)
    assert guard.timeouts == {"connect": 10, "pool": 10, "write": 25, "read": 25}
    clock.sleep(5)
    guard.trace(FIRST_BYTE, POST)
    assert guard.timeouts["write"] == 20
    clock.sleep(30)
    guard.trace("http11.receive_response_body.started", POST)
    assert guard.timeouts["read"] == pytest.approx(0.001)


def test_a_line_without_a_socket_can_be_cut_too() -> None:
    line = a_passage(FakeClock()).connection
    line.cut_off()
    assert line.cut


# --- tokens


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


# --- workers


class SlowApi:
    """An API whose answers wait until the test lets them go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.all_there = threading.Barrier(4)

    def token_request(self, request_id: str) -> Request:
        raise AssertionError("not asked for")

    def read_token(self, answer: ApiResponse, *, at: float) -> object:
        raise AssertionError("not asked for")

    def exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        self.all_there.wait(10)
        self.go.wait(10)
        return ApiResponse(http_status=200, detail=send_check() or "")


class QuickApi(SlowApi):
    def exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        if request.path == "/bug":
            raise KeyError(TOKEN)
        return ApiResponse(http_status=200)


def collect(executor: ThreadedExecutor, count: int) -> list[CompletedRequest]:
    found: list[CompletedRequest] = []
    while len(found) < count:
        some = executor.completed(10)
        assert some, "nothing ended within 10 s"
        found += some
    return found


def test_requests_are_exchanged_at_the_same_time() -> None:
    api = SlowApi()
    executor = ThreadedExecutor(api, capacity=3, clock=FakeClock())  # type: ignore[arg-type]
    for number in range(3):
        executor.submit(a_request(request_id=str(number)), lambda: "asked")
    api.all_there.wait(10)  # all three are with the API
    assert executor.completed(0) == []
    api.go.set()
    found = collect(executor, 3)
    assert {one.request.request_id for one in found} == {"0", "1", "2"}
    assert {one.response.detail for one in found} == {"asked"}
    assert {(one.started, one.ended) for one in found} == {(1000.0, 1000.0)}
    executor.close()


def test_everything_that_ended_comes_back_at_once() -> None:
    executor = ThreadedExecutor(QuickApi(), capacity=1, clock=FakeClock())  # type: ignore[arg-type]
    for number in range(20):
        executor.submit(a_request(request_id=str(number)), allowed)
    assert [one.request.request_id for one in collect(executor, 20)] == [str(number) for number in range(20)]
    executor.close()


def test_a_worker_outlives_a_bug_and_the_request_s_end_is_unknown() -> None:
    executor = ThreadedExecutor(QuickApi(), capacity=1, clock=FakeClock())  # type: ignore[arg-type]
    executor.submit(a_request(path="/bug"), allowed)
    executor.submit(a_request(), allowed)
    first, second = collect(executor, 2)
    assert classify(first.response).outcome is Outcome.NO_ANSWER
    assert first.response.detail.startswith("a bug: KeyError in exchange, line ")
    assert second.response.http_status == 200
    executor.close()


def test_what_has_not_begun_is_never_sent_after_closing() -> None:
    api = SlowApi()
    executor = ThreadedExecutor(api, capacity=3, clock=FakeClock())  # type: ignore[arg-type]
    for number in range(5):
        executor.submit(a_request(request_id=str(number)), allowed)
    api.all_there.wait(10)
    executor.close()
    api.go.set()
    assert len(collect(executor, 3)) == 3
    assert executor.completed(0) == []


def test_workers_are_started_when_there_is_something_to_send_and_do_not_keep_the_process_from_ending() -> None:
    before = set(threading.enumerate())
    executor = ThreadedExecutor(QuickApi(), capacity=2, clock=FakeClock())  # type: ignore[arg-type]
    assert set(threading.enumerate()) == before
    for number in range(5):
        executor.submit(a_request(request_id=str(number)), allowed)
    workers = set(threading.enumerate()) - before
    assert len(workers) == executor.capacity == 2
    assert all(worker.daemon for worker in workers)
    assert len(collect(executor, 5)) == 5
    executor.close()
    for worker in workers:
        worker.join(10)
    assert not any(worker.is_alive() for worker in workers)


# --- the mock in this process


@dataclass(frozen=True)
class Said:
    http_status: int = 200
    body: bytes = b'{"data":{}}'
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False
    cut: bool = False


def in_process(reply: InProcessReply, clock: FakeClock, seen: list[object] | None = None) -> InProcessTransport:
    def handle(method: str, path: str, headers: Mapping[str, str], body: bytes) -> InProcessReply:
        if seen is not None:
            seen.append((method, path, headers["authorization"], body))
        return reply

    return InProcessTransport(handle, sleep=clock.sleep)


def test_a_function_answers_in_place_of_a_server(an_api: Api) -> None:
    clock, seen = FakeClock(), list[object]()
    reply = Said(429, b"{}", {"Retry-After": "3"}, delay_s=0.2)
    answer = an_api.over(in_process(reply, clock, seen)).exchange(a_request(path="/a%20b?c=d"), allowed)
    assert seen == [("POST", "/a%20b?c=d", f"Bearer {TOKEN}", b'{"month":"10-2026"}')]
    assert (answer.http_status, answer.body, answer.retry_after_s) == (429, b"{}", 3.0)
    assert clock.slept == [0.2]


def test_an_answer_that_takes_too_long_times_out_in_process_too(an_api: Api) -> None:
    clock = FakeClock()
    answer = an_api.over(in_process(Said(delay_s=60), clock)).exchange(a_request(), allowed)
    assert classify(answer).outcome is Outcome.NO_ANSWER
    assert clock.slept == [25]


def test_a_dropped_connection_is_an_unknown_end_in_process_too(an_api: Api) -> None:
    answer = an_api.over(in_process(Said(drop=True), FakeClock())).exchange(a_request(), allowed)
    assert (answer.sent, answer.http_status) == (True, None)


def test_half_an_answer_is_half_an_answer_in_process_too(an_api: Api) -> None:
    answer = an_api.over(in_process(Said(body=b"12345678", cut=True), FakeClock())).exchange(a_request(), allowed)
    assert (answer.http_status, answer.body, answer.complete) == (200, b"1234", False)


def test_the_project_s_own_mock_can_be_used_in_process() -> None:
    clock = FakeClock()
    mock = MockObelis(clock=clock)
    transport = InProcessTransport(mock.handle, sleep=clock.sleep)
    api = HttpReportApi(
        base_url="https://mock.invalid",
        credentials=ClientCredentials(
            token_url="https://mock.invalid/token",
            client_id="mock",
            client_secret=lambda: "mock-secret",
            cpo_id="MOCK",
        ),
        transports=lambda: transport,
        clock=clock,
        timeout_s=25,
        correlation_id="c",
    )
    token = api.read_token(api.exchange(api.token_request("1"), allowed), at=clock.monotonic())
    body = json.dumps({"month": "10-2026", "hotlineCalls": 1, "fcrRate": 0.5, "asa": 3.0, "rating": 2}).encode()
    path = "/ocpi/bob/2.2/debob-reports/hotline-ratings"
    answer = api.exchange(a_request(path=path, body=body, token=token.value), allowed)
    assert classify(answer).outcome is Outcome.ACCEPTED
    assert answer.server_date == NOW
    api.close()
