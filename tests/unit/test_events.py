from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from report_service.errors import ContractViolation
from report_service.events import COMMON, EVENTS, FIELDS, Level
from report_service.logs.redaction import REDACTED, Redactor
from report_service.logs.reference import page, schema
from tests.support.fakes import ACCEPTED, RecordingEvents

PUBLISHED = Path(__file__).parents[2] / "config" / "monitoring"
REPORT = {"key": "2026-10/hotline_rating", "kind": "hotline_rating", "month": "2026-10"}
LINE = {
    "timestamp": "2026-11-01T05:00:00.123Z",
    "level": "info",
    "event": "report.accepted",
    "service": "report-service",
    "version": "0.1.0",
    "schema": 1,
    **ACCEPTED,
}


def refusal(event: str, **fields: object) -> str:
    with pytest.raises(ContractViolation) as caught:
        RecordingEvents().emit(event, **fields)
    return caught.value.message


def test_names_of_events_are_an_object_and_what_became_of_it() -> None:
    assert [name for name in EVENTS if not re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", name)] == []


def test_names_of_fields_are_plain_words_that_other_systems_do_not_reserve() -> None:
    assert [name for name in FIELDS if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []
    assert not {"status", "message", "time", "severity", "host", "source"} & FIELDS.keys()
    assert {name for name in FIELDS if name in COMMON} == {"run_id"}


def test_every_event_and_every_field_has_a_meaning() -> None:
    meanings = {name: each.meaning for name, each in {**FIELDS, **COMMON}.items()}
    meanings |= {name: each.meaning for name, each in EVENTS.items()}
    assert [name for name, meaning in meanings.items() if len(meaning.split()) < 2] == []


def test_every_field_belongs_to_an_event() -> None:
    used = {field for event in EVENTS.values() for field in event.fields}
    assert FIELDS.keys() - used == set()


def test_no_field_is_one_that_holds_secrets() -> None:
    redact = Redactor()
    assert [name for name in FIELDS if REDACTED in redact(f"{name}=value")] == []


def test_only_the_lines_of_other_libraries_bring_their_own_level() -> None:
    assert [event.name for event in EVENTS.values() if event.level is None] == ["log.message"]
    assert Level.DEBUG not in {event.level for event in EVENTS.values()}


def test_what_a_person_must_act_on_at_once_is_critical() -> None:
    critical = {event.name for event in EVENTS.values() if event.level is Level.CRITICAL}
    assert critical == {"service.crashed", "config.invalid", "report.missed", "window.missed"}


@pytest.mark.parametrize(
    ("file", "generated"),
    [("log-events.schema.json", json.dumps(schema(), indent=1) + "\n"), ("EVENTS.md", page())],
)
def test_the_published_contract_is_the_generated_one(file: str, generated: str) -> None:
    assert (PUBLISHED / file).read_text(encoding="utf-8") == generated, "run: make events"


def test_the_generator_writes_both_files_where_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "monitoring"
    subprocess.run([sys.executable, "-m", "report_service.logs.reference", str(folder)], check=True)
    assert {each.name for each in folder.iterdir()} == {"log-events.schema.json", "EVENTS.md"}


def test_the_generator_writes_into_the_project_when_told_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "report_service.logs.reference"], check=True, cwd=tmp_path)
    assert (tmp_path / "config" / "monitoring" / "EVENTS.md").read_text(encoding="utf-8") == page()


def test_the_page_tells_of_every_event_and_field() -> None:
    text = page()
    assert [name for name in (*EVENTS, *FIELDS, *COMMON) if f"| `{name}` |" not in text] == []


def test_the_schema_is_a_schema_and_takes_a_line_of_the_contract() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(LINE, schema())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"event": "report.acepted"}, "is not one of"),
        ({"level": "error"}, "'info' was expected"),
        ({"kind": None}, "is not of type 'string'"),
        ({"kind": "other_rating"}, "is not one of"),
        ({"month": "10-2026"}, "does not match"),
        ({"timestamp": "2026-11-01T05:00:00+00:00"}, "does not match"),
        ({"http_status": -1}, "less than the minimum"),
        ({"obelis_id": "x" * 501}, "is too long"),
        ({"schema": 2}, "is not one of"),
        ({"headers": {"a": "b"}}, "Additional properties are not allowed"),
    ],
)
def test_the_schema_refuses_a_line_that_is_not_of_the_contract(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=complaint):
        jsonschema.validate(LINE | change, schema())


@pytest.mark.parametrize("missing", sorted(LINE))
def test_the_schema_refuses_a_line_without_a_required_field(missing: str) -> None:
    line = {name: value for name, value in LINE.items() if name != missing}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, schema())


def test_a_declared_event_is_recorded_with_its_fields() -> None:
    events = RecordingEvents()
    events.emit("report.accepted", **ACCEPTED)
    assert events.emitted == [("report.accepted", ACCEPTED)]
    assert events.names() == ["report.accepted"]
    assert events.of("report.accepted") == [ACCEPTED]
    assert events.of("report.rejected") == []


def test_a_misspelt_event_is_refused_and_the_near_one_named() -> None:
    assert refusal("report.acepted") == "report.acepted is not a declared event; did you mean report.accepted?"
    assert refusal("xyzzy") == "xyzzy is not a declared event"


def test_an_undeclared_field_is_refused() -> None:
    assert refusal("report.accepted", **ACCEPTED, body="{}") == "report.accepted: body is not declared"


def test_a_required_field_must_be_there_and_not_none() -> None:
    lacking = {name: value for name, value in ACCEPTED.items() if name != "attempt"}
    assert refusal("report.accepted", **lacking) == "report.accepted lacks attempt"
    assert refusal("report.accepted", **(ACCEPTED | {"attempt": None})) == "report.accepted lacks attempt"


def test_an_optional_field_that_is_none_is_left_out() -> None:
    events = RecordingEvents()
    events.emit("report.accepted", **ACCEPTED, obelis_id=None)
    assert events.of("report.accepted") == [ACCEPTED]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("month", 202610, "month takes a string, not int"),
        ("month", "2026-13", "month does not match [0-9]{4}-(0[1-9]|1[0-2])"),
        ("evidence", "hearsay", "evidence takes one of confirmed, inferred"),
        ("attempt", "1", "attempt takes a whole number of zero or more, not str"),
        ("attempt", True, "attempt takes a whole number of zero or more, not bool"),
        ("attempt", 1.0, "attempt takes a whole number of zero or more, not float"),
        ("attempt", -1, "attempt takes a whole number of zero or more, not int"),
    ],
)
def test_a_wrong_value_is_refused(field: str, value: object, complaint: str) -> None:
    assert refusal("report.accepted", **(ACCEPTED | {field: value})) == f"report.accepted: {complaint}"


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1", True, None])
def test_a_number_is_finite_and_not_negative(value: object) -> None:
    assert "skew_s" in refusal("clock.skewed", skew_s=value)


@pytest.mark.parametrize("value", [0, 0.0, 3, 2.5])
def test_a_number_may_be_whole_or_not(value: float) -> None:
    events = RecordingEvents()
    events.emit("clock.skewed", skew_s=value)
    assert events.of("clock.skewed") == [{"skew_s": value}]


@pytest.mark.parametrize("value", [0, 1, "true"])
def test_a_flag_is_true_or_false_and_nothing_else(value: object) -> None:
    beat = {"month": "2026-10", "month_index": 24322, "window_opens_unix": 1, "window_closes_unix": 2}
    assert "lease_holder takes true or false" in refusal(
        "run.heartbeat", **beat, last_run_failed=0, lease_holder=value
    )


def test_a_refusal_never_quotes_a_value() -> None:
    secret = "hunter2-hunter2"
    for said in (
        refusal("report.accepted", **(ACCEPTED | {"kind": secret, "month": secret, "attempt": secret})),
        refusal("report.accepted", **ACCEPTED, password=secret),
    ):
        assert secret not in said


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert refusal("report.drifted", month=3, colour="red").split("; ") == [
        "report.drifted: month takes a string, not int",
        "report.drifted: colour is not declared",
        "report.drifted lacks key",
        "report.drifted lacks kind",
    ]


def test_bound_fields_go_to_the_events_that_declare_them() -> None:
    events = RecordingEvents()
    run = events.bind(run_id="r1").bind(month="2026-10")
    run.emit("store.lost", detail="refused")
    run.emit("report.drifted", key="2026-10/hotline_rating", kind="hotline_rating")
    run.emit("report.drifted", key="2026-09/hotline_rating", kind="hotline_rating", month="2026-09")
    events.emit("store.recovered")
    assert events.emitted == [
        ("store.lost", {"run_id": "r1", "detail": "refused"}),
        ("report.drifted", {"run_id": "r1", **REPORT}),
        ("report.drifted", {"run_id": "r1", **REPORT, "key": "2026-09/hotline_rating", "month": "2026-09"}),
        ("store.recovered", {}),
    ]


def test_what_no_event_declares_cannot_be_bound() -> None:
    with pytest.raises(ContractViolation, match="bound, but not declared for any event: tenant"):
        RecordingEvents().bind(tenant="x")


def test_services_do_not_write_the_lines_of_other_libraries() -> None:
    said = refusal("log.message", logger="x", detail="y")
    assert said == "log.message is for the lines of other libraries"


def test_an_exception_is_written_as_its_traceback() -> None:
    events = RecordingEvents()
    try:
        int("broken")
    except ValueError as exc:
        events.emit("service.crashed", detail="bug", exception=exc)
    (crash,) = events.of("service.crashed")
    assert str(crash["exception"]).startswith("Traceback (most recent call last):")
    assert str(crash["exception"]).endswith("ValueError: invalid literal for int() with base 10: 'broken'")
