"""`report-service db`: the store's tables."""

from __future__ import annotations

import typer

from report_service.cli.frame import settings_of

db = typer.Typer(help="The store's tables.", no_args_is_help=True)


@db.callback()
def about() -> None:
    """Look after the store's tables."""


@db.command()
def upgrade(ctx: typer.Context) -> int:
    """Bring the store's tables to this version. Make a back-up first."""
    from report_service.adapters.db import schema
    from report_service.adapters.db.engine import Store

    store = Store(settings_of(ctx).store.url.get_secret_value())
    try:
        before = schema.current_revision(store)
        schema.require_current(store, auto_upgrade=True)
        after = schema.current_revision(store)
    finally:
        store.close()
    print(f"The tables are at revision {after}" + (": nothing to do." if before == after else f", from {before}."))
    return 0
