"""Builds what every command that delivers works with."""

from __future__ import annotations

import logging
import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.adapters.clock import SystemClock, ThreadedBackground
from report_service.adapters.obelis.executor import ThreadedExecutor
from report_service.adapters.wire import Wire
from report_service.bootstrap.api import api_of, described_bodies
from report_service.bootstrap.rendering import explaining_of, routes_of
from report_service.bootstrap.stores import open_ledger, open_store, source_of
from report_service.domain.delivery import RetryPolicy, State
from report_service.domain.months import ReportMonth
from report_service.domain.rate_limiter import GcraRateLimiter
from report_service.services.correct import is_foreign, nothing_forbidden, to_correct
from report_service.services.delivery.service import DeliveryService
from report_service.services.planning.planner import Planner
from report_service.services.reconcile import Reconciler, nothing
from report_service.settings.rotation import CurrentSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.source import SqlSource
    from report_service.domain.correction import Correction
    from report_service.domain.kinds import Kind
    from report_service.mock_api.app import MockObelis
    from report_service.ports import (
        Background,
        Clock,
        Events,
        Ledger,
        RateLimiter,
        ReportApi,
        RequestExecutor,
    )
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


def never_stop() -> str | None:
    """Return None: nobody asks this process to end."""
    return None


class Unheard:
    """Events that nobody is told."""

    def emit(self, event: str, /, **fields: object) -> None:
        """Let it go."""

    def bind(self, **fields: object) -> Unheard:  # noqa: ARG002 - nothing to add them to
        """Return itself."""
        return self


@dataclass(slots=True, kw_only=True)
class Service:
    """What a command works with; made by `build`, tests make it with parts of their own."""

    settings: Settings
    clock: Clock
    events: Events
    redact: Callable[[str], str]
    store: Store
    ledger: Ledger
    source: SqlSource
    wire: Wire
    first_month: ReportMonth | None
    api: ReportApi
    reconciler: Reconciler
    correction_breach: Callable[[Kind, bytes], str]  # why the API's description forbids to correct with a body
    secrets: CurrentSecrets
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """End the workers, and the connections to the API and to the store."""
        for close in reversed(self._closing):
            close()


def build(
    settings: Settings,
    *,
    events: Events,
    redact: Callable[[str], str],
    learn: Callable[[str], None] = lambda _secret: None,
    clock: Clock | None = None,
    background: Background | None = None,
    stop: Callable[[], str | None] = never_stop,
    store: Store | None = None,
    store_clock: Clock | None = None,
    mock: MockObelis | None = None,
    new_rate_limiter: Callable[[], RateLimiter] | None = None,
    executor: Callable[[ReportApi], RequestExecutor] | None = None,
    seed: int | None = None,
    read_settings: Callable[[], Settings] | None = None,
    source: SqlSource | None = None,
) -> Service:
    """Return the service that the settings describe, on the system's clock and network unless given others.

    `learn` is told each secret that comes up at run time (tokens), `store` is one whose tables the caller sees
    to, `store_clock` the clock of its machine, `mock` stands in for the API in mock mode, `seed` makes all that
    is random repeat itself. `read_settings` reads the settings anew when a secret was rotated; without it they
    stay as they are. `source` is another one than the store and the settings' queries.
    """
    clock = clock or SystemClock()
    random_ = random.Random(seed)  # noqa: S311 - jitter and request ids, no secrets
    store = store or open_store(settings, events)
    obelis = settings.obelis
    ledger = open_ledger(settings, store, store_clock or clock)
    background = background or ThreadedBackground()
    source = source or source_of(settings, store, clock, background)
    routes = routes_of(settings)
    wire = Wire(routes, obelis.datetime_format)
    first = settings.schedule.first_month
    first_month = ReportMonth.parse(first) if first else None
    secrets = CurrentSecrets(settings, read=read_settings or (lambda: settings), learn=learn)
    if read_settings:
        store.password_from(secrets.store_url)
    api = api_of(settings, secrets, clock=clock, mock=mock, random_=random_, learn=learn)
    workers = executor(api) if executor else ThreadedExecutor(api, capacity=obelis.max_in_flight, clock=clock)

    described = described_bodies(obelis.openapi, routes) if obelis.openapi else None
    correction_breach = described.correction_breach if described else nothing_forbidden

    def planner(events: Events) -> Planner:
        return Planner(
            plans=ledger.plans,
            waivers=ledger.waivers,
            status=ledger.status,
            source=source,
            renderer=wire,
            clock=clock,
            events=events,
            first_month=first_month,
            breach=described.breach if described else nothing_forbidden,
        )

    def new_id() -> str:
        return str(uuid.UUID(int=random_.getrandbits(128), version=4))

    delivery = DeliveryService(
        attempts=ledger.attempts,
        status=ledger.status,
        api=api,
        executor=workers,
        new_rate_limiter=new_rate_limiter or (lambda: GcraRateLimiter(obelis.requests_per_minute)),
        clock=clock,
        retry=RetryPolicy(base_s=settings.retry.base_s, cap_s=settings.retry.cap_s),
        uniform=random_.random,
        new_id=new_id,
        redact=redact,
        stop=stop,
        timeout_s=obelis.timeout_s,
        grace_s=settings.run.grace_s,
    )
    reconciler = Reconciler(
        ledger=ledger,
        planner=planner,
        delivery=delivery,
        clock=clock,
        background=background,
        events=events,
        new_id=new_id,
        stop=stop,
        window_guard_s=obelis.window_guard_s,
        foreign=_foreign(settings, ledger, clock, correction_breach)
        if obelis.on_conflict == "replace"
        else nothing,
    )
    return Service(
        settings=settings,
        clock=clock,
        events=events,
        redact=redact,
        store=store,
        ledger=ledger,
        source=source,
        wire=wire,
        first_month=first_month,
        api=api,
        reconciler=reconciler,
        correction_breach=correction_breach,
        secrets=secrets,
        _closing=[store.close, api.close, workers.close],
    )


def _foreign(
    settings: Settings, ledger: Ledger, clock: Clock, breach: Callable[[Kind, bytes], str]
) -> Callable[[ReportMonth], Sequence[Correction]]:
    """Return what finds the reports of a month that OBELIS has from someone else, to be replaced."""
    explaining = explaining_of(settings, ledger)

    def found(month: ReportMonth) -> Sequence[Correction]:
        if not ledger.status.month_counts(month).count([State.ALREADY_REPORTED]):
            return ()
        differences = to_correct(
            ledger.history,
            explaining,
            explaining.renderer,
            month,
            at=clock.now(),
            wanted=is_foreign,
            breach=breach,
        )
        return [one.correction for one in differences]

    return found
