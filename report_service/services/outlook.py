"""When a month will be done: the one place where a forecast is made of what the ledger says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.delivery import ON_THE_WAY
from report_service.domain.forecast import Forecast, forecast

if TYPE_CHECKING:
    from datetime import datetime

    from report_service.domain.months import SubmissionWindow
    from report_service.ports import AttemptLog, MonthCounts


def outlook(
    attempts: AttemptLog,
    counts: MonthCounts,
    window: SubmissionWindow,
    *,
    at: datetime,
    rate_per_minute: float,
    failure_rate: float = 0.0,
) -> Forecast | None:
    """Return when what needs no person will be in, at a pace and with the part of tries that fail (0..1)."""
    return forecast(
        window,
        at=at,
        to_send=counts.count(ON_THE_WAY),
        rate_per_minute=rate_per_minute,
        failure_rate=failure_rate,
        last_retry_at=attempts.last_attempt(counts.month),
    )
