"""The monitoring chain: real logs through mtail into Prometheus' rules, with the real programs."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from report_service import errors
from report_service.domain.delivery import State
from report_service.events import COMMON, EVENTS, FIELDS, JsonType
from report_service.settings.listing import all_settings
from tests.acceptance.harness import COMMAND, Cli, wait_until
from tests.acceptance.harness import MONTH as MONTH_NOW
from tests.monitoring import FOLDER, RULES, Metrics, Story, metrics_of, needed, run
from tests.operator_files import write_rows
from tests.simulation import MONTH, SimulatedExchanges, operator, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from report_service.mock_api.operator import Row
    from report_service.ports import Exchanged
    from tests.acceptance.conftest import StartMock

pytestmark = pytest.mark.monitoring

CLOSES = datetime(2026, 11, 30, 23, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SWEEP = timedelta(minutes=20)
"""Longer than the quarter of an hour between two looks at what is undelivered."""

STORIES: dict[str, Callable[[Path], Story]] = {}
"""For each alert what brings it about and what ends it."""


def of(alert: str, *, at: datetime | None = None, hubs: int = 2) -> Callable[[Callable[[Story], None]], None]:
    """Keep a function as the story of an alert, which begins at a moment."""

    def keep(tell: Callable[[Story], None]) -> None:
        def told(folder: Path) -> Story:
            story = Story(folder, at, hubs=hubs)
            try:
                tell(story)
            finally:
                story.close()
            return story

        STORIES[alert] = told

    return keep


# --- the process


@of("HeartbeatAbsent")
def _(story: Story) -> None:
    daemon = story.start()
    daemon.logging.events.emit("lease.acquired")
    for _ in range(4):
        story.note()
        story.world.turn(300)
    story.note()
    story.expect("HeartbeatAbsent")
    story.beat()
    story.expect()


@of("Dead")
def _(story: Story) -> None:
    story.start()
    story.live(HOUR)
    story.expect()
    story.world.turn(20 * 60)
    story.expect("Dead")
    story.beat()
    story.expect()


@of("ReplicaDead")
def _(story: Story) -> None:
    one, _ = story.start(log="one.log"), story.start(log="two.log")
    story.live(10 * MINUTE)
    story.expect()
    story.live(20 * MINUTE, one)
    story.expect("ReplicaDead")
    story.beat()
    story.expect()


@of("LogUnparsed")
def _(story: Story) -> None:
    story.start()
    story.live(10 * MINUTE)
    story.write('{"log":"{\\"timestamp\\":\\"2026-11-02T09:10:00.000Z\\"}\\n","stream":"stdout"}')
    story.live(5 * MINUTE)
    story.expect("LogUnparsed")
    story.live(70 * MINUTE)
    story.expect()


@of("LogSchemaUnknown")
def _(story: Story) -> None:
    story.start()
    story.live(10 * MINUTE)
    story.write({"timestamp": "2026-11-02T09:10:00.000Z", "service": "report-service", "schema": 2})
    story.live(5 * MINUTE)
    story.expect("LogSchemaUnknown")
    story.live(70 * MINUTE)
    story.expect()


@of("ErrorsLogged")
def _(story: Story) -> None:
    story.start()
    story.beat()
    logging.getLogger("apscheduler.scheduler").error("a job could not be stored")
    story.live(5 * MINUTE)
    story.expect("ErrorsLogged")
    story.live(70 * MINUTE)
    story.expect()


CRASHES = """
import psycopg
from report_service.cli.main import main

def broken(*given, **settings):
    raise RuntimeError("a bug")

psycopg.connect = psycopg.Connection.connect = broken
main()
"""


def said_by_a_process(event: str, *command: str | Path, **settings: str) -> dict[str, object]:
    """Return the first line of an event that a real daemon writes, which is ended then."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REPORT_SERVICE_")}
    environ |= {f"REPORT_SERVICE_{name.upper()}": value for name, value in settings.items()}
    with subprocess.Popen(
        [*command, "daemon"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        found: dict[str, object] = next(line for line in lines if line["event"] == event)
        process.terminate()
    return found


@of("Crashed")
def _(story: Story) -> None:
    story.start()
    story.beat()
    url = "postgresql://user@127.0.0.1:1/x"
    line = said_by_a_process("service.crashed", sys.executable, "-c", CRASHES, obelis__mode="mock", store__url=url)
    story.write(line | {"timestamp": story.timestamp()})
    story.beat()
    story.expect("Crashed")
    story.live(70 * MINUTE)
    story.expect()


@of("ConfigInvalid")
def _(story: Story) -> None:
    story.start()
    story.beat()
    story.world.turn(60)
    line = said_by_a_process("config.invalid", COMMAND, obelis__mode="htp")
    story.write(line | {"timestamp": story.timestamp()})
    story.note()
    story.expect("ConfigInvalid")
    story.beat()
    story.expect()


# --- what delivering needs


@of("CredentialsFailing")
def _(story: Story) -> None:
    story.start()
    story.faults("401@token")
    story.beat()
    story.expect("CredentialsFailing")
    story.faults()
    story.live(SWEEP)
    story.expect()


@of("PermissionRefused", hubs=6)
def _(story: Story) -> None:
    story.start()
    story.faults("403")
    story.beat()
    story.expect("PermissionRefused")
    story.faults()
    story.live(SWEEP)
    story.expect()


@of("ApiDown")
def _(story: Story) -> None:
    story.start()
    story.faults("503")
    story.live(10 * MINUTE)
    story.expect()
    story.live(HOUR)
    story.expect("ApiDown")
    story.faults()
    story.live(SWEEP)
    story.expect()


@of("SourceUnavailable")
def _(story: Story) -> None:
    elsewhere = story.folder / "elsewhere.sqlite3"
    query = "SELECT hub_id, name, commissioned_on, decommissioned_on FROM hubs"
    story.start(sources__hubs__url=f"sqlite:///{elsewhere}", sources__hubs__query=query)
    story.live(10 * MINUTE)
    story.expect("SourceUnavailable")
    shutil.copy(story.site.url.removeprefix("sqlite:///"), elsewhere)
    story.live(SWEEP)
    story.expect()


@of("StoreUnavailable")
def _(story: Story) -> None:
    teller = story.start()
    story.beat()
    story.expect()
    here, away = Path(story.site.url.removeprefix("sqlite:///")), story.folder / "away"
    teller.daemon.service.store.close()
    here.rename(away)
    here.mkdir()
    story.live(10 * MINUTE)
    story.expect("StoreUnavailable")
    here.rmdir()
    away.rename(here)
    story.live(SWEEP)
    story.expect()


@of("RunFailing")
def _(story: Story) -> None:
    class Broken(SimulatedExchanges):
        broken = True

        def finished(self, timeout_s: float) -> Sequence[Exchanged]:
            if self.broken:
                raise RuntimeError("a bug")
            return super().finished(timeout_s)

    story.start(exchanges=lambda api: Broken(api, story.world, 16))
    for _ in range(8):
        with contextlib.suppress(RuntimeError):
            story.beat()
        story.beat(working=False)
        story.world.turn(300)
    story.expect("RunFailing")
    Broken.broken = False
    story.live(SWEEP)
    story.expect()


@of("NobodyDelivers")
def _(story: Story) -> None:
    story.start()
    story.beat()
    story.world.turn_to(story.world.now() + 6 * HOUR)
    story.live(50 * MINUTE, working=False)
    story.expect()
    story.live(90 * MINUTE, working=False)
    story.expect("NobodyDelivers")
    story.beat()
    story.expect()


@of("TwoHolders")
def _(story: Story) -> None:
    other = site(story.folder, story.world)
    tellers = story.start(log="one.log"), story.start(at=other, log="two.log")
    for _ in range(8):
        for teller in tellers:
            ledger = teller.daemon.service.ledger
            ledger.acquire(ledger.instance, at=story.world.monotonic())
        story.beat(working=False)
        story.world.turn(50)
    story.expect("TwoHolders")
    story.live(5 * MINUTE, working=False)
    story.expect()


@of("ClockSkew")
def _(story: Story) -> None:
    story.start()
    story.faults("400@hotline_rating#1")
    story.world.mock.set_skew(30)
    story.beat()
    story.expect("ClockSkew", "ReportsRejected")
    story.world.mock.set_skew(0)
    story.site.ask("UPDATE hotline_ratings SET rating = 5")
    story.live(SWEEP)
    story.expect()


@of("PaceSlowed")
def _(story: Story) -> None:
    story.start()
    story.faults("429=1@point_rating#1")
    story.beat()
    story.expect("PaceSlowed")
    story.live(20 * MINUTE)
    story.expect()


# --- the month's reports


@of("InventoryShrunk")
def _(story: Story) -> None:
    story.start()
    for table in ("points", "hubs", "provider_groups"):
        story.site.ask(f"DELETE FROM {table}")
    story.live(5 * MINUTE)
    story.expect("InventoryShrunk", "SourceFaulty")
    story.site.store(operator())
    story.world.turn_to(story.world.now() + 7 * HOUR)
    story.beat()
    story.expect()


@of("SourceFaulty")
def _(story: Story) -> None:
    story.start()
    stranger = operator(hubs=3)["hub-ratings"][2]
    story.site.store({"hub-ratings": [stranger]})
    story.beat()
    story.expect("SourceFaulty")
    story.site.ask("DELETE FROM hub_ratings WHERE hub_id = :hub", hub=stranger["hub_id"])
    story.world.turn_to(story.world.now() + 7 * HOUR)
    story.beat()
    story.expect()


@of("ReportsRejected")
def _(story: Story) -> None:
    story.start()
    story.faults("400@hotline_rating#1")
    story.beat()
    story.expect("ReportsRejected")
    story.site.ask("UPDATE hotline_ratings SET rating = 5")
    story.live(SWEEP)
    story.expect()


@of("ReportsInvalid")
def _(story: Story) -> None:
    story.start()
    story.site.ask("UPDATE hotline_ratings SET rating = 7")
    story.beat()
    story.expect("ReportsInvalid")
    story.site.ask("UPDATE hotline_ratings SET rating = 5")
    story.live(SWEEP)
    story.expect()


def without_the_hotline(story: Story) -> None:
    story.start()
    story.site.ask("DELETE FROM hotline_ratings")
    story.beat()


def with_the_hotline(story: Story) -> None:
    story.site.store({"hotline-ratings": operator()["hotline-ratings"]})
    story.live(SWEEP)
    story.expect()


@of("DataMissing", at=CLOSES - 11 * DAY)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("MonthNotComplete")
    story.world.turn_to(CLOSES - 9 * DAY)
    story.beat()
    story.expect("DataMissing", "MonthNotComplete")
    with_the_hotline(story)


@of("DeadlineNear", at=CLOSES - 4 * DAY)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("DataMissing", "MonthNotComplete")
    story.world.turn_to(CLOSES - 2 * DAY)
    story.beat()
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete")
    with_the_hotline(story)


@of("WindowClosing", at=CLOSES - 30 * HOUR)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete")
    story.world.turn_to(CLOSES - 12 * HOUR)
    story.beat()
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete", "WindowClosing")
    with_the_hotline(story)


@of("WindowMissed", at=CLOSES - 2 * HOUR)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete", "WindowClosing")
    story.world.turn_to(CLOSES + 10 * MINUTE)
    story.beat()
    story.expect("WindowMissed", "MonthNotComplete")
    story.site.store(operator(MONTH.shift(1)))
    story.world.turn_to(CLOSES + 9 * HOUR)
    story.beat()
    story.expect("WindowMissed")
    story.world.turn_to(CLOSES + 3 * DAY + HOUR)
    story.beat()
    story.expect()


@of("MonthNotComplete")
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect()
    story.world.turn_to(datetime(2026, 11, 3, 1, tzinfo=UTC))
    story.beat()
    story.expect("MonthNotComplete")
    with_the_hotline(story)


@of("ForecastLate", at=CLOSES - HOUR, hubs=14)
def _(story: Story) -> None:
    slow = story.start(obelis__requests_per_minute="1")
    slow.daemon.service.reconciler.reconcile(MONTH, trigger="run", patience_s=0, send=False)
    story.live(20 * MINUTE, working=False)
    story.expect("ForecastLate", "MonthNotComplete", "WindowClosing")
    story.beat(story.start(obelis__requests_per_minute="2000"))
    story.expect()


@of("ReportsStuck")
def _(story: Story) -> None:
    story.start()
    story.faults("404@hub_rating")
    story.live(30 * MINUTE)
    story.expect()
    story.live(2 * HOUR)
    story.expect("ReportsStuck")
    story.faults()
    story.world.turn(DAY.total_seconds())
    story.beat()
    story.expect()


@of("ReportsDrifted")
def _(story: Story) -> None:
    story.start()
    story.beat()
    story.expect()
    (before,) = story.site.ask("SELECT rating FROM hotline_ratings")
    story.site.ask("UPDATE hotline_ratings SET rating = 5")
    story.world.turn_to(story.world.now() + 7 * HOUR)
    story.beat()
    story.expect("ReportsDrifted")
    story.site.ask("UPDATE hotline_ratings SET rating = :before", before=before.rating)
    story.world.turn_to(story.world.now() + 7 * HOUR)
    story.beat()
    story.expect()


@of("ReportedByOthers")
def _(story: Story) -> None:
    story.start()
    story.faults("409@hotline_rating#1")
    story.beat()
    story.expect("ReportedByOthers")
    story.site.store(operator(MONTH.shift(1)))
    story.world.turn_to(CLOSES + 2 * DAY)
    story.beat()
    story.expect()


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("alert", STORIES)
def test_an_alert_fires_by_its_cause_and_resolves_with_it(alert: str, tmp_path: Path) -> None:
    story = STORIES[alert](tmp_path)
    fires = [f"ReportService{alert}" in alerts for _, alerts in story.history.expected]
    assert True in fires
    assert not fires[-1]
    story.check()


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
    assert cli("import", folder).code == 0
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
    """Say whether a heartbeat follows a run's end."""
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

    cli("waive", f"{MONTH_NOW}/hotline_rating", "--reason", "no calls")
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


def test_a_prefix_that_a_container_runtime_writes_does_no_harm(story: Story) -> None:
    story.start()
    story.faults("400@hub_rating#1")
    story.beat()
    prefixed = story.folder / "prefixed" / "a.log"
    prefixed.parent.mkdir()
    lines = (story.folder / "a.log").read_text(encoding="utf-8").splitlines()
    prefixed.write_text("".join(f"2026-11-02T09:00:00.000000001Z stdout F {line}\n" for line in lines))
    assert metrics_of(prefixed) == story.history.states[-1][1]


# --- the parts fit together

PROGRAM = (FOLDER / "report-service.mtail").read_text(encoding="utf-8")
RULE_LIST = [
    rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULE_LIST if "alert" in rule}
EXPRESSIONS = "\n".join(rule["expr"] for rule in RULE_LIST)


def test_every_alert_has_its_story() -> None:
    assert ALERTS.keys() == {f"ReportService{alert}" for alert in STORIES}


def test_mtail_reads_events_and_fields_of_the_contract_only() -> None:
    code = re.sub(r"^\s*#.*$", "", PROGRAM, flags=re.MULTILINE)
    events = {name.replace("\\", "") for name in re.findall(r'"event": \?"([a-z\\.]+)"', code)}
    events |= {f"run.{end}" for ends in re.findall(r"run\\\.\(\?:([a-z|]+)\)", code) for end in ends.split("|")}
    fields = set(re.findall(r'"([a-z_]+)": \?', code))
    assert len(events) > 5
    assert events - EVENTS.keys() == set()
    assert fields - {*FIELDS, *COMMON} == set()


def test_mtail_reads_every_number_and_flag_of_a_heartbeat() -> None:
    wanted = {name for name, each in EVENTS["run.heartbeat"].fields.items() if each.type is not JsonType.STRING}
    inside = PROGRAM.partition("run\\.heartbeat")[2].partition('/"event"')[0]
    assert wanted == set(re.findall(r'"([a-z_]+)": \?', inside))


def test_the_rules_use_metrics_that_mtail_makes() -> None:
    made = set(re.findall(r"^(?:counter|gauge) (\w+)", PROGRAM, re.MULTILINE))
    recorded = {rule["record"] for rule in RULE_LIST if "record" in rule}
    used = set(re.findall(r"report_service[a-z_:]+", EXPRESSIONS))
    assert used - made - recorded == set()
    assert recorded - used == set()


def test_the_rules_name_events_states_and_reasons_that_there_are() -> None:
    def named(label: str) -> set[str]:
        found = re.findall(rf'{label}=~?"([^"]+)"', EXPRESSIONS)
        return {value for several in found for value in several.split("|")}

    reasons = {re.sub("(?!^)(?=[A-Z])", "_", name).lower() for name in vars(errors) if name[0].isupper()}
    assert named("event") - EVENTS.keys() == set()
    assert named("state") - set(State) == set()
    assert named("reason") - reasons == set()
    assert min(map(len, (named("event"), named("state"), named("reason")))) > 0


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_to_do_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "error", "warning"}
    assert len(rule["annotations"]["summary"]) < 100
    assert len(rule["annotations"]["description"]) > 100
    assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{alert.lower()}"


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    text = (FOLDER / "RUNBOOK.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert sorted(name for name, _ in sections) == sorted(ALERTS)
    for name, body in sections:
        assert re.findall(r"^\*\*(\w+)\.\*\*", body, re.MULTILINE) == ["Means", "Look", "Do"], name


@pytest.mark.parametrize("file", ["RUNBOOK.md", "README.md", "report-service.rules.yml", "report-service.mtail"])
def test_what_is_written_names_events_settings_and_files_that_there_are(file: str) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    groups = {name.partition(".")[0] for name in EVENTS} | {"obelis", "schedule"}
    known = {*EVENTS, *(setting.key for setting in all_settings()), "obelis.paths"}
    for group, name in re.findall(r"(?<![\w/.@-])([a-z]+)\.([a-z_]+)\b(?!\.)", text):
        assert group not in groups or f"{group}.{name}" in known, f"{group}.{name}"
    for path in re.findall(r"`([\w./-]+\.(?:md|yml|yaml|mtail|py|json))`", text):
        assert (FOLDER / path).exists() or (FOLDER.parents[1] / path).exists(), path


def test_the_rules_hold_at_their_edges() -> None:
    run(needed("promtool"), "check", "rules", RULES)
    run(needed("promtool"), "test", "rules", FOLDER / "report-service.rules.test.yml")


def test_the_examples_are_configurations() -> None:
    run(needed("promtool"), "check", "config", FOLDER / "prometheus.yml")
    run(needed("amtool"), "check-config", FOLDER / "alertmanager.yml")


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "on-call"), ("error", "tickets"), ("warning", "tickets")]
)
def test_who_is_told_goes_by_severity(severity: str, receiver: str) -> None:
    routes = ("config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.yml'}")
    assert (
        run(needed("amtool"), *routes, f"severity={severity}", "alertname=ReportServiceDead").strip() == receiver
    )
