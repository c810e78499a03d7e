"""`report-service backfill`: what a stopped daemon left."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.frame import StopSign, is_terminal, logging_to, service_of, settings_of
from report_service.cli.run import remarks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.bootstrap import Service
    from report_service.services.backfill import Backfill, Backfilled, MonthPlan


def backfill(
    ctx: typer.Context,
    *,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", help="YYYY-MM; by default schedule.first_month, or the first that the ledger knows."
        ),
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="YYYY-MM; by default the previous month.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    patience: Annotated[
        float | None, typer.Option(min=0, help="As for `run`, for the month whose window is open.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the hand-over packages.")] = Path("handover"),
) -> int:
    """Make up for a stopped daemon: deliver what can still be delivered, record and hand over the rest.

    Shows first what it would do for each month. Of a month whose window has closed, what is missing is recorded as
    missed (or unresolved), and written to the output folder: a file with the exact bodies, and an e-mail to the
    authority.
    """
    from report_service.domain.months import ReportMonth
    from report_service.services.backfill import Backfill

    settings, stop = settings_of(ctx), StopSign()
    least = "warning" if is_terminal() else None
    with (
        logging_to(sys.stderr, settings, least=least) as logging,
        stop.listening(),
        service_of(settings, logging, stop=stop) as service,
    ):
        filling = Backfill(
            ledger=service.ledger,
            reconciler=service.reconciler,
            clock=service.clock,
            events=service.events,
            window_guard_s=settings.obelis.window_guard_s,
            first_month=service.first_month,
        )
        months = filling.months(
            ReportMonth.parse(first) if first else None, ReportMonth.parse(last) if last else None
        )
        plans = list(filling.preview(months))
        _show(plans, output)
        if not yes and not _agreed():
            return 2
        waits = settings.run.patience_s if patience is None else patience
        return _carry_out(filling, service, plans, waits, output)


def _show(plans: Sequence[MonthPlan], output: Path) -> None:
    from rich.table import Table

    from report_service.cli.show import console_on
    from report_service.services.backfill import Fate

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in (
        "month",
        "due",
        "delivered",
        "to deliver now",
        "without usable data",
        "too late",
        "what is done",
    ):
        table.add_column(column, justify="left" if column in {"month", "what is done"} else "right")
    does = {
        Fate.DELIVER: "deliver: its window is open",
        Fate.HAND_OVER: f"record as missed, write a package to {output}/",
        Fate.COMPLETE: "nothing: all is in",
    }
    for plan in plans:
        what = does[plan.fate] + ("" if plan.known else " (the ledger has never seen it)")
        counts = (plan.plan.expected, plan.delivered, plan.sendable, plan.blocked, plan.lost)
        table.add_row(str(plan.month), *(f"{count:,}" for count in counts), what)
    console_on(sys.stdout).print(table)
    for plan in plans:
        for problem in plan.plan.problems:
            print(f"{plan.month}: source: {problem}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("Nothing was done. Call it with --yes to do this.", file=sys.stderr)
        return False
    return typer.confirm("Do this?")


def _carry_out(
    filling: Backfill, service: Service, plans: Sequence[MonthPlan], patience_s: float, output: Path
) -> int:
    from report_service.cli.exits import code_of, explain

    worst = 0
    for done in filling.carry_out([plan.month for plan in plans], patience_s=patience_s):
        _tell(done, service, output)
        if done.result.error is not None:
            explain(done.result.error)
            return code_of(done.result.error)
        worst = worst if done.result.complete else 3
    return worst


def _tell(done: Backfilled, service: Service, output: Path) -> None:
    """Say what came of a month, and write its package."""
    from report_service.domain.delivery import DONE
    from report_service.services.handover import bodies_file, summary

    tally = done.result.tally
    if tally is None:
        return
    print(f"\n{done.month}: {tally.count(DONE):,} of {tally.expected:,} reports are in.")
    for line in remarks(done.result):
        print(line)
    if done.undelivered:
        output.mkdir(parents=True, exist_ok=True)
        bodies, email = (output / f"handover-{done.month}.{ending}" for ending in ("jsonl", "txt"))
        _write(bodies, bodies_file(done.undelivered))
        cpo_id = service.settings.obelis.cpo_id
        _write(email, summary(done.month, tally, done.undelivered, cpo_id=cpo_id, bodies_name=bodies.name))
        print(f"  {len(done.undelivered):,} can only be handed in by other means: send {email} with {bodies}.")
    elif not tally.complete:
        print(f"  report-service status --month {done.month} says what is outstanding.")


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
