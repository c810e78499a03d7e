"""`report-service handed-in`: what was handed in by other means after the window closed."""

from __future__ import annotations

import json as json_
from typing import Annotated

import typer

from report_service.cli.common import ledger_of, month_of, user
from report_service.cli.parameters import AsJson, Keys, months
from report_service.domain.wording import counted
from report_service.errors import BadInput


def handed_in(
    ctx: typer.Context,
    *,
    keys: Keys = None,
    month: Annotated[
        str | None,
        typer.Option(autocompletion=months, help="Without keys: all that the closed window of this month left."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Where it can be found again: the e-mail, the letter; kept in the ledger.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who says so; default: the user that runs the command.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back instead.")] = False,
    json: AsJson = False,
) -> int:
    """Record that reports were handed in by other means after their window closed, or take that back.

    Once the authority has the package that `backfill` made: the month then counts as
    complete, and shows who said so, when, and with which reference.
    """
    from report_service.services.hand_in import HandingIn

    if bool(keys) == bool(month):
        raise BadInput("keys, or a month", hint="Name reports, or with --month all that a closed window left.")
    if withdraw and reference:
        raise BadInput("--withdraw takes no --reference", hint="It takes back what was recorded with one.")
    with ledger_of(ctx) as (_, ledger, clock):
        handing = HandingIn(plans=ledger.plans, hand_ins=ledger.hand_ins, clock=clock)
        said = {"reference": reference or "", "declared_by": by or user()}
        if withdraw:
            found = handing.withdraw(keys or (), month_of(month, clock))
        else:
            found = handing.named(keys, **said) if keys else handing.left_of(month_of(month, clock), **said)
    if json:
        print(json_.dumps({"reports": list(map(str, found)), "withdrawn": withdraw}, indent=2))
    else:
        print("\n".join(map(str, found)))
        print(f"{counted(len(found), 'report')} {'no longer counted' if withdraw else 'recorded'} as handed in.")
    return 0
