"""The client against real sockets: servers that answer, stall, drip, break off; TLS; proxies."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
import trustme

from report_service.adapters.clock import SystemClock
from report_service.adapters.obelis.auth import ClientCredentials
from report_service.adapters.obelis.client import BODY_LIMIT, HttpReportApi
from report_service.adapters.obelis.transport import http_transports
from report_service.domain.responses import ApiResponse, Outcome, classify
from report_service.errors import ConfigurationError
from report_service.ports import Request
from tests.support.http_server import AUTHORITY, OK, Peer, Script, Server, answer_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


TOKEN = "tok.en-1234567890"


class Bench:
    """Servers, and clients that talk to them; all closed at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def server(self, script: Script, *, tls: bool = False) -> Server:
        return self._stack.enter_context(Server(script, tls=tls))

    def api(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        ca_file: Path | None = None,
        ca_only: bool = False,
        proxy: str | None = None,
        token_url: str = "https://auth.invalid/token",
    ) -> HttpReportApi:
        api = HttpReportApi(
            base_url=url,
            credentials=ClientCredentials(
                token_url=token_url, client_id="client-1", client_secret=lambda: "test-secret", cpo_id="DEABC"
            ),
            transports=http_transports(ca_file=ca_file, ca_only=ca_only, proxy=proxy),
            clock=SystemClock(),
            timeout_s=timeout_s,
            correlation_id="c0ffee00-0000-4000-8000-000000000000",
        )
        self._stack.callback(api.close)
        return api


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack)


def allowed() -> None:
    return None


def post(api: HttpReportApi, request_id: str = "id-1") -> ApiResponse:
    request = Request(
        request_id=request_id, verb="POST", path="/reports", body=b'{"month":"10-2026"}', token=TOKEN
    )
    return api.exchange(request, allowed)


def test_a_report_is_sent_as_plain_http_1_1(bench: Bench) -> None:
    server = bench.server(answer_all)
    assert post(bench.api(server.url)) == ApiResponse(http_status=200, body=b'{"data":{}}')
    head, _, body = server.seen[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert (first, body) == ("POST /reports HTTP/1.1", b'{"month":"10-2026"}')
    assert f"authorization: Bearer {TOKEN}" in headers
    assert f"Host: 127.0.0.1:{server.port}" in headers
    assert not any(header.lower().startswith(("cookie", "expect", "upgrade")) for header in headers)


def test_a_connection_is_kept_from_request_to_request(bench: Bench) -> None:
    server = bench.server(answer_all)
    api = bench.api(server.url)
    assert [post(api).http_status for _ in range(5)] == [200] * 5
    assert server.connections == 1


def test_each_thread_has_a_connection_of_its_own(bench: Bench) -> None:
    server = bench.server(answer_all)
    api = bench.api(server.url)
    threads = [threading.Thread(target=lambda: [post(api) for _ in range(3)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (server.connections, len(server.seen)) == (4, 12)


def test_token_and_reports_may_live_on_two_hosts(bench: Bench) -> None:
    reports, tokens = bench.server(answer_all), bench.server(answer_all)
    api = bench.api(reports.url, token_url=f"{tokens.url}/oauth?x=1")
    for _ in range(2):
        assert api.exchange(api.token_request("id"), allowed).http_status == 200
        assert post(api).http_status == 200
    assert [text.split()[1] for text in tokens.seen] == [b"/oauth?x=1"] * 2
    assert not any(b"uthorization" in text for text in tokens.seen)
    assert [text.split()[1] for text in reports.seen] == [b"/reports"] * 2


def test_cookies_are_not_sent_back(bench: Bench) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.say(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    server = bench.server(script)
    api = bench.api(server.url)
    post(api)
    post(api)
    assert b"ookie" not in server.seen[1]


def test_a_redirect_does_not_carry_the_token_anywhere(bench: Bench) -> None:
    elsewhere = bench.server(answer_all)

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(f"HTTP/1.1 307 See\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode())

    assert post(bench.api(bench.server(script).url)).http_status == 307
    assert elsewhere.connections == 0


def test_the_environment_names_no_proxy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = bench.server(answer_all), bench.server(answer_all)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert post(bench.api(server.url)).http_status == 200
    assert proxy.connections == 0


# --- ends


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_refused_connection_was_not_sent(bench: Bench) -> None:
    answer = post(bench.api(f"http://127.0.0.1:{closed_port()}"))
    assert classify(answer).outcome is Outcome.NOT_SENT
    assert answer.detail == "ConnectError: [Errno 111] Connection refused"


def test_a_name_that_cannot_be_one_was_not_sent(bench: Bench) -> None:
    answer = post(bench.api(f"http://{'a' * 70}.invalid"))
    assert classify(answer).outcome is Outcome.NOT_SENT


def hang_up(peer: Peer) -> None:
    peer.request()


def reset(peer: Peer) -> None:
    peer.request()
    peer.reset()


def babble(peer: Peer) -> None:
    peer.request()
    peer.say(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize("script", [hang_up, reset, babble])
def test_a_request_that_left_and_was_not_answered_has_an_unknown_end(bench: Bench, script: Script) -> None:
    server = bench.server(script)
    answer = post(bench.api(server.url))
    assert classify(answer).outcome is Outcome.NO_ANSWER
    assert answer.detail
    assert len(server.seen) == 1


def test_a_kept_connection_that_dies_under_a_request_is_an_unknown_end(bench: Bench) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.say(OK)
        peer.request()

    server = bench.server(script)
    api = bench.api(server.url)
    assert [post(api).http_status for _ in range(4)] == [200, None, 200, None]
    assert (server.connections, len(server.seen)) == (2, 4)  # nothing was sent twice


def test_a_connection_that_was_closed_while_idle_is_replaced(bench: Bench) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.say(OK)

    server = bench.server(script)
    api = bench.api(server.url)
    for _ in range(3):
        server.hung_up.clear()
        assert post(api).http_status == 200
        assert server.hung_up.wait(10)
    assert server.connections == 3


def test_a_broken_off_body_keeps_the_status(bench: Bench) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data"')

    answer = post(bench.api(bench.server(script).url))
    assert (answer.http_status, answer.body, answer.complete) == (200, b'{"data"', False)


def test_an_endless_body_is_cut_at_the_limit(bench: Bench) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.say(b"400\r\n" + b"x" * 1024 + b"\r\n")

    server = bench.server(script)
    api = bench.api(server.url)
    answer = post(api)
    assert (answer.http_status, len(answer.body), answer.complete) == (500, BODY_LIMIT, False)
    assert server.hung_up.wait(10)


# --- time


def silence(peer: Peer) -> None:
    peer.request()
    peer.sock.recv(1)  # until the other side gives up


def drip_head(peer: Peer) -> None:
    peer.request()
    peer.say(b"HTTP/1.1 200 OK\r\n")
    drip(peer, b"X-Slow: and slower\r\n")


def drip_body(peer: Peer) -> None:
    peer.request()
    peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(peer, b"x")


def drip(peer: Peer, text: bytes) -> None:
    """Send a byte every 20 ms until the other side has had enough, for 8 s at most."""
    pause, index = threading.Event(), 0
    for index in range(400):
        peer.say(text[index % len(text) :][:1])
        pause.wait(0.02)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(("script", "status"), [(silence, None), (drip_head, None), (drip_body, 200)])
def test_no_answer_is_waited_for_beyond_its_time(
    bench: Bench, ca_file: Path, script: Script, status: int | None, tls: bool
) -> None:
    server = bench.server(script, tls=tls)
    api = bench.api(server.url, timeout_s=0.4, ca_file=ca_file)
    began = time.monotonic()
    answer = post(api)
    assert 0.3 < time.monotonic() - began < 4
    assert (answer.http_status, answer.sent, answer.complete) == (status, True, status is None)
    assert "no whole answer within 0.4 s" in answer.detail or "timed out" in answer.detail


def test_after_one_that_took_too_long_the_next_one_works(bench: Bench) -> None:
    first = threading.Event()

    def script(peer: Peer) -> None:
        if first.is_set():
            answer_all(peer)
        first.set()
        silence(peer)

    api = bench.api(bench.server(script).url, timeout_s=0.3)
    assert [post(api).http_status for _ in range(3)] == [None, 200, 200]


def test_the_connection_that_is_cut_is_the_one_that_is_in_use(bench: Bench) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            if len(reports.seen) > 1:
                peer.say(b"HTTP/1.1 200 OK\r\n")
                drip(peer, b"X-Slow: and slower\r\n")
            peer.say(OK)

    reports, tokens = bench.server(script), bench.server(answer_all)
    api = bench.api(reports.url, timeout_s=0.4, token_url=f"{tokens.url}/token")
    assert post(api).http_status == 200
    assert api.exchange(api.token_request("id"), allowed).http_status == 200
    began = time.monotonic()
    assert post(api).http_status is None
    assert time.monotonic() - began < 4


def test_a_request_that_is_done_is_not_cut_off_later(bench: Bench) -> None:
    """The watchdog, woken at the first request's time, finds another one under way and lets it be."""

    def script(peer: Peer) -> None:
        while text := peer.request():
            threading.Event().wait(0.4 if b"slow" in text else 0.0)
            peer.say(OK)

    api = bench.api(bench.server(script).url, timeout_s=0.6)
    assert post(api).http_status == 200
    assert [post(api, "slow").http_status for _ in range(3)] == [200] * 3


def test_closing_the_client_closes_its_connections(bench: Bench) -> None:
    server = bench.server(answer_all)
    api = bench.api(server.url)
    post(api)
    assert not server.hung_up.is_set()
    api.close()
    assert server.hung_up.wait(10)


def test_permission_is_asked_again_when_the_connection_stands(bench: Bench) -> None:
    server = bench.server(answer_all)
    api = bench.api(server.url)
    answers = iter([None, "the window has closed"])
    request = Request(request_id="id", verb="POST", path="/reports", body=b"{}", token=TOKEN)
    assert api.exchange(request, lambda: next(answers)) == ApiResponse(
        sent=False, cancelled=True, detail="the window has closed"
    )
    assert server.hung_up.wait(10)
    assert (server.connections, server.seen) == (1, [])
    assert post(api).http_status == 200


# --- TLS


def test_a_certificate_of_the_named_authorities_is_trusted(bench: Bench, ca_file: Path) -> None:
    server = bench.server(answer_all, tls=True)
    api = bench.api(server.url, ca_file=ca_file)
    assert [post(api).http_status for _ in range(2)] == [200, 200]
    assert server.connections == 1


@pytest.mark.parametrize(("ca_only", "status"), [(False, 200), (True, None)])
def test_the_named_authorities_add_to_the_usual_ones_unless_they_are_to_replace_them(
    bench: Bench, ca_file: Path, monkeypatch: pytest.MonkeyPatch, ca_only: bool, status: int | None
) -> None:
    company = ca_file.with_name("company.pem")
    trustme.CA().cert_pem.write_to_path(str(company))
    monkeypatch.setattr("certifi.where", lambda: str(ca_file))  # the usual ones
    server = bench.server(answer_all, tls=True)

    assert post(bench.api(server.url, ca_file=company, ca_only=ca_only)).http_status == status
    assert post(bench.api(server.url, ca_file=ca_file, ca_only=ca_only)).http_status == 200


def test_an_unknown_certificate_ends_before_anything_is_sent(bench: Bench) -> None:
    server = bench.server(answer_all, tls=True)
    answer = post(bench.api(server.url))
    assert classify(answer).outcome is Outcome.NOT_SENT
    assert "CERTIFICATE_VERIFY_FAILED" in answer.detail
    assert server.seen == []


def test_a_certificate_for_another_host_ends_before_anything_is_sent(bench: Bench, ca_file: Path) -> None:
    server = bench.server(answer_all, tls=True)
    answer = post(bench.api(f"https://127.0.0.1:{server.port}", ca_file=ca_file))
    assert classify(answer).outcome is Outcome.NOT_SENT
    assert server.seen == []


def test_a_server_without_tls_gets_nothing(bench: Bench) -> None:
    server = bench.server(lambda peer: peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    answer = post(bench.api(f"https://127.0.0.1:{server.port}"))
    assert classify(answer).outcome is Outcome.NOT_SENT


# --- proxies


def tunnel_to(server: Server) -> Script:
    """Connect whoever asks to a server, and carry bytes both ways."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while more := source.recv(65536):
                target.sendall(more)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def script(peer: Peer) -> None:
        peer.request()
        with socket.create_connection(("127.0.0.1", server.port)) as upstream:
            peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=carry, args=(upstream, peer.sock))
            back.start()
            carry(peer.sock, upstream)
            back.join()

    return script


@pytest.mark.parametrize("tls", [False, True])
def test_a_report_passes_a_proxy_unread(bench: Bench, ca_file: Path, tls: bool) -> None:
    server = bench.server(answer_all, tls=True)
    proxy = bench.server(tunnel_to(server), tls=tls)
    url = proxy.url.replace("://", "://user:pass-word@")
    api = bench.api(server.url, ca_file=ca_file, proxy=url)
    assert [post(api).http_status for _ in range(2)] == [200, 200]
    assert len(proxy.seen) == 1
    assert proxy.seen[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.1".encode())
    assert b"roxy-Authorization: Basic " in proxy.seen[0]
    assert TOKEN.encode() not in proxy.seen[0]
    assert len(server.seen) == 2
    assert b"roxy-" not in server.seen[0]


def refuse(peer: Peer) -> None:
    peer.request()
    peer.say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("script", [refuse, hang_up, reset, babble, silence])
def test_a_proxy_that_does_not_connect_leaves_the_request_unsent(bench: Bench, script: Script) -> None:
    proxy = bench.server(script)
    url = f"http://user:pass-word@127.0.0.1:{proxy.port}"
    answer = post(bench.api("https://api.invalid", proxy=url, timeout_s=0.5))
    assert classify(answer).outcome is Outcome.NOT_SENT
    assert "pass-word" not in answer.detail
    assert len(proxy.seen) == 1


def test_after_a_failed_handshake_beyond_a_proxy_the_thread_can_send_again(bench: Bench, ca_file: Path) -> None:
    plain, server = bench.server(lambda peer: peer.say(b"no TLS here\r\n")), bench.server(answer_all, tls=True)
    scripts = iter([tunnel_to(plain), tunnel_to(server)])

    def script(peer: Peer) -> None:
        next(scripts)(peer)

    proxy = bench.server(script)
    api = bench.api("https://localhost:1", ca_file=ca_file, proxy=f"http://127.0.0.1:{proxy.port}")
    assert [classify(post(api)).outcome, post(api).http_status] == [Outcome.NOT_SENT, 200]


def test_a_file_without_certificates_is_refused_with_its_name(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate\n")
    with pytest.raises(
        ConfigurationError, match=r"obelis\.ca_file = .*rubbish\.pem' holds no certificates"
    ) as refused:
        http_transports(ca_file=rubbish)
    assert "PEM" in str(refused.value.hint)
