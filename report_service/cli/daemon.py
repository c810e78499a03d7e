"""`report-service daemon`: the container's process."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

from report_service.cli.common import ShutdownSignal, logging_to, settings_of
from report_service.cli.health import health_files
from report_service.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from report_service.bootstrap.daemon import Daemon
    from report_service.bootstrap.service import Service
    from report_service.logs.config import Logging
    from report_service.ports import Events
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


def daemon(ctx: typer.Context) -> int:
    """Deliver each month by itself when it is time: what the container runs.

    Sleeps until the month's release (section [schedule]), delivers, tries again what did not get through,
    and says how it stands in the log, one JSON event a line on standard output. Ends with SIGTERM or SIGINT. The
    settings are read at start only, but for the client secret: SIGHUP, or its refusal, makes the daemon read it
    anew.
    """
    sign, hangups, warnings = ShutdownSignal(), Hangups(), list[str]()
    with sign.listening(), hangups.listening():
        settings = _settings(ctx, warnings)
        with logging_to(sys.stdout, settings) as log:
            for warning in warnings:
                _log.warning(warning)
            return told(log.events, lambda: _serve(ctx, settings, log, sign, hangups))


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


def _settings(ctx: typer.Context, warnings: list[str]) -> Settings:
    """Return the settings; that they cannot be used is told in the log as well."""
    try:
        return settings_of(ctx, warn=warnings.append)
    except UsageError as exc:
        with logging_to(sys.stdout) as log:
            _refuse(log.events, exc)
        raise


def _refuse(events: Events, why: UsageError) -> None:
    events.emit("config.invalid", detail=why.message, hint=why.hint)


def _serve(ctx: typer.Context, settings: Settings, log: Logging, sign: ShutdownSignal, hangups: Hangups) -> int:
    from report_service.adapters.health_file import HealthFile
    from report_service.bootstrap.daemon import build_daemon

    pulse = HealthFile(health_files(ctx, settings))
    made = build_daemon(
        settings,
        events=log.events,
        redact=log.redactor,
        learn=log.redactor.learn,
        write=pulse.write,
        stop=sign,
        read_settings=partial(settings_of, ctx, warn=_log.debug),
    )
    try:
        rested = _run(made, log.events, lambda: _turn(made.service, hangups, sign))
    finally:
        pulse.remove()
    if not rested:
        sys.stdout.flush()
        os._exit(0)  # a thread hangs in the store or a source; what it left is safe, as after a kill
    made.service.close()
    return 0


def _turn(service: Service, hangups: Hangups, sign: ShutdownSignal) -> str | None:
    """Do what a SIGHUP asked for since the last turn; return why the process is to end, if it is."""
    if hangups.taken():
        changed = service.secrets.reread()
        service.events.emit("secrets.reread", reason="hangup", changed=changed)
    return sign()


def _run(made: Daemon, events: Events, turn: Callable[[], str | None]) -> bool:
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
        look=made.look,
        beat=made.heartbeat.pulse,
        next_instant=made.timetable.next_instant,
        beat_s=made.heartbeat.pulse_s,
        ping=made.pings.send,
        rehearse=made.rehearsal.look,
        clock=service.clock,
        events=service.events,
        worker_health=made.worker_health,
    )
    return alarms.run(turn, grace_s=settings.run.grace_s)


class Hangups:
    """SIGHUP, with which other daemons read their settings anew."""

    def __init__(self) -> None:
        self._came = False

    def taken(self) -> bool:
        """Return True if one came since the last call."""
        came, self._came = self._came, False
        return came

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch the signal."""
        before = signal.signal(signal.SIGHUP, self._take)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
