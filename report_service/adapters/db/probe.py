"""Try the store before it is used."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import false, update

from report_service.adapters.db import schema
from report_service.adapters.db.engine import shown
from report_service.adapters.db.tables import leases
from report_service.ports import StoreFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.adapters.db.engine import Store


class SqlStoreProbe:
    """Tries one store (`ports.StoreProbe`)."""

    def __init__(self, store: Store, *, auto_upgrade: bool, require_tables: Callable[[], None]) -> None:
        """Take the store, and what raises unless its tables can be used."""
        self._store = store
        self._auto_upgrade = auto_upgrade
        self._require_tables = require_tables

    def facts(self) -> StoreFacts:
        url = self._store.engine.url
        file = Path(url.database).resolve() if self._store.is_sqlite and url.database else None
        is_there = file is None or file.exists()  # to connect would make it
        return StoreFacts(
            place=shown(url),
            revision=schema.current_revision(self._store) if is_there else None,
            needed_revision=schema.head_revision(),
            auto_upgrade=self._auto_upgrade,
            free_bytes=shutil.disk_usage(file.parent).free if file else None,
        )

    def require_use(self) -> None:
        self._require_tables()
        with self._store.write() as connection:  # that it changes no row is enough for the database to refuse
            connection.execute(update(leases).where(false()).values(fence=0))
