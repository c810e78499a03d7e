"""The mock in this process: a function answers in place of a server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.adapters.obelis.auth import ClientCredentials
from report_service.adapters.obelis.client import HttpReportApi
from report_service.adapters.obelis.in_process import InProcessReply, InProcessTransport
from report_service.domain.responses import Outcome, classify
from report_service.mock_api.app import MockObelis
from tests.support.api_client import NOW, TOKEN, Api, a_request, allowed
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping


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
