from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from report_service.domain.months import ReportMonth
from report_service.domain.timetable import Timetable

BERLIN = ZoneInfo("Europe/Berlin")


def timetable(
    *,
    zone: ZoneInfo = BERLIN,
    day: int = 1,
    hour: int = 6,
    jitter_s: float = 0,
    guard_s: float = 60,
    owner: str = "A",
    rehearse_day: int = 0,
) -> Timetable:
    return Timetable(
        zone=zone,
        day=day,
        hour=hour,
        jitter_s=jitter_s,
        guard_s=guard_s,
        owner=owner,
        rehearse_day=rehearse_day,
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "given", "release"),
    [
        ("2026-10", {}, "2026-11-01T05:00"),  # winter: UTC+1
        ("2026-06", {}, "2026-07-01T04:00"),  # summer: UTC+2
        ("2026-12", {}, "2027-01-01T05:00"),
        ("2026-10", {"zone": ZoneInfo("UTC")}, "2026-11-01T06:00"),
        ("2026-10", {"day": 28, "hour": 23}, "2026-11-28T22:00"),
        ("2027-02", {"day": 28, "hour": 2}, "2027-03-28T01:00"),  # 02:00 is skipped in Berlin: 03:00
        ("2026-09", {"day": 25, "hour": 2}, "2026-10-25T00:00"),  # 02:00 comes twice: the first
        ("2026-10", {"hour": 0}, "2026-11-01T00:01"),  # midnight in Berlin: the window is not open yet
        ("2027-01", {"day": 28, "hour": 23, "guard_s": 600}, "2027-02-28T21:50"),  # an hour before the end
    ],
)
def test_a_month_is_released_at_day_and_hour_in_its_zone_within_the_window(
    month: str, given: dict[str, Any], release: str
) -> None:
    assert timetable(**given).release(ReportMonth.parse(month)) == utc(release)


def test_jitter_is_the_same_at_each_start_and_differs_by_operator_and_month() -> None:
    month = ReportMonth(2026, 10)
    first, again = timetable(jitter_s=1800), timetable(jitter_s=1800)
    exact = timetable().release(month)

    assert first.release(month) == again.release(month)
    late = [timetable(jitter_s=1800, owner=f"CPO{n}").release(month) - exact for n in range(200)]
    assert all(timedelta() <= each < timedelta(minutes=30) for each in late)
    assert min(late) < timedelta(minutes=2)
    assert max(late) > timedelta(minutes=28)
    months = {first.release(month.shift(n)) - timetable().release(month.shift(n)) for n in range(12)}
    assert len(months) == 12


def test_jitter_never_moves_the_release_out_of_the_shortest_window() -> None:
    january = ReportMonth(2027, 1)  # reported in February
    for number in range(50):
        late = timetable(day=28, hour=23, jitter_s=43_200, owner=str(number))
        assert late.release(january) <= late.window(january).last_send - timedelta(hours=1)


@pytest.mark.parametrize(
    ("at", "newest"),
    [
        ("2026-10-31T22:59:59", "2026-09"),
        ("2026-10-31T23:00:00", "2026-09"),  # November in Berlin: September has closed, October waits for UTC
        ("2026-10-31T23:59:59", "2026-09"),
        ("2026-11-01T00:00:00", "2026-10"),
        ("2026-06-30T22:00:00", "2026-05"),  # in summer the gap is two hours
        ("2026-07-01T00:00:00", "2026-06"),
        ("2028-02-29T22:59:59", "2028-01"),
        ("2028-03-01T00:00:00", "2028-02"),
        ("2026-12-31T23:59:59", "2026-11"),
        ("2027-01-01T00:00:00", "2026-12"),
    ],
)
def test_the_newest_month_is_the_one_whose_window_opened_last(at: str, newest: str) -> None:
    assert timetable().newest(utc(at)) == ReportMonth.parse(newest)


def test_the_alarms_of_a_year_are_every_opening_release_and_closing() -> None:
    table, at = timetable(jitter_s=1800), utc("2027-12-15T12:00")
    expected = sorted(
        instant
        for month in (ReportMonth(2027, 11).shift(n) for n in range(14))
        for instant in (table.window(month).opens, table.release(month), table.window(month).closes)
        if at < instant
    )
    rung = []
    for _ in range(36):
        at = table.next_instant(at)
        rung.append(at)

    assert rung == expected[:36]
    assert utc("2028-02-29T23:00") in rung


def test_an_alarm_that_rings_now_is_not_the_next_one() -> None:
    table = timetable()
    opens = table.window(ReportMonth(2026, 10)).opens

    assert table.next_instant(opens - timedelta(microseconds=1)) == opens
    assert table.next_instant(opens) == table.release(ReportMonth(2026, 10))


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-10-25T04:59:59", None),  # 05:59:59 in Berlin, whose clocks went back that night
        ("2026-10-25T05:00", "2026-10-25"),
        ("2026-10-25T22:59:59", "2026-10-25"),
        ("2026-10-25T23:00", None),  # the day after, before its hour
        ("2026-10-26T05:00", "2026-10-26"),
        ("2026-10-31T22:59:59", "2026-10-31"),
        ("2026-10-31T23:00", None),  # the month is over
        ("2026-11-24T22:59:59", None),
    ],
)
def test_the_running_month_is_rehearsed_each_day_from_its_hour_on(at: str, day: str | None) -> None:
    found = timetable(rehearse_day=25).rehearsal(utc(at))

    assert found == (day and (ReportMonth(2026, 10), date.fromisoformat(day)))
    assert timetable(rehearse_day=0).rehearsal(utc(at)) is None
