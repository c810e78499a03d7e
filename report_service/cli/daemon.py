"""`report-service daemon`: the container's process."""

from __future__ import annotations

import logging as logging_
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from report_service.cli.common import ShutdownSignal, logging_to, settings_of
from report_service.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from report_service.bootstrap import Daemon
    from report_service.logs.config import Logging
    from report_service.ports import Events
    from report_service.settings import Settings


def daemon(ctx: typer.Context) -> int:
    """Deliver each month by itself when it is time: what the container runs.

    Sleeps until the month's release (section [schedule]), delivers, tries again what did not get through, and says
    how it stands in the log, one JSON event a line on standard output. Ends with SIGTERM or SIGINT. The settings
    are read at start only.
    """
    sign = ShutdownSignal()
    with sign.listening(), _hangups():
        settings = _settings(ctx)
        with logging_to(sys.stdout, settings) as logging:
            return told(logging.events, lambda: _serve(settings, logging, sign))


def told(events: Events, serve: Callable[[], int]) -> int:
    """Return what `serve` does; what it raises is told in the log, where a container's operator looks."""
    try:
        return serve()
    except UsageError as exc:
        _refuse(events, exc)
        raise
    except Exception as bug:  # noqa: BLE001 - whatever it is
        events.emit("service.crashed", detail=f"{type(bug).__name__}: {bug}", exception=bug)
        return 1


def _settings(ctx: typer.Context) -> Settings:
    """Return the settings; that they cannot be used is told in the log as well."""
    try:
        return settings_of(ctx)
    except UsageError as exc:
        with logging_to(sys.stdout) as logging:
            _refuse(logging.events, exc)
        raise


def _refuse(events: Events, why: UsageError) -> None:
    events.emit("config.invalid", detail=why.message, hint=why.hint)


def _serve(settings: Settings, logging: Logging, sign: ShutdownSignal) -> int:
    from report_service.adapters.health_file import HealthFile
    from report_service.bootstrap import build_daemon

    pulse = HealthFile(settings.health_file)
    made = build_daemon(
        settings,
        events=logging.events,
        redact=logging.redactor,
        learn=logging.redactor.learn,
        write=pulse.write,
        stop=sign,
    )
    try:
        rested = _run(made, logging.events, sign)
    finally:
        pulse.remove()
    if not rested:
        sys.stdout.flush()
        os._exit(0)  # a thread hangs in the store or a source; what it left is safe, as after a kill
    made.service.close()
    return 0


def _run(made: Daemon, events: Events, sign: ShutdownSignal) -> bool:
    from report_service.scheduler import Alarms

    service, settings = made.service, made.service.settings
    events.emit(
        "service.started",
        command="daemon",
        instance=service.ledger.instance,
        endpoint=service.ledger.endpoint,
        month=str(made.timetable.newest(service.clock.now())),
        settings=", ".join(f"{key} = {value}" for key, value in settings.describe().items()),
    )
    made.watch.ready()
    alarms = Alarms(
        look=made.watch.tick,
        beat=made.heartbeat.beat,
        next_instant=made.timetable.next_instant,
        beat_s=settings.schedule.heartbeat_seconds,
        clock=service.clock,
        events=service.events,
        worker_health=made.worker_health,
    )
    return alarms.run(sign, grace_s=settings.run.grace_s)


@contextmanager
def _hangups() -> Iterator[None]:
    """Answer SIGHUP, with which other daemons read their settings anew."""

    def answer(_number: int, _frame: FrameType | None) -> None:
        logging_.getLogger(__name__).info("SIGHUP: the settings are read at start only; restart to change them")

    before = signal.signal(signal.SIGHUP, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
