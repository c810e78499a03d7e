from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from report_service.adapters.health_file import HealthFile, read_health_file
from report_service.errors import BadInput
from report_service.liveness import STUCK_S
from report_service.ports import HealthSnapshot
from report_service.services.daemon.health import WorkerHealth, diagnose
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

WELL = HealthSnapshot(
    instance="host:1:abc",
    beat_at=1000.0,
    stale_after_s=150.0,
    moved_at=990.0,
    store=None,
    failing=None,
    crashed=None,
    crashes=0,
)


def test_a_fresh_heartbeat_without_complaints_is_well() -> None:
    assert diagnose(WELL, at=1000) is None
    assert diagnose(WELL, at=1150) is None


def test_what_is_wrong_is_said_in_one_line() -> None:
    found = {
        (WELL, 1151.0): "no heartbeat for 151 s: the daemon is dead or hangs",
        (WELL, 999.0): "the last heartbeat is from before this machine was started",
        (replace(WELL, store="refused"), 1001.0): "the store cannot be reached: refused",
        (replace(WELL, failing="no token"), 1001.0): "the last run failed: no token",
        (replace(WELL, crashed="look: KeyError: 1", crashes=3), 1001.0): (
            "a job raises (3 times since the start): look: KeyError: 1"
        ),
    }
    assert {given: diagnose(given[0], at=given[1]) for given in found} == found


@pytest.mark.parametrize(("still_s", "well"), [(STUCK_S - 1, True), (STUCK_S + 1, False)])
def test_a_worker_that_does_not_move_is_told_of_although_the_heart_beats(still_s: float, well: bool) -> None:
    why = diagnose(replace(WELL, moved_at=1000 - still_s), at=1000)

    assert why == (None if well else f"the worker has not moved for {still_s:.0f} s: it hangs")


def test_a_worker_moves_whenever_it_asks_whether_to_stop() -> None:
    clock = FakeClock()
    worker_health = WorkerHealth(clock)
    ask = worker_health.watching(lambda: "SIGTERM")
    clock.sleep(40)

    assert ask() == "SIGTERM"
    assert worker_health.moved_at == clock.monotonic()


def test_a_pulse_is_read_as_it_was_written_and_gone_when_the_daemon_ends(tmp_path: Path) -> None:
    path = tmp_path / "pulse.json"
    file = HealthFile([path])
    file.write(WELL)
    file.write(replace(WELL, failing="no token"))

    assert read_health_file([path]) == replace(WELL, failing="no token")
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    file.remove()
    file.remove()
    with pytest.raises(
        BadInput, match=r"no daemon runs here with this configuration: none of .*pulse\.json is there"
    ):
        read_health_file([path])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"instance": "a"}'])
def test_a_pulse_that_cannot_be_understood_is_refused_with_its_place(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pulse.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"pulse\.json cannot be read"):
        read_health_file([path])


def test_a_folder_that_is_missing_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "later" / "pulse.json"
    file = HealthFile([path])
    file.write(WELL)
    file.write(WELL)
    assert [record.getMessage() for record in caplog.records] == [
        f"`health` will fail: {path} cannot be written (No such file or directory); name another by health.file"
    ]

    path.parent.mkdir()
    file.write(WELL)
    assert read_health_file([path]) == WELL


def test_where_the_first_place_cannot_be_written_the_next_is_used_and_found(tmp_path: Path) -> None:
    places = [tmp_path / "missing" / "pulse.json", tmp_path / "pulse.json"]
    HealthFile(places).write(WELL)

    assert read_health_file(places) == WELL


def test_of_two_pulses_the_later_heartbeat_counts(tmp_path: Path) -> None:
    left_by_a_dead_one, written_now = tmp_path / "a.json", tmp_path / "b.json"
    HealthFile([left_by_a_dead_one]).write(replace(WELL, beat_at=10.0))
    HealthFile([written_now]).write(WELL)

    assert read_health_file([left_by_a_dead_one, written_now]) == WELL
