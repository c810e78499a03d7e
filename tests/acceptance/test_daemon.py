"""`report-service daemon` and `health` as their users run them."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.pgbouncer import pooled
from tests.support.processes import DUE, MONTH, Cli, mock_api, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Mock
    from tests.support.stores import PostgresDatabases

MANY = 157
FIGURES = made_up_operator(MONTH, hubs=12, points_per_hub=10, provider_groups=12)


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A daemon that runs, and the file that its log goes to."""

    cli: Cli
    process: subprocess.Popen[str]
    out: Path

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return its log up to now; each line is whole, or not there yet."""
        return [json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == event]

    def said(self, event: str, times: int = 1, *, within_s: float = 30) -> dict[str, Any]:
        """Wait until it has said an event so often; return the latest."""
        wait_until(lambda: len(self.of(event)) >= times or self.process.poll() is not None, within_s=within_s)
        assert len(self.of(event)) >= times, self.out.read_text()
        return self.of(event)[-1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Ask it to end; return how long that took it, in seconds."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began


class Start:
    """Starts daemons, and ends them with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._started = 0

    def __call__(self, cli: Cli, **settings: object) -> Daemon:
        """Start one, with a heartbeat every second and a health file of its own."""
        self._started += 1
        name = f"daemon-{self._started}"
        cli = cli.using(
            **{"SCHEDULE__HEARTBEAT_SECONDS": 1, "HEALTH__FILE": self._folder / f"{name}.json", **settings}
        )
        out = self._folder / f"{name}.jsonl"
        stream = self._stack.enter_context(out.open("w"))
        process = cli.start("daemon", stdout=stream.fileno(), stderr=stream.fileno())
        self._stack.callback(process.wait, 30)
        self._stack.callback(process.kill)
        return Daemon(cli=cli, process=process, out=out)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        yield Start(tmp_path, stack)


def test_it_starts_quickly_delivers_the_open_month_and_ends_quickly(
    cli: Cli, figures: dict[str, list[Row]], start: Start
) -> None:
    cli.stock(figures)
    began = time.time()
    daemon = start(cli)
    daemon.said("run.heartbeat")
    to_heartbeat_s = time.time() - began
    run = daemon.said("run.completed")

    assert to_heartbeat_s < 6  # 1.5 on a quiet machine
    assert (run["month"], run["trigger"], run["complete"], run["delivered"]) == (str(MONTH), "daemon", True, DUE)
    assert cli.states() == {"accepted": DUE}
    beat = daemon.said("run.heartbeat", len(daemon.of("run.heartbeat")) + 2)
    assert (beat["delivered"], beat["last_completed_month"], beat["lease_holder"]) == (DUE, str(MONTH), True)
    assert daemon.cli("health").out == f"well: {beat_instance(daemon)}\n"
    assert daemon.cli("health", "--live").out == "alive\n"

    took_s = daemon.end()
    assert daemon.process.returncode == 0
    assert took_s < 2
    assert [line["reason"] for line in daemon.of("service.stopping")] == ["SIGTERM"]
    assert "service.stopping" in [line["event"] for line in daemon.log][-2:]  # a heartbeat may be under way
    assert not [line for line in daemon.log if line["level"] in {"warning", "error", "critical"}]


def test_the_running_month_is_rehearsed_beside_delivering_the_last_one(
    cli: Cli, figures: dict[str, list[Row]], start: Start
) -> None:
    cli.stock(figures)
    daemon = start(cli.using(SCHEDULE__REHEARSE_DAY=1, SCHEDULE__HOUR=0))  # it is time on every date

    rehearsed, run = daemon.said("rehearsal.completed"), daemon.said("run.completed")

    assert (rehearsed["month"], rehearsed["outstanding"]) == (str(MONTH.shift(1)), DUE)
    assert (run["month"], run["complete"]) == (str(MONTH), True)
    assert cli.states(MONTH.shift(1)) == {}
    daemon.end()


def beat_instance(daemon: Daemon) -> str:
    return str(daemon.of("service.started")[0]["instance"])


def test_the_settings_are_told_once_without_secrets_and_a_hangup_reads_the_secrets_anew(
    sqlite_cli: Cli, start: Start, start_mock: StartMock, tmp_path: Path
) -> None:
    secret, settings = tmp_path / "secret", dict(start_mock().settings)
    secret.write_text(settings.pop("OBELIS__CLIENT_SECRET"))
    daemon = start(sqlite_cli.using(**settings, OBELIS__CLIENT_SECRET_FILE=secret, NO_SECTION=1))
    daemon.said("run.heartbeat")
    warned = daemon.said("log.message")
    daemon.process.send_signal(signal.SIGHUP)
    same = daemon.said("secrets.reread")
    secret.write_text("another-secret")
    daemon.process.send_signal(signal.SIGHUP)
    other = daemon.said("secrets.reread", 2)
    daemon.end(signal.SIGINT)

    (started,) = daemon.of("service.started")
    assert (started["command"], started["month"]) == ("daemon", str(MONTH))
    assert "schedule.heartbeat_seconds = 1," in started["settings"]
    assert not re.search("test-secret|another-secret", daemon.out.read_text())
    assert (warned["level"], warned["detail"][:25]) == ("warning", "REPORT_SERVICE_NO_SECTION")
    assert (same["reason"], same["changed"], other["changed"]) == ("hangup", False, True)
    assert daemon.process.returncode == 0
    assert [line["reason"] for line in daemon.of("service.stopping")] == ["SIGINT"]


def test_a_rotated_secret_is_read_anew_when_the_old_one_is_refused_before_any_alarm(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start: Start, tmp_path: Path
) -> None:
    sqlite_cli.stock(figures)
    secret = tmp_path / "secret"
    secret.write_text("the-first")
    mocks = Cli(folder=tmp_path)
    with mock_api(
        mocks, "--client-secret", "the-first", "--fault", "503@hotline_rating", log=tmp_path / "1.jsonl"
    ) as old:
        settings = {name: value for name, value in old.settings.items() if name != "OBELIS__CLIENT_SECRET"}
        daemon = start(
            sqlite_cli.using(**settings), OBELIS__CLIENT_SECRET_FILE=secret, RETRY__BASE_S=1, RETRY__CAP_S=1
        )
        wait_until(lambda: old.created == DUE - 1)
    secret.write_text("the-second")
    port = old.url.rpartition(":")[2]
    with mock_api(mocks, "--client-secret", "the-second", "--port", port, log=tmp_path / "2.jsonl"):
        assert daemon.said("run.completed", within_s=60)["complete"] is True

    assert [(line["reason"], line["changed"]) for line in daemon.of("secrets.reread")] == [("refused", True)]
    assert daemon.of("auth.failed") == []
    assert not re.search("the-first|the-second", daemon.out.read_text())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"SCHEDULE__DAY": 31}, "must be at most 28"),
        ({"STORE__AUTO_UPGRADE": "false"}, "the store has no tables yet"),
    ],
)
def test_what_cannot_be_used_ends_it_with_a_line_in_the_log(
    new_sqlite_cli: Cli, start: Start, settings: dict[str, object], told: str
) -> None:
    daemon = start(new_sqlite_cli, **settings)
    daemon.process.wait(30)
    lines = [json.loads(line) for line in daemon.out.read_text().splitlines() if line.startswith("{")]

    assert daemon.process.returncode == 2
    (invalid,) = [line for line in lines if line["event"] == "config.invalid"]
    assert told in invalid["detail"]
    assert invalid["hint"]


def test_health_fails_without_a_daemon_and_with_one_whose_run_failed(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start: Start, start_mock: StartMock
) -> None:
    mock = start_mock("--fault", "401@token")
    sqlite_cli.stock(figures)
    daemon = start(sqlite_cli.using(**mock.settings))
    daemon.said("run.failed")
    daemon.said("run.heartbeat", len(daemon.of("run.heartbeat")) + 2)
    failing = health(daemon)
    daemon.end()
    gone = health(daemon)

    assert failing[0] == gone[0] == 1
    assert failing[1].startswith("the last run failed: ")
    assert gone[1].startswith("no daemon runs here with this configuration: ")
    assert failing[1].count("\n") == gone[1].count("\n") == 1


def test_health_without_usable_settings_says_so_in_one_line(sqlite_cli: Cli) -> None:
    process = sqlite_cli.using(SCHEDULE__DAY=31).start("health")
    out, err = process.communicate(timeout=30)

    assert (process.returncode, err, out.count("\n")) == (1, "", 1)
    assert "schedule.day = 31: must be at most 28" in out


def test_health_sees_a_daemon_that_died(sqlite_cli: Cli, start: Start) -> None:
    daemon = start(sqlite_cli)
    daemon.said("run.heartbeat", 2)
    assert health(daemon)[0] == 0
    daemon.process.kill()
    daemon.process.wait(10)
    pulse = daemon.cli.folder / "daemon-1.json"
    left = json.loads(pulse.read_text())
    pulse.write_text(json.dumps(left | {"beat_at": left["beat_at"] - 60}))  # as if a minute went by

    code, said = health(daemon)
    assert code == 1
    assert "the daemon is dead or hangs" in said


def health(daemon: Daemon) -> tuple[int, str]:
    """Ask for its health; exit code 1 is no bug here."""
    process = daemon.cli.start("health")
    out, err = process.communicate(timeout=30)
    assert err == ""
    return process.returncode, out


def test_asked_to_end_in_mid_run_it_records_what_is_in_flight_and_the_next_one_goes_on(
    cli: Cli, start: Start, start_mock: StartMock
) -> None:
    mock = start_mock("--latency", "300ms")
    cli = cli.using(**mock.settings)
    cli.stock(FIGURES)
    first = start(cli)
    wait_until(partial(has_taken, mock, 30))
    took_s = first.end()

    assert first.process.returncode == 0
    assert took_s < 8  # the grace period
    assert set(cli.states()) == {"accepted", "pending"}
    assert cli.states()["accepted"] == mock.created
    assert cli.rows("SELECT result FROM runs") == [("interrupted",)]

    second = start(cli)
    assert second.said("run.completed")["complete"] is True
    second.end()
    all_is_delivered_once(cli, mock)


def test_a_source_that_hangs_does_not_keep_it_from_ending(
    postgres_url: str, sqlite_cli: Cli, figures: dict[str, list[Row]], start: Start
) -> None:
    sqlite_cli.stock(figures)
    daemon = start(
        sqlite_cli,
        RUN__GRACE_S=0.5,
        SOURCES__HUB_RATINGS__URL=postgres_url,
        SOURCES__HUB_RATINGS__QUERY="SELECT :month AS month, '' AS hub_id, 1 AS rating FROM pg_sleep(60)",
    )
    daemon.said("run.started")
    daemon.said("run.heartbeat", 3)

    assert daemon.end() < 8
    assert daemon.process.returncode == 0
    assert daemon.of("service.stopping")


@pytest.mark.long
def test_of_two_daemons_one_delivers_and_the_other_finishes_when_that_one_is_killed(
    sqlite_cli: Cli, postgres_url: str, pooled_url: str, start: Start, start_mock: StartMock
) -> None:
    """Here the lease of the dead one runs out for real, on both databases and behind a pooler at the same time."""
    mocks = [start_mock("--latency", "300ms") for _ in range(3)]
    stores = [sqlite_cli, *(sqlite_cli.using(STORE__URL=url) for url in (postgres_url, pooled_url))]
    slow = {"OBELIS__TIMEOUT_S": 5, "OBELIS__MAX_IN_FLIGHT": 2}  # a month takes half a minute
    clis = [cli.using(**mock.settings, **slow) for cli, mock in zip(stores, mocks, strict=True)]
    standing_by, killed = [], []
    for cli, mock in zip(clis, mocks, strict=True):
        cli.stock(FIGURES)
        one = start(cli)
        one.said("report.accepted")
        two = start(cli)
        two.said("lease.waiting")
        wait_until(partial(has_taken, mock, 20))
        one.process.kill()
        killed.append(time.monotonic())
        standing_by.append(two)

    for cli, mock, daemon, at in zip(clis, mocks, standing_by, killed, strict=True):
        daemon.said("run.started", within_s=90)
        assert time.monotonic() - at < 90
        assert daemon.said("run.completed", within_s=60)["complete"] is True
        assert len(daemon.of("lease.waiting")) == 1
        assert daemon.of("run.heartbeat")[-1]["lease_holder"] is True
        all_is_delivered_once(cli, mock)


@pytest.fixture
def pooled_url(postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database behind PgBouncer."""
    (tmp_path / "pooler").mkdir()
    with postgres_databases.migrated() as url, pooled(url, tmp_path / "pooler") as through:
        yield through


def has_taken(mock: Mock, reports: int) -> bool:
    return mock.created >= reports


def all_is_delivered_once(cli: Cli, mock: Mock) -> None:
    """See that the API took each report once, and that the ledger knows it of each and explains each conflict."""
    assert cli.states() == {"accepted": MANY}
    assert len(mock.reports()) == MANY
    taken = Counter(line["key"] for line in mock.lines() if line["ruling"] == "created")
    assert set(taken.values()) == {1}
    inferred = {
        f"{MONTH}/{kind}/{subject}".rstrip("/")
        for kind, subject in cli.rows("SELECT kind, subject FROM deliveries WHERE evidence = 'inferred'")
    }
    assert {line["key"] for line in mock.lines() if line["http_status"] == 409} == inferred


@pytest.mark.postgres
def test_losing_the_database_in_mid_run_costs_nothing_but_time(
    sqlite_cli: Cli, postgres_url: str, postgres_server: str, start: Start, start_mock: StartMock
) -> None:
    mock = start_mock("--latency", "300ms")
    cli = sqlite_cli.using(**mock.settings, STORE__URL=postgres_url)
    cli.stock(FIGURES)
    daemon = start(cli)
    wait_until(partial(has_taken, mock, 30))
    with database_away(postgres_server, postgres_url):
        daemon.said("store.lost")
        beats = len(daemon.of("run.heartbeat"))
        away = daemon.said("run.heartbeat", beats + 3)
        code, said = health(daemon)
        held = len(mock.reports())
    assert daemon.said("run.completed", within_s=60)["complete"] is True
    daemon.end()

    assert "expected" not in away
    assert code == 1
    assert said.startswith("the store cannot be reached: ")
    assert 30 <= held < MANY
    assert len(daemon.of("store.lost")) == len(daemon.of("store.recovered")) == 1
    assert daemon.of("run.failed") == daemon.of("service.crashed") == []
    assert cli.rows("SELECT DISTINCT evidence FROM deliveries") == [("confirmed",)]
    all_is_delivered_once(cli, mock)


@pytest.mark.postgres
def test_a_database_that_is_not_there_at_the_start_is_waited_for(
    sqlite_cli: Cli, empty_postgres_url: str, postgres_server: str, start: Start
) -> None:
    with database_away(postgres_server, empty_postgres_url):
        daemon = start(sqlite_cli.using(STORE__URL=empty_postgres_url))
        beat = daemon.said("run.heartbeat", 2)
        daemon.said("store.lost")
    daemon.said("store.recovered")
    daemon.end()

    assert "expected" not in beat
    assert [line["event"] for line in daemon.log if line["event"].startswith("store.")] == [
        "store.lost",
        "store.upgraded",
        "store.recovered",
    ]
    assert daemon.process.returncode == 0


@contextmanager
def database_away(server: str, url: str) -> Iterator[None]:
    """Let nobody connect to a database, and end the connections that there are."""
    name = url.rpartition("/")[2]
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
