"""Builds what single commands work with."""

from __future__ import annotations

import logging
import uuid
from contextlib import closing, contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

from pydantic import SecretStr

from report_service.adapters.clock import SystemClock
from report_service.adapters.db import schema
from report_service.adapters.db.engine import Store
from report_service.adapters.db.probe import SqlStoreProbe
from report_service.adapters.obelis.wire import DatetimeFormat, Wire
from report_service.bootstrap.api import routes_of
from report_service.bootstrap.service import Service, build
from report_service.bootstrap.stores import open_ledger, open_store, require_tables, source_of
from report_service.services.check import Checking
from report_service.services.contract.comparison import ContractCheck
from report_service.services.correct import Correcting
from report_service.services.explain import Explaining
from report_service.services.rehearsal import (
    InlineExecutor,
    NoBackground,
    Rehearsal,
    RehearsalClock,
    moment_for,
)
from report_service.settings.obelis import MOCK_API
from report_service.settings.rules import OWN_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from report_service.domain.contract import Comparison
    from report_service.domain.months import ReportMonth
    from report_service.ports import Ledger
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


def explaining_of(settings: Settings, ledger: Ledger) -> Explaining:
    """Return what tells the stories of a ledger's reports."""
    routes = routes_of(settings)
    wire = Wire(routes, settings.obelis.datetime_format)
    return Explaining(ledger=ledger, renderer=wire, routes=routes, guard_s=settings.obelis.window_guard_s)


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
                require_tables=lambda: require_tables(settings, store, None),
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
