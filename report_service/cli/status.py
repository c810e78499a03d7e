"""`report-service status`: expected against delivered."""

from __future__ import annotations

import json as json_
import sys
from typing import Annotated

import typer

from report_service.cli.common import ledger_of, logging_to, month_of, settings_of


def status(
    ctx: typer.Context,
    month: Annotated[str | None, typer.Option(help="YYYY-MM; by default the previous month.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List every outstanding report.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> int:
    """Show what is due for a month, what was delivered, and what is outstanding and why."""
    from report_service.cli.render import console_on, month_view
    from report_service.services.status import status_of

    settings = settings_of(ctx)
    with logging_to(sys.stderr, settings, least="warning"), ledger_of(settings) as (ledger, clock):
        found = status_of(
            ledger,
            month_of(month, clock),
            at=clock.now(),
            guard_s=settings.obelis.window_guard_s,
            requests_per_minute=settings.obelis.requests_per_minute,
        )
    if json:
        print(json_.dumps(found.as_json(), indent=2))
    else:
        console_on(sys.stdout).print(month_view(found, everything=everything))
    return 0 if found.month_counts.complete and not found.month_counts.drifted else 3
