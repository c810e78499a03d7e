"""Made-up secrets, the search for them, and an API that repeats all that it hears."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


# Words that no encoding but base64 changes, and after them what every encoding writes differently.
CLIENT, TOKEN, HEADER, STORE, SOURCE, PROXY, QUERY = WORDS = (
    "ClientKanarienvogel1",
    "TokenKanarienvogel2",
    "HeaderKanarienvogel3",
    "StoreKanarienvogel4",
    "SourceKanarienvogel5",
    "ProxyKanarienvogel6",
    "QueryKanarienvogel7",
)
AWKWARD = "+/%&=\"'<\\"
CLIENT_SECRET, TOKEN_VALUE, HEADER_VALUE = CLIENT + AWKWARD, TOKEN + AWKWARD, HEADER + AWKWARD
TELLING = 10
"""So many characters of a secret in a row are a leak: the first half of one that was cut counts too."""


def leaks(text: str | bytes) -> set[str]:
    """Return the words that a text holds, even in part: plain, or in base64 with anything before them."""
    text = text if isinstance(text, str) else text.decode("latin-1")
    plain = text.lower()
    return {word for word in WORDS if word[:TELLING].lower() in plain or any(part in text for part in coded(word))}


def coded(word: str) -> Iterator[str]:
    """Yield the beginning of a word in base64, for each place in a group of three bytes at which it can begin."""
    for before in range(3):
        within = base64.b64encode(b"?" * before + word.encode()).decode()[-(-before * 8 // 6) :][:TELLING]
        yield from (within, within.replace("+", "-").replace("/", "_"))


# --- the API


def message(text: str) -> str:
    return json.dumps({"statusCode": 400, "message": text})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ANSWERS: Mapping[str, Callable[[str], tuple[int, str] | bytes]] = {
    "its words": lambda heard: (400, message(f"you said {heard}")),
    "in base64": lambda heard: (400, message(encoded(heard))),
    "as in a URL": lambda heard: (400, message(quote_plus(heard))),
    "the token alone": lambda heard: (400, message(TOKEN_VALUE)),
    "the token in base64, cut": lambda heard: (400, message("x" * 380 + encoded(TOKEN_VALUE))),
    "the token for a URL, cut": lambda heard: (400, message("x" * 375 + quote(TOKEN_VALUE))),
    "a header's value, cut": lambda heard: (400, message("x" * 380 + HEADER_VALUE)),
    "faults of fields": lambda heard: (
        200,
        json.dumps({"status_code": 2001, "data": [{"fieldName": heard, "invalidValue": heard, "message": "no"}]}),
    ),
    "an id": lambda heard: (200, json.dumps({"statusCode": 200, "data": {"id": TOKEN_VALUE}})),
    "an id in base64": lambda heard: (200, json.dumps({"statusCode": 200, "data": {"id": encoded(TOKEN_VALUE)}})),
    "an echo": lambda heard: (200, json.dumps({"statusCode": 200, "data": {"id": "1", "rating": heard}})),
    "forbidden": lambda heard: (403, message(heard)),
    "not found": lambda heard: (404, heard),
    "a conflict": lambda heard: (409, message(heard)),
    "a failure": lambda heard: (500, f"<html>{heard}</html>"),
    "a page": lambda heard: (200, f"<html>{heard}</html>"),
    "a redirect": lambda heard: (302, message(heard)),
    "no status line": lambda heard: f"HTTP/1.1 {heard}\r\n\r\n".encode(),
    "a reason phrase": lambda heard: f"HTTP/1.1 400 {heard}\r\nContent-Length: 0\r\n\r\n".encode(),
    "no header": lambda heard: f"HTTP/1.1 200 OK\r\n{heard}\r\n\r\n".encode(),
    "dates": lambda heard: (
        f"HTTP/1.1 429 Slow\r\nDate: {heard}\r\nRetry-After: {heard}\r\nContent-Length: 0\r\n\r\n".encode()
    ),
    "no chunk": lambda heard: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{heard}".encode(),
    "nothing": lambda heard: b"",
}
"""How a parrot repeats what it heard to those who bring a report; between two of these it accepts one."""

TOKEN_ANSWERS: Mapping[str, tuple[int, Callable[[str], tuple[int, str] | bytes]]] = {
    "its words": (4, lambda heard: (401, message(f"you said {heard}"))),
    "in base64": (4, lambda heard: (401, message(encoded(heard)))),
    "as in a URL, cut": (4, lambda heard: (400, message("x" * 375 + quote(CLIENT_SECRET)))),
    "a failure": (4, lambda heard: (500, heard)),
    "a redirect": (4, lambda heard: (302, heard)),
    "no token": (4, lambda heard: (200, json.dumps({"token_typ": heard, heard: "Bearer"}))),
    "another type": (4, lambda heard: (200, json.dumps({"token": TOKEN, "token_type": heard}))),
    "a token of several lines": (4, lambda heard: (200, json.dumps({"token": f"{TOKEN}\n{TOKEN}"}))),
    "no JSON": (4, lambda heard: (200, f"token={TOKEN_VALUE} {heard}")),
    "no status line": (4, lambda heard: f"HTTP/1.1 {heard}\r\n\r\n".encode()),
}
"""The same for those who ask for a token, and the exit code that follows."""


class Parrot(ThreadingHTTPServer):
    """An API that repeats all that it hears."""

    def __init__(self, token: Callable[[str], tuple[int, str] | bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Listening)
        self.token = token
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.heard = ""
        self.left = [each for answer in ANSWERS.values() for each in (answer, accept)]
        self._lock = threading.Lock()

    def answer(self, path: str, heard: str) -> tuple[int, str] | bytes:
        with self._lock:
            self.heard += heard
            if path.startswith("/token"):
                return self.token(heard)
            return (self.left.pop(0) if self.left else accept)(heard)


class Listening(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Parrot

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        told = (self.headers.get(name, "") for name in ("authorization", "x-api-key"))
        answer = self.server.answer(self.path, " ".join((*told, self.path, body)).strip())
        self.close_connection = True
        if isinstance(answer, bytes):
            self.wfile.write(answer)
            return
        status, text = answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        if status == 302:
            self.send_header("Location", f"https://elsewhere.invalid/?{quote(self.server.heard[:200])}")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_CONNECT(self) -> None:
        self.server.heard += f"{self.path} {self.headers['proxy-authorization']}"
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 407 {self.server.heard}\r\nX: {self.server.heard}\r\n\r\n".encode())

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


def accept(_heard: str) -> tuple[int, str]:
    return 200, json.dumps({"statusCode": 200, "data": {"id": "1"}})


def issue(_heard: str) -> tuple[int, str]:
    return 200, json.dumps({"token": TOKEN_VALUE, "expires_in": 3600, "token_type": "Bearer"})


@contextmanager
def parrot(token: Callable[[str], tuple[int, str] | bytes] = issue) -> Iterator[Parrot]:
    server = Parrot(token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
