"""The mock of the API in this process: an httpx transport that carries bytes to a plain function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DISCONNECTED = "Server disconnected without sending a response."


class InProcessReply(Protocol):
    """What the function answers; the mock's own type has these fields."""

    @property
    def http_status(self) -> int:
        """Return the status."""

    @property
    def body(self) -> bytes:
        """Return the body."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers."""

    @property
    def delay_s(self) -> float:
        """Return how long the answer takes, in seconds."""

    @property
    def drop(self) -> bool:
        """Return True if the connection ends instead of an answer."""

    @property
    def cut(self) -> bool:
        """Return True if it ends after half the body."""


class InProcessTransport(httpx.BaseTransport):
    """Let a function (verb, path as sent, headers, body) answer; safe for several threads if the function is."""

    def __init__(
        self,
        handle: Callable[[str, str, Mapping[str, str], bytes], InProcessReply],
        *,
        sleep: Callable[[float], None],
    ) -> None:
        """Take the function, and what waits as long as its answers take."""
        self._handle = handle
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, fail or time out as a server beyond a network would."""
        reply = self._handle(request.method, request.url.raw_path.decode("ascii"), request.headers, request.read())
        patience_s: float = request.extensions.get("timeout", {}).get("read", reply.delay_s)
        self._sleep(min(reply.delay_s, patience_s))
        if reply.delay_s > patience_s:
            raise httpx.ReadTimeout("timed out", request=request)
        if reply.drop:
            raise httpx.RemoteProtocolError(DISCONNECTED, request=request)
        return httpx.Response(reply.http_status, headers=dict(reply.headers), stream=_Body(reply))


class _Body(httpx.SyncByteStream):
    """A body that arrives in one piece, or half of it."""

    def __init__(self, reply: InProcessReply) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[bytes]:
        body = self._reply.body
        if self._reply.cut:
            yield body[: len(body) // 2]
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
        yield body
