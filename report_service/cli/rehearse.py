"""`report-service rehearse`: the running month against the mock, before its window opens."""

from __future__ import annotations

import json as json_
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import logging_to, settings_of
from report_service.cli.parameters import AsJson, months
from report_service.domain.wording import counted

if TYPE_CHECKING:
    from report_service.services.rehearsal import Rehearsed


def rehearse(
    ctx: typer.Context,
    *,
    month: Annotated[
        str | None, typer.Option(autocompletion=months, help="YYYY-MM; by default the running month.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List every report that would be outstanding.")
    ] = False,
    json: AsJson = False,
) -> int:
    """Deliver a month's data so far to the built-in mock, and show what would be missing or refused.

    Days before the window opens. Reads your sources and the waivers; nothing is sent,
    and the ledger stays as it is. Exits with 3 unless the month would be complete.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.bootstrap.rehearsal import rehearsing
    from report_service.domain.months import BERLIN, ReportMonth

    settings = settings_of(ctx)
    at = SystemClock().now()
    wanted = ReportMonth.parse(month) if month else ReportMonth.of(at.astimezone(BERLIN))
    with (
        logging_to(sys.stderr, settings, least="error") as log,
        rehearsing(settings, wanted, at=at, redact=log.redactor) as rehearsal,
    ):
        done = rehearsal.run(wanted)
    if json:
        print(json_.dumps(done.as_json(), indent=2))
    else:
        _show(done, everything=everything)
    return 0 if done.status.month_counts.complete and not done.warnings else 3


def _show(done: Rehearsed, *, everything: bool) -> None:
    from report_service.cli.render import console_on, month_view

    month = done.status.month
    print(f"Rehearsal of {month}, with the data so far: nothing is sent, and the ledger stays as it is.\n")
    console_on(sys.stdout).print(month_view(done.status, command="rehearse", everything=everything))
    for doubt in done.doubts:
        print(f"Warning: {doubt}")
    minutes = f"{done.duration_s / 60:.0f} min" if done.duration_s >= 120 else f"{done.duration_s:.0f} s"
    print(f"{counted(done.requests, 'request')}; the real ones would take about {minutes}.")
