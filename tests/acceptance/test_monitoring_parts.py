"""The parts of the monitoring fit together: contract, mtail's program, rules, runbook, examples."""

from __future__ import annotations

import re

import pytest
import yaml

from report_service import errors
from report_service.cli.main import EXAMPLES
from report_service.domain.delivery import State
from report_service.events import COMMON, EVENTS, FIELDS, JsonType
from report_service.settings.listing import all_settings
from tests.support.monitoring import FOLDER, RULES, alerts, needed, rules, run

pytestmark = pytest.mark.monitoring

PROGRAM = (FOLDER / "report-service.mtail").read_text(encoding="utf-8")
EXPRESSIONS = "\n".join(rule["expr"] for rule in rules())


def test_mtail_reads_events_and_fields_of_the_contract_only() -> None:
    code = re.sub(r"^\s*#.*$", "", PROGRAM, flags=re.MULTILINE)
    events = {name.replace("\\", "") for name in re.findall(r'"event": \?"([a-z\\.]+)"', code)}
    events |= {f"run.{end}" for ends in re.findall(r"run\\\.\(\?:([a-z|]+)\)", code) for end in ends.split("|")}
    fields = set(re.findall(r'"([a-z_]+)": \?', code))
    assert len(events) >= 4
    assert events - EVENTS.keys() == set()
    assert fields - {*FIELDS, *COMMON} == set()


def test_mtail_reads_every_number_and_flag_of_a_heartbeat() -> None:
    wanted = {name for name, each in EVENTS["run.heartbeat"].fields.items() if each.type is not JsonType.STRING}
    inside = PROGRAM.partition("run\\.heartbeat")[2].partition('/"event"')[0]
    assert wanted == set(re.findall(r'"([a-z_]+)": \?', inside))


def test_the_rules_use_metrics_that_mtail_makes() -> None:
    made = set(re.findall(r"^(?:counter|gauge) (\w+)", PROGRAM, re.MULTILINE))
    recorded = {rule["record"] for rule in rules() if "record" in rule}
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


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_says_what_to_do_and_where_to_read_on(alert: str) -> None:
    rule = alerts()[alert]
    assert rule["labels"]["severity"] in {"critical", "error", "warning"}
    assert len(rule["annotations"]["summary"]) < 100
    assert len(rule["annotations"]["description"]) > 100
    assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{alert.lower()}"


def test_the_runbook_has_a_section_for_each_alert_and_no_other_and_names_the_command_that_helps() -> None:
    text = (FOLDER / "RUNBOOK.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert sorted(name for name, _ in sections) == sorted(alerts())
    for name, body in sections:
        assert re.findall(r"^\*\*(\w+)\.\*\*", body, re.MULTILINE) == ["Means", "Look", "Do"], name
        assert set(re.findall(r"`report-service ([a-z-]+)", body)) & EXAMPLES.keys(), name


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
    shown = run(needed("amtool"), "check-config", FOLDER / "alertmanager.yml")
    receivers = yaml.safe_load((FOLDER / "alertmanager.yml").read_text("utf-8"))["receivers"]

    assert "- 3 receivers" in shown
    assert [receiver["name"] for receiver in receivers if "email_configs" in receiver] == ["mail"]


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "on-call"), ("error", "tickets"), ("warning", "tickets")]
)
def test_who_is_told_goes_by_severity(severity: str, receiver: str) -> None:
    routes = ("config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.yml'}")
    assert (
        run(needed("amtool"), *routes, f"severity={severity}", "alertname=ReportServiceDead").strip() == receiver
    )
