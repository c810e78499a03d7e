"""How the command line answers to what is no command: exit 2, what is wrong, and the way out."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

import report_service
from tests.support.processes import COMMAND, Cli

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(tmp_path: Path) -> Cli:
    """Return the command line without any settings."""
    return Cli(folder=tmp_path)


def test_help_lists_the_commands_and_the_exit_codes(bare: Cli) -> None:
    done = bare("--help")

    assert done.code == 0
    for word in ("run", "backfill", "status", "waive", "import", "demo", "mock-api", "db", "Exit codes"):
        assert word in done.out
    assert bare("--version").out == f"report-service {report_service.__version__}\n"


def test_what_a_help_says_is_broken_where_the_terminal_ends_and_nothing_of_it_is_markup(bare: Cli) -> None:
    said = bare("daemon", "--help").out

    assert "release (section [schedule]), delivers, tries again   \n" in said


def test_no_command_shows_the_help_and_is_no_success(bare: Cli) -> None:
    done = bare()

    assert done.code == 2
    assert "Usage: report-service" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runn"], "No such command 'runn'. Did you mean 'run'?"),
        (["run", "--bogus"], "No such option: --bogus"),
        (["run", "--patience", "long"], "Invalid value for '--patience'"),
        (["waive"], "Missing argument 'KEY...'"),
        (["--config", "none.toml", "status"], "none.toml"),
    ],
)
def test_what_is_no_command_is_told_with_the_way_out(bare: Cli, arguments: list[str], says: str) -> None:
    done = bare(*arguments)

    assert done.code == 2
    assert says in done.err
    assert "  -> " in done.err
    assert done.out == ""


def test_a_bad_month_is_told_with_an_example(sqlite_cli: Cli) -> None:
    done = sqlite_cli("run", "--month", "2026-13")

    assert done.code == 2
    assert done.err == "Error: '2026-13' is not a month\n  -> Write a month as YYYY-MM, for example 2026-10.\n"


def test_settings_that_cannot_be_used_are_all_told_at_once(bare: Cli) -> None:
    (bare.folder / "report-service.toml").write_text('[obelis]\nmoode = "mock"\n')

    done = bare.using(OBELIS__BASEURL="x", OBELIS__TIMEOUT_S="long")("run")

    assert done.code == 2
    assert "report-service.toml: obelis.moode: no such setting; the nearest is obelis.mode" in done.err
    assert "no such setting; the nearest is REPORT_SERVICE_OBELIS__BASE_URL" in done.err
    assert "REPORT_SERVICE_OBELIS__TIMEOUT_S" in done.err
    assert "  -> Correct each line above" in done.err


def test_a_shell_is_given_what_completes_and_what_it_asks_for(bare: Cli) -> None:
    script = subprocess.run(
        [COMMAND, "--show-completion", "bash"],
        env={
            **bare.environment,
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },  # whatever started the tests
        capture_output=True,
        text=True,
        check=True,
    )
    words = {"COMP_WORDS": "report-service retry --month 2026-10 --kind hu", "COMP_CWORD": "5"}
    asked = subprocess.run(
        [COMMAND],
        env={**bare.environment, **words, "_REPORT_SERVICE_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "complete -o default -F _report_service_completion report-service" in script.stdout
    assert asked.stdout == "hub_rating\n"
    assert asked.stderr == ""
