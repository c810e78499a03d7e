from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from report_service.domain.forecast import Forecast, forecast
from report_service.domain.months import ReportMonth, SubmissionWindow

WINDOW = SubmissionWindow.of(ReportMonth(2026, 10))
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def outlook(
    to_send: int,
    *,
    at: datetime = NOW,
    rate_per_minute: float = 100,
    failure_rate: float = 0.0,
    last_retry_at: datetime | None = None,
) -> Forecast | None:
    return forecast(
        WINDOW,
        at=at,
        to_send=to_send,
        rate_per_minute=rate_per_minute,
        failure_rate=failure_rate,
        last_retry_at=last_retry_at,
    )


def minutes(found: Forecast | None, since: datetime = NOW) -> float:
    assert found is not None
    return (found.done_at - since) / timedelta(minutes=1)


def test_a_month_with_nothing_to_send_has_no_forecast() -> None:
    assert outlook(0, last_retry_at=NOW) is None


@pytest.mark.parametrize(
    ("to_send", "rate_per_minute", "failure_rate", "takes"),
    [
        (1, 100, 0.0, 0.01),
        (2300, 100, 0.0, 23),
        (2300, 200, 0.0, 11.5),
        (2300, 100, 0.5, 46),  # every other one is sent again, and so on
        (100, 100, 0.95, 20),
        (100, 100, 1.0, 20),  # when nothing worked so far, it counts on one in twenty
    ],
)
def test_it_takes_the_pace_and_the_failures_seen(
    to_send: int, rate_per_minute: float, failure_rate: float, takes: float
) -> None:
    found = outlook(to_send, rate_per_minute=rate_per_minute, failure_rate=failure_rate)
    assert minutes(found) == pytest.approx(takes)


def test_before_the_window_opens_it_counts_from_its_first_moment() -> None:
    found = outlook(100, at=WINDOW.opens - timedelta(days=3))
    assert minutes(found, WINDOW.first_send) == pytest.approx(1)


@pytest.mark.parametrize(("waits_min", "takes"), [(0.5, 1), (1, 1), (30, 30)])
def test_it_is_not_done_before_the_last_that_waits_for_its_time(waits_min: float, takes: float) -> None:
    found = outlook(100, last_retry_at=NOW + timedelta(minutes=waits_min))
    assert minutes(found) == pytest.approx(takes)


@pytest.mark.parametrize(
    ("early", "in_time"), [(timedelta(microseconds=1), True), (timedelta(0), False), (-timedelta(days=40), False)]
)
def test_in_time_is_before_the_last_moment_to_send(early: timedelta, *, in_time: bool) -> None:
    found = outlook(100, at=WINDOW.last_send - timedelta(minutes=1) - early)
    assert found is not None
    assert found.in_time is in_time
