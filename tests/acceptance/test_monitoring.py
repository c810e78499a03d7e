"""The monitoring chain counts as the ledger does, and, wired up as its README says, tells a person."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.monitoring import FOLDER, RULES, Metrics, Story, metrics_of, needed
from tests.support.operator_files import write_rows
from tests.support.processes import MONTH, Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock

pytestmark = pytest.mark.monitoring


# --- what mtail counts is what the ledger says


@pytest.fixture
def troubled(sqlite_cli: Cli, start_mock: StartMock, figures: dict[str, list[Row]], tmp_path: Path) -> Cli:
    """Return the command line of an operator whose reports end in every state that an open window knows."""
    faults = "400@hub_rating#1", "409@ad_hoc_tariff#1", "404@point_rating#1-9", "lost@nondiscriminatory_access#1"
    mock = start_mock(*(option for fault in faults for option in ("--fault", fault)))
    cli = sqlite_cli.using(**mock.settings, SCHEDULE__HEARTBEAT_SECONDS=1, RUN__PATIENCE_S=4)
    del figures["hotline-ratings"]
    figures["hub-ratings"][0]["rating"] = 7
    folder = tmp_path / "csv"
    folder.mkdir()
    for name, rows in figures.items():
        write_rows(folder, name, rows)
    assert cli("import", folder).code == 3  # one row breaks a rule
    return cli


def delivered_by_a_daemon(cli: Cli, log: Path) -> None:
    """Let a daemon append to a log until it has done what it can and has told how it stands, then end it."""
    with log.open("a+", encoding="utf-8") as out:
        before = out.tell()
        process = cli.start("daemon", stdout=out.fileno())
        said = partial(told_at_the_end, log, before)
        wait_until(said)
        process.terminate()
        assert cli.end(process).code == 0


def told_at_the_end(log: Path, since: int) -> bool:
    """Return True if a heartbeat follows a run's end."""
    events = [json.loads(line)["event"] for line in log.read_text(encoding="utf-8")[since:].splitlines()]
    ended = "run.completed" in events
    return ended and "run.heartbeat" in events[events.index("run.completed") :]


def in_the_ledger(status: Mapping[str, Any]) -> Metrics:
    """Return what `status --json` says, by the names of the metrics that should say the same."""
    done = sum(status["by_state"][state] for state in ("accepted", "already_reported", "waived"))
    return {
        "report_service_expected_reports": status["expected"],
        "report_service_delivered_reports": done,
        "report_service_drifted_reports": status["drifted"],
        **{f'report_service_reports{{state="{state}"}}': count for state, count in status["by_state"].items()},
    }


def test_the_metrics_of_a_recorded_log_are_the_numbers_of_the_ledger_at_that_time(
    troubled: Cli, tmp_path: Path
) -> None:
    cli, log = troubled, tmp_path / "daemon.log"
    delivered_by_a_daemon(cli, log)
    first, recorded = cli.status(), tmp_path / "first.log"
    shutil.copy(log, recorded)

    cli("waive", f"{MONTH}/hotline_rating", "--reason", "no calls")
    delivered_by_a_daemon(cli, log)
    second = cli.status()

    assert first["by_state"] != second["by_state"]
    for status, metrics in ((first, metrics_of(recorded)), (second, metrics_of(log))):
        assert in_the_ledger(status).items() <= metrics.items()
        assert metrics["report_service_unparsed_lines_total"] == 0
        assert metrics["report_service_unknown_schema_lines_total"] == 0
    states = {state for status in (first, second) for state, count in status["by_state"].items() if count}
    assert states == {"accepted", "already_reported", "rejected", "retrying", "awaiting_data", "invalid", "waived"}


def test_what_became_of_each_report_is_counted_by_kind(troubled: Cli, tmp_path: Path) -> None:
    cli, log = troubled, tmp_path / "run.log"
    log.write_text(cli("run", "--patience", 0).out, encoding="utf-8")
    counted, status = metrics_of(log), cli.status()
    for kind, states in status["by_kind"].items():
        for event, state in (
            ("report.rejected", "rejected"),
            ("report.invalid", "invalid"),
            ("data.missing", "awaiting_data"),
        ):
            series = f'report_service_report_events_total{{event="{event}", kind="{kind}"}}'
            assert counted.get(series, 0) == states[state], series
        settled = sum(
            counted.get(f'report_service_report_events_total{{event="{event}", kind="{kind}"}}', 0)
            for event in ("report.accepted", "report.reconciled")
        )
        assert settled == states["accepted"] + states["already_reported"]
    assert counted['report_service_events_total{event="run.completed", level="info"}'] == 1
    assert counted["report_service_run_requests"] > 0
    assert counted["report_service_unparsed_lines_total"] == 0


def test_a_prefix_that_a_container_runtime_writes_does_no_harm(tmp_path: Path) -> None:
    with contextlib.closing(Story(tmp_path)) as story:
        story.start()
        story.faults("400@hub_rating#1")
        story.beat()
    prefixed = tmp_path / "prefixed" / "a.log"
    prefixed.parent.mkdir()
    lines = (tmp_path / "a.log").read_text(encoding="utf-8").splitlines()
    prefixed.write_text("".join(f"2026-11-02T09:00:00.000000001Z stdout F {line}\n" for line in lines))
    assert metrics_of(prefixed) == story.history.states[-1][1]


# --- and all of them together, live


class Pager(ThreadingHTTPServer):
    """Whom Alertmanager tells."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Paged)
        self.told: list[tuple[str, str, str]] = []


class Paged(BaseHTTPRequestHandler):
    server: Pager

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for alert in body["alerts"]:
            told = alert["labels"]["alertname"], alert["status"], alert["annotations"]["runbook"]
            self.server.told.append(told)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def pager() -> Iterator[Pager]:
    server = Pager()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
    return port


@contextlib.contextmanager
def running(folder: Path, *command: object) -> Iterator[None]:
    """Run a program in the background, and end it."""
    with (folder / f"{Path(str(command[0])).name}.out").open("w") as out:
        process = subprocess.Popen([*map(str, command)], stdout=out, stderr=out, cwd=folder)
        try:
            yield
            assert process.poll() is None, f"{command[0]} ended: {out.name}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def quickened(folder: Path, *, mtail: int, alertmanager: int, pager: int) -> tuple[Path, Path]:
    """Return the examples' configurations with our ports and places, and seconds where they have minutes."""
    prometheus = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    prometheus["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    prometheus["rule_files"] = [str(RULES)]
    prometheus["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{mtail}"]
    prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alertmanager}"]
    told = yaml.safe_load((FOLDER / "alertmanager.yml").read_text(encoding="utf-8"))
    for route in (told["route"], *told["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    for receiver in (it for it in told["receivers"] if "webhook_configs" in it):
        receiver["webhook_configs"][0]["url"] = f"http://127.0.0.1:{pager}/{receiver['name']}"
    paths = folder / "prometheus.yml", folder / "alertmanager.yml"
    for path, content in zip(paths, (prometheus, told), strict=True):
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return paths


def test_the_chain_as_it_is_wired_up_tells_a_person_and_tells_when_it_is_over(
    troubled: Cli, pager: Pager, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "daemon-1.log"
    log.parent.mkdir()
    log.touch()
    mtail, prometheus, alertmanager = free_port(), free_port(), free_port()
    configured = quickened(tmp_path, mtail=mtail, alertmanager=alertmanager, pager=pager.server_port)
    address = "--web.listen-address=127.0.0.1:"
    with contextlib.ExitStack() as chain:
        for command in (
            (
                *(needed("mtail"), f"--progs={FOLDER}", f"--logs={log.parent}/*.log", "--emit_prog_label=false"),
                *("--address=127.0.0.1", f"--port={mtail}"),
            ),
            (
                *(needed("prometheus-alertmanager"), f"--config.file={configured[1]}", f"{address}{alertmanager}"),
                *(f"--storage.path={tmp_path / 'alerts'}", "--cluster.listen-address="),
            ),
            (
                *(needed("prometheus"), f"--config.file={configured[0]}", f"{address}{prometheus}"),
                f"--storage.tsdb.path={tmp_path / 'series'}",
            ),
        ):
            chain.enter_context(running(tmp_path, *command))
        rejected = "ReportServiceReportsRejected", "RUNBOOK.md#reportservicereportsrejected"
        wait_until(lambda: answers(mtail) and answers(prometheus) and answers(alertmanager))
        delivered_by_a_daemon(troubled, log)
        wait_until(lambda: (rejected[0], "firing", rejected[1]) in pager.told)
        mended = tmp_path / "csv" / "hub-ratings.csv"
        mended.write_text(re.sub(r"(?m),\d[.\d]*$", ",1", mended.read_text(encoding="utf-8")), encoding="utf-8")
        assert troubled("import", mended).code == 0
        delivered_by_a_daemon(troubled, log)
        wait_until(lambda: (rejected[0], "resolved", rejected[1]) in pager.told)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
