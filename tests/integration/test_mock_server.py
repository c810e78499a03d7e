"""The mock over real connections, and `report-service mock-api` as a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import insert

from report_service.adapters.clock import SystemClock
from report_service.adapters.db.tables import attempts
from report_service.cli.mock_api import mock_api
from report_service.errors import BadInput, UsageError
from report_service.mock_api.app import MockObelis
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from report_service.mock_api.server import MockServer
from tests.support.mock_here import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from report_service.adapters.db.engine import Store

COMMAND = [str(Path(sys.executable).with_name("report-service")), "mock-api", "--port", "0"]
CREDENTIALS = {"client_id": "test-client", "client_secret": "test-secret", "cpo_id": "DEABC"}
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "38032faa-7d39-47d2-a8cf-7408f3f23258"
PREFIX = "/ocpi/bob/2.2/debob-reports"
RATINGS = f"{PREFIX}/charginghub/{HUB}/ratings"


@pytest.fixture
def app() -> MockObelis:
    return MockObelis(clock=SystemClock(), any_month=True)


@pytest.fixture
def client(app: MockObelis) -> Iterator[httpx.Client]:
    with served(app) as url, authorized(url) as client:
        yield client


@contextmanager
def authorized(url: str) -> Iterator[httpx.Client]:
    """Yield a client with a token; its connections stay open between requests."""
    with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
        token = client.post("/token", json=CREDENTIALS).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def rate(client: httpx.Client, month: str = "10-2026") -> httpx.Response:
    return client.post(RATINGS, json={"month": month, "rating": 2}, headers={"X-Request-ID": "request-1"})


def test_reports_are_created_and_corrected_over_one_connection(client: httpx.Client, app: MockObelis) -> None:
    created = rate(client)
    corrected = client.put(f"{RATINGS}/10-2026", json={"rating": 5})
    assert (created.status_code, corrected.status_code) == (200, 200)
    assert created.headers["Content-Type"] == "application/json"
    assert "GMT" in created.headers["Date"]
    assert created.extensions["network_stream"] is corrected.extensions["network_stream"]
    assert [json.loads(body) for body in app.reports.values()] == [{"rating": 5}]


def test_percent_encoded_paths_are_decoded_once(client: httpx.Client) -> None:
    body = {"month": "10-2026", "rating": 2}
    assert client.post(RATINGS.replace(HUB, HUB.replace("-", "%2D")), json=body).status_code == 200
    assert rate(client).status_code == 409
    assert client.post(RATINGS.replace(HUB, HUB.replace("-", "%252D")), json=body).status_code == 200


def test_a_body_may_come_in_pieces(client: httpx.Client) -> None:
    pieces = iter([b'{"month":"10-', b'2026",', b'"rating":2}'])
    answer = client.post(RATINGS, content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_a_request_that_breaks_off_is_none(client: httpx.Client, app: MockObelis) -> None:
    address = (client.base_url.host, client.base_url.port or 0)
    with socket.create_connection(address) as connection:
        connection.sendall(f"POST {RATINGS} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode())
    assert rate(client).status_code == 200
    assert app.stats()["requests"] == 2


@pytest.mark.parametrize(("fault", "stored"), [("drop", 0), ("lost", 1)])
def test_a_dropped_connection_ends_without_a_byte(
    client: httpx.Client, app: MockObelis, fault: str, stored: int
) -> None:
    app.set_faults([InjectedFault.parse(f"{fault}#1")])
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        rate(client)
    assert len(app.reports) == stored
    assert rate(client).status_code == (409 if stored else 200)


def test_a_cut_answer_ends_in_the_middle(client: httpx.Client, app: MockObelis) -> None:
    app.set_faults([InjectedFault.parse("cut")])
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        rate(client)
    assert len(app.reports) == 1


def test_a_huge_answer_comes_whole(client: httpx.Client, app: MockObelis) -> None:
    app.set_faults([InjectedFault.parse("huge=4")])
    answer = rate(client)
    assert len(answer.content) > 4 * 2**20
    assert answer.json()["statusCode"] == 200


def test_an_answer_takes_its_time_and_does_not_hold_up_others() -> None:
    app = MockObelis(clock=SystemClock(), any_month=True, latency=constant(0.15))
    app.set_faults([InjectedFault.parse(f"slow=60@point_rating/{POINT}")])
    with served(app) as url, authorized(url) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{PREFIX}/charginghub/{HUB}/chargingpoint/{POINT}/ratings", json={}, timeout=0.05)
        started = time.monotonic()
        assert rate(client).status_code == 200
        assert 0.15 <= time.monotonic() - started < 5


def test_small_answers_are_not_held_back_by_the_network(client: httpx.Client) -> None:
    started = time.monotonic()
    for _ in range(40):
        rate(client)
    assert time.monotonic() - started < 1  # with Nagle's algorithm: 40 x 40 ms


def test_counts_can_be_asked_for(client: httpx.Client) -> None:
    rate(client)
    assert client.get("/_mock/stats").json()["by_ruling"] == {"token": 1, "created": 1}


def test_a_bug_in_the_mock_is_told_and_answered_500(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_line: str) -> None:
        raise RuntimeError("disk full")

    with served(MockObelis(clock=SystemClock(), log=broken)) as url:
        assert httpx.post(f"{url}/token", json=CREDENTIALS, trust_env=False).status_code == 500
    assert "the mock failed on POST /token" in caplog.text
    assert "disk full" in caplog.text


@pytest.mark.parametrize(
    ("host", "port", "hint"), [("192.0.2.1", 0, "IPv4 address"), ("127.0.0.1", 70000, "a port from 1024")]
)
def test_an_address_that_cannot_be_had_is_refused(app: MockObelis, host: str, port: int, hint: str) -> None:
    with pytest.raises(UsageError, match="cannot listen on") as caught:
        MockServer(app, host=host, port=port)
    assert hint in (caught.value.hint or "")


def test_a_port_that_is_taken_is_refused(app: MockObelis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1 port {port}") as caught:
            MockServer(app, host="127.0.0.1", port=port)
    assert "choose another port" in (caught.value.hint or "")


@contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; yield the process and the URL that it prints first."""
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            line = _stdout(running).readline()
            assert "listening on http://127.0.0.1:" in line, running.stderr and running.stderr.read()
            yield running, line.split()[-1]
        finally:
            running.terminate()


def _stdout(running: subprocess.Popen[str]) -> IO[str]:
    assert running.stdout is not None
    return running.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with process("--fault", "slow=60") as (running, url), authorized(url) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(RATINGS, json={}, timeout=0.05)
        running.send_signal(number)
        out, err = running.communicate(timeout=15)
    assert (running.returncode, out, err) == (0, "", "")


def test_the_command_keeps_the_rules_that_its_options_name(tmp_path: Path) -> None:
    (tmp_path / "hubs.csv").write_text(f"hub_id,name\n{HUB},Coswig\n{POINT},Riesa\n")
    (tmp_path / "points.csv").write_text(f"point_id,hub_id\n{POINT},{HUB}\n")
    log = tmp_path / "requests.jsonl"
    options = {
        "--now": "2031-03-01T00:00:00Z",
        "--zone": "UTC",
        "--latency": "20ms",
        "--limit": "6",
        "--retry-after": "9",
        "--fault": "503@ad_hoc_tariff",
        "--inventory": str(tmp_path),
        "--hidden": f"{POINT.upper()}=900",
        "--client-secret": "test-secret",
        "--token-lifetime": "600",
        "--seed": "5",
        "--path": "hub_rating=/hubs/{hub_id}",
        "--log": str(log),
    }
    with process(*(part for option in options.items() for part in option)) as (_, url), authorized(url) as client:
        refused = client.post("/token", json={**CREDENTIALS, "client_secret": "another"})
        good = {"month": "02-2031", "rating": 2}
        answers = [
            client.post(f"{PREFIX}/hubs/{HUB}", json=good),
            client.post(f"{PREFIX}/hubs/{POINT}", json=good),
            client.post(f"{PREFIX}/charginghub/{HUB}/ad-hoc-tariff", json={}),
            client.post(
                f"{PREFIX}/charginghub/{HUB}/chargingpoint/{HUB}/ratings", json={**good, "totalComplaints": 0}
            ),
            client.post(f"{PREFIX}/hubs/{HUB}", json=good),
        ]
        assert refused.status_code == 401
        assert [answer.status_code for answer in answers] == [200, 404, 503, 404, 429]
        assert answers[-1].headers["Retry-After"] == "9"
        assert answers[0].headers["Date"].startswith("Sat, 01 Mar 2031 00:00:")
        assert answers[0].elapsed.total_seconds() >= 0.02
        lines = [json.loads(line) for line in log.read_text().splitlines()]  # while the mock still runs
        assert [line["http_status"] for line in lines] == [200, 401, 200, 404, 503, 404, 429]


def test_the_command_speaks_the_old_dialect_and_takes_any_month() -> None:
    with process("--dialect", "0.9", "--any-month") as (_, url), authorized(url) as client:
        path = f"{PREFIX}/locations/{HUB}/ratings"
        first, second = (client.post(path, json={"month": "01-2020", "rating": 1}) for _ in range(2))
    assert (first.status_code, first.json()["status_code"]) == (201, 1000)
    assert (second.status_code, second.json()["status_code"]) == (200, 2900)


def record_attempt(store: Store, *, seconds: float) -> None:
    """Write a request that was answered after so many seconds into the ledger."""
    started = datetime(2026, 11, 2, 9, tzinfo=UTC)
    with store.write() as connection:
        connection.execute(
            insert(attempts).values(
                request_id="request-1",
                endpoint="https://qa.example",
                run_id="run-1",
                instance="test",
                verb="POST",
                path=RATINGS,
                started_at=started,
                ended_at=started + timedelta(seconds=seconds),
                http_status=200,
            )
        )


def test_the_command_samples_its_latency_from_a_ledger(store: Store, store_url: str) -> None:
    record_attempt(store, seconds=0.123)
    with process("--latency-from", store_url) as (_, url), authorized(url) as client:
        assert 0.123 <= rate(client).elapsed.total_seconds() < 5


@pytest.mark.usefixtures("store")
def test_a_ledger_without_durations_is_refused(store_url: str) -> None:
    with pytest.raises(BadInput, match="holds no durations yet") as caught:
        mock_api(latency_from=store_url)
    assert "--latency lognormal" in (caught.value.hint or "")
