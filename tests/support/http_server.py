"""Servers on the loopback that play a script: they answer, stall, drip, break off."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import trustme

AUTHORITY = trustme.CA()
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":{}}'


class Peer:
    """A server's side of one connection."""

    def __init__(self, sock: socket.socket, seen: list[bytes]) -> None:
        self.sock = sock
        self._seen = seen

    def request(self) -> bytes:
        """Read a request with its body, and note it; nothing if the other side hung up."""
        text = b""
        while not self._whole(text):
            more = self.sock.recv(65536)
            if not more:
                return b""
            text += more
        self._seen.append(text)
        return text

    @staticmethod
    def _whole(text: bytes) -> bool:
        head, end, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return bool(end) and len(body) >= int(length[1] if length else 0)

    def say(self, text: bytes) -> None:
        self.sock.sendall(text)

    def reset(self) -> None:
        """Break the connection off without a goodbye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Peer], None]


def answer_all(peer: Peer) -> None:
    while peer.request():
        peer.say(OK)


class Server:
    """A server on the loopback: each connection plays the script in a thread of its own."""

    def __init__(self, script: Script, *, tls: bool = False) -> None:
        self.seen: list[bytes] = []
        self.connections = 0
        self.hung_up = threading.Event()  # set each time that a script has ended
        self._script = script
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            AUTHORITY.issue_cert("localhost").configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a connection was left open"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._play, args=(sock,))
                self._threads.append(thread)
                thread.start()

    def _play(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        try:
            with suppress(OSError):
                if self._tls:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                self._script(Peer(sock, self.seen))
        finally:
            sock.close()
            self.hung_up.set()
