"""A server that answers with what no client should choke on: every report, or the request for a token."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TOKEN = b'{"token": "a-token", "expires_in": 3600, "token_type": "Bearer"}'
YES = b'{"statusCode": 200, "data": {"id": "1"}}'
MEGABYTE = b"x" * 2**20


def _whole(body: bytes, *headers: bytes, status: bytes = b"200 OK", charset: bytes = b"utf-8") -> list[bytes]:
    kind = b"Content-Type: application/json; charset=" + charset
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), kind, *headers]
    return [b"\r\n".join(head) + b"\r\n\r\n" + body]


@cache
def _bomb() -> bytes:
    return gzip.compress(100 * MEGABYTE, 9)


def _large(status: bytes = b"200 OK") -> Iterator[bytes]:
    yield b"HTTP/1.1 " + status + b"\r\nContent-Length: 104857600\r\n\r\n"
    for _ in range(100):
        yield MEGABYTE


def _endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"100000\r\n" + MEGABYTE + b"\r\n"


def _dripping(part: bytes) -> Iterator[bytes]:
    while True:
        yield part
        time.sleep(0.1)


def _slow_body() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    yield from _dripping(b"x")


def _many_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(10_000):
        yield b"X-Header-%d: value\r\n" % number
    yield b"Content-Length: 2\r\n\r\n{}"


HOSTILE: dict[str, Callable[[], Iterable[bytes]]] = {
    "a body of 100 MB": _large,
    "a body without an end": _endless,
    "a body that drips": _slow_body,
    "a head that drips": lambda: _dripping(b"H"),
    "interim answers without an end": lambda: _dripping(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "10,000 headers": _many_headers,
    "a header of 4 MB": lambda: _whole(b"{}", b"X-Long: " + 4 * MEGABYTE),
    "a gzip bomb": lambda: _whole(_bomb(), b"Content-Encoding: gzip"),
    "a body of 100 MB that says no": lambda: _large(b"400 Bad Request"),
    "deep JSON": lambda: _whole(b"[" * 60_000),
    "a number of 50,000 digits": lambda: _whole(b'{"statusCode": ' + b"2" * 50_000 + b"}"),
    "a number beyond all": lambda: _whole(b'{"statusCode": 2e999}'),
    "half a surrogate pair": lambda: _whole(b'{"statusCode": 500, "message": "\\ud800"}'),
    "text in UTF-16": lambda: _whole('{"statusCode": 500}'.encode("utf-16")),
    "text in another charset than it says": lambda: _whole(
        '{"statusCode": 500, "message": "größer"}'.encode("latin-1")
    ),
    "a charset that there is not": lambda: _whole(b'{"statusCode": 500}', charset=b"no-such"),
    "a charset of 1 MB": lambda: _whole(b'{"statusCode": 500}', charset=MEGABYTE),
    "a no and a yes under one name": lambda: _whole(b'{"statusCode": 400, ' + YES[1:]),
    "a million names": lambda: _whole(b"{" + b",".join(b'"%d":0' % number for number in range(10**6)) + b"}"),
    "bytes that are no text": lambda: _whole(bytes(range(256)) * 200),
    "a terminal's escape codes": lambda: _whole(b'{"statusCode": 500, "message": "\\u001b[2J\\u0000"}'),
    "a length that is none": lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"],
    "two lengths": lambda: _whole(b'{"data": {"id": 1}}', b"Content-Length: 2"),
    "no HTTP": lambda: [b"\x16\x03\x01\x02\x00\x01\x00"],
    "a status of its own": lambda: _whole(b"{}", status=b"999 Odd"),
    "a date in the year 9999": lambda: _whole(b"{}", b"Date: Fri, 31 Dec 9999 23:59:59 GMT"),
    "a wait without an end": lambda: _whole(b"{}", b"Retry-After: 1e308", status=b"503 Busy"),
    "nothing": list,
}
"""By name what is sent as the answer to a report; none of it says yes."""


@contextmanager
def hostile_server(name: str, *, token: bool = False) -> Iterator[str]:
    """Let a server answer every report so, or the request for a token; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, HOSTILE[name], token), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listening: socket.socket, answer: Callable[[], Iterable[bytes]], token: bool) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_answer, args=(connection, answer, token), daemon=True).start()


def _answer(connection: socket.socket, answer: Callable[[], Iterable[bytes]], token: bool) -> None:
    """Answer one request, and hang up."""
    with connection, suppress(OSError):
        asks_for_token = connection.recv(65536).startswith(b"POST /token")
        for part in answer() if asks_for_token is token else _whole(TOKEN):
            connection.sendall(part)
