"""Builds what turns figures into requests, and tells the stories of reports: nothing that could send one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.adapters.wire import Wire
from report_service.domain.kinds import KINDS
from report_service.domain.routes import Routes
from report_service.services.explain import Explaining

if TYPE_CHECKING:
    from report_service.ports import Ledger
    from report_service.settings import Settings


def routes_of(settings: Settings) -> Routes:
    """Return the API's paths as they are configured."""
    paths = settings.obelis.paths
    by_kind = {kind: paths.of(kind) for kind in KINDS}
    return Routes.of(prefix=paths.prefix, paths=by_kind, correction=paths.correction)


def explaining_of(settings: Settings, ledger: Ledger) -> Explaining:
    """Return what tells the stories of a ledger's reports."""
    routes = routes_of(settings)
    wire = Wire(routes, settings.obelis.datetime_format)
    return Explaining(ledger=ledger, renderer=wire, routes=routes, guard_s=settings.obelis.window_guard_s)
