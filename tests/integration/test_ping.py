"""Pings over HTTP, to a server that plays healthchecks.io."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from report_service.adapters.obelis.transport import http_transports
from report_service.adapters.ping import HttpSwitch
from report_service.ports import Signal
from report_service.settings.rotation import secrets_of
from tests.support.hostile_server import hostile_server
from tests.support.simulated_daemon import start
from tests.support.simulation import World, settings_of, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Switch(ThreadingHTTPServer):
    """Remembers what is sent to it, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[tuple[str, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Switch

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.heard.append((self.path, text))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Switch]:
    with Switch() as switch:
        thread = threading.Thread(target=switch.serve_forever, args=[0.01])
        thread.start()
        yield switch
        switch.shutdown()
        thread.join()


def test_a_signal_is_what_the_address_ends_with_before_its_query(server: Switch) -> None:
    switch = HttpSwitch("ping.url", f"{server.url}/some-uuid?create=1", http_transports())

    assert [switch.send(signal, "why") for signal in Signal] == [True] * 3
    assert server.heard == [
        ("/some-uuid?create=1", "why"),
        ("/some-uuid/start?create=1", "why"),
        ("/some-uuid/fail?create=1", "why"),
    ]


def test_a_ping_that_fails_is_logged_once_without_its_address(
    server: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    switch = HttpSwitch("ping.month_url", f"{server.url}/some-uuid", http_transports())
    server.status = 404

    assert [switch.send(Signal.SUCCESS, "") for _ in range(2)] == [False, False]
    server.status = 200
    assert switch.send(Signal.SUCCESS, "") is True

    (record,) = caplog.records
    assert record.getMessage() == "a ping to ping.month_url did not get through: it answered 404; it is sent again"


def test_a_switch_that_is_not_there_is_logged_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    switch = HttpSwitch("ping.url", "http://127.0.0.1:1/some-uuid", http_transports())

    assert switch.send(Signal.SUCCESS, "") is False
    assert "ConnectError" in caplog.text
    assert "some-uuid" not in caplog.text


@pytest.mark.parametrize("name", ["a head that drips", "no HTTP", "a body without an end"])
def test_a_switch_that_answers_oddly_holds_nobody_up(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with hostile_server(name) as url:
        got_through = HttpSwitch("ping.url", url, http_transports(), timeout_s=0.3).send(Signal.SUCCESS, "well")

    assert got_through is (name == "a body without an end")  # nobody reads it
    assert len(caplog.records) == 1 - got_through


def test_a_daemon_pings_what_its_settings_name(server: Switch, tmp_path: Path) -> None:
    addresses = {"ping__url": f"{server.url}/alive", "ping__month_url": f"{server.url}/month"}
    daemon = start(site(tmp_path, World(datetime(2026, 11, 10, 12, tzinfo=UTC)), addresses))
    daemon.tick()
    daemon.beat()
    daemon.daemon.pings.send()
    daemon.close()

    assert server.heard == [("/alive/start", "started"), ("/alive", "well"), ("/month", "2026-10 is complete")]


def test_an_address_is_a_secret(tmp_path: Path) -> None:
    settings = settings_of(f"sqlite:///{tmp_path}/store", ping__url="https://hc-ping.com/some-uuid")

    assert "https://hc-ping.com/some-uuid" in secrets_of(settings)
    assert "some-uuid" not in str(settings.describe())
