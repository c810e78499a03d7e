"""A request on its way out: whether any byte of it left, and whether it still may (laws 1 and 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from report_service.adapters.obelis.transport import WorkerConnection
    from report_service.ports import Clock, SendCheck

CONNECT_SHARE = 0.4
"""The part of a request's time that connecting to an address may take, and again the TLS handshake."""

NEVER_LEFT = (
    httpx.ConnectError,  # DNS, TCP, TLS
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,  # it would not connect us
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""The failures that say by themselves that nothing left; after any other one something may have."""

CONNECTING = ("connection.", "proxy.")
"""What the events of a connection that is being made begin with; all others are of a request on its way."""


class SendCancelled(Exception):
    """The request must not go out; nothing of it did."""


@dataclass(slots=True, kw_only=True)
class RequestGuard:
    """Follow one request by the events that httpx's transport reports (its `trace` extension).

    They tell exactly what an exception's class only suggests, and they are the last moment to hold a request
    back: between the worker's start and the first byte lies the making of the connection.
    """

    connection: WorkerConnection
    send_check: SendCheck
    clock: Clock
    timeout_s: float
    until: float = field(init=False)  # monotonic seconds
    timeouts: dict[str, float] = field(init=False)  # httpx reads them before each step
    _traced: bool = False
    _through_proxy: bool = False  # what is on its way is the CONNECT to a proxy
    _left: bool = False
    _withheld: bool = False

    def __post_init__(self) -> None:
        self.until = self.clock.monotonic() + self.timeout_s
        connect_s = CONNECT_SHARE * self.timeout_s
        self.timeouts = {"connect": connect_s, "pool": connect_s, "write": self.timeout_s, "read": self.timeout_s}

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of an event; raise SendCancelled when the first byte is about to leave and must not."""
        self._traced = True
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self.connection.socket = info["return_value"].get_extra_info("socket")
        if event.startswith(CONNECTING):
            self._through_proxy = False
            return
        if "request" in info:
            self._through_proxy = info["request"].method == b"CONNECT"
        self.timeouts["write"] = self.timeouts["read"] = max(self.until - self.clock.monotonic(), 0.001)
        if not (self._through_proxy or self._left or self._withheld):
            self._leave()

    def may_have_left(self, failure: Exception) -> bool:
        """Return True if a byte of the request left, or may have."""
        return self._left if self._traced else not isinstance(failure, NEVER_LEFT)

    def _leave(self) -> None:
        """Let the first byte go."""
        reason = self.send_check() if self.clock.monotonic() < self.until else "connecting took too long"
        self._withheld = reason is not None
        if reason is not None:
            raise SendCancelled(reason)
        self._left = True
