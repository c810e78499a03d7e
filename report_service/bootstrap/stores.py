"""Opens what is kept: the store, its ledger, the tables to fill, the sources to read."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from report_service.adapters.clock import SystemClock
from report_service.adapters.db import schema
from report_service.adapters.db.attempts import SqlAttemptLog
from report_service.adapters.db.engine import Store
from report_service.adapters.db.evidence import SqlEvidenceLog
from report_service.adapters.db.hand_ins import SqlHandInStore
from report_service.adapters.db.history import SqlHistory
from report_service.adapters.db.intake import SqlIntake
from report_service.adapters.db.lease import SqlLeaseStore
from report_service.adapters.db.plan_store import SqlPlanStore
from report_service.adapters.db.runs import SqlRunLog
from report_service.adapters.db.scope import Scope
from report_service.adapters.db.status_queries import SqlStatusQueries, durations
from report_service.adapters.db.waivers import SqlWaiverStore
from report_service.domain.table_schemas import WAIVERS
from report_service.ports import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.adapters.db.source import SqlSource
    from report_service.ports import (
        Background,
        Clock,
        Events,
    )
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


def open_store(settings: Settings, events: Events | None = None) -> Store:
    """Open the store, with this version's tables; raise SchemaOutdated, StoreUnavailable."""
    store = Store(settings.store.url.get_secret_value())
    with ExitStack() as undo:
        undo.callback(store.close)
        require_tables(settings, store, events)
        undo.pop_all()
    return store


def require_tables(settings: Settings, store: Store, events: Events | None) -> None:
    """Make sure that the tables are this version's and hold no other CPO's reports; raise UsageError."""
    revision = schema.require_current(store, auto_upgrade=settings.store.auto_upgrade)
    obelis = settings.obelis
    Scope(obelis.endpoint, obelis.cpo_id).require_alone(store)
    if revision is not None and events is not None:
        events.emit("store.upgraded", revision=revision)


def open_ledger(settings: Settings, store: Store, clock: Clock) -> Ledger:
    """Return the ledger of the configured endpoint and CPO; its instance names this process, and no other."""
    instance = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    obelis = settings.obelis
    return ledger_in(store, endpoint=obelis.endpoint, cpo_id=obelis.cpo_id, instance=instance, clock=clock)


def ledger_in(store: Store, *, endpoint: str, cpo_id: str, instance: str, clock: Clock) -> Ledger:
    """Return the ledger of an endpoint and a CPO in a store; the clock is for a store that has none of its own."""
    scope, leases = Scope(endpoint, cpo_id), SqlLeaseStore(store, endpoint, clock)
    return Ledger(
        endpoint=endpoint,
        instance=instance,
        plans=SqlPlanStore(store, scope, leases),
        waivers=SqlWaiverStore(store, cpo_id),
        hand_ins=SqlHandInStore(store, scope),
        attempts=SqlAttemptLog(store, scope, leases, instance=instance),
        leases=leases,
        status=SqlStatusQueries(store, scope),
        history=SqlHistory(store, scope),
        evidence=SqlEvidenceLog(store, scope),
        runs=SqlRunLog(store, scope),
    )


@contextmanager
def ledger_at(settings: Settings, endpoint: str, cpo_id: str) -> Iterator[Ledger]:
    """Open the store, to look at the ledger of whatever endpoint and CPO."""
    store = open_store(settings)
    try:
        yield ledger_in(store, endpoint=endpoint, cpo_id=cpo_id, instance="", clock=SystemClock())
    finally:
        store.close()


def intake_of(settings: Settings, store: Store, clock: Clock) -> SqlIntake:
    """Return what fills the canonical tables; waivers are those of the configured CPO, declared now."""
    waiver = {"cpo_id": settings.obelis.cpo_id, "declared_at": clock.now()}
    return SqlIntake(store, {WAIVERS.name: waiver})


def recorded_latencies(url: str) -> list[float]:
    """Return the durations, in seconds, of the answered requests that a ledger holds."""
    store = Store(url)
    try:
        with store.read() as connection:
            return durations(connection)
    finally:
        store.close()


def source_of(settings: Settings, store: Store, clock: Clock, background: Background | None = None) -> SqlSource:
    """Return the operator's figures: in the store, unless a query stands for a table."""
    from report_service.adapters.db.source import Query, SqlSource  # noqa: PLC0415 - most commands read none

    queries = {
        name: Query(
            url=source.url.get_secret_value(),
            select=source.query,
            zone=ZoneInfo(source.timezone or settings.data.timezone),
            timeout_s=source.timeout_s,
        )
        for name, source in settings.sources.items()
    }
    return SqlSource(store, queries, clock=clock, background=background)
