"""`report-service waive`: a person declares that there is nothing to report."""

from __future__ import annotations

from typing import Annotated

import typer

from report_service.cli.common import ledger_of, user
from report_service.cli.parameters import report_keys


def waive(
    ctx: typer.Context,
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", autocompletion=report_keys, help="Reports, as `status` names them."),
    ],
    reason: Annotated[str | None, typer.Option(help="Why there is nothing to report; kept in the ledger.")] = None,
    by: Annotated[
        str | None, typer.Option(help="Who declares it; default: the user that runs the command.")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the waivers back instead.")] = False,
) -> int:
    """Declare that there is nothing to report for a key, or take that back.

    A point without a rating and a hotline without calls cannot be reported: this says so, with who and why.
    """
    from report_service.services.waive import Waiving

    with ledger_of(ctx) as (_, ledger, clock):
        waiving = Waiving(plans=ledger.plans, waivers=ledger.waivers, clock=clock)
        if withdraw:
            told = waiving.withdraw(keys)
        else:
            told = waiving.declare(keys, reason=reason or "", declared_by=by or user())
        for line in told:
            print(line)
    return 0
