"""`report-service status`: expected against delivered; several months, and the runs that were made."""

from __future__ import annotations

import json as json_
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import ledger_of, month_of
from report_service.cli.parameters import AsJson, OfMonth, months
from report_service.errors import UsageError

if TYPE_CHECKING:
    from report_service.domain.months import ReportMonth
    from report_service.ports import Clock, Ledger
    from report_service.settings import Settings


def status(
    ctx: typer.Context,
    *,
    month: OfMonth = None,
    everything: Annotated[bool, typer.Option("--all", help="List every outstanding report.")] = False,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", autocompletion=months, help="YYYY-MM: this month and those up to --month, a line each."
        ),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="The newest 20 runs instead; with --month, of that month.")
    ] = False,
    json: AsJson = False,
) -> int:
    """Show what is due for a month, what was delivered, and what is outstanding and why.

    Exits with 3 unless every month shown is complete with the figures of today.
    """
    if (first is not None) + runs + everything > 1:
        raise UsageError(
            "--all, --from and --runs do not go together", hint="Each shows something else: take one of them."
        )
    with ledger_of(ctx) as (settings, ledger, clock):
        if runs:
            return _runs(ledger, month_of(month, clock) if month else None, json=json)
        if first is not None:
            return _months(settings, ledger, month_of(first, clock), month_of(month, clock), json=json)
        return _month(settings, ledger, month_of(month, clock), clock, everything=everything, json=json)


def _month(
    settings: Settings, ledger: Ledger, month: ReportMonth, clock: Clock, *, everything: bool, json: bool
) -> int:
    from report_service.cli.render import console_on, month_view
    from report_service.services.status import status_of

    found = status_of(
        ledger,
        month,
        at=clock.now(),
        guard_s=settings.obelis.window_guard_s,
        requests_per_minute=settings.obelis.requests_per_minute,
    )
    if json:
        print(json_.dumps(found.as_json(), indent=2))
    else:
        console_on(sys.stdout).print(month_view(found, everything=everything))
    return 0 if found.month_counts.complete and not found.month_counts.drifted else 3


def _months(settings: Settings, ledger: Ledger, first: ReportMonth, last: ReportMonth, *, json: bool) -> int:
    from report_service.cli.render import console_on, months_view
    from report_service.services.overview import glance

    months = glance(ledger.status, first, last, guard_s=settings.obelis.window_guard_s)
    if json:
        print(json_.dumps({"endpoint": ledger.endpoint, "months": [one.as_json() for one in months]}, indent=2))
    else:
        console_on(sys.stdout).print(months_view(months))
    return 0 if all(one.settled for one in months) else 3


def _runs(ledger: Ledger, month: ReportMonth | None, *, json: bool) -> int:
    from report_service.cli.render import console_on, runs_view
    from report_service.services.overview import run_json

    found = ledger.runs.recent(month=month, limit=20)
    if json:
        print(json_.dumps({"endpoint": ledger.endpoint, "runs": list(map(run_json, found))}, indent=2))
    else:
        console_on(sys.stdout).print(runs_view(found))
    return 0
