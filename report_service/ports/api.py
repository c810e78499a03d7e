"""The authority's API: what is sent, what comes back, and at what pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from report_service.domain.rate_limiter import RecentRequest
    from report_service.domain.responses import ApiResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, ready to go out but for the moment."""

    request_id: str  # UUID; X-Request-ID
    verb: str
    path: str  # below the API's host; for a token request what is shown of its URL
    body: bytes = field(repr=False)
    token: str | None = field(default=None, repr=False)  # None: the token request itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token."""

    value: str = field(repr=False)
    refresh_at: float  # monotonic seconds; from then on it is not used any more


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRequest:
    """A request and what came of it."""

    request: Request
    response: ApiResponse
    started: float  # monotonic seconds
    ended: float


SendCheck = Callable[[], str | None]
"""Asked at the moment a request goes out: None, or why it must not (law 1, the lease)."""


class ReportApi(Protocol):
    """The authority's API: what is sent to it and what its tokens say."""

    token_comes_from_api: bool
    """Whether the host that gives tokens is the API's own, so that its clock is."""

    def token_request(self, request_id: str) -> Request:
        """Return the request for a new token."""

    def read_token(self, answer: ApiResponse, *, at: float) -> Token:
        """Return the token that an answer brings (`at`: monotonic).

        Raise CredentialsRefused if it brings none, ApiUnavailable if there was no answer to speak of.
        """

    def reread_credentials(self) -> bool:
        """Read the credentials anew from where they are kept; return True if they are others now."""

    def exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        """Send, and return what came back; never raises for what the network does.

        `permit` is asked last of all; if it gives a reason, nothing is sent and the answer says so
        (`sent=False`).
        """


class RequestExecutor(Protocol):
    """Requests under way: workers that only exchange bytes, and are told nothing else."""

    capacity: int
    """How many may be under way at once."""

    def submit(self, request: Request, send_check: SendCheck) -> None:
        """Let a free worker exchange the request."""

    def completed(self, timeout_s: float) -> Sequence[CompletedRequest]:
        """Return what has ended; wait up to `timeout_s` seconds for the first one if nothing has."""

    def close(self) -> None:
        """Abandon what is under way; its end stays unknown."""


class RateLimiter(Protocol):
    """Law 5: when the next request may go out. All times are monotonic seconds."""

    def restore(self, sent: Iterable[RecentRequest], *, at: float) -> None:
        """Count requests of the last minute that this process did not send, or not in this run."""

    def wait_s(self, at: float) -> float:
        """Return the seconds until a request may go out; 0: now."""

    def acquired(self, request_id: str, at: float) -> None:
        """Count a request as going out now."""

    def completed(self, request_id: str, at: float) -> None:
        """Note that its answer, or its failure, is in: it cannot arrive any later than this."""

    def throttled(self, at: float, *, started: float, retry_after_s: float | None) -> float | None:
        """Slow down after a 429 that came at `at` to a request that began at `started`.

        Return the new rate a minute if this begins a slowing, None within one.
        """

    def slow_down(self, at: float, *, hold_s: float) -> float:
        """Send nothing for a while, then at half the pace; return it, requests a minute."""

    def rate_per_minute(self, at: float) -> float:
        """Return the pace as it is now."""
