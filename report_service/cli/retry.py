"""`report-service retry`: what was refused is sent again."""

from __future__ import annotations

import json as json_
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from report_service.cli.common import ledger_of, month_of
from report_service.cli.parameters import AsJson, Keys, kinds, months
from report_service.domain.wording import counted
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.domain.months import ReportMonth
    from report_service.services.retry import PutBack, Retrying

SHOWN = 20
"""How many reports are listed; `--json` has all of them."""


def retry(
    ctx: typer.Context,
    *,
    keys: Keys = None,
    month: Annotated[
        str | None,
        typer.Option(autocompletion=months, help="Without keys: of this month; by default the previous one."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(autocompletion=kinds, help="Without keys: only of this kind, such as hub_rating.")
    ] = None,
    state: Annotated[
        Literal["rejected", "retrying"] | None,
        typer.Option(
            help="Without keys: those that the API rejected (the default), or those that wait to be tried again."
        ),
    ] = None,
    json: AsJson = False,
) -> int:
    """Put refused reports back, so that the next run sends them again.

    For when the reason is gone: the API knows the hub by now, or it was wrong. Mended
    data needs no retry. All are put back, or none; what is delivered or under way
    stays as it is.
    """
    from report_service.services.retry import Retrying

    if keys and (month or kind or state):
        raise BadInput(
            "keys and a choice of reports at once", hint="Name keys, or use --month, --kind and --state."
        )
    with ledger_of(ctx) as (settings, ledger, clock):
        retrying = Retrying(plans=ledger.plans, clock=clock, window_guard_s=settings.obelis.window_guard_s)
        wanted = month_of(month, clock)
        found = retrying.named(keys) if keys else _chosen(retrying, wanted, kind, state or "rejected")
    print(_as_json(found) if json else told(found, wanted, state or "rejected", settings.schedule.sweep_minutes))
    return 0


def told(found: Sequence[PutBack], month: ReportMonth, state: str, sweep_minutes: int) -> str:
    """Return what a person is told: what was put back, and what the next run does."""
    if not found:
        return f"No report of {month} is {state}: nothing to put back."
    lines = [_line(one) for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"... and {len(found) - SHOWN:,} more; --json lists all of them")
    lines += [
        f"{counted(len(found), 'report')} put back. To send what the rows say now: {' and '.join(_runs(found))}",
        f"A daemon does so by itself within {counted(sweep_minutes, 'minute')}.",
    ]
    return "\n".join(lines)


def _line(one: PutBack) -> str:
    becomes = "due at once" if one.after is one.before else f"{one.before} -> {one.after}"
    return f"{one.key}: {becomes}" + (f" (was: {one.reason})" if one.reason else "")


def _runs(found: Sequence[PutBack]) -> list[str]:
    return [f"report-service run --month {month}" for month in dict.fromkeys(one.key.month for one in found)]


def _chosen(retrying: Retrying, month: ReportMonth, kind: str | None, state: str) -> list[PutBack]:
    from report_service.cli.common import kind_of
    from report_service.domain.delivery import State

    return retrying.chosen(month, kind=kind_of(kind), state=State(state))


def _as_json(found: Sequence[PutBack]) -> str:
    reports = [
        {"key": str(one.key), "before": one.before.value, "state": one.after.value, "reason": one.reason}
        for one in found
    ]
    return json_.dumps({"reports": reports, "next": _runs(found)}, ensure_ascii=False, indent=2)
