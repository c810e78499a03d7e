"""The daemon through simulated months: what it sends, says and records, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import event

from report_service.domain.months import ReportMonth
from report_service.errors import StoreUnavailable
from report_service.mock_api.injected_faults import InjectedFault
from report_service.ports import RunRecord
from tests.support.simulated_daemon import LOOK, Daemons, SimulatedDaemon
from tests.support.simulation import MONTH, Site, World, operator, site, site_at

if TYPE_CHECKING:
    from collections.abc import Iterator

DUE = 11  # reports of the made-up operator, each month
BEFORE, AFTER = MONTH.shift(-1), MONTH.shift(1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def posts(site: Site, month: ReportMonth) -> list[datetime]:
    """Return when the API got reports for a month, by its own clock."""
    return [
        datetime.fromtimestamp(call["unix"], UTC)
        for call in site.world.calls
        if call["key"] and call["key"].startswith(f"{month}/")
    ]


def set_clock(world: World, by: timedelta) -> None:
    """Set the wall clock; monotonic time goes on as it did."""
    world._start += by


@pytest.fixture
def make() -> Iterator[Daemons]:
    """Start daemons, and close them when the test ends."""
    daemons = Daemons()
    yield daemons
    daemons.close()


def months_of(place: Site, *months: ReportMonth) -> None:
    for month in months:
        place.store(operator(month))


def test_started_on_the_28th_it_turns_the_month_and_delivers_on_the_first_at_the_set_time(
    tmp_path: Path, make: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-10-28T10:00")))
    months_of(place, BEFORE)
    daemon = make(place)
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


def test_every_due_report_has_its_row_from_the_moment_the_month_opens(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-10-31T20:00")))
    daemon = make(place)
    daemon.live(utc("2026-11-01T00:00:01"))

    assert daemon.states(MONTH) == {"pending": DUE}
    assert posts(place, MONTH) == []


@pytest.mark.parametrize("moment", ["2026-11-03T14:07", "2026-11-01T05:30", "2026-11-30T22:50"])
def test_started_late_it_catches_up_at_once(tmp_path: Path, make: Daemons, moment: str) -> None:
    place = site(tmp_path, World(utc(moment)))
    daemon = make(place)
    daemon.tick()

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert posts(place, MONTH)[0] == utc(moment)


def test_started_before_the_release_it_sends_nothing_until_then(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-01T02:00")))
    daemon = make(place)
    release = daemon.daemon.timetable.release(MONTH)
    daemon.live(release)
    assert posts(place, MONTH) == []

    daemon.tick()
    assert posts(place, MONTH)[0] == release


def test_restarted_in_the_hour_of_jitter_it_still_waits_for_the_same_moment(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-01T05:00:30")))
    first = make(place)
    first.tick()
    first.close()
    second = make(place)
    second.tick()

    assert second.daemon.timetable.release(MONTH) > utc("2026-11-01T05:00:30")
    assert posts(place, MONTH) == []


def test_across_midnight_of_the_last_day_it_sends_nothing_out_of_the_window(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-30T22:20"), faults=[InjectedFault.parse("503@point_rating")]))
    daemon = make(place)
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


def test_how_a_month_ended_is_said_once_whatever_is_started_again(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")), hubs=2)
    place.ask("DELETE FROM hub_ratings")
    first = make(place)
    first.tick()
    first.close()
    place.world.turn_to(utc("2026-12-02T12:00"))
    second = make(place)
    second.live(utc("2026-12-02T13:00"))
    second.close()
    third = make(place)
    third.live(utc("2026-12-02T14:00"))

    assert len(second.at("window.missed", month="2026-10", missed=2)) == 1
    assert third.at("window.missed") == third.at("report.missed") == []
    assert first.at("window.opened") != []
    assert second.at("window.opened", month="2026-10") == []


def test_after_three_months_down_each_month_gets_its_true_end_and_the_open_one_is_delivered(
    tmp_path: Path, make: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")))
    months_of(place, MONTH.shift(3))
    place.ask("DELETE FROM hotline_ratings WHERE month = '2026-10'")
    first = make(place)
    first.tick()
    first.close()
    place.world.turn_to(utc("2027-02-10T12:00"))
    second = make(place)
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


def test_a_new_ledger_mourns_no_month_before_its_time(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")))
    daemon = make(place)
    daemon.tick()

    assert daemon.states(BEFORE) == {}
    assert daemon.events.of("window.missed") == []


def test_nothing_is_done_for_months_before_the_first_one(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-20T12:00")), {"schedule__first_month": "2026-11"})
    daemon = make(place)
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
    tmp_path: Path, make: Daemons, begin: str, month: str
) -> None:
    first = ReportMonth.parse(month)
    place = site(tmp_path, World(utc(begin)))
    months_of(place, first, first.shift(1))
    daemon = make(place)
    table = daemon.daemon.timetable
    until = table.release(first.shift(1)) + timedelta(hours=1)
    daemon.live(until, every=timedelta(minutes=20))

    for each in (first, first.shift(1)):
        assert daemon.states(each) == {"accepted": DUE}
        assert len(posts(place, each)) == DUE
    assert posts(place, first.shift(1))[0] == table.release(first.shift(1))
    assert daemon.at("window.closed", month=month) == [table.window(first).closes]


@pytest.mark.long
def test_a_year_goes_by(tmp_path: Path, make: Daemons) -> None:
    months = [MONTH.shift(n) for n in range(13)]
    place = site(tmp_path, World(utc("2026-11-28T09:00")))
    months_of(place, *months)
    daemon = make(place)
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
    tmp_path: Path, make: Daemons, by: timedelta
) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")))
    place.ask("DELETE FROM hub_ratings")
    daemon = make(place)
    daemon.live(utc("2026-11-10T13:00"))
    before = len(daemon.events.of("run.completed"))
    set_clock(place.world, by)
    daemon.live(place.world.now() + timedelta(hours=2))

    assert before == 4
    assert len(daemon.events.of("run.completed")) - before in {7, 8, 9}  # the future that was hides one
    assert len(posts(place, MONTH)) == DUE - 2


def test_a_clock_that_ran_a_month_ahead_and_was_put_right_costs_nothing(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")))
    months_of(place, AFTER)
    rows = operator()["hub-ratings"]
    place.ask("DELETE FROM hub_ratings WHERE month = '2026-10'")
    daemon = make(place)
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
    tmp_path: Path, make: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")))
    rows = operator()["hub-ratings"]
    place.ask("DELETE FROM hub_ratings")
    daemon = make(place)
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


def leave_a_run_of_another(daemon: SimulatedDaemon, holder: str) -> None:
    """Leave the ledger as a process does that delivers at this moment, or died doing so."""
    ledger, world = daemon.daemon.service.ledger, daemon.world
    ledger.leases.acquire(holder, at=world.monotonic())
    record = RunRecord(run_id="of another", month=MONTH, started_by="daemon", started_at=world.now())
    ledger.runs.begin(record, instance=holder)


def test_while_another_process_delivers_it_stands_by_and_takes_over_within_90_s_of_its_death(
    tmp_path: Path, make: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-01T04:00")))
    daemon = make(place)
    daemon.tick()
    place.world.turn_to(daemon.daemon.timetable.release(MONTH))
    leave_a_run_of_another(daemon, "another:1")
    died = place.world.now()
    daemon.live(died + timedelta(seconds=90))

    assert daemon.events.of("lease.waiting")[0]["holder"] == "another:1"
    assert len(daemon.events.of("lease.waiting")) == 1
    assert posts(place, MONTH)[0] <= died + timedelta(seconds=75)
    assert daemon.states(MONTH) == {"accepted": DUE}


def test_what_another_replica_did_is_not_done_again(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-01T04:00")))
    one, two = make(place), make(place)
    until = one.daemon.timetable.release(MONTH) + timedelta(hours=5)
    while place.world.now() < until:
        one.tick()
        two.tick()
        place.world.turn(LOOK.total_seconds())

    assert len(posts(place, MONTH)) == DUE
    assert len(one.at("window.opened") + two.at("window.opened")) == 1
    sending = [run for each in (one, two) for run in each.events.of("run.completed") if run["sent"]]
    assert len(sending) == 1
    assert two.events.of("report.accepted") == []


def test_a_run_that_was_asked_to_stop_is_taken_up_by_the_other_replica_at_once(
    tmp_path: Path, make: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00"), latency=lambda _: 1.0))
    one, two = make(place), make(place)
    place.world.after(1.5, lambda: setattr(one, "reason", "SIGTERM"))
    one.tick()
    sent = len(posts(place, MONTH))
    two.tick()

    assert 0 < sent < DUE
    assert two.states(MONTH) == {"accepted": DUE}
    assert len(posts(place, MONTH)) == DUE


def test_asked_to_stop_it_begins_nothing_new(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00")))
    daemon = make(place)
    daemon.reason = "SIGTERM"
    daemon.tick()

    assert daemon.events.names() == []


def test_an_api_that_is_down_fails_the_run_and_the_next_sweep_delivers(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00"), faults=[InjectedFault.parse("503")]))
    daemon = make(place)
    daemon.tick()
    assert daemon.daemon.worker_health.failing is not None
    assert daemon.beat()["last_run_failed"] == 1
    place.world.mock.set_faults([])
    daemon.live(place.world.now() + timedelta(minutes=16))

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert daemon.daemon.worker_health.failing is None
    assert daemon.beat()["last_run_failed"] == 0


def test_a_bug_in_a_run_is_raised_once_and_tried_again_at_the_pace_of_sweeps(
    tmp_path: Path, make: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00")))
    broken = True

    def redact(text: str) -> str:
        if broken and "statusCode" in text:  # an answer of the API
            raise KeyError("a bug")
        return text

    daemon = make(place, redact=redact)
    with pytest.raises(KeyError):
        daemon.tick()
    assert daemon.daemon.worker_health.failing == "KeyError: 'a bug'"
    daemon.live(utc("2026-11-03T12:14"))  # raises nothing: nothing is due
    assert daemon.beat()["last_run_failed"] == 1
    broken = False
    daemon.live(utc("2026-11-03T12:16"))

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert daemon.beat()["last_run_failed"] == 0


@pytest.mark.parametrize("failing", ["source", "store"])
def test_a_closing_that_failed_is_tried_again_until_it_succeeds_and_told_once(
    tmp_path: Path, make: Daemons, failing: str
) -> None:
    other = tmp_path / "others.sqlite3"
    source = {"sources__hubs__url": f"sqlite:///{other}", "sources__hubs__query": "SELECT * FROM hubs"}
    place = site(tmp_path, World(utc("2026-11-20T12:00")), source if failing == "source" else {})
    other.write_bytes(Path(place.url.removeprefix("sqlite:///")).read_bytes())
    hubs = Site(world=place.world, url=f"sqlite:///{other}")
    store_is_away = False

    def tap(step: str) -> None:
        if store_is_away and step == "ledger.close_month":
            raise StoreUnavailable("the store cannot be used: gone")

    make(place).tick()
    place.world.turn_to(utc("2026-12-01T00:30"))
    hubs.ask("ALTER TABLE hubs RENAME TO away")
    store_is_away = failing == "store"
    daemon = make(place, tap=tap)
    daemon.live(utc("2026-12-01T00:50"))
    failed = [run for run in daemon.events.of("run.failed") if run["month"] == "2026-10"]
    assert daemon.daemon.worker_health.failing is not None
    hubs.ask("ALTER TABLE away RENAME TO hubs")
    store_is_away = False
    daemon.live(utc("2026-12-01T02:00"))

    assert len(failed) == 2 if failing == "source" else 15 < len(failed) < 21
    assert daemon.daemon.worker_health.failing is None
    assert len([run for run in daemon.events.of("run.completed") if run["month"] == "2026-10"]) == 1
    assert len(daemon.events.of("window.closed")) == 1


def test_a_failure_is_past_when_another_replica_has_done_the_work(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00"), faults=[InjectedFault.parse("401@token")]))
    one, two = make(place), make(place)
    one.tick()
    assert one.daemon.worker_health.failing is not None
    place.world.mock.set_faults([])
    place.world.turn(900)
    two.tick()
    one.tick()

    assert two.states(MONTH) == {"accepted": DUE}
    assert one.daemon.worker_health.failing is None
    assert one.events.of("run.completed") == []


def test_a_clock_that_is_set_back_between_any_two_looks_at_it_does_no_harm(tmp_path: Path, make: Daemons) -> None:
    for readings in range(1, 30):
        world = SetBack(utc("2026-11-01T00:00:01"))
        place = site(tmp_path, world)
        daemon = make(place)
        world.readings_left = readings
        daemon.tick()
        world.readings_left = None
        daemon.live(utc("2026-11-01T00:05"))

        assert posts(place, MONTH) == []
        assert daemon.states(MONTH) == {"pending": DUE}


class SetBack(World):
    """A world whose clock is set back by an hour after so many readings."""

    readings_left: int | None = None

    def now(self) -> datetime:
        if self.readings_left is not None:
            self.readings_left -= 1
            if self.readings_left < 0:
                set_clock(self, timedelta(hours=-1))
                self.readings_left = None
        return super().now()


def test_a_look_while_nothing_is_due_is_one_small_query(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00")))
    daemon = make(place)
    for _ in range(3):
        daemon.tick()
        place.world.turn(15)
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(daemon.daemon.service.store.engine, "before_cursor_execute", note)
    daemon.tick()

    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1
    assert not [statement for statement in asked if statement.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_store_that_cannot_be_opened_is_waited_for_and_told_once(tmp_path: Path, make: Daemons) -> None:
    path = tmp_path / "store.sqlite3"
    path.mkdir()
    daemon = make(Site(world=World(utc("2026-11-03T12:00")), url=f"sqlite:///{path}"))
    daemon.daemon.watch.ready()
    daemon.tick()
    daemon.beat()
    daemon.world.turn(40)
    path.rmdir()
    daemon.tick()

    assert [name for name in daemon.events.names() if name.startswith("store.")] == [
        "store.lost",
        "store.upgraded",
        "store.recovered",
    ]
    assert daemon.events.of("store.recovered") == [{"duration_s": 40.0}]


@pytest.mark.postgres
def test_losing_the_database_costs_nothing_but_time(
    postgres_url: str, postgres_server: str, make: Daemons
) -> None:
    place = site_at(postgres_url, World(utc("2026-11-03T12:00")))
    daemon = make(place)
    database = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        _admit(admin, database, False)
        daemon.live(utc("2026-11-03T12:05"), beats=timedelta(seconds=60))
        away = daemon.events.of("run.heartbeat")
        _admit(admin, database, True)
    daemon.live(utc("2026-11-03T12:07"), beats=timedelta(seconds=60))

    assert len(daemon.events.of("store.lost")) == 1
    (recovered,) = daemon.events.of("store.recovered")
    assert recovered["duration_s"] == pytest.approx(300, abs=1)
    assert len(away) == 5
    assert all("expected" not in beat and beat["month"] == "2026-10" for beat in away)
    assert [pulse.store is not None for pulse in daemon.pulses[4:6]] == [True, False]
    assert daemon.states(MONTH) == {"accepted": DUE}


def _admit(admin: psycopg.Connection, database: str, allowed: bool) -> None:
    admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS {str(allowed).lower()}".encode())
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
