"""Whether the daemon lives, as an orchestrator asks again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from report_service import liveness
from report_service.ports import HealthSnapshot

ALIVE = HealthSnapshot(
    instance="host:1:abc",
    beat_at=1000.0,
    stale_after_s=150.0,
    moved_at=1000.0,
    store="refused",
    failing="the API is down",
    crashed=None,
    crashes=0,
)
HEAVY = {"pydantic", "typer", "rich", "structlog", "httpx", "sqlalchemy", "pathlib", "logging", "hashlib"}


def written(pulse: HealthSnapshot, path: Path) -> Path:
    path.write_text(json.dumps(asdict(pulse)))
    return path


def fresh(path: Path) -> Path:
    now = time.monotonic()
    return written(replace(ALIVE, beat_at=now, moved_at=now), path)


@pytest.mark.parametrize(
    ("at", "moved_at", "why"),
    [
        (1000.0, 1000.0, None),
        (1150.0, 1150.0, None),
        (1151.0, 1151.0, "no heartbeat for 151 s: the daemon is dead or hangs"),
        (999.0, 999.0, "the last heartbeat is from before this machine was started"),
        (1000.0, 1000.0 - liveness.STUCK_S, None),
        (1000.0, 999.0 - liveness.STUCK_S, "the worker has not moved for 901 s: it hangs"),
    ],
)
def test_it_lives_while_its_heart_beats_and_its_worker_moves(at: float, moved_at: float, why: str | None) -> None:
    assert liveness.ailment(beat_at=1000.0, stale_after_s=150.0, moved_at=moved_at, at=at) == why


def test_an_api_that_is_down_and_a_store_that_is_away_are_no_reason_to_start_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pulse = fresh(tmp_path / "pulse.json")

    assert liveness.check(None, {liveness.FILE_VARIABLE: str(pulse)}) == 0
    assert capsys.readouterr().out == "alive\n"


def test_a_dead_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pulse = written(replace(ALIVE, beat_at=time.monotonic() - 151), tmp_path / "pulse.json")

    assert liveness.check(None, {liveness.FILE_VARIABLE: str(pulse)}) == 1
    assert "no heartbeat for 151 s: the daemon is dead or hangs (host:1:abc)" in capsys.readouterr().out


def test_the_pulse_is_where_the_configuration_says(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(f"[health]\nfile = '{fresh(tmp_path / 'pulse.json')}'\n")

    assert liveness.check(str(config), {}) == 0
    assert liveness.check(None, {liveness.CONFIG_VARIABLE: str(config)}) == 0


def test_without_a_word_the_pulse_is_named_after_the_configuration_or_else_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "report-service.toml"
    bare = liveness.pulse_files(liveness.config_file(None, {}))
    config.write_text("")

    assert liveness.config_file(None, {}) == "report-service.toml"
    named = liveness.pulse_files("report-service.toml")
    assert named == liveness.pulse_files(str(config)) != bare
    assert [str(Path(file).parent) for file in named] == ["/tmp", "/dev/shm", "."]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no daemon runs here with this configuration"),
        ("{", "pulse.json cannot be read: Expecting"),
        ("[]", "list indices"),
        ("{}", "beat_at"),
    ],
)
def test_what_it_cannot_tell_is_no_life_and_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "pulse.json").write_text(text)

    assert liveness.check(None, {liveness.FILE_VARIABLE: str(tmp_path / "pulse.json")}) == 1
    said = capsys.readouterr().out
    assert told in said
    assert said.count("\n") == 1


def test_where_no_pulse_can_be_left_that_is_said_plainly(tmp_path: Path) -> None:
    places = (str(tmp_path / "none" / "a.json"), str(tmp_path / "neither" / "a.json"))

    with pytest.raises(FileNotFoundError, match=r"no pulse can be left here: .*none, .*neither cannot be written"):
        liveness.newest_pulse(places)


@pytest.mark.parametrize("by_file", [False, True])
def test_the_command_imports_nothing_heavy(tmp_path: Path, by_file: bool) -> None:
    pulse, config = fresh(tmp_path / "pulse.json"), tmp_path / "empty.toml"
    config.write_text("")
    given = ["--config", str(config)] if by_file else []
    script = (
        "import sys\nbefore = set(sys.modules)\nfrom report_service.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, *(set(sys.modules) - before))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, *given, "health", "--live"],
        env={liveness.FILE_VARIABLE: str(pulse), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    alive, ended = done.stdout.splitlines()
    assert alive == "alive"
    assert ended.split()[0] == "0"
    assert not HEAVY & set(ended.split())
