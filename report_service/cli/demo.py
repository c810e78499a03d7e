"""`report-service demo`: one month of a made-up operator, delivered to the built-in mock."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import ShutdownSignal, logging_to, service_of
from report_service.cli.run import conclude
from report_service.errors import BadInput

if TYPE_CHECKING:
    from report_service.domain.months import ReportMonth
    from report_service.domain.table_schemas import TableSchema


def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where its store is kept to be looked at; by default it is thrown away.")
    ] = None,
    hubs: Annotated[int, typer.Option(min=2, max=1000, help="How many charging hubs the operator has.")] = 20,
) -> int:
    """Deliver a month of a made-up operator to the built-in mock, and show how it stands.

    It has 8 points a hub and 30 provider groups; a few rows are missing, one is
    invalid, and one hub is not known to the API yet: a month as it happens.
    Nothing leaves this machine.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.bootstrap.stores import intake_of
    from report_service.cli.progress import ProgressEvents
    from report_service.domain.months import ReportMonth
    from report_service.domain.table_schemas import TABLE_SCHEMAS
    from report_service.mock_api.app import MockObelis
    from report_service.mock_api.known_hubs import KnownHubs
    from report_service.mock_api.latency import parse_latency
    from report_service.settings import load_settings

    clock, stop = SystemClock(), ShutdownSignal()
    month = ReportMonth.previous(clock.now())
    with tempfile.TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise BadInput(
                f"--folder {place} cannot be made: {exc.strerror}", hint="Name a folder that you may write to."
            ) from exc
        environ = {
            "REPORT_SERVICE_OBELIS__MODE": "mock",
            "REPORT_SERVICE_STORE__URL": f"sqlite:///{place / 'demo.sqlite3'}",
        }
        settings = load_settings(None, environ, default_files=())
        tables, unknown_hub = believable(month, hubs)
        mock = MockObelis(
            clock=clock,
            latency=parse_latency("lognormal:80ms,250ms"),
            inventory=KnownHubs(visible_after_s={unknown_hub: 900.0}),
            seed=1,
        )
        print(f"A made-up operator with {hubs} charging hubs reports {month} to the built-in mock of the API.\n")
        with logging_to(sys.stderr, least="warning") as logging, stop.listening():
            progress = ProgressEvents(sys.stdout)
            with service_of(settings, logging, events=progress, stop=stop, mock=mock) as service:
                intake = intake_of(settings, service.store, clock)
                for name, rows in tables.items():
                    intake.upsert(TABLE_SCHEMAS[name], [_stored(TABLE_SCHEMAS[name], row) for row in rows])
                with progress.showing(service.ledger):
                    result = service.reconciler.reconcile(month, trigger="run", patience_s=3)
                code = conclude(service, result, json=False)
        print("\nFewer than 2,000 a minute were sent, and the outcome of each is in the ledger.")
        print(f"The hub {unknown_hub} is not known to the API yet: it")
        print("will be in 15 minutes, and a daemon would then deliver its reports.")
        if folder:
            print(f"The store is {place / 'demo.sqlite3'}.")
    return 0 if result.error is None else code


def believable(month: ReportMonth, hubs: int) -> tuple[dict[str, list[dict[str, object]]], str]:
    """Return the operator's tables with what goes wrong in a month, and the hub that the API does not know yet."""
    from report_service.mock_api.operator import made_up_operator

    tables = {name: list(rows) for name, rows in made_up_operator(month, hubs=hubs).items()}
    del tables["point-ratings"][5:8]
    del tables["hub-ratings"][1]
    tables["ad-hoc-tariffs"][1]["cost_ct_per_kwh"] = "59.5"
    return tables, str(tables["hubs"][-1]["hub_id"])


def _stored(schema: TableSchema, row: dict[str, object]) -> dict[str, object]:
    """Return a row as the table takes it."""
    values = schema.read(row)
    assert isinstance(values, dict), values
    return values
