"""The daemon beside another, and what it does when something fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event

from report_service.errors import StoreUnavailable
from report_service.mock_api.injected_faults import InjectedFault
from report_service.ports import RunRecord
from tests.integration.test_daemon import set_clock
from tests.support.daemon_months import DUE, posts, utc
from tests.support.simulated_daemon import LOOK, Daemons, SimulatedDaemon
from tests.support.simulation import MONTH, Site, World, site, site_at


def leave_a_run_of_another(daemon: SimulatedDaemon, holder: str) -> None:
    """Leave the ledger as a process does that delivers at this moment, or died doing so."""
    ledger, world = daemon.daemon.service.ledger, daemon.world
    ledger.leases.acquire(holder, at=world.monotonic())
    record = RunRecord(run_id="of another", month=MONTH, started_by="daemon", started_at=world.now())
    ledger.runs.begin(record, instance=holder)


def test_while_another_process_delivers_it_stands_by_and_takes_over_within_90_s_of_its_death(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-01T04:00")))
    daemon = daemons(place)
    daemon.tick()
    place.world.turn_to(daemon.daemon.timetable.release(MONTH))
    leave_a_run_of_another(daemon, "another:1")
    died = place.world.now()
    daemon.live(died + timedelta(seconds=90))

    assert daemon.events.of("lease.waiting")[0]["holder"] == "another:1"
    assert len(daemon.events.of("lease.waiting")) == 1
    assert posts(place, MONTH)[0] <= died + timedelta(seconds=75)
    assert daemon.states(MONTH) == {"accepted": DUE}


def test_what_another_replica_did_is_not_done_again(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-01T04:00")))
    one, two = daemons(place), daemons(place)
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
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00"), latency=lambda _: 1.0))
    one, two = daemons(place), daemons(place)
    place.world.after(1.5, lambda: setattr(one, "reason", "SIGTERM"))
    one.tick()
    sent = len(posts(place, MONTH))
    two.tick()

    assert 0 < sent < DUE
    assert two.states(MONTH) == {"accepted": DUE}
    assert len(posts(place, MONTH)) == DUE


def test_asked_to_stop_it_begins_nothing_new(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00")))
    daemon = daemons(place)
    daemon.reason = "SIGTERM"
    daemon.tick()

    assert daemon.events.names() == []


def test_an_api_that_is_down_fails_the_run_and_the_next_sweep_delivers(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00"), faults=[InjectedFault.parse("503")]))
    daemon = daemons(place)
    daemon.tick()
    assert daemon.daemon.worker_health.failing is not None
    assert daemon.beat()["last_run_failed"] == 1
    place.world.mock.set_faults([])
    daemon.live(place.world.now() + timedelta(minutes=16))

    assert daemon.states(MONTH) == {"accepted": DUE}
    assert daemon.daemon.worker_health.failing is None
    assert daemon.beat()["last_run_failed"] == 0


def test_a_bug_in_a_run_is_raised_once_and_tried_again_at_the_pace_of_sweeps(
    tmp_path: Path, daemons: Daemons
) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00")))
    broken = True

    def redact(text: str) -> str:
        if broken and "statusCode" in text:  # an answer of the API
            raise KeyError("a bug")
        return text

    daemon = daemons(place, redact=redact)
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
    tmp_path: Path, daemons: Daemons, failing: str
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

    daemons(place).tick()
    place.world.turn_to(utc("2026-12-01T00:30"))
    hubs.ask("ALTER TABLE hubs RENAME TO away")
    store_is_away = failing == "store"
    daemon = daemons(place, tap=tap)
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


def test_a_failure_is_past_when_another_replica_has_done_the_work(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00"), faults=[InjectedFault.parse("401@token")]))
    one, two = daemons(place), daemons(place)
    one.tick()
    assert one.daemon.worker_health.failing is not None
    place.world.mock.set_faults([])
    place.world.turn(900)
    two.tick()
    one.tick()

    assert two.states(MONTH) == {"accepted": DUE}
    assert one.daemon.worker_health.failing is None
    assert one.events.of("run.completed") == []


def test_a_clock_that_is_set_back_between_any_two_looks_at_it_does_no_harm(
    tmp_path: Path, daemons: Daemons
) -> None:
    for readings in range(1, 30):
        world = SetBack(utc("2026-11-01T00:00:01"))
        place = site(tmp_path, world)
        daemon = daemons(place)
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


def test_a_look_while_nothing_is_due_is_one_small_query(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path, World(utc("2026-11-03T12:00")))
    daemon = daemons(place)
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


def test_a_store_that_cannot_be_opened_is_waited_for_and_told_once(tmp_path: Path, daemons: Daemons) -> None:
    path = tmp_path / "store.sqlite3"
    path.mkdir()
    daemon = daemons(Site(world=World(utc("2026-11-03T12:00")), url=f"sqlite:///{path}"))
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
    postgres_url: str, postgres_server: str, daemons: Daemons
) -> None:
    place = site_at(postgres_url, World(utc("2026-11-03T12:00")))
    daemon = daemons(place)
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
