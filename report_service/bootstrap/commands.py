"""Builds what single commands work with."""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from report_service.adapters.db.engine import Store
from report_service.adapters.db.probe import SqlStoreProbe
from report_service.adapters.db.scope import Scope
from report_service.adapters.wire import DatetimeFormat, Wire
from report_service.bootstrap.rendering import routes_of
from report_service.bootstrap.service import Service, Unheard, build
from report_service.bootstrap.stores import require_tables
from report_service.services.check import Checking
from report_service.services.contract.comparison import ContractCheck
from report_service.services.correct import Correcting
from report_service.settings.rules import OWN_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from report_service.domain.contract import Comparison
    from report_service.settings import Settings


_log = logging.getLogger(__name__)


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
            inventory=service.source.inventory,
            others=partial(Scope(obelis.endpoint, obelis.cpo_id).others, store, sent=False),
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
