"""The canonical tables, filled from files."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import or_
from sqlalchemy.dialects import postgresql, sqlite

from report_service.adapters.db.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from report_service.adapters.db.engine import Store
    from report_service.domain.table_schemas import TableSchema

_BATCH = 1000


class SqlIntake:
    """Upserts rows by their natural key."""

    def __init__(self, store: Store, fixed: Mapping[str, Mapping[str, object]]) -> None:
        """Take what else each row of a table holds, by the form's name: whose a waiver is, and since when."""
        self._store = store
        self._fixed = fixed

    def upsert(self, schema: TableSchema, rows: Iterable[Mapping[str, object]]) -> None:
        """Insert rows, or replace those with the same key, in one transaction; raise StoreUnavailable.

        A row that says what is stored already changes nothing. When `rows` raises, nothing is stored.
        """
        fixed = self._fixed.get(schema.name, {})
        statement = self._statement(schema)
        remaining = iter(rows)
        with self._store.write() as connection:
            while batch := [{**row, **fixed} for row in islice(remaining, _BATCH)]:
                connection.execute(statement, batch)

    def _statement(self, schema: TableSchema) -> sqlite.Insert | postgresql.Insert:
        table = metadata.tables[schema.table]
        insert = sqlite.insert(table) if self._store.is_sqlite else postgresql.insert(table)
        given = [column for column in table.columns if column.name in schema.columns and not column.primary_key]
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key},
            where=or_(*(column.is_distinct_from(insert.excluded[column.name]) for column in given)),
        )
