"""The daemon rehearses the running month by itself, says so in one line, and touches nothing."""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.simulated_daemon import Daemons
from tests.support.simulation import World, site, site_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.simulated_daemon import SimulatedDaemon
    from tests.support.simulation import Site

DUE = 11  # reports of the made-up operator
DAY = timedelta(days=1)
TIME = datetime(2026, 10, 25, 5, tzinfo=UTC)
"""Day 25, 06:00 in Berlin."""
SECOND = timedelta(seconds=1)


@pytest.fixture
def make() -> Iterator[Daemons]:
    with closing(Daemons()) as daemons:
        yield daemons


def look(daemon: SimulatedDaemon, at: datetime) -> None:
    daemon.world.turn_to(at)
    daemon.daemon.rehearsal.look()


def said(*daemons: SimulatedDaemon) -> list[dict[str, object]]:
    return [dict(fields) for daemon in daemons for fields in daemon.events.of("rehearsal.completed")]


def lose_the_hotline(place: Site) -> None:
    place.ask("DELETE FROM hotline_ratings")


def test_it_is_told_once_from_the_hour_of_its_day_on_and_nothing_is_sent_or_planned(
    store_url: str, make: Daemons
) -> None:
    place = site_at(store_url, World(TIME - SECOND))
    one, two = make(place), make(place)
    look(one, TIME - SECOND)
    assert said(one) == []

    for at in (TIME, TIME + SECOND, TIME + DAY, TIME + 6 * DAY):
        look(one, at)
        look(two, at)

    (line,) = said(one, two)
    assert {name: line[name] for name in ("month", "expected", "accepted", "outstanding", "complete")} == {
        "month": "2026-10",
        "expected": DUE,
        "accepted": DUE,
        "outstanding": 0,
        "complete": True,
    }
    assert place.world.calls == []
    for table in ("deliveries", "attempts", "evidence", "leases", "payloads"):
        assert place.ask(f"SELECT count(*) FROM {table}") == [(0,)]
    assert place.ask("SELECT started_by, month, result FROM runs") == [("rehearsal", "2026-10", "completed")]


def test_what_would_be_missing_is_named_daily_until_it_is_mended(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(TIME))
    hotline = place.ask("SELECT * FROM hotline_ratings")[0]
    lose_the_hotline(place)
    place.ask("UPDATE hub_ratings SET rating = '7' WHERE hub_id = (SELECT min(hub_id) FROM hub_ratings)")
    daemon = make(place)
    for at in (TIME, TIME + 12 * DAY / 24, TIME + DAY):
        look(daemon, at)

    first, second = said(daemon)
    assert (first["outstanding"], first["awaiting_data"], first["invalid"], first["complete"]) == (2, 1, 1, False)
    assert "2026-10/hotline_rating is awaiting_data: the source has no row for it" in str(first["detail"])
    assert "is invalid: rating = 7: must be 1 to 6" in str(first["detail"])
    assert second["detail"] == first["detail"]

    place.ask(f"INSERT INTO hotline_ratings VALUES ({', '.join(repr(value) for value in hotline[:-1])}, NULL)")
    place.ask("UPDATE hub_ratings SET rating = '2'")
    for days in (2, 3):
        look(daemon, TIME + days * DAY)
    assert [line["complete"] for line in said(daemon)] == [False, False, True]


def test_a_restart_on_the_same_day_does_not_tell_it_again(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(TIME))
    lose_the_hotline(place)
    look(make(place), TIME)
    again = make(place)
    look(again, TIME + timedelta(hours=1))
    assert said(again) == []

    look(again, TIME + DAY)
    assert len(said(again)) == 1


def test_what_keeps_it_from_being_made_is_told_with_the_way_out_and_it_is_made_the_next_day(
    tmp_path: Path, make: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site(tmp_path, World(TIME))
    daemon = make(place)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        look(daemon, TIME)
        look(daemon, TIME + SECOND)

    (failed,) = daemon.events.of("rehearsal.failed")
    assert (failed["month"], failed["reason"]) == ("2026-10", "configuration_error")
    assert failed["detail"] == "a rehearsal needs a folder for temporary files: No such file or directory"
    assert "--tmpfs /tmp" in str(failed["hint"])
    assert place.ask("SELECT result FROM runs") == [("failed",)]

    look(daemon, TIME + DAY)
    assert len(said(daemon)) == 1


def test_while_the_store_is_away_it_waits(tmp_path: Path, make: Daemons) -> None:
    place = site(tmp_path, World(TIME))
    file = Path(place.url.removeprefix("sqlite:///"))
    daemon = make(place)
    file.rename(tmp_path / "away")
    file.mkdir()
    look(daemon, TIME)
    assert daemon.events.emitted == []

    file.rmdir()
    (tmp_path / "away").rename(file)
    look(daemon, TIME + SECOND)
    assert len(said(daemon)) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("SCHEDULE__REHEARSE_DAY", "0"), ("SCHEDULE__FIRST_MONTH", "2026-11")]
)
def test_where_none_is_wanted_none_is_made(tmp_path: Path, make: Daemons, name: str, value: str) -> None:
    daemon = make(site(tmp_path, World(TIME)).elsewhere(environ={name: value}))
    look(daemon, TIME)

    assert daemon.events.emitted == []
