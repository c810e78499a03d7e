"""`report-service db`: the store's tables."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated

import typer

from report_service.cli.common import logging_to, settings_of

db = typer.Typer(help="The store's tables.", epilog="Example: report-service db upgrade", no_args_is_help=True)


@db.callback()
def about() -> None:
    """Look after the store's tables."""


@db.command()
def upgrade(
    ctx: typer.Context,
    sql: Annotated[
        bool, typer.Option("--sql", help="Only print the statements, for somebody else to run; PostgreSQL only.")
    ] = False,
) -> int:
    """Bring the store's tables to this version. Make a back-up first."""
    from report_service.adapters.db import schema
    from report_service.adapters.db.engine import Store

    settings = settings_of(ctx)
    store = Store(settings.store.url.get_secret_value())
    with logging_to(sys.stderr, settings, least="warning"), closing(store):
        if sql:
            print(schema.upgrade_script(store), end="")
            return 0
        before = schema.current_revision(store)
        schema.require_current(store, auto_upgrade=True)
        after = schema.current_revision(store)
    print(f"The tables are at revision {after}" + (": nothing to do." if before == after else f", from {before}."))
    return 0
