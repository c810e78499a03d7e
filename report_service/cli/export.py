"""`report-service export`: proof of delivery out, and held against what was written."""

from __future__ import annotations

import json as json_
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from report_service.cli.common import ledger_of, logging_to, month_of, settings_of
from report_service.cli.parameters import OfMonth
from report_service.errors import BadInput, UsageError


class ExportFormat(StrEnum):
    """How a proof is written."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


def export(
    ctx: typer.Context,
    *,
    month: OfMonth = None,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="json: everything, to be verified; csv: a row a report; html: one page."),
    ] = ExportFormat.JSON,
    out: Annotated[Path | None, typer.Option(help="File to write; by default standard output.")] = None,
    verify: Annotated[
        Path | None, typer.Option(help="Hold this exported JSON file against itself and the ledger instead.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help="With --verify: a head that a run has logged; it must be in the file's chain."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="With --verify: print one JSON object, for programs.")
    ] = False,
) -> int:
    """Write the proof of a month: bodies, answers, and the chain that binds them; or verify one.

    Exits with 3 when what is verified does not fit, and names the first link that
    does not.
    """
    if verify is None:
        if head or json:
            raise UsageError(
                "--head and --json are for --verify", hint="Name the exported file with --verify FILE."
            )
        return _export(ctx, month, form, out)
    if month or out or form is not ExportFormat.JSON:
        raise UsageError("--verify takes --head and --json only", hint="The file says which month it is about.")
    return _verify(ctx, verify, head, json=json)


def _export(ctx: typer.Context, month: str | None, form: ExportFormat, out: Path | None) -> int:
    from report_service.adapters.whole_file import write_text
    from report_service.services.proof.page import as_html
    from report_service.services.proof.proof import as_csv, as_json, gather

    with ledger_of(ctx) as (settings, ledger, clock):
        proof = gather(
            ledger,
            month_of(month, clock),
            cpo_id=settings.obelis.cpo_id,
            at=clock.now(),
            guard_s=settings.obelis.window_guard_s,
        )
    text = {ExportFormat.JSON: as_json, ExportFormat.CSV: as_csv, ExportFormat.HTML: as_html}[form](proof)
    if out is None:
        sys.stdout.write(text)
    else:
        write_text(out, text)
        print(f"{out}: {len(proof.reports):,} reports of {proof.month}; head {proof.head or 'none'}")
    return 0


def _verify(ctx: typer.Context, file: Path, head: str | None, *, json: bool) -> int:
    from report_service.adapters.whole_file import read_text
    from report_service.bootstrap.stores import ledger_at
    from report_service.services.proof.verify import ExportedProof, knows

    try:
        proof = ExportedProof.read(read_text(file))
    except BadInput as bad:
        message = bad.message if str(file) in bad.message else f"{file}: {bad.message}"
        raise BadInput(message, hint=bad.hint) from None
    misfits = proof.misfits(head=head)
    settings = settings_of(ctx)
    with (
        logging_to(sys.stderr, settings, least="warning"),
        ledger_at(settings, proof.endpoint, proof.cpo_id) as ledger,
    ):
        known = knows(ledger, proof)
        misfits += proof.misfits_with(ledger) if known and not misfits else []
    compared = "itself and with the ledger" if known else "itself; this store knows nothing of that month"
    if json:
        about = {"file": str(file), "month": str(proof.month), "links": len(proof.links), "head": proof.head}
        print(
            json_.dumps(about | {"compared_with_ledger": known, "fits": not misfits, "misfits": misfits}, indent=2)
        )
    elif misfits:
        print("\n".join(f"{file}: {misfit}" for misfit in misfits))
    else:
        print(
            f"{file}: {len(proof.links):,} links of {proof.month} fit; compared with {compared}; head {proof.head}"
        )
    return 3 if misfits else 0
