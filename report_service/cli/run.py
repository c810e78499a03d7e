"""`report-service run`: one reconcile now."""

from __future__ import annotations

import getpass
import json as json_
import os
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import ShutdownSignal, is_terminal, logging_to, month_of, service_of, settings_of
from report_service.cli.parameters import OfMonth
from report_service.domain.wording import agree, counted
from report_service.errors import BadInput

if TYPE_CHECKING:
    from report_service.bootstrap.service import Service
    from report_service.domain.months import ReportMonth
    from report_service.services.run_result import RunResult


def run(
    ctx: typer.Context,
    *,
    month: OfMonth = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent, and what could not.")
    ] = False,
    patience: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds to wait for what is due again, or for the lease; default: run.patience_s."
        ),
    ] = None,
    accept_inventory: Annotated[
        bool,
        typer.Option(
            "--accept-inventory", help="Say that the inventory is right, though far less is due than there was."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the month's status as one JSON object; the log goes to stderr.")
    ] = False,
) -> int:
    """Collect, check and deliver a month's reports now, and say what is left.

    On a terminal with a progress bar; elsewhere one JSON event a line on
    standard output, the summary on standard error.
    """
    from report_service.cli.progress import ProgressEvents

    settings, stop = settings_of(ctx), ShutdownSignal()
    progress = ProgressEvents(sys.stdout) if is_terminal() and not json else None
    stream, least = (sys.stderr, "warning") if progress else (sys.stderr if json else sys.stdout, None)
    with (
        logging_to(stream, settings, least=least) as logging,
        stop.listening(),
        service_of(
            settings, logging, events=progress, stop=stop, read_settings=partial(settings_of, ctx)
        ) as service,
    ):
        wanted = month_of(month, service.clock)
        _refuse_forgotten(service, wanted)
        if dry_run:
            return _preview(service, wanted, json=json)
        waits = settings.run.patience_s if patience is None else patience
        with progress.showing(service.ledger) if progress else nullcontext():
            result = service.reconciler.reconcile(
                wanted, trigger="run", patience_s=waits, accepted_by=_person() if accept_inventory else ""
            )
        return conclude(service, result, json=json)


def _refuse_forgotten(service: Service, month: ReportMonth) -> None:
    """Raise BadInput for a closed month that the ledger does not know: all of it would count as missed."""
    from report_service.domain.months import SubmissionWindow

    window = SubmissionWindow.of(month, guard_s=service.settings.obelis.window_guard_s)
    if window.has_closed(service.clock.now()) and month not in service.ledger.status.months():
        raise BadInput(
            f"reports for {month} could be sent until {window.last_send:%Y-%m-%d %H:%M} UTC, and this ledger "
            "has none of them",
            hint="Nothing was recorded. If they have to be handed in by other means: report-service backfill "
            f"--from {month} --to {month}",
        )


def _person() -> str:
    """Return who runs the command, for the record: the user's name, or its number where it has none."""
    try:
        return getpass.getuser().encode(errors="backslashreplace").decode()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def conclude(service: Service, result: RunResult, *, json: bool) -> int:
    """Show what a run came to, and return its exit code."""
    from report_service.cli.exits import code_of, explain
    from report_service.cli.render import console_on, month_view
    from report_service.services.status import status_of

    if result.month_counts is not None:
        obelis = service.settings.obelis
        found = status_of(
            service.ledger,
            result.month,
            at=service.clock.now(),
            guard_s=obelis.window_guard_s,
            requests_per_minute=obelis.requests_per_minute,
        )
        if json:
            print(json_.dumps(found.as_json(), indent=2))
        else:
            console = console_on(sys.stdout if is_terminal() else sys.stderr)
            console.print(month_view(found))
    for line in remarks(result, took_s=service.clock.monotonic() - result.started):
        print(line, file=sys.stderr)
    if result.error is not None:
        explain(result.error)
        return code_of(result.error)
    assert result.month_counts is not None
    assert result.plan is not None
    return 0 if result.complete and not result.month_counts.drifted and not result.plan.problem_count else 3


def remarks(result: RunResult, *, took_s: float) -> list[str]:
    """Return what a person should know of a run beside how the month stands."""
    lines = [f"{counted(result.stats.requests, 'request')} in {took_s:.1f} s."] if result.stats else []
    if result.plan is not None:
        lines += [f"Source: {problem}" for problem in result.plan.problems]
        hidden = result.plan.problem_count - len(result.plan.problems)
        lines += [f"Source: ... and {hidden} more of this sort"] if hidden else []
        if result.plan.doubt:
            lines.append(f"Inventory in doubt: {result.plan.doubt}.")
    if result.stats is not None:
        lines += [f"The API's answers as a whole: {said}" for said in result.stats.alarms.values()]
    if result.stats is not None and result.stats.stopped is not None and result.error is None:
        lines.append(f"Stopped sending: {result.stats.stopped}.")
    return lines


def _due(expected: int) -> str:
    return f"{counted(expected, 'report')} {agree(expected, 'is', 'are')} due"


def _preview(service: Service, month: ReportMonth, *, json: bool) -> int:
    from report_service.domain.delivery import DONE, SENDABLE, State
    from report_service.domain.months import SubmissionWindow

    window = SubmissionWindow.of(month, guard_s=service.settings.obelis.window_guard_s)
    closed = window.has_closed(service.clock.now())
    plan = service.reconciler.planner(service.events).preview(month, closed=closed)
    counts = {state: plan.by_state[state] for state in State}
    to_send = sum(counts[state] for state in SENDABLE | {State.IN_FLIGHT})
    done = sum(counts[state] for state in DONE)
    if json:
        blocked = [{"key": str(key), "state": state.value, "reason": why} for key, state, why in plan.blocked]
        by_state = {state.value: count for state, count in counts.items()}
        body = {"month": str(month), "expected": plan.expected, "by_state": by_state, "blocked": blocked}
        warnings = [str(one) for one in plan.implausible]
        about = {"problems": plan.problems, "inventory_doubt": plan.doubt or None, "warnings": warnings}
        print(json_.dumps(body | about, indent=2))
    else:
        are_done = f"{done:,} {agree(done, 'is', 'are')} done"
        print(f"{month}: {_due(plan.expected)}, {are_done}, {to_send:,} would be sent now.")
        for key, state, why in plan.blocked:
            print(f"  {key}: {state.value}: {why}")
        for problem in plan.problems:
            print(f"  source: {problem}")
        if plan.doubt:
            print(f"  inventory in doubt: {plan.doubt}")
        for odd in plan.implausible:
            print(f"  implausible: {odd}")
        print("Nothing was sent or recorded (--dry-run).")
    return 0 if to_send + done == plan.expected and not plan.doubt and not plan.problem_count else 3
