"""The page of examples: every command is on it, with what it says today."""

from __future__ import annotations

from report_service.cli.main import EXAMPLES
from tests.support.command_examples import PAGE, page, skeleton


def test_every_command_has_its_example_with_what_it_really_says() -> None:
    told = page()

    assert {command.removeprefix("db ") for command in told.called} == EXAMPLES.keys()
    assert skeleton(PAGE.read_text(encoding="utf-8")) == skeleton(told.text), (
        "python -m tests.support.command_examples writes it anew"
    )
