"""Help speaks an operator's words and ends with an example that can be typed; a shell completes what it can."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer.main

from report_service.adapters.clock import SystemClock
from report_service.cli.main import app, invoke
from report_service.cli.parameters import kinds, months, report_keys
from report_service.domain.months import ReportMonth

GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = {
    **{name: command for name, command in GROUP.commands.items() if name != "db"},
    **{f"db {name}": command for name, command in GROUP.commands["db"].commands.items()},
}
PREVIOUS = ReportMonth.previous(SystemClock().now())


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert invoke([*command, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "db", *COMMANDS])
def test_no_help_shows_a_type_of_python_and_each_ends_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(capsys, *name.split())

    for python in ("<bool>", "<str>", "<int", "<float", "<path>", "<list"):
        assert python not in shown
    last = " ".join(shown.split()).rpartition("Example: ")[2]
    assert re.match(rf"report-service (--config \S+ )?{name}", last)
    assert len(last) < 120  # nothing comes after it


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_a_call_that_the_command_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = " ".join(help_of(capsys, *name.split()).rpartition("Example: ")[2].split())
    before, _, arguments = example.partition(f" {name}")

    assert before.startswith("report-service")
    COMMANDS[name].make_context(name, shlex.split(arguments))


def test_no_argument_takes_a_secret() -> None:
    """The list of processes shows arguments to everybody. (What `mock-api` is given guards nothing.)"""
    named = {
        f"{name} {each.name}"
        for name, command in COMMANDS.items()
        for each in command.params
        if re.search("secret|token$|password|credential", each.name)
    }

    assert named == {"mock-api client_secret"}


def test_an_options_value_is_named_for_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    words = [line.split()[1:3] for line in help_of(capsys, "run").splitlines() if line.startswith("│ --")]

    assert words[:3] == [["--month", "MONTH"], ["--dry-run", "Only"], ["--patience", "SECONDS"]]
    assert "rejected|retrying" in help_of(capsys, "retry")


def test_months_are_completed_from_the_previous_one_backwards() -> None:
    assert list(months("")) == [str(PREVIOUS), str(PREVIOUS.shift(-1)), str(PREVIOUS.shift(-2))]
    assert list(months(str(PREVIOUS))) == [str(PREVIOUS)]
    assert list(months("1999")) == []


def test_kinds_are_completed() -> None:
    assert list(kinds("h")) == ["hotline_rating", "hub_rating"]


def test_a_key_is_completed_as_far_as_no_store_is_needed() -> None:
    assert list(report_keys(str(PREVIOUS))) == [f"{PREVIOUS}/"]
    assert list(report_keys("2026-10/h")) == ["2026-10/hotline_rating", "2026-10/hub_rating/"]
    assert list(report_keys("2026-10/hub_rating/x")) == []
