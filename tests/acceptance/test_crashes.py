"""Real processes on real databases, killed at random and at every commit and send, stopped, starved of disk.

`make crashes KILLS=200` kills so many at random on each database.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from report_service.adapters.db.engine import Store
from report_service.mock_api.operator import made_up_operator
from tests.support import dying
from tests.support.evidence import assert_delivered_once, assert_nothing_false
from tests.support.processes import MONTH, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli, Mock

KILLS = int(os.environ.get("REPORT_SERVICE_TEST_KILLS", "4"))
A_MONTH_TAKES = 8
"""So many kills befall one month; then another begins."""
FIGURES = made_up_operator(MONTH, hubs=4, points_per_hub=6, provider_groups=8)
REPORTS = 1 + 8 + 4 * (2 + 6)
FEW = made_up_operator(MONTH, hubs=1, points_per_hub=1, provider_groups=1)
FEW_REPORTS = 1 + 1 + 2 + 1


def _empty(cli: Cli) -> None:
    """Forget what was delivered."""
    with closing(Store(cli.settings["STORE__URL"])) as store, store.write() as connection:
        for table in ("evidence", "attempts", "deliveries", "runs", "leases"):
            connection.execute(text(f"DELETE FROM {table}"))


def _die(cli: Cli, dice: random.Random) -> bool:
    """Run until a kill -9; return False if the run came to its end before."""
    where = dice.choice((*dying.COMMITS, *dying.REQUESTS, "whenever"))
    if where == "whenever":
        process = cli.start("run", "--patience", 30)
        try:
            process.wait(timeout=dice.uniform(0.3, 3.0))
        except subprocess.TimeoutExpired:
            process.kill()
    else:
        process = _dying(cli, dice.randrange(1, 60), where)
    process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def _dying(cli: Cli, number: int, where: str) -> subprocess.Popen[str]:
    """Start a run that dies at its n-th commit or request, if it comes to that."""
    return replace(cli, launcher=(sys.executable, dying.__file__, str(number), where)).start(
        "run", "--patience", 30
    )


@pytest.mark.long
@pytest.mark.parametrize("where", ["before", "after", *dying.REQUESTS])
def test_a_month_survives_a_kill_at_each_commit_and_send(cli: Cli, start_mock: StartMock, where: str) -> None:
    steps = 0
    while True:
        mock = start_mock()
        at_work = cli.using(**mock.settings, OBELIS__TIMEOUT_S=1, OBELIS__MAX_IN_FLIGHT=2)
        at_work.stock(FEW)
        process = _dying(at_work, steps + 1, where)
        process.communicate(timeout=60)
        if process.returncode != -signal.SIGKILL:
            break
        assert_nothing_false(at_work, mock)
        at_work.end_leases()
        assert at_work("run", "--patience", 60).code == 0, f"killed {where} step {steps + 1}"
        assert_delivered_once(at_work, mock, FEW_REPORTS)
        _empty(at_work)
        steps += 1

    assert process.returncode == 0
    assert steps >= FEW_REPORTS


@pytest.mark.long
def test_a_month_survives_kills_at_random(cli: Cli, start_mock: StartMock) -> None:
    seed, kills = random.randrange(10**6), 0
    dice = random.Random(seed)
    while kills < KILLS:
        mock = start_mock("--latency", "60ms", "--fault", "lost:0.05", "--fault", "503:0.03", "--seed", seed)
        at_work = cli.using(**mock.settings, OBELIS__TIMEOUT_S=2, OBELIS__MAX_IN_FLIGHT=4, RETRY__BASE_S=0.1)
        at_work.stock(FIGURES)
        for _ in range(min(A_MONTH_TAKES, KILLS - kills)):
            kills += _die(at_work, dice)
            assert_nothing_false(at_work, mock)
            at_work.end_leases()
        assert at_work("run", "--patience", 60).code == 0, f"dice {seed}"
        assert_delivered_once(at_work, mock, REPORTS)
        _empty(at_work)


def test_a_holder_that_is_stopped_and_wakes_late_changes_nothing(cli: Cli, start_mock: StartMock) -> None:
    mock = start_mock("--latency", "200ms")
    cli = cli.using(**mock.settings, OBELIS__TIMEOUT_S=2, OBELIS__MAX_IN_FLIGHT=4)
    cli.stock(FIGURES)
    holder = cli.start("run")
    _wait_for(mock, 8)
    holder.send_signal(signal.SIGSTOP)
    cli.end_leases()

    assert cli("run", "--patience", 60).code == 0
    holder.send_signal(signal.SIGCONT)
    late = cli.end(holder)

    assert late.code in {0, 4}
    assert_delivered_once(cli, mock, REPORTS)


def _wait_for(mock: Mock, taken: int) -> None:
    wait_until(lambda: mock.created >= taken)


def test_a_full_disk_stops_nothing_for_ever(sqlite_cli: Cli, tmp_path: Path, start_mock: StartMock) -> None:
    mock = start_mock("--latency", "50ms")
    with _small_disk(tmp_path / "small") as disk:
        cli = sqlite_cli.using(
            **mock.settings, STORE__URL=f"sqlite:///{disk}/store.sqlite3", OBELIS__MAX_IN_FLIGHT=4
        )
        cli.stock(FIGURES)
        run = cli.start("run", "--patience", 60)
        _wait_for(mock, 8)
        ballast = disk / "ballast"
        _fill(ballast)
        assert run.stdout is not None
        assert any("store.lost" in line for line in run.stdout)
        ballast.unlink()

        done = cli.end(run)

        assert done.code == 0, done.said
        assert_delivered_once(cli, mock, REPORTS)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 2 MB, for root only."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        if os.environ.get("CI"):
            raise RuntimeError(mounted.stderr.decode())
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
