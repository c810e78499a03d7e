"""The last moment before the first byte: what holds a request back, and what counts as left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest

from report_service.adapters.obelis.request_guard import RequestGuard, SendCancelled
from report_service.adapters.obelis.transport import WorkerConnection
from tests.support.api_client import allowed
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from report_service.ports import SendCheck


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
