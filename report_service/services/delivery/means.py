"""What delivering takes from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.delivery import RetryPolicy
    from report_service.ports import Clock, RateLimiter, ReportApi, RequestExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """One set a process."""

    api: ReportApi
    executor: RequestExecutor
    new_rate_limiter: Callable[[], RateLimiter]  # one a run, told what the ledger knows of the last minute
    clock: Clock
    retry: RetryPolicy
    uniform: Callable[[], float]  # random, 0..1
    new_id: Callable[[], str]  # UUIDs
    redact: Callable[[str], str]  # takes secrets out of what the API says
    timeout_s: float
    stop: Callable[[], str | None]  # why the process is asked to end, if it is
    grace_s: float  # how long it then waits for what is in flight
