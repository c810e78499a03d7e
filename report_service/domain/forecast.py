"""When a month will be done, at the pace and with the failures seen: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report_service.domain.months import SubmissionWindow

WORST_FAILURE_RATE = 0.95
"""Whatever failed so far, a forecast counts on one try in twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When the last report that needs no person will be in, if nothing changes."""

    done_at: datetime
    in_time: bool  # before the window closes


def forecast(
    window: SubmissionWindow,
    *,
    at: datetime,
    to_send: int,
    rate_per_minute: float,
    failure_rate: float,
    last_retry_at: datetime | None,
) -> Forecast | None:
    """Return when `to_send` reports will be in; None when there are none.

    `rate_per_minute` is how many requests can be made, `failure_rate` (0..1) how many of them have to be
    made again, `last_retry_at` when the last report that waits for its time is tried next.
    """
    if not to_send:
        return None
    tries = to_send / (1 - min(failure_rate, WORST_FAILURE_RATE))
    begin = max(at, window.first_send)
    done_at = begin + timedelta(minutes=tries / rate_per_minute)
    if last_retry_at is not None:
        done_at = max(done_at, last_retry_at)
    return Forecast(done_at=done_at, in_time=done_at < window.last_send)
