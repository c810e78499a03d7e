"""`report-service health`: whether the daemon is well."""

from __future__ import annotations

import typer

from report_service.cli.common import settings_of
from report_service.errors import ReportServiceError


def health(ctx: typer.Context) -> int:
    """Say in one line whether the daemon beside it is well; exit 0 if so, else 1.

    Reads what the daemon left at its last heartbeat (health.file): is it fresh, can the store be reached, did the
    last run go to its end, does everything go on? Asks nobody, so that it costs next to nothing.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.adapters.health_file import read_health_file
    from report_service.services.health import diagnose

    try:
        pulse = read_health_file(settings_of(ctx).health_file)
    except ReportServiceError as exc:
        print(" ".join(exc.message.split()))
        return 1
    why = diagnose(pulse, at=SystemClock().monotonic())
    print(" ".join((why or f"well: {pulse.instance}").split()))
    return 1 if why else 0
