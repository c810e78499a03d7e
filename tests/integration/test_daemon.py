"""The daemon through simulated months: what it sends, says and records, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.domain.months import ReportMonth
from report_service.mock_api.injected_faults import InjectedFault
from tests.support.daemon_months import AFTER, BEFORE, DUE, months_of, posts, utc
from tests.support.simulation import MONTH, World, operator, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.simulated_daemon import Daemons


def set_clock(world: World, by: timedelta) -> None:
    """Set the wall clock; monotonic time goes on as it did."""
    world._start += by


def test_started_on_the_28th_it_turns_the_month_and_delivers_on_the_first_at_the_set_time(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-10-28T10:00")))
    months_of(place, BEFORE)
    daemon = daemons(place)
    table = daemon.daemon.timetable
    daemon.live(utc("2026-11-01T12:00"), every=timedelta(minutes=5))

    assert posts(place, BEFORE)[0] == utc("2026-10-28T10:00")
    assert posts(place, MONTH)[0] == table.release(MONTH)
    assert len(posts(place, BEFORE)) == len(posts(place, MONTH)) == DUE
    assert daemon.states(MONTH) == {"accepted": DUE}
    assert daemon.at("window.closed") == [utc("2026-10-31T23:00")]  # November begins in Berlin
    assert daemon.at("window.opened", month="2026-10") == [utc("2026-11-01T00:00")]  # and in UTC
    planned = daemon.events.of("run.completed")
    assert [run["trigger"] for run in planned if run["month"] == "2026-10"][:2] == ["daemon", "sweep"]
    assert daemon.at("window.missed") == daemon.at("report.missed") == []


def test_every_due_report_has_its_row_from_the_moment_the_month_opens(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-10-31T20:00")))
    daemon = daemons(place)
    daemon.live(utc("2026-11-01T00:00:01"))

    assert daemon.states(MONTH) == {"pending": DUE}
    assert posts(place, MONTH) == []


@pytest.mark.parametrize("moment", ["2026-11-03T14:07", "2026-11-01T05:30", "2026-11-30T22:50"])
def test_started_late_it_catches_up_at_once(tmp_path: Path, daemons: Daemons, moment: str) -> None:
    place = site(tmp_path, World(utc(moment)))
    daemon = daemons(place)
    daemon.tick()

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert posts(place, MONTH)[0] == utc(moment)


def test_started_before_the_release_it_sends_nothing_until_then(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-01T02:00")))
    daemon = daemons(place)
    release = daemon.daemon.timetable.release(MONTH)
    daemon.live(release)
    assert posts(place, MONTH) == []

    daemon.tick()
    assert posts(place, MONTH)[0] == release


def test_restarted_in_the_hour_of_jitter_it_still_waits_for_the_same_moment(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-01T05:00:30")))
    first = daemons(place)
    first.tick()
    first.close()
    second = daemons(place)
    second.tick()

    assert second.daemon.timetable.release(MONTH) > utc("2026-11-01T05:00:30")
    assert posts(place, MONTH) == []


def test_across_midnight_of_the_last_day_it_sends_nothing_out_of_the_window(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-30T22:20"), faults=[InjectedFault.parse("503@point_rating")]))
    daemon = daemons(place)
    daemon.live(utc("2026-12-01T02:00"))
    sent = posts(place, MONTH)

    assert max(sent) < utc("2026-11-30T22:59")
    assert max(sent) > utc("2026-11-30T22:56")  # and it tried to the last
    assert daemon.states(MONTH) == {"accepted": 7, "unresolved": 4}
    assert daemon.at("window.missed", expected=DUE, delivered=7, unresolved=4, missed=0) == [
        utc("2026-11-30T23:00")
    ]
    assert daemon.at("report.missed") == [utc("2026-11-30T23:00")] * 4
    assert daemon.at("window.opened", month="2026-11") == [utc("2026-12-01T00:00")]


def test_how_a_month_ended_is_said_once_whatever_is_started_again(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")), hubs=2)
    place.ask("DELETE FROM hub_ratings")
    first = daemons(place)
    first.tick()
    first.close()
    place.world.turn_to(utc("2026-12-02T12:00"))
    second = daemons(place)
    second.live(utc("2026-12-02T13:00"))
    second.close()
    third = daemons(place)
    third.live(utc("2026-12-02T14:00"))

    assert len(second.at("window.missed", month="2026-10", missed=2)) == 1
    assert third.at("window.missed") == third.at("report.missed") == []
    assert first.at("window.opened") != []
    assert second.at("window.opened", month="2026-10") == []


def test_after_three_months_down_each_month_gets_its_true_end_and_the_open_one_is_delivered(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")))
    months_of(place, MONTH.shift(3))
    place.ask("DELETE FROM hotline_ratings WHERE month = '2026-10'")
    first = daemons(place)
    first.tick()
    first.close()
    place.world.turn_to(utc("2027-02-10T12:00"))
    second = daemons(place)
    second.tick()

    assert second.states(MONTH) == {"accepted": DUE - 1, "missed": 1}
    assert second.states(AFTER) == second.states(MONTH.shift(2)) == {"missed": DUE}
    assert second.states(MONTH.shift(3)) == {"accepted": DUE}
    assert [fields["month"] for fields in second.events.of("window.missed")] == ["2026-10", "2026-11", "2026-12"]
    assert posts(place, AFTER) == []
    for _ in range(10):
        place.world.turn(15)
        second.tick()
    assert len(second.events.of("run.completed")) == 4


def test_a_new_ledger_mourns_no_month_before_its_time(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")))
    daemon = daemons(place)
    daemon.tick()

    assert daemon.states(BEFORE) == {}
    assert daemon.events.of("window.missed") == []


def test_nothing_is_done_for_months_before_the_first_one(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")), {"schedule__first_month": "2026-11"})
    daemon = daemons(place)
    daemon.live(utc("2026-11-20T13:00"), every=timedelta(minutes=5), beats=timedelta(minutes=10))

    assert daemon.states(MONTH) == {}
    assert set(daemon.events.names()) == {"run.heartbeat"}


@pytest.mark.parametrize(
    ("begin", "month"),
    [
        ("2026-10-24T12:00", "2026-09"),  # the clock goes back on the 25th
        ("2027-03-27T12:00", "2027-02"),  # forward on the 28th
        ("2028-02-27T12:00", "2028-01"),  # the 29th of February
        ("2026-12-29T12:00", "2026-11"),  # a year's end
    ],
)
def test_through_clock_changes_leap_days_and_years_ends_each_month_goes_out_once(
    tmp_path: Path, daemons: Daemons, begin: str, month: str
) -> None:
    first = ReportMonth.parse(month)
    place = site(tmp_path, World(utc(begin)))
    months_of(place, first, first.shift(1))
    daemon = daemons(place)
    table = daemon.daemon.timetable
    until = table.release(first.shift(1)) + timedelta(hours=1)
    daemon.live(until, every=timedelta(minutes=20))

    for each in (first, first.shift(1)):
        assert daemon.states(each) == {"accepted": DUE}
        assert len(posts(place, each)) == DUE
    assert posts(place, first.shift(1))[0] == table.release(first.shift(1))
    assert daemon.at("window.closed", month=month) == [table.window(first).closes]


@pytest.mark.long
def test_a_year_goes_by(tmp_path: Path, daemons: Daemons) -> None:
    months = [MONTH.shift(n) for n in range(13)]
    place = site(tmp_path, World(utc("2026-11-28T09:00")))
    months_of(place, *months)
    daemon = daemons(place)
    daemon.live(utc("2027-12-01T12:00"), every=timedelta(days=5), beats=timedelta(days=1))
    table = daemon.daemon.timetable

    for month in months[1:]:
        sent = posts(place, month)
        assert len(sent) == DUE
        assert sent[0] == table.release(month)
        assert daemon.at("window.opened", month=str(month)) == [table.window(month).opens]
    for month in months[:-1]:
        assert daemon.at("window.closed", month=str(month)) == [table.window(month).closes]
    assert daemon.events.of("run.failed") == daemon.events.of("window.missed") == []
    beats = daemon.events.of("run.heartbeat")
    assert {beat["month"] for beat in beats} == {str(month) for month in months}
    assert beats[-1]["last_completed_month"] == "2027-10"


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(days=-3), timedelta(hours=1), timedelta(days=3)])
def test_a_clock_that_is_set_neither_silences_nor_hurries_the_daemon(
    tmp_path: Path, daemons: Daemons, by: timedelta
) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")))
    place.ask("DELETE FROM hub_ratings")
    daemon = daemons(place)
    daemon.live(utc("2026-11-10T13:00"))
    before = len(daemon.events.of("run.completed"))
    set_clock(place.world, by)
    daemon.live(place.world.now() + timedelta(hours=2))

    assert before == 4
    assert len(daemon.events.of("run.completed")) - before in {7, 8, 9}  # the future that was hides one
    assert len(posts(place, MONTH)) == DUE - 2


def test_a_clock_that_ran_a_month_ahead_and_was_put_right_costs_nothing(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")))
    months_of(place, AFTER)
    rows = operator()["hub-ratings"]
    place.ask("DELETE FROM hub_ratings WHERE month = '2026-10'")
    daemon = daemons(place)
    daemon.tick()
    set_clock(place.world, timedelta(days=25))
    daemon.tick()
    assert daemon.states(MONTH) == {"accepted": DUE - 2, "missed": 2}
    set_clock(place.world, timedelta(days=-25))
    place.store({"hub-ratings": rows})
    daemon.live(utc("2026-11-10T13:00"))

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert len(posts(place, MONTH)) == DUE


def test_a_row_that_comes_late_goes_out_with_the_next_sweep_and_a_complete_month_is_left_in_peace(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")))
    rows = operator()["hub-ratings"]
    place.ask("DELETE FROM hub_ratings")
    daemon = daemons(place)
    daemon.live(utc("2026-11-10T12:10"))
    place.store({"hub-ratings": rows})
    daemon.live(utc("2026-11-10T18:40"))

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert max(posts(place, MONTH)) == utc("2026-11-10T12:15")
    assert daemon.at("run.completed") == [
        utc("2026-11-10T12:00"),
        utc("2026-11-10T12:15"),
        utc("2026-11-10T18:15"),  # a complete month is looked at every six hours
    ]
