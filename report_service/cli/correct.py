"""`report-service correct`: what changed after it was delivered is corrected."""

from __future__ import annotations

import json as json_
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import ShutdownSignal, logging_to, month_of, service_of, settings_of
from report_service.cli.parameters import Keys, months
from report_service.domain.wording import counted
from report_service.errors import BadInput, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.bootstrap.service import Service
    from report_service.domain.kinds import DeliveryKey
    from report_service.domain.months import ReportMonth
    from report_service.ports import ReportRecord
    from report_service.services.correct import Corrected, Difference

SHOWN = 50
"""How many reports are shown field by field; `--json` has all of them."""


def correct(
    ctx: typer.Context,
    *,
    keys: Keys = None,
    month: Annotated[
        str | None,
        typer.Option(autocompletion=months, help="Without keys: all of this month; by default the previous one."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be corrected, and send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, for programs; needs --yes or --dry-run.")
    ] = False,
) -> int:
    """Correct what the source says otherwise than what was delivered: shown first, then sent by PUT.

    Reads the sources as a run does, and compares. Corrections have no window: older
    months can be corrected too, as long as the API takes it. A report that OBELIS
    stored otherwise than it was sent is sent again. Exits with 3 when something is
    left to be corrected.
    """
    from report_service.bootstrap.commands import correcting_of
    from report_service.cli.exits import code_of, explain
    from report_service.domain.kinds import DeliveryKey

    if keys and month:
        raise BadInput("keys and a month at once", hint="Name keys, or use --month.")
    if json and not (yes or dry_run):
        raise BadInput("--json cannot ask", hint="Add --yes or --dry-run.")
    settings, stop = settings_of(ctx), ShutdownSignal()
    with (
        logging_to(sys.stderr, settings, least="warning") as logging,
        stop.listening(),
        service_of(settings, logging, stop=stop) as service,
    ):
        wanted = [DeliveryKey.parse(key) for key in keys or ()]
        run_id, found = _differences(
            service, wanted, {key.month for key in wanted} or {month_of(month, service.clock)}
        )
        if not json:
            _show(found)
        if not found or dry_run:
            if json:
                print(_as_json(found, None))
            return 3 if found else 0
        if not (yes or _agreed()):
            return 3
        correcting = correcting_of(service, run_id=run_id, patience_s=settings.run.patience_s)
        done = correcting.run([one.correction for one in found])
        print(_as_json(found, done) if json else _told(done))
        if done.error is not None:
            explain(done.error)
            return code_of(done.error)
        return 3 if done.left else 0


def _differences(
    service: Service, keys: Sequence[DeliveryKey], months_: set[ReportMonth]
) -> tuple[str, list[Difference]]:
    """Plan the months anew, so that the sources as they are now count; return what differs, and the run's id."""
    from report_service.bootstrap.rendering import explaining_of
    from report_service.services.correct import has_drifted, is_foreign, to_correct
    from report_service.services.known_keys import known_reports

    ledger, run_id = service.ledger, ""
    found: list[Difference] = []
    explaining = explaining_of(service.settings, ledger)

    def wanted(report: ReportRecord) -> bool:
        replaces = service.settings.obelis.on_conflict == "replace"
        return has_drifted(report) or (replaces and is_foreign(report))

    for month in sorted(months_):
        if month not in ledger.status.months():
            raise UsageError(
                f"the ledger knows nothing of {month}", hint="What was never delivered needs no correction."
            )
        patience_s = service.settings.run.patience_s
        planned = service.reconciler.reconcile(month, trigger="correct", patience_s=patience_s, send=False)
        if planned.error is not None:
            raise planned.error
        run_id = planned.run_id
        found += to_correct(
            ledger.history,
            explaining,
            service.wire,
            month,
            at=service.clock.now(),
            wanted=wanted,
            breach=service.correction_breach,
        )
    if keys:
        known_reports(ledger.plans, keys)
        found = [one for one in found if one.correction.key in keys]
    return run_id, found


def _show(found: Sequence[Difference]) -> None:
    for one in found[:SHOWN]:
        print(one.correction.key)
        for name, before, after in one.fields:
            print(f"  {name}: {_json(before)} -> {_json(after)}")
        if not one.fields:
            print(f"  {one.why}: the same again")
        if one.correction.breach:
            print(f"  ! not to be sent: {one.correction.breach}")
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN:,} more; --json lists all of them")
    print(f"{counted(len(found), 'report')} to correct." if found else "Nothing to correct.")


def _agreed() -> bool:
    if sys.stdin.isatty():
        return typer.confirm("\nCorrect them?")
    print("Call it with --yes to do this.", file=sys.stderr)
    return False


def _told(done: Corrected) -> str:
    lines = [f"{key}: {why}" for key, why in done.left.items()]
    return "\n".join([*lines, f"{counted(len(done.corrected), 'report')} corrected, {len(done.left):,} left."])


def _as_json(found: Sequence[Difference], done: Corrected | None) -> str:
    corrected = {str(one.key) for one in done.corrected} if done else set()
    reports = [
        {
            "key": str(one.correction.key),
            "differences": [{"field": name, "delivered": was, "now": now} for name, was, now in one.fields],
            "corrected": str(one.correction.key) in corrected,
            "reason": done.left.get(str(one.correction.key), "") if done else one.correction.breach,
        }
        for one in found
    ]
    return json_.dumps({"reports": reports, "corrected": len(corrected)}, indent=2, ensure_ascii=False)


def _json(value: object) -> str:
    return json_.dumps(value, ensure_ascii=False)
