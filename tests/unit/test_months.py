"""Law 1: a report goes out while its month is the previous one in Berlin and in UTC, or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from report_service.domain.months import BERLIN, ReportMonth, SubmissionWindow
from report_service.errors import BadInput, WindowClosed, WindowNotOpen

OCTOBER = ReportMonth(2026, 10)
TICK = timedelta(microseconds=1)
ZONES = (BERLIN, ZoneInfo("UTC"))

months = st.builds(ReportMonth, st.integers(2020, 2040), st.integers(1, 12))
guards = st.integers(0, 3600)
skews = st.one_of(
    st.just(0.0), st.integers(-200_000, 200_000).map(float), st.sampled_from([-60.0, -1.0, 1.0, 60.0])
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- months


@pytest.mark.parametrize("text", ["2026-10", " 2026-10\n"])
def test_a_month_is_read_from_its_text_form(text: str) -> None:
    assert ReportMonth.parse(text) == OCTOBER


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026", "2026-1", "2026-13", "2026-00", "26-10", "2026-10-01", "2026/10", "10-2026", "2026-10x"),
        *("0026-10", "9999-12", "1999-12", "2100-01"),  # slips of the pen, and months without neighbours
        *("20\u0968\u096c-10", "\uff12\uff10\uff12\uff16-10"),  # digits, but not the ones of a month
    ],
)
def test_anything_else_is_refused_with_the_form_to_use(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        ReportMonth.parse(text)
    assert repr(text) in refused.value.message
    assert "YYYY-MM" in str(refused.value.hint)


@given(months)
def test_a_month_survives_its_text_form_and_its_index(month: ReportMonth) -> None:
    assert ReportMonth.parse(str(month)) == month
    assert ReportMonth.from_index(month.index) == month
    assert month.wire() == f"{month.number:02d}-{month.year}"


def test_an_index_counts_months_through_the_turn_of_the_year() -> None:
    assert ReportMonth(2026, 12).index == 2026 * 12 + 12
    assert ReportMonth(2027, 1).index - ReportMonth(2026, 12).index == 1


@given(months, st.integers(-200, 200))
def test_shifting_there_and_back_comes_home(month: ReportMonth, by: int) -> None:
    shifted = month.shift(by)
    assert shifted.shift(-by) == month
    assert shifted.index - month.index == by
    assert (shifted > month) == (by > 0)


@pytest.mark.parametrize(
    ("month", "first", "last"),
    [
        (ReportMonth(2026, 10), date(2026, 10, 1), date(2026, 10, 31)),
        (ReportMonth(2026, 12), date(2026, 12, 1), date(2026, 12, 31)),
        (ReportMonth(2027, 2), date(2027, 2, 1), date(2027, 2, 28)),
        (ReportMonth(2028, 2), date(2028, 2, 1), date(2028, 2, 29)),
    ],
)
def test_a_month_knows_its_first_and_its_last_day(month: ReportMonth, first: date, last: date) -> None:
    assert (month.first_day, month.last_day) == (first, last)
    assert ReportMonth.of(first) == ReportMonth.of(last) == month
    assert ReportMonth.of(last + timedelta(days=1)) == month.shift(1)


@pytest.mark.parametrize(
    ("at", "previous"),
    [
        ("2026-10-31T22:59:59", "2026-09"),  # October in Berlin for another second
        ("2026-10-31T23:00:00", "2026-10"),  # November in Berlin, October in UTC
        ("2026-11-30T22:59:59", "2026-10"),
        ("2026-11-30T23:00:00", "2026-11"),
        ("2026-06-30T21:59:59", "2026-05"),
        ("2026-06-30T22:00:00", "2026-06"),  # summer time
        ("2026-12-31T23:00:00", "2026-12"),
    ],
)
def test_the_default_month_is_the_previous_one_in_berlin(at: str, previous: str) -> None:
    assert str(ReportMonth.previous(utc(at))) == previous


# --- the window


@pytest.mark.parametrize(
    ("month", "opens", "closes"),
    [
        ("2026-10", "2026-11-01T00:00:00", "2026-11-30T23:00:00"),  # winter: UTC begins last, Berlin ends first
        ("2026-06", "2026-07-01T00:00:00", "2026-07-31T22:00:00"),  # summer
        ("2026-02", "2026-03-01T00:00:00", "2026-03-31T22:00:00"),  # summer time begins within it
        ("2026-09", "2026-10-01T00:00:00", "2026-10-31T23:00:00"),  # summer time ends within it
        ("2026-03", "2026-04-01T00:00:00", "2026-04-30T22:00:00"),
        ("2026-11", "2026-12-01T00:00:00", "2026-12-31T23:00:00"),  # closes as the year does
        ("2026-12", "2027-01-01T00:00:00", "2027-01-31T23:00:00"),  # opens with the new year
        ("2027-01", "2027-02-01T00:00:00", "2027-02-28T23:00:00"),
        ("2028-01", "2028-02-01T00:00:00", "2028-02-29T23:00:00"),  # a leap year
    ],
)
def test_the_window_is_where_both_zones_agree(month: str, opens: str, closes: str) -> None:
    window = SubmissionWindow.of(ReportMonth.parse(month))
    assert (window.opens, window.closes) == (utc(opens), utc(closes))


@pytest.mark.parametrize("month", ["2026-10", "2026-06", "2026-02", "2026-09", "2026-12", "2028-01"])
@pytest.mark.parametrize("guard_s", [0.0, 60.0])
def test_the_window_opens_at_its_first_instant_and_is_shut_at_its_last(month: str, guard_s: float) -> None:
    window = SubmissionWindow.of(ReportMonth.parse(month), guard_s=guard_s)
    begin, end = window.opens + timedelta(seconds=guard_s), window.closes - timedelta(seconds=guard_s)
    assert [window.is_open(begin + by) for by in (-TICK, 0 * TICK, TICK)] == [False, True, True]
    assert [window.is_open(end + by) for by in (-TICK, 0 * TICK, TICK)] == [True, False, False]
    assert (window.first_send, window.last_send) == (begin, end)


def test_the_guard_is_a_minute_unless_given() -> None:
    assert SubmissionWindow.of(OCTOBER).guard == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("at", "skew_s", "open_"),
    [
        ("2026-11-01T00:00:59", 0, False),
        ("2026-11-01T00:01:00", 0, True),
        ("2026-11-01T00:01:00", -1, False),  # the API's clock has not got there
        ("2026-11-01T00:01:01", -1, True),
        ("2026-11-01T00:00:59", 1, False),  # ours has not
        ("2026-11-30T22:58:59", 0, True),
        ("2026-11-30T22:58:59", 1, False),  # the API's clock is past it
        ("2026-11-30T22:58:58", 1, True),
        ("2026-11-30T22:59:00", -1, False),  # ours is
        ("2026-11-30T22:58:59", -86_400, True),
        ("2026-11-15T12:00:00", 40 * 86_400, False),
        ("2026-11-15T12:00:00", -40 * 86_400, False),
    ],
)
def test_both_clocks_must_lie_in_the_window(at: str, skew_s: float, open_: bool) -> None:
    assert SubmissionWindow.of(OCTOBER).is_open(utc(at), skew_s=skew_s) is open_


@given(
    month=months,
    guard_s=guards,
    skew_s=skews,
    near=st.sampled_from(["opens", "closes", "first_send", "last_send"]),
    off=st.one_of(
        st.timedeltas(timedelta(days=-40), timedelta(days=40)), st.sampled_from([-TICK, 0 * TICK, TICK])
    ),
)
@example(month=OCTOBER, guard_s=60, skew_s=0.0, near="last_send", off=-TICK)
@example(month=OCTOBER, guard_s=60, skew_s=0.0, near="first_send", off=0 * TICK)
def test_open_means_previous_month_in_both_zones_by_both_clocks_and_clear_of_either_end(
    month: ReportMonth, guard_s: int, skew_s: float, near: str, off: timedelta
) -> None:
    window = SubmissionWindow.of(month, guard_s=guard_s)
    at: datetime = getattr(window, near) + off
    guard = timedelta(seconds=guard_s)
    previous = {
        ReportMonth.of((clock + margin).astimezone(zone)).shift(-1)
        for clock in (at, at + timedelta(seconds=skew_s))
        for margin in (-guard, guard)
        for zone in ZONES
    }
    assert window.is_open(at, skew_s=skew_s) == (previous == {month})


@given(months)
def test_windows_never_overlap_and_leave_at_most_two_hours_between_them(month: ReportMonth) -> None:
    this, following = (SubmissionWindow.of(one, guard_s=0) for one in (month, month.shift(1)))
    assert timedelta(hours=1) <= following.opens - this.closes <= timedelta(hours=2)


@pytest.mark.parametrize(
    ("at", "skew_s", "closed"),
    [
        ("2026-11-30T22:59:30", 0, False),  # nothing may be sent, but it is not over
        ("2026-11-30T22:59:59", 0, False),
        ("2026-11-30T23:00:00", 0, True),
        ("2026-11-30T23:00:00", -1, False),  # by the API's clock it is not over yet
        ("2026-11-30T23:00:01", -1, True),
        ("2026-11-30T22:59:59", 3600, False),  # by ours it is not
        ("2026-10-15T00:00:00", 0, False),
    ],
)
def test_it_is_over_when_no_clock_doubts_it(at: str, skew_s: float, closed: bool) -> None:
    assert SubmissionWindow.of(OCTOBER).has_closed(utc(at), skew_s=skew_s) is closed


def test_an_open_window_is_no_error() -> None:
    SubmissionWindow.of(OCTOBER).require_open(utc("2026-11-15T00:00:00"), skew_s=3.0)


@pytest.mark.parametrize(
    ("at", "skew_s", "error", "said"),
    [
        (
            "2026-11-01T00:00:59",
            0,
            WindowNotOpen,
            "from 2026-11-01 00:01:00 UTC on; it is 2026-11-01 00:00:59 UTC",
        ),
        ("2026-11-01T00:01:00", -30, WindowNotOpen, "the API's clock -30 s"),
        ("2026-10-20T00:00:00", 0, WindowNotOpen, "it is 2026-10-20 00:00:00 UTC"),
        ("2026-11-30T22:59:00", 0, WindowClosed, "until 2026-11-30 22:59:00 UTC; it is 2026-11-30 22:59:00 UTC"),
        ("2026-11-30T22:58:50", 30, WindowClosed, "the API's clock +30 s"),
        ("2027-03-01T00:00:00", 0, WindowClosed, "it is 2027-03-01 00:00:00 UTC"),
    ],
)
def test_a_shut_window_names_itself_the_time_and_the_way_out(
    at: str, skew_s: float, error: type[WindowNotOpen | WindowClosed], said: str
) -> None:
    with pytest.raises(error) as shut:
        SubmissionWindow.of(OCTOBER).require_open(utc(at), skew_s=skew_s)
    assert "2026-10" in shut.value.message
    assert said in shut.value.message
    way_out = "report-service backfill --from 2026-10" if error is WindowClosed else "Run it again then"
    assert way_out in str(shut.value.hint)
    assert ("API's clock" in shut.value.message) == bool(skew_s)


@given(months, skews, st.timedeltas(timedelta(days=-100), timedelta(days=100)))
def test_what_is_not_open_raises_and_what_is_open_does_not(
    month: ReportMonth, skew_s: float, off: timedelta
) -> None:
    window = SubmissionWindow.of(month)
    at = window.opens + off
    try:
        window.require_open(at, skew_s=skew_s)
    except (WindowNotOpen, WindowClosed):
        assert not window.is_open(at, skew_s=skew_s)
    else:
        assert window.is_open(at, skew_s=skew_s)
