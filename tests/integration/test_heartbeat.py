"""What the daemon says of itself, again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.mock_api.injected_faults import InjectedFault
from tests.support.simulated_daemon import Daemons
from tests.support.simulation import MONTH, Site, World, operator, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DUE = 11


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def unix(text: str) -> int:
    return int(utc(text).timestamp())


@pytest.fixture
def start() -> Iterator[Daemons]:
    daemons = Daemons()
    yield daemons
    daemons.close()


@pytest.fixture
def place(tmp_path: Path) -> Site:
    return site(tmp_path, World(utc("2026-11-10T12:00")))


def test_before_anything_happened_it_says_what_is_known(start: Daemons, place: Site) -> None:
    said = start(place).beat()

    assert said["month"] == "2026-10"
    assert said["month_index"] == 2026 * 12 + 10
    assert said["window_opens_unix"] == unix("2026-11-01T00:01")
    assert said["window_closes_unix"] == unix("2026-11-30T22:59")
    assert (said["last_run_failed"], said["lease_holder"], said["expected"]) == (0, False, 0)
    assert "last_completed_month" not in said
    assert "forecast_unix" not in said


def test_a_complete_month_is_told_with_the_time_of_its_completion(start: Daemons, place: Site) -> None:
    daemon = start(place)
    daemon.tick()
    completed = place.world.now()
    place.world.turn(86_400)
    said = daemon.beat()

    assert (said["expected"], said["delivered"], said["accepted"], said["pending"]) == (DUE, DUE, DUE, 0)
    assert (said["last_completed_month"], said["last_completed_month_index"]) == ("2026-10", 24322)
    assert said["last_completed_unix"] == pytest.approx(completed.timestamp(), abs=2)
    assert said["lease_holder"] is True


def test_an_earlier_month_counts_as_the_last_complete_one_until_the_newest_is(start: Daemons, place: Site) -> None:
    daemon = start(place)
    daemon.tick()
    place.world.turn_to(utc("2026-12-02T12:00"))
    daemon.tick()  # November has no rows yet
    assert daemon.beat()["last_completed_month"] == "2026-10"

    place.store(operator(MONTH.shift(1)))
    place.world.turn(16 * 60)
    daemon.tick()
    assert daemon.beat()["last_completed_month"] == "2026-11"


def test_no_month_is_complete_when_something_was_missed_in_each(start: Daemons, place: Site) -> None:
    place.ask("DELETE FROM hotline_ratings")
    daemon = start(place)
    daemon.tick()

    assert "last_completed_month" not in daemon.beat()


def test_what_is_left_is_forecast(start: Daemons, tmp_path: Path) -> None:
    place = site(tmp_path, World(utc("2026-11-01T01:00")), {"obelis__requests_per_minute": "1"})
    daemon = start(place)
    daemon.tick()  # plans: the release is to come
    said = daemon.beat()

    assert (said["pending"], said["forecast_in_time"]) == (DUE, True)
    assert said["forecast_unix"] == place.world.now().timestamp() + DUE * 60


def test_the_clock_s_difference_to_the_api_s_is_told(start: Daemons, place: Site) -> None:
    place.world.mock.set_skew(-90)
    daemon = start(place)
    daemon.tick()

    assert daemon.beat()["skew_s"] == pytest.approx(90, abs=1)


def test_of_two_replicas_the_one_that_delivered_last_holds_the_lease(start: Daemons, place: Site) -> None:
    one, two = start(place), start(place)
    one.tick()
    assert (one.beat()["lease_holder"], two.beat()["lease_holder"]) == (True, False)
    place.world.turn(7 * 3600)
    two.tick()
    assert (one.beat()["lease_holder"], two.beat()["lease_holder"]) == (False, True)


def test_a_failed_run_is_told_until_one_ended_well_and_also_by_the_other_replica(
    start: Daemons, place: Site
) -> None:
    place.world.mock.set_faults([InjectedFault.parse("401@token")])
    one, two = start(place), start(place)
    one.tick()
    assert (one.beat()["last_run_failed"], two.beat()["last_run_failed"]) == (1, 1)

    place.ask("UPDATE runs SET result = NULL")  # as while the next one goes on
    assert two.beat()["last_run_failed"] == 1
    place.world.mock.set_faults([])
    two.tick()
    assert (one.beat()["last_run_failed"], two.beat()["last_run_failed"]) == (0, 0)


def test_the_end_of_a_window_is_announced_once_a_day_in_its_last_five_days(start: Daemons, tmp_path: Path) -> None:
    place = site(tmp_path, World(utc("2026-11-10T12:00")), {"schedule__sweep_minutes": "1440"})
    place.ask("DELETE FROM hub_ratings")
    daemon = start(place)
    daemon.live(utc("2026-12-01T12:00"), every=timedelta(hours=3), beats=timedelta(hours=3))

    told = daemon.events.of("window.closing")
    assert told == [{"month": "2026-10", "window_closes_unix": unix("2026-11-30T22:59"), "outstanding": 2}] * 5
    days = [at.date().isoformat() for at in daemon.at("window.closing")]
    assert days == ["2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29", "2026-11-30"]


def test_a_complete_month_is_left_to_close_in_silence(start: Daemons, place: Site) -> None:
    daemon = start(place)
    daemon.live(utc("2026-12-01T12:00"), every=timedelta(days=1), beats=timedelta(hours=12))

    assert daemon.events.of("window.closing") == []


def test_the_pulse_says_what_health_must_know_and_no_secret(start: Daemons, place: Site) -> None:
    daemon = start(place, redact=lambda text: text.replace("hush", "***"))
    daemon.beat()
    well = daemon.pulses[-1]
    assert (well.store, well.failing, well.crashed, well.crashes) == (None, None, None, 0)
    assert well.beat_at == place.world.monotonic()
    assert well.stale_after_s == 150

    worker_health = daemon.daemon.worker_health
    worker_health.failing, worker_health.crashes = "no token: hush", 2
    worker_health.crashed["look"] = "KeyError: hush"
    daemon.beat()
    ill = daemon.pulses[-1]
    assert (ill.failing, ill.crashed, ill.crashes) == ("no token: ***", "look: KeyError: ***", 2)


def test_a_store_without_tables_gets_them(start: Daemons, tmp_path: Path) -> None:
    place = Site(world=World(), url=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    daemon = start(place)
    assert daemon.beat()["expected"] == 0
    assert daemon.pulses[-1].store is None


def test_the_tables_are_made_at_the_start_or_when_the_store_is_there(start: Daemons, tmp_path: Path) -> None:
    place = Site(world=World(), url=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    daemon = start(place)
    daemon.daemon.watch.ready()
    daemon.daemon.watch.ready()

    assert daemon.events.names() == ["store.upgraded"]
    assert daemon.beat()["expected"] == 0


def test_a_heartbeat_is_told_when_it_is_due_or_when_something_changed(start: Daemons, place: Site) -> None:
    daemon = start(place)
    heartbeat = daemon.daemon.heartbeat

    def told_after(seconds: float) -> int:
        place.world.turn(seconds)
        heartbeat.pulse()
        return len(daemon.events.of("run.heartbeat"))

    assert (heartbeat.every_s, heartbeat.pulse_s) == (300, 60)
    assert [told_after(60) for _ in range(5)] == [1, 1, 1, 1, 1]
    assert told_after(60) == 2
    daemon.tick()  # delivers
    assert told_after(60) == 3
    assert [told_after(60) for _ in range(5)] == [3, 3, 3, 3, 4]
    assert len(daemon.pulses) == 12  # `health` sees each
