"""One request out, one answer back: HTTP as the delivery needs it."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import httpx

from report_service import __version__
from report_service.adapters.obelis.request_guard import RequestGuard, SendCancelled
from report_service.adapters.obelis.transport import Watchdog, WorkerConnection
from report_service.domain.responses import ApiResponse
from report_service.domain.secrecy import forms_of, secrets_in_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from report_service.adapters.obelis.auth import ClientCredentials
    from report_service.ports import Clock, Request, SendCheck, Token

BODY_LIMIT = 64 * 1024
"""The most bytes of an answer that are kept; the API's answers have a few hundred."""

TELLING = 8
"""What is sent and shorter than this is looked for in no answer: it could be a part of an id."""

UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
"""The failures of a request that found no way to the API."""

SPEAKING = (httpx.TimeoutException, httpx.NetworkError, OSError)
"""The failures whose words are the machine's own; others may quote what was sent, the token for one."""


class HttpReportApi:
    """The authority's API over HTTP. Safe for several threads: each has a connection of its own.

    (For each request a pool shared by 16 threads looks at all 16 connections.) Nothing of a request leaves
    once its time is over, and no answer is waited for any longer. Only connecting can take more than that:
    a name server that is silent, or several addresses that are; then nothing is sent.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: ClientCredentials,
        transports: Callable[[], httpx.BaseTransport],
        clock: Clock,
        timeout_s: float,
        correlation_id: str,
        headers: Mapping[str, str] | None = None,
        unread: str = "",
        learn: Callable[[str], None] = lambda _token: None,
    ) -> None:
        """Take where the API is (scheme and host), and what makes a transport for each thread.

        `timeout_s` is for a whole request, from connecting to the answer's last byte. `correlation_id` and
        `headers` go with every request; `learn` is told each token, to be kept out of the log. `unread`
        is added to why a connection failed: what the environment says of proxies and authorities, in vain.
        """
        self._base_url = base_url
        self._learn = learn
        self.token_comes_from_api = httpx.URL(credentials.token_url).host == httpx.URL(base_url).host
        self._credentials = credentials
        self._transports = transports
        self._clock = clock
        self._timeout_s = timeout_s
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": f"report-service/{__version__}",
            "x-correlation-id": correlation_id,
            **{name.lower(): value for name, value in (headers or {}).items()},
        }
        self._secrets = (*secrets_in_url(credentials.token_url), *(headers or {}).values())
        self._unread = unread
        self._mine = threading.local()
        self._connections: set[WorkerConnection] = set()
        self._watchdog = Watchdog(clock)

    def token_request(self, request_id: str) -> Request:
        """Return the request for a new token."""
        return self._credentials.token_request(request_id)

    def read_token(self, answer: ApiResponse, *, at: float) -> Token:
        """Return the token that an answer brings (`at`: monotonic).

        Raise CredentialsRefused if it brings none, ApiUnavailable if there was no answer to speak of.
        """
        token = self._credentials.read_token(answer, at=at)
        self._learn(token.value)
        return token

    def reread_credentials(self) -> bool:
        """Read the credentials anew from where they are kept; return True if they are others now."""
        return self._credentials.reread()

    def exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        """Send, and return what came back; never raises for what the network does.

        `permit` is asked first and, as connecting takes time, again when the first byte is about to leave.
        """
        reason = send_check()
        if reason is not None:
            return ApiResponse(sent=False, cancelled=True, detail=reason)
        connection = self._connection()
        guard = RequestGuard(
            connection=connection, send_check=send_check, clock=self._clock, timeout_s=self._timeout_s
        )
        try:
            outgoing = self._outgoing(request, guard)
        except (httpx.InvalidURL, ValueError) as exc:
            return ApiResponse(sent=False, detail=self._why(exc, guard))
        self._watchdog.watch(connection, guard.until)
        try:
            answer = self._read(connection.transport.handle_request(outgoing), guard)
        except SendCancelled as withheld:
            answer = ApiResponse(sent=False, cancelled=True, detail=str(withheld))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as exc:
            answer = ApiResponse(sent=guard.may_have_left(exc), detail=self._why(exc, guard))
        finally:
            self._watchdog.release(connection)
        if answer.http_status is None or not answer.complete or connection.cut:
            self._give_up(connection)
        return self._without_secrets(answer, request)

    def close(self) -> None:
        """Close every connection; requests that are under way end as if the network had failed."""
        self._watchdog.close()
        for connection in list(self._connections):
            connection.hang_up()

    def _outgoing(self, request: Request, guard: RequestGuard) -> httpx.Request:
        headers = {**self._headers, "x-request-id": request.request_id}
        if request.token is None:
            url = self._credentials.token_url
        elif request.path.startswith("/"):
            url = self._base_url + request.path
            headers["authorization"] = f"Bearer {request.token}"
        else:  # it could name another host, which the token must not reach
            raise httpx.InvalidURL("a path begins with /")
        return httpx.Request(
            request.verb,
            url,
            headers=headers,
            content=request.body,
            extensions={"timeout": guard.timeouts, "trace": guard.trace},
        )

    def _read(self, response: httpx.Response, guard: RequestGuard) -> ApiResponse:
        """Read an answer to its end, its cap or its time, whichever comes first."""
        body, cut = bytearray(), ""
        try:
            for chunk in response.stream:  # type: ignore[union-attr]
                body += chunk
                if len(body) > BODY_LIMIT:
                    cut = f"the answer is longer than {BODY_LIMIT} bytes"
                    break
        except (httpx.HTTPError, httpx.StreamError, OSError) as exc:
            cut = f"the answer was cut off: {self._why(exc, guard)}"
        finally:
            response.close()
        server_date = _date(response.headers.get("date", ""))
        return ApiResponse(
            http_status=response.status_code,
            body=bytes(body[:BODY_LIMIT]),
            detail=cut,
            complete=not cut,
            retry_after_s=_retry_after_s(response.headers.get("retry-after"), server_date or self._clock.now()),
            server_date=server_date,
        )

    def _why(self, failure: Exception, guard: RequestGuard) -> str:
        """Say what went wrong, without quoting anything that was sent."""
        if guard.connection.cut:
            return f"no whole answer within {self._timeout_s:g} s"
        words = str(failure) if isinstance(failure, SPEAKING) else ""
        if isinstance(failure, httpx.ProxyError):
            words = str(failure)[:3]  # its status; the words after it are the proxy's
        said = ": ".join(part for part in (type(failure).__name__, words) if part)
        return f"{said} ({self._unread})" if self._unread and isinstance(failure, UNREACHED) else said

    def _without_secrets(self, answer: ApiResponse, request: Request) -> ApiResponse:
        """Return the answer without the secrets that were sent, however it writes them (law 6).

        Here, before anybody keeps or cuts it: of half a secret nobody could tell that it is one.
        """
        if request.token is None and answer.http_status is not None and answer.http_status < 300:
            return answer  # it is to be read, not to be kept
        body = answer.body
        secrets = _told_forms(self._credentials.client_secret(), *self._secrets)
        for form in (*forms_of([request.token or ""]), *secrets):
            body = body.replace(form.encode(), b"***")
        return answer if body == answer.body else replace(answer, body=body)

    def _connection(self) -> WorkerConnection:
        """Return the thread's own line."""
        connection: WorkerConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = WorkerConnection(self._transports())
            self._connections.add(connection)
        return connection

    def _give_up(self, connection: WorkerConnection) -> None:
        """Let the thread's next request begin with a new connection: what became of this one is not certain."""
        self._mine.connection = None
        self._connections.discard(connection)
        connection.hang_up()


@lru_cache(maxsize=2)
def _told_forms(*secrets: str) -> tuple[str, ...]:
    """Return how an answer may write secrets that are long enough to be looked for."""
    return tuple(forms_of(secret for secret in secrets if len(secret) >= TELLING))


@lru_cache(maxsize=8)
def _date(text: str) -> datetime | None:
    """Return an HTTP date (UTC); None if it is none."""
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after_s(text: str | None, now: datetime) -> float | None:
    """Return the seconds that Retry-After asks for, given as seconds or as a date; None if it says neither."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until = _date(text)
        seconds = math.nan if until is None else (until - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None
