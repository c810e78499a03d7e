"""`report-service backfill`: what a stopped daemon left."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import ShutdownSignal, is_terminal, logging_to, service_of, settings_of
from report_service.cli.parameters import months
from report_service.cli.run import remarks
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.bootstrap.service import Service
    from report_service.ports import MonthCounts
    from report_service.services.backfill import Backfill, Backfilled, MonthPlan


def backfill(
    ctx: typer.Context,
    *,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            autocompletion=months,
            help="YYYY-MM; by default schedule.first_month, or the first that the ledger knows.",
        ),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", autocompletion=months, help="YYYY-MM; by default the previous month.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    patience: Annotated[
        float | None, typer.Option(min=0, help="As for `run`, for the month whose window is open.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the hand-over packages.")] = Path("handover"),
) -> int:
    """Make up for a stopped daemon: deliver what can be, record and hand over the rest.

    Shows first what it would do for each month. Of a month whose window has
    closed, what is missing is recorded as missed (or unresolved), and written to
    the output folder: a file with the exact bodies, and an e-mail to the
    authority.
    """
    from report_service.cli.progress import ProgressEvents
    from report_service.domain.months import ReportMonth
    from report_service.services.backfill import Backfill

    settings, stop = settings_of(ctx), ShutdownSignal()
    progress = ProgressEvents(sys.stdout) if is_terminal() else None
    with (
        logging_to(sys.stderr, settings, least="warning" if progress else None) as logging,
        stop.listening(),
        service_of(
            settings, logging, events=progress, stop=stop, read_settings=partial(settings_of, ctx)
        ) as service,
    ):
        filling = Backfill(
            status=service.ledger.status,
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
            print("Nothing was done.", file=sys.stderr)
            return 2
        waits = settings.run.patience_s if patience is None else patience
        with progress.showing(service.ledger) if progress else nullcontext():
            return _carry_out(filling, service, plans, waits, output)


def _show(plans: Sequence[MonthPlan], output: Path) -> None:
    from rich.table import Table

    from report_service.cli.render import console_on
    from report_service.services.backfill import Fate

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("month", "due", "in", "to send", "no data", "too late", ""):
        table.add_column(column, justify="left" if column in {"month", ""} else "right", no_wrap=True)
    does = {Fate.DELIVER: "deliver", Fate.HAND_OVER: "record, hand over", Fate.COMPLETE: "nothing to do"}
    for plan in plans:
        counts = (plan.plan.expected, plan.delivered, plan.sendable, plan.blocked, plan.lost)
        table.add_row(str(plan.month), *(f"{count:,}" for count in counts), does[plan.fate])
    notes = []
    if any(plan.fate is Fate.HAND_OVER for plan in plans):
        notes.append(f"What is too late is recorded as missed, and written to {output}/ for the authority.")
    if unknown := [str(plan.month) for plan in plans if not plan.known]:
        notes.append(
            f"The ledger has never seen {', '.join(unknown)}: what came in by other means counts as not in. "
            "To leave such months out, name a later one with --from."
        )
    console = console_on(sys.stdout)
    console.print(table)
    for note in notes:
        console.print(f"\n{note}", markup=False)
    for plan in plans:
        for problem in plan.plan.problems:
            print(f"{plan.month}: source: {problem}")


def _agreed() -> bool:
    if sys.stdin.isatty():
        return typer.confirm("\nDo this?")
    print("Call it with --yes to do this.", file=sys.stderr)
    return False


def _carry_out(
    filling: Backfill, service: Service, plans: Sequence[MonthPlan], patience_s: float, output: Path
) -> int:
    from report_service.cli.exits import code_of, explain

    complete = 0
    for done in filling.carry_out([plan.month for plan in plans], patience_s=patience_s):
        _tell(done, service, output)
        if done.result.error is not None:
            explain(done.result.error)
            return code_of(done.result.error)
        complete += done.result.complete and not done.undelivered
    return 0 if complete == len(plans) else 3


def _tell(done: Backfilled, service: Service, output: Path) -> None:
    """Say what came of a month, and write its package."""
    from report_service.domain.delivery import DONE
    from report_service.domain.wording import share

    month_counts = done.result.month_counts
    if month_counts is None:
        return
    are_in = share(month_counts.count(DONE), month_counts.expected, "report")
    print(f"\n{done.month}: {are_in} in.")
    for line in remarks(done.result, took_s=service.clock.monotonic() - done.result.started):
        print(f"  {line}")
    if done.undelivered:
        files = _hand_over(done, month_counts, service.settings.obelis.cpo_id, output)
        print(f"  {len(done.undelivered):,} can only be handed in by other means. To send to the authority:")
        print("\n".join(f"    {path}" for path in files))
    elif not month_counts.complete:
        print(f"  What is outstanding, and why: report-service status --month {done.month}")


def _hand_over(done: Backfilled, month_counts: MonthCounts, cpo_id: str, output: Path) -> list[Path]:
    """Write a month's package, and return its files; raise BadInput."""
    from report_service.adapters.whole_file import replace_private
    from report_service.services.handover import bodies_file, summary

    email, bodies = (output / f"handover-{done.month}.{ending}" for ending in ("txt", "jsonl"))
    texts = {email: summary(done.month, month_counts, done.undelivered, cpo_id=cpo_id, bodies_name=bodies.name)}
    if lines := bodies_file(done.undelivered):
        texts[bodies] = lines
    try:
        output.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            replace_private(path, text)
    except OSError as exc:
        raise BadInput(
            f"the package of {done.month} cannot be written to {output}: {exc.strerror}",
            hint="Name another folder with --output, and call it again: nothing is sent twice.",
        ) from exc
    return list(texts)
