"""`report-service backfill` after a daemon was down for three months."""

from __future__ import annotations

import hashlib
import json
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from report_service.adapters.clock import SystemClock
from report_service.bootstrap.service import build
from report_service.mock_api.operator import made_up_operator
from report_service.settings import load_settings
from tests.support.fakes import RecordingEvents
from tests.support.processes import CREDENTIALS, DUE, MONTH, Cli, plain, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.domain.months import ReportMonth
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock

MONTHS = [MONTH.shift(-2), MONTH.shift(-1), MONTH]
LATE = MONTHS[:2]
INVENTORY = ("hubs", "points", "provider-groups")


@pytest.fixture
def quarter() -> dict[str, list[Row]]:
    """Return an operator's tables for three months; of the first one point rating is missing."""
    tables: dict[str, list[Row]] = {}
    for month in MONTHS:
        for name, rows in made_up_operator(month, hubs=3, points_per_hub=3, provider_groups=2).items():
            if name not in INVENTORY or name not in tables:
                tables.setdefault(name, []).extend(rows)
    del tables["point-ratings"][0]
    return tables


@pytest.fixture
def down(cli: Cli, quarter: dict[str, list[Row]]) -> Cli:
    """Return the command line of an operator whose daemon never ran, on each database."""
    return _of(cli, quarter)


def _of(cli: Cli, quarter: dict[str, list[Row]]) -> Cli:
    cli.stock(quarter)
    return cli.using(SCHEDULE__FIRST_MONTH=LATE[0], OBELIS__TIMEOUT_S=2)


def test_one_month_is_delivered_two_are_handed_over_and_a_second_time_changes_nothing(
    down: Cli, start_mock: StartMock, quarter: dict[str, list[Row]], tmp_path: Path
) -> None:
    mock = start_mock()
    cli = down.using(**mock.settings)

    first = cli("backfill", "--yes")

    assert first.code == 3
    assert [line.split()[:6] for line in first.out.splitlines()[1:4]] == [
        [str(LATE[0]), str(DUE), "0", "0", "0", str(DUE)],
        [str(LATE[1]), str(DUE), "0", "0", "0", str(DUE)],
        [str(MONTH), str(DUE), "0", str(DUE), "0", "0"],
    ]
    assert f"The ledger has never seen {', '.join(map(str, MONTHS))}" in first.out
    assert f"{MONTH}: {DUE} of {DUE} reports are in." in first.out
    assert mock.created == DUE
    assert [cli.states(month) for month in MONTHS] == [{"missed": DUE}, {"missed": DUE}, {"accepted": DUE}]

    package = _files(cli)
    assert set(package) == {f"handover-{month}.{ending}" for month in LATE for ending in ("jsonl", "txt")}
    for month in LATE:
        handed_over = _bodies(package[f"handover-{month}.jsonl"])
        assert handed_over == _sent_in_time(tmp_path / str(month), month, quarter)
        email = package[f"handover-{month}.txt"].decode()
        assert f"Betreff: Nachreichung der Monatsberichte {month.wire()}, CPO DEABC" in email
        assert f"konnten {DUE} von {DUE} Berichten nicht" in email
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("handover-*")} == {0o600}
    missing = quarter["points"][0]["point_id"]
    assert f"Bewertung der Ladepunkte {missing}" in package[f"handover-{LATE[0]}.txt"].decode()

    stats = mock.stats()
    second = cli("backfill", "--yes")

    assert second.code == 3
    assert "never seen" not in second.out
    assert mock.stats() == stats
    assert _files(cli) == package
    assert [cli.states(month) for month in MONTHS] == [{"missed": DUE}, {"missed": DUE}, {"accepted": DUE}]


def test_without_a_word_nothing_is_done(down: Cli, start_mock: StartMock) -> None:
    mock = start_mock()
    cli = down.using(**mock.settings)

    done = cli("backfill")

    assert done.code == 2
    assert str(LATE[0]) in done.out
    assert done.err == "Call it with --yes to do this.\nNothing was done.\n"
    assert mock.stats()["requests"] == 0
    assert cli.rows("SELECT count(*) FROM deliveries") == cli.rows("SELECT count(*) FROM runs") == [(0,)]
    assert _files(cli) == {}


def test_on_a_terminal_it_asks_first_and_shows_a_bar(sqlite_cli: Cli, quarter: dict[str, list[Row]]) -> None:
    cli = _of(sqlite_cli, quarter)

    away = cli.on_terminal("backfill", answer="\x04")
    no = cli.on_terminal("backfill", answer="n\n")
    states = [cli.states(month) for month in MONTHS]
    yes = cli.on_terminal("backfill", answer="y\n")

    assert (away.code, no.code, yes.code) == (3, 2, 3)
    assert away.out.endswith("Interrupted.\r\n")
    assert states == [{}, {}, {}]
    shown = plain(yes.out)
    assert "Do this? [y/N]" in shown
    assert f"delivering {MONTH}" in shown
    assert f"{MONTH}: {DUE} of {DUE} reports are in." in shown
    assert "[critical" not in shown
    assert all(len(line) <= 80 for line in plain(no.out).splitlines())
    assert cli.states() == {"accepted": DUE}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_stopped_in_the_middle_and_called_again_it_sends_nothing_twice(
    sqlite_cli: Cli, quarter: dict[str, list[Row]], start_mock: StartMock, number: signal.Signals
) -> None:
    mock = start_mock("--latency", "300ms")
    cli = _of(sqlite_cli, quarter).using(**mock.settings)
    process = cli.using(OBELIS__MAX_IN_FLIGHT=1).start("backfill", "--yes")
    wait_until(lambda: mock.created >= 4)
    process.send_signal(number)
    process.communicate(timeout=10)
    cli.end_leases()

    assert process.returncode == (-9 if number is signal.SIGKILL else 3)
    assert 4 <= mock.created < DUE
    assert _files(cli) == {}
    assert cli("backfill", "--yes", "--patience", 30).code == 3

    stats = mock.stats()
    assert stats["by_ruling"]["created"] == DUE
    assert stats["conflicts"] <= (1 if number is signal.SIGKILL else 0)
    assert cli.states() == {"accepted": DUE}
    assert len(_files(cli)) == 4


def test_an_api_that_is_down_stops_it_before_anything_is_given_up(
    sqlite_cli: Cli, quarter: dict[str, list[Row]]
) -> None:
    nowhere = {"OBELIS__BASE_URL": "http://127.0.0.1:1", "OBELIS__TOKEN_URL": "http://127.0.0.1:1/token"}
    cli = _of(sqlite_cli, quarter).using(OBELIS__MODE="http", **nowhere, **CREDENTIALS)

    done = cli("backfill", "--yes", "--patience", 0)

    assert done.code == 4
    assert "Error: the API gave no usable answer" in done.err
    assert [cli.states(month) for month in MONTHS] == [{}, {}, {"pending": DUE}]
    assert _files(cli) == {}


def test_nothing_before_the_first_month_is_touched_and_a_complete_month_needs_nothing(
    sqlite_cli: Cli, quarter: dict[str, list[Row]]
) -> None:
    quarter["hub-ratings"].append({"month": str(MONTH), "hub_id": str(UUID(int=1)), "rating": "2"})
    cli = _of(sqlite_cli, quarter).using(SCHEDULE__FIRST_MONTH=MONTH)

    done = cli("backfill", "--from", LATE[0], "--yes")
    again = cli("backfill", "--yes")

    assert (done.code, again.code) == (0, 0)
    assert f"{MONTH}: source: a row of hub_rating is about {UUID(int=1)}" in done.out
    assert "nothing to do" in again.out
    assert [cli.states(month) for month in MONTHS] == [{}, {}, {"accepted": DUE}]
    assert _files(cli) == {}


def test_a_month_that_is_not_over_or_a_folder_that_cannot_be_written_is_refused(
    sqlite_cli: Cli, quarter: dict[str, list[Row]]
) -> None:
    cli = _of(sqlite_cli, quarter)
    (cli.folder / "taken").touch()

    too_late = cli("backfill", "--to", MONTH.shift(1), "--yes")
    unwritable = cli("backfill", "--to", LATE[0], "--yes", "--output", "taken")

    assert (too_late.code, unwritable.code) == (2, 2)
    assert f"Error: {MONTH.shift(1)} is not over: it cannot be reported yet" in too_late.err
    assert f"Error: the package of {LATE[0]} cannot be written to taken: File exists\n  -> " in unwritable.err


def _files(cli: Cli) -> dict[str, bytes]:
    """Return the hand-over packages, by name."""
    return {path.name: path.read_bytes() for path in (cli.folder / "handover").glob("*")}


def _bodies(package: bytes) -> dict[str, str]:
    """Return the SHA-256 of each body in a package, byte by byte as it stands there, by key."""
    found = {}
    for line in package.splitlines():
        said, body = json.loads(line), line.partition(b', "body": ')[2][:-1]
        found[said["key"]] = hashlib.sha256(body).hexdigest()
        assert said["sha256"] == found[said["key"]]
        assert said["state"] == "missed"
        assert said["path"].startswith("/ocpi/bob/2.2/debob-reports/")
    return found


class Earlier(SystemClock):
    """The clock of a machine on which it is the middle of a month's window."""

    def __init__(self, month: ReportMonth) -> None:
        middle = month.shift(1).first_day + timedelta(days=14)
        self._ago = super().now() - datetime(middle.year, middle.month, middle.day, tzinfo=UTC)

    def now(self) -> datetime:
        return super().now() - self._ago


def _sent_in_time(folder: Path, month: ReportMonth, tables: dict[str, list[Row]]) -> dict[str, str]:
    """Return the SHA-256 of each body that a run in time sends, by key."""
    folder.mkdir()
    cli = Cli(
        folder=folder,
        settings={
            "OBELIS__MODE": "mock",
            "OBELIS__REQUESTS_PER_MINUTE": "60000",
            "STORE__URL": f"sqlite:///{folder / 'store.sqlite3'}",
        },
    )
    cli.stock(tables)
    settings = load_settings(None, cli.environment, default_files=())
    service = build(settings, events=RecordingEvents(), redact=str, clock=Earlier(month))
    try:
        service.reconciler.reconcile(month, trigger="run", patience_s=0)
    finally:
        service.close()
    sent = cli.rows(
        "SELECT kind, subject, attempts.payload_sha256 FROM attempts "
        "JOIN deliveries ON deliveries.id = delivery_id WHERE outcome = 'accepted'"
    )
    return {f"{month}/{kind}/{subject}".rstrip("/"): sha256 for kind, subject, sha256 in sent}
