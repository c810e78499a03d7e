"""`report-service template`: the forms to fill in."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from report_service.cli.common import logging_to, month_of, settings_of
from report_service.cli.parameters import OfMonth


class Format(StrEnum):
    """How forms are written."""

    XLSX = "xlsx"
    CSV = "csv"


def template(
    ctx: typer.Context,
    *,
    month: OfMonth = None,
    everything: Annotated[
        bool, typer.Option("--all", help="A row for each report that is due, not only for those without data.")
    ] = False,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="One workbook, or a folder of CSV files (for programs: Excel makes dates of the months in them).",
        ),
    ] = Format.XLSX,
    out: Annotated[
        Path | None,
        typer.Option(help="The workbook, or the folder of the CSV files; default: forms-YYYY-MM[.xlsx] here."),
    ] = None,
) -> int:
    """Write forms with a row for each report that awaits data: ids and names filled in, figures empty.

    Filled in, `report-service import` takes them. What stays empty is passed over.
    """
    from contextlib import closing

    from report_service.adapters.clock import SystemClock
    from report_service.adapters.form_files import write_csv, write_xlsx
    from report_service.bootstrap.stores import open_ledger, open_store, source_of
    from report_service.domain.wording import counted
    from report_service.services.forms import forms_for

    settings, clock = settings_of(ctx), SystemClock()
    with logging_to(sys.stderr, settings, least="warning"), closing(open_store(settings)) as store:
        wanted = month_of(month, clock)
        waived = open_ledger(settings, store, clock).waivers.of(wanted)
        forms = list(forms_for(source_of(settings, store, clock), wanted, waived=waived, everything=everything))
    if not forms:
        print(f"No report for {wanted} awaits data: no form was written.")
        return 0
    if form is Format.CSV:
        written = write_csv(out or Path(f"forms-{wanted}"), forms)
    else:
        written = write_xlsx(out or Path(f"forms-{wanted}.xlsx"), forms)
    for one in forms:
        print(f"{one.kind.source}: {counted(len(one.rows), 'row')} to fill in")
        if one.kind.source in settings.sources:
            print("  but its figures come from a query, and what is imported is never read: see to the query")
    place = written[0].parent if form is Format.CSV else written[0]
    print(f"Fill in {place}, then: report-service import {place}")
    return 0
