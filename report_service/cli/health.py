"""`report-service health`: whether the daemon is well, or at least alive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import settings_of
from report_service.errors import ReportServiceError
from report_service.liveness import check, config_file, pulse_files

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.settings import Settings


def health(
    ctx: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Ask only whether it is alive and moving: no if a new start would help.")
    ] = False,
) -> int:
    """Say in one line whether the daemon beside it is well; exit 0 if so, else 1.

    Reads what the daemon left at its last heartbeat (health.file): is it fresh, can the store be reached, did the
    last run go to its end, does everything go on? Asks nobody, so that it costs next to nothing.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.adapters.health_file import read_health_file
    from report_service.services.daemon.health import diagnose

    if live:
        return check(ctx.obj and str(ctx.obj), os.environ)
    try:
        pulse = read_health_file(health_files(ctx, settings_of(ctx)))
    except ReportServiceError as exc:
        print(" ".join(exc.message.split()))
        return 1
    why = diagnose(pulse, at=SystemClock().monotonic())
    print(" ".join((why or f"well: {pulse.instance}").split()))
    return 1 if why else 0


def health_files(ctx: typer.Context, settings: Settings) -> tuple[str | Path, ...]:
    """Return where the daemon of this configuration leaves its pulse: health.file, or the default places."""
    if settings.health.file is not None:
        return (settings.health.file,)
    return pulse_files(config_file(ctx.obj and str(ctx.obj), os.environ))
