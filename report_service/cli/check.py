"""`report-service check`: whether everything is ready for the next month."""

from __future__ import annotations

import json as json_
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from report_service.cli.common import logging_to, settings_of
from report_service.cli.parameters import AsJson

if TYPE_CHECKING:
    from report_service.services.check import Check


def check(
    ctx: typer.Context,
    json: AsJson = False,
) -> int:
    """Try every part that a delivery needs: store, token, clock, sources, rows; green, amber or red.

    Nothing is sent but a request for a token, nothing is planned or changed.
    Exits with 3 when a part is red, so that a deployment can be held back; an
    amber one works, but somebody should look.
    """
    from report_service.bootstrap.commands import checking
    from report_service.services.check import Status, worst

    settings = settings_of(ctx)
    found: list[Check] = []
    with (
        logging_to(sys.stderr, settings, least="error") as log,
        checking(settings, redact=log.redactor, learn=log.redactor.learn) as parts,
    ):
        for one in parts.checks():
            found.append(replace(one, detail=log.redactor(one.detail), hint=log.redactor(one.hint)))
            if not json:
                _show(found[-1])
    if json:
        checks = [
            {"name": one.name, "status": one.status.value, "detail": one.detail, "hint": one.hint} for one in found
        ]
        print(json_.dumps({"status": worst(found).value, "checks": checks}, indent=2, ensure_ascii=False))
    return 3 if worst(found) is Status.RED else 0


def _show(one: Check) -> None:
    from rich.text import Text

    from report_service.cli.render import console_on

    style = {"green": "green", "amber": "yellow", "red": "bold red"}[one.status]
    text = Text.assemble((f"{one.status:<6}", style), f"{one.name}: {one.detail}")
    if one.hint:
        text.append(f"\n      -> {one.hint}")
    console_on(sys.stdout).print(text, soft_wrap=True)
