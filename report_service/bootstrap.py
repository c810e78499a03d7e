"""The composition root: builds the service from its settings. It alone knows services and adapters both."""

from __future__ import annotations

import logging
import os
import random
import socket
import uuid
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from report_service.adapters.clock import SystemClock, ThreadedBackground
from report_service.adapters.db import schema
from report_service.adapters.db.attempts import SqlAttemptLog
from report_service.adapters.db.corrections import SqlCorrectionLog
from report_service.adapters.db.engine import Store
from report_service.adapters.db.evidence import SqlEvidenceLog
from report_service.adapters.db.hand_ins import SqlHandInStore
from report_service.adapters.db.history import SqlHistory
from report_service.adapters.db.intake import SqlIntake
from report_service.adapters.db.lease import SqlLeaseStore
from report_service.adapters.db.plan_store import SqlPlanStore
from report_service.adapters.db.probe import SqlStoreProbe
from report_service.adapters.db.runs import SqlRunLog
from report_service.adapters.db.scope import Scope
from report_service.adapters.db.source import Query, SqlSource
from report_service.adapters.db.status_queries import SqlStatusQueries, durations
from report_service.adapters.db.waivers import SqlWaiverStore
from report_service.adapters.obelis.auth import ClientCredentials
from report_service.adapters.obelis.client import HttpReportApi
from report_service.adapters.obelis.executor import ThreadedExecutor
from report_service.adapters.obelis.in_process import InProcessTransport
from report_service.adapters.obelis.transport import Transports, http_transports
from report_service.adapters.obelis.wire import DatetimeFormat, Wire
from report_service.adapters.ping import HttpSwitch
from report_service.adapters.whole_file import write_text
from report_service.domain.delivery import RetryPolicy
from report_service.domain.kinds import KINDS
from report_service.domain.months import ReportMonth
from report_service.domain.rate_limiter import GcraRateLimiter
from report_service.domain.routes import Routes
from report_service.domain.secrecy import secrets_in_url
from report_service.domain.table_schemas import WAIVERS
from report_service.domain.timetable import Timetable
from report_service.errors import BadInput, ConfigurationError
from report_service.mock_api.app import MockObelis
from report_service.ports import Ledger
from report_service.services.check import Checking
from report_service.services.contract import ContractCheck
from report_service.services.correct import Correcting
from report_service.services.delivery.service import DeliveryService
from report_service.services.described_bodies import DescribedBodies
from report_service.services.explain import Explaining
from report_service.services.health import WorkerHealth
from report_service.services.heartbeat import Heartbeat
from report_service.services.pings import Pings
from report_service.services.planner import Planner
from report_service.services.reconcile import Reconciler
from report_service.services.reconcile_loop import ReconcileLoop
from report_service.services.rehearsal import (
    InlineExecutor,
    NoBackground,
    Rehearsal,
    RehearsalClock,
    moment_for,
)
from report_service.services.report_page import ReportPage
from report_service.services.transitions import TransitionsOnly
from report_service.settings.elsewhere import unread_variables
from report_service.settings.model import MOCK_API
from report_service.settings.rotation import CurrentSecrets
from report_service.settings.rules import OWN_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from report_service.domain.contract import Comparison
    from report_service.ports import (
        Background,
        Clock,
        Events,
        HealthSnapshot,
        RateLimiter,
        ReportApi,
        RequestExecutor,
    )
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


def never_stop() -> str | None:
    """Return None: nobody asks this process to end."""
    return None


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
    secrets: CurrentSecrets
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """End the workers, and the connections to the API and to the store."""
        for close in reversed(self._closing):
            close()


def open_store(settings: Settings, events: Events | None = None) -> Store:
    """Open the store, with this version's tables; raise SchemaOutdated, StoreUnavailable."""
    store = Store(settings.store.url.get_secret_value())
    with ExitStack() as undo:
        undo.callback(store.close)
        _require_tables(settings, store, events)
        undo.pop_all()
    return store


def _require_tables(settings: Settings, store: Store, events: Events | None) -> None:
    revision = schema.require_current(store, auto_upgrade=settings.store.auto_upgrade)
    obelis = settings.obelis
    Scope(obelis.endpoint, obelis.cpo_id).require_alone(store)
    if revision is not None and events is not None:
        events.emit("store.upgraded", revision=revision)


def _prepare_daemon(settings: Settings, store: Store, events: Events) -> None:
    """Make the store usable for a daemon; raise what `open_store` does, and ConfigurationError."""
    _require_tables(settings, store, events)
    if store.require_alone():
        _log.warning(
            "the store's file system does without write-ahead logging (a network share?): readers and writers "
            "wait for each other, and a second daemon is refused; put it on a disk of this machine"
        )


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
        corrections=SqlCorrectionLog(store, scope, leases, instance=instance),
        leases=leases,
        status=SqlStatusQueries(store, scope),
        history=SqlHistory(store, scope),
        evidence=SqlEvidenceLog(store, scope),
        runs=SqlRunLog(store, scope),
    )


def explaining_of(settings: Settings, ledger: Ledger) -> Explaining:
    """Return what tells the stories of a ledger's reports."""
    routes = routes_of(settings)
    wire = Wire(routes, settings.obelis.datetime_format)
    return Explaining(ledger=ledger, renderer=wire, routes=routes, guard_s=settings.obelis.window_guard_s)


@contextmanager
def ledger_at(settings: Settings, endpoint: str, cpo_id: str) -> Iterator[Ledger]:
    """Open the store, to look at the ledger of whatever endpoint and CPO."""
    store = open_store(settings)
    try:
        yield ledger_in(store, endpoint=endpoint, cpo_id=cpo_id, instance="", clock=SystemClock())
    finally:
        store.close()


def correcting_of(service: Service, *, run_id: str, patience_s: float) -> Correcting:
    """Return what sends the corrections of a service's ledger."""
    return Correcting(
        ledger=service.ledger,
        delivery=service.reconciler.delivery,
        background=service.reconciler.background,
        events=service.events,
        run_id=run_id,
        patience_s=patience_s,
    )


def intake_of(settings: Settings, store: Store, clock: Clock) -> SqlIntake:
    """Return what fills the canonical tables; waivers are those of the configured CPO, declared now."""
    waiver = {"cpo_id": settings.obelis.cpo_id, "declared_at": clock.now()}
    return SqlIntake(store, {WAIVERS.name: waiver})


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
    api = _api(settings, secrets, clock=clock, mock=mock, random_=random_, learn=learn)
    workers = executor(api) if executor else ThreadedExecutor(api, capacity=obelis.max_in_flight, clock=clock)

    described = {"breach": _described_bodies(obelis.openapi, routes).breach} if obelis.openapi else {}

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
            **described,
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
        secrets=secrets,
        _closing=[store.close, api.close, workers.close],
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

    def look(self) -> None:
        """Do what is due, and show how it stands then."""
        self.watch.tick()
        if self.page is not None:
            self.page.refresh()


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
    )


def open_intake(store: Store, settings: Settings | None = None, *, at: datetime | None = None) -> SqlIntake:
    """Return what fills the source tables; waivers need to know whose they are (`settings`) and since when."""
    fixed = {"waivers": {"cpo_id": settings.obelis.cpo_id, "declared_at": at}} if settings else {}
    return SqlIntake(store, fixed)


def routes_of(settings: Settings) -> Routes:
    """Return the API's paths as they are configured."""
    paths = settings.obelis.paths
    by_kind = {kind: paths.of(kind) for kind in KINDS}
    return Routes.of(prefix=paths.prefix, paths=by_kind, correction=paths.correction)


def _described_bodies(openapi: Path, routes: Routes) -> DescribedBodies:
    """Return what the API's OpenAPI file says of bodies; raise ConfigurationError for one that is not usable."""
    from report_service.adapters.openapi_file import OpenApiFile  # noqa: PLC0415 - a quarter of a second

    try:
        file = OpenApiFile(openapi)
    except BadInput as bad:
        raise ConfigurationError(f"obelis.openapi: {bad.message}", hint=bad.hint) from bad
    return DescribedBodies(name=str(openapi), description=file.description, schemas=file, routes=routes)


def compare_contract(settings: Settings, openapi: Path) -> Comparison:
    """Return what an OpenAPI file says otherwise than the service does as it is set; raise BadInput."""
    from report_service.adapters.openapi_file import OpenApiFile  # noqa: PLC0415 - a quarter of a second

    file, obelis, routes = OpenApiFile(openapi), settings.obelis, routes_of(settings)
    formats = dict.fromkeys((obelis.datetime_format, *get_args(DatetimeFormat)))
    return ContractCheck(
        description=file.description,
        schemas=file,
        renderers={name: Wire(routes, name) for name in formats},
        routes=routes,
        prefix=obelis.paths.prefix,
        headers={*OWN_HEADERS, "accept-encoding", "user-agent", *obelis.headers},
        base_url=obelis.base_url if obelis.mode == "http" else None,
    ).compare()


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


@contextmanager
def checking(
    settings: Settings,
    *,
    redact: Callable[[str], str],
    learn: Callable[[str], None] = lambda _secret: None,
    **parts: Any,  # noqa: ANN401 - of `build`
) -> Iterator[Checking]:
    """Yield what tries every part that a delivery needs; its store is neither made nor brought up to date."""
    store = Store(settings.store.url.get_secret_value())
    service = build(settings, events=Unheard(), redact=redact, learn=learn, store=store, **parts)
    obelis, openapi = settings.obelis, settings.obelis.openapi
    try:
        yield Checking(
            endpoint=obelis.endpoint,
            store=SqlStoreProbe(
                store,
                auto_upgrade=settings.store.auto_upgrade,
                require_tables=lambda: _require_tables(settings, store, None),
            ),
            preview=partial(service.reconciler.planner(Unheard()).preview, closed=False),
            status=service.ledger.status,
            api=service.api,
            new_id=lambda: str(uuid.uuid4()),
            compare=partial(compare_contract, settings, openapi) if openapi else None,
            clock=service.clock,
            guard_s=obelis.window_guard_s,
            first_month=service.first_month,
        )
    finally:
        service.close()


@contextmanager
def rehearsing(
    settings: Settings, month: ReportMonth, *, at: datetime, redact: Callable[[str], str]
) -> Iterator[Rehearsal]:
    """Yield the rehearsal of a month: the real sources and waivers, the mock, and a ledger that is thrown away."""
    obelis = settings.obelis
    clock = RehearsalClock(moment_for(month, at=at, guard_s=obelis.window_guard_s))
    real = open_store(settings)
    with closing(real), TemporaryDirectory(prefix="report-service-rehearsal-") as folder:
        ledger = open_ledger(settings, real, clock)
        scratch = Store(f"sqlite:///{folder}/ledger.sqlite3")
        scratch.do_not_wait_for_the_disk()
        schema.upgrade(scratch)
        mocked = settings.model_copy(update={"obelis": obelis.model_copy(update=_as_mock())})
        service = build(
            mocked,
            events=Unheard(),
            redact=redact,
            clock=clock,
            background=NoBackground(),
            store=scratch,
            source=source_of(settings, real, SystemClock()),
            executor=lambda api: InlineExecutor(api, clock, capacity=obelis.max_in_flight),
        )
        with closing(service):
            yield Rehearsal(
                ledger=service.ledger,
                reconciler=service.reconciler,
                clock=clock,
                waivers=ledger.waivers.of(month),
                expected_before=ledger.status.month_counts(month.shift(-1)).expected,
                guard_s=obelis.window_guard_s,
                requests_per_minute=obelis.requests_per_minute,
            )


def _as_mock() -> dict[str, object]:
    """Return what makes the settings of the API those of mock mode; the CPO stays."""
    places = {name: value for name, value in MOCK_API.items() if name not in {"client_secret", "cpo_id"}}
    return {"mode": "mock", "client_secret": SecretStr(MOCK_API["client_secret"]), "headers": {}, **places}


class Unheard:
    """Events that nobody is told."""

    def emit(self, event: str, /, **fields: object) -> None:
        """Let it go."""

    def bind(self, **fields: object) -> Unheard:  # noqa: ARG002 - nothing to add them to
        """Return itself."""
        return self


def secrets_of(settings: Settings) -> list[str]:
    """Return every secret in the settings, for the redactor."""
    obelis = settings.obelis
    values = [obelis.client_secret, *obelis.headers.values()]
    values += [url for url in (settings.ping.url, settings.ping.month_url) if url]
    urls = [settings.store.url, *(source.url for source in settings.sources.values())]
    urls += [obelis.proxy] if obelis.proxy else []
    texts = [obelis.token_url, *(url.get_secret_value() for url in urls)]
    return [*(value.get_secret_value() for value in values), *chain.from_iterable(map(secrets_in_url, texts))]


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
    return SqlSource(store, _queries(settings), clock=clock, background=background)


def _queries(settings: Settings) -> Mapping[str, Query]:
    """Return the operator's queries by the table that each stands for."""
    return {
        name: Query(
            url=source.url.get_secret_value(),
            select=source.query,
            zone=ZoneInfo(source.timezone or settings.data.timezone),
            timeout_s=source.timeout_s,
        )
        for name, source in settings.sources.items()
    }


def _api(
    settings: Settings,
    secrets: CurrentSecrets,
    *,
    clock: Clock,
    mock: MockObelis | None,
    random_: random.Random,
    learn: Callable[[str], None],
) -> HttpReportApi:
    obelis = settings.obelis
    transports: Transports
    if obelis.mode == "mock":
        handler = mock or MockObelis(clock=clock, routes=routes_of(settings))
        transports = partial(InProcessTransport, handler.handle, sleep=clock.sleep)
    else:
        proxy = obelis.proxy.get_secret_value() if obelis.proxy else None
        transports = http_transports(ca_file=obelis.ca_file, ca_only=obelis.ca_only, proxy=proxy)
    return HttpReportApi(
        base_url=obelis.base_url,
        credentials=ClientCredentials(
            token_url=obelis.token_url,
            client_id=obelis.client_id,
            client_secret=secrets.client_secret,
            cpo_id=obelis.cpo_id,
            reread=secrets.reread,
        ),
        transports=transports,
        learn=learn,
        clock=clock,
        timeout_s=obelis.timeout_s,
        correlation_id=str(uuid.UUID(int=random_.getrandbits(128), version=4)),
        headers={name: value.get_secret_value() for name, value in obelis.headers.items()},
        unread=unread_variables(obelis) if obelis.mode == "http" else "",
    )
