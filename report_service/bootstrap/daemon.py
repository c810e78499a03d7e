"""Builds the daemon around the service."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from report_service.adapters.clock import SystemClock
from report_service.adapters.db.engine import Store
from report_service.adapters.obelis.transport import http_transports
from report_service.adapters.ping import HttpSwitch
from report_service.adapters.whole_file import write_text
from report_service.bootstrap.rehearsal import rehearsing
from report_service.bootstrap.service import Service, build, never_stop
from report_service.bootstrap.stores import require_tables
from report_service.domain.timetable import Timetable
from report_service.services.daemon.health import WorkerHealth
from report_service.services.daemon.heartbeat import Heartbeat
from report_service.services.daemon.monthly_rehearsal import MonthlyRehearsal
from report_service.services.daemon.pings import Pings
from report_service.services.daemon.reconcile_loop import ReconcileLoop
from report_service.services.daemon.retention import Retention
from report_service.services.daemon.transitions import TransitionsOnly
from report_service.services.proof.report_page import ReportPage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pydantic import SecretStr

    from report_service.domain.months import ReportMonth
    from report_service.ports import (
        Clock,
        Events,
        HealthSnapshot,
    )
    from report_service.services.rehearsal import Rehearsed
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


def _prepare_daemon(settings: Settings, store: Store, events: Events) -> None:
    """Make the store usable for a daemon; raise what `open_store` does, and ConfigurationError."""
    require_tables(settings, store, events)
    if store.require_alone():
        _log.warning(
            "the store's file system does without write-ahead logging (a network share?): readers and writers "
            "wait for each other, and a second daemon is refused; put it on a disk of this machine"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """What the daemon works with."""

    service: Service
    worker_health: WorkerHealth
    timetable: Timetable
    watch: ReconcileLoop
    heartbeat: Heartbeat
    pings: Pings
    page: ReportPage | None  # None: no page is wanted
    rehearsal: MonthlyRehearsal
    retention: Retention

    def look(self) -> None:
        """Do what is due, and show how it stands then."""
        self.watch.tick()
        if self.page is not None:
            self.page.refresh()
        self.retention.apply()


def build_daemon(
    settings: Settings,
    *,
    events: Events,
    write: Callable[[HealthSnapshot], None],
    clock: Clock | None = None,
    stop: Callable[[], str | None] = never_stop,
    store: Store | None = None,
    **parts: Any,  # noqa: ANN401 - of `build`
) -> Daemon:
    """Return the daemon that the settings describe; a store that is not there yet is waited for by its watch.

    `write` leaves its pulse where `health` finds it.
    """
    clock = clock or SystemClock()
    events = TransitionsOnly(events, clock)
    worker_health, store = WorkerHealth(clock), store or Store(settings.store.url.get_secret_value())
    service = build(settings, events=events, clock=clock, stop=worker_health.watching(stop), store=store, **parts)
    schedule = settings.schedule
    timetable = Timetable(
        zone=ZoneInfo(schedule.timezone),
        day=schedule.day,
        hour=schedule.hour,
        jitter_s=schedule.jitter_minutes * 60,
        guard_s=settings.obelis.window_guard_s,
        owner=settings.obelis.cpo_id,
        rehearse_day=schedule.rehearse_day,
    )
    sweep = timedelta(minutes=schedule.sweep_minutes)
    watch = ReconcileLoop(
        reconciler=service.reconciler,
        status=service.ledger.status,
        runs=service.ledger.runs,
        timetable=timetable,
        clock=clock,
        events=events,
        worker_health=worker_health,
        prepare=partial(_prepare_daemon, settings, store, events),
        first_month=service.first_month,
        sweep=sweep,
        patience_s=min(settings.run.patience_s, sweep.total_seconds()),
    )
    pings = _pings(settings, clock)

    def leave(pulse: HealthSnapshot) -> None:
        write(pulse)
        pings.note(pulse)

    heartbeat = Heartbeat(
        watch=watch,
        ledger=service.ledger,
        timetable=timetable,
        api_clock=service.reconciler.delivery.api_clock,
        clock=clock,
        events=events,
        worker_health=worker_health,
        write=leave,
        redact=service.redact,
        every_s=schedule.heartbeat_seconds,
        requests_per_minute=settings.obelis.requests_per_minute,
    )
    return Daemon(
        service=service,
        worker_health=worker_health,
        timetable=timetable,
        watch=watch,
        heartbeat=heartbeat,
        pings=pings,
        page=_page(settings, service, timetable),
        rehearsal=MonthlyRehearsal(
            timetable=timetable,
            first_month=service.first_month,
            cpo_id=settings.obelis.cpo_id,
            ledger=service.ledger,
            clock=clock,
            events=events,
            prepare_store=watch.prepare_store,
            rehearse=partial(_rehearsed, service),
        ),
        retention=Retention(
            prepare=watch.prepare_store,
            evidence=service.ledger.evidence,
            clock=clock,
            years=settings.retention.attempts_years,
            tell=_log.info,
        ),
    )


def _page(settings: Settings, service: Service, timetable: Timetable) -> ReportPage | None:
    file = settings.report.html
    if file is None:
        return None
    return ReportPage(
        ledger=service.ledger,
        timetable=timetable,
        clock=service.clock,
        cpo_id=settings.obelis.cpo_id,
        guard_s=settings.obelis.window_guard_s,
        write=partial(write_text, file),
        warn=_log.warning,
    )


def _rehearsed(service: Service, month: ReportMonth, at: datetime) -> Rehearsed:
    with rehearsing(service.settings, month, at=at, redact=service.redact, store=service.store) as rehearsal:
        return rehearsal.run(month)


def _pings(settings: Settings, clock: Clock) -> Pings:
    """Return what pings the configured switches, by the way to the network that the API's requests take."""
    obelis = settings.obelis
    proxy = obelis.proxy.get_secret_value() if obelis.proxy else None
    way = partial(http_transports, ca_file=obelis.ca_file, ca_only=obelis.ca_only, proxy=proxy)

    def switch(setting: str, url: SecretStr | None) -> HttpSwitch | None:
        return HttpSwitch(setting, url.get_secret_value(), way()) if url else None

    return Pings(
        clock=clock,
        alive=switch("ping.url", settings.ping.url),
        month=switch("ping.month_url", settings.ping.month_url),
    )
