"""The mock over HTTP: uvicorn, and a bare ASGI callable in front of `MockObelis`.

The mock's latency is its product, so it is slept here, with the event loop's own timer.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from report_service.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from report_service.mock_api.app import MockObelis

    Message = MutableMapping[str, Any]

_log = logging.getLogger(__name__)

_GRACE_S = 1
"""How long answers that are still delayed are waited for at the end."""


class _Breakable(HttpToolsProtocol):
    """HTTP whose connection the application can close under the client: ASGI itself has no word for it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"close": {"now": self.transport.close}}


class MockServer:
    """A mock that listens from construction on, and answers while `run` runs."""

    def __init__(self, app: MockObelis, *, host: str, port: int) -> None:
        """Listen; port 0 is any free one. Raise UsageError when the address cannot be had."""
        self._app = app
        self._socket = _listen(host, port)
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._answer,
            http=_Breakable,
            ws="none",
            loop="asyncio",
            interface="asgi3",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",  # its word on bad requests and cancelled answers is noise here
            date_header=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer until `stop`; in the main thread, SIGINT and SIGTERM stop it too."""
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises the signal again when it has ended: these handlers then make it a clean end.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._server.handle_exit)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `run` end; to be called from any thread."""
        self._server.should_exit = True

    async def _answer(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Fulfil the ASGI protocol for one HTTP request."""
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            answer = self._app.handle(scope["method"], scope["raw_path"].decode("ascii"), headers, body)
        except Exception:
            _log.exception("the mock failed on %s %s", scope["method"], scope["path"])
            raise
        if answer.delay_s > 0:
            await asyncio.sleep(answer.delay_s)
        if not answer.drop:
            lines = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
            lines.append((b"content-length", b"%d" % len(answer.body)))
            await send({"type": "http.response.start", "status": answer.http_status, "headers": lines})
            sent = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
            await send({"type": "http.response.body", "body": sent, "more_body": answer.cut})
        if answer.drop or answer.cut:
            scope["extensions"]["close"]["now"]()
            await receive()  # its end; to return before would be a mistake of the application


def _listen(host: str, port: int) -> socket.socket:
    # Named as TCP, since asyncio turns Nagle's algorithm off only then: 40 ms an answer otherwise.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(512)
    except (OSError, OverflowError) as exc:
        listening.close()
        taken = isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE
        raise UsageError(
            f"cannot listen on {host} port {port}: {exc}",
            hint="Another process listens there: choose another port, or 0 for any free one."
            if taken
            else "Choose an IPv4 address of this machine and a port from 1024 on, or 0 for any free one.",
        ) from exc
    return listening


def serve(app: MockObelis, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the mock until SIGINT or SIGTERM; `on_ready` is given its URL as soon as it listens."""
    server = MockServer(app, host=host, port=port)
    on_ready(server.url)
    server.run()
