"""Connections: how they are made, and how a request that takes too long is cut off."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from report_service.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.ports import Clock

KEEP_ALIVE_S = 50.0
"""How long an unused connection is kept: less than the 60 s after which load balancers usually close theirs."""

Transports = Callable[[], httpx.BaseTransport]
"""What makes a transport for each worker."""


def http_transports(*, ca_file: Path | None = None, ca_only: bool = False, proxy: str | None = None) -> Transports:
    """Return what makes a transport of one connection; all of them share one TLS context.

    `ca_file` adds to the usual authorities (certifi's), or replaces them (`ca_only`); `proxy` may hold a password.
    The environment is not asked for proxies or certificates, redirects are not followed, HTTP/2 is off. Raise
    ConfigurationError for a file without certificates.
    """
    trusted = _trust(ca_file, alone=ca_only) if ca_file else httpx.create_ssl_context(trust_env=False)
    # one: a token request to another host closes it, but what the watchdog cuts is sure to be what is in use
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE_S)
    to_proxy = trusted if proxy and proxy.lower().startswith("https:") else None  # httpx takes none for http
    via = httpx.Proxy(proxy, ssl_context=to_proxy) if proxy else None

    def make() -> httpx.BaseTransport:
        return httpx.HTTPTransport(verify=trusted, limits=limits, proxy=via, trust_env=False, http2=False)

    return make


def _trust(ca_file: Path, *, alone: bool) -> ssl.SSLContext:
    try:
        if alone:
            return ssl.create_default_context(cafile=str(ca_file))
        context = httpx.create_ssl_context(trust_env=False)
        context.load_verify_locations(cafile=str(ca_file))
    except OSError as exc:  # ssl.SSLError is one
        raise ConfigurationError(
            f"obelis.ca_file = {str(ca_file)!r} holds no certificates: {exc.strerror or exc}",
            hint="Name a PEM file with the authorities' certificates, or leave obelis.ca_file out.",
        ) from exc
    return context


@dataclass(slots=True, eq=False)
class WorkerConnection:
    """One worker's transport, and the socket below it as far as it is known."""

    transport: httpx.BaseTransport
    socket: socket.socket | None = None
    cut: bool = False  # the request on it took too long

    def hang_up(self) -> None:
        """Close the connection."""
        self.transport.close()

    def cut_off(self) -> None:
        """Let whoever waits for an answer on it find the connection closed."""
        self.cut = True
        if self.socket is not None:
            with contextlib.suppress(OSError):  # closed meanwhile
                self.socket.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Cut off each request that takes longer than its time.

    The time-outs of httpx begin anew with every byte that comes, so a server that drips its answer could hold
    a worker for hours. One thread sleeps until the oldest request is due, and for good while there is none.
    """

    def __init__(self, clock: Clock) -> None:
        """Watch from the first request on; the thread does not keep the process from ending."""
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[WorkerConnection, float] = {}  # oldest first: all have the same time
        self._idle = False
        self._closed = False
        self._watching = False

    def watch(self, connection: WorkerConnection, until: float) -> None:
        """Cut the line off at a moment (monotonic seconds) unless it is released before."""
        with self._changed:
            connection.cut = False
            self._due[connection] = until
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
            if self._idle:
                self._changed.notify()

    def release(self, connection: WorkerConnection) -> None:
        """Leave the line alone again."""
        with self._changed:
            self._due.pop(connection, None)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                connection, until = next(iter(self._due.items()), (None, 0.0))
                left_s = None if connection is None else until - self._clock.monotonic()
                if connection is not None and left_s is not None and left_s <= 0:
                    del self._due[connection]
                    connection.cut_off()
                    continue
                self._idle = left_s is None
                self._changed.wait(left_s)
                self._idle = False
