"""The canonical tables, filled from files."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, or_, select

from report_service.adapters.db.tables import dialect_of, metadata
from report_service.domain.table_schemas import CONFLICT, REPORT_SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Delete

    from report_service.adapters.db.engine import Store
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.table_schemas import TableSchema

_BATCH = 1000


class SqlIntake:
    """Upserts rows by their natural key."""

    def __init__(self, store: Store, fixed: Mapping[str, Mapping[str, object]]) -> None:
        """Take what else each row of a table holds, by the form's name: whose a waiver is, and since when."""
        self._store = store
        self._fixed = fixed

    def keys(self, schema: TableSchema, months: Collection[str]) -> Iterator[tuple[str, ...]]:
        """Yield the sorted keys of the stored rows; of a table of figures, those of these months (`2026-10`)."""
        table, fixed = metadata.tables[schema.table], self._fixed.get(schema.name, {})
        names = [table.c[name] for name in schema.key]
        statement = select(*names).order_by(*names)
        if "month" in schema.columns:
            statement = statement.where(table.c.month.in_(months))
        mine = [table.c[name] == value for name, value in fixed.items() if table.c[name].primary_key]
        with self._store.read() as connection:
            for row in connection.execution_options(yield_per=_BATCH).execute(statement.where(*mine)):
                yield tuple(row)

    def rows(self, month: ReportMonth, kind: Kind) -> Iterator[Mapping[str, object]]:
        """Yield the stored rows of one kind and month."""
        table = metadata.tables[REPORT_SCHEMAS[kind].table]
        with self._store.read() as connection:
            for row in connection.execute(select(table).where(table.c.month == str(month))).mappings():
                yield dict(row)

    def upsert(
        self,
        schema: TableSchema,
        rows: Iterable[Mapping[str, object]],
        *,
        remove: Sequence[tuple[str, ...]] = (),
    ) -> None:
        """Insert rows, or replace those with the same key, in one transaction; raise StoreUnavailable.

        A row that says what is stored already changes nothing. Rows with the keys in `remove` are deleted. When
        `rows` raises, nothing is changed.
        """
        fixed = self._fixed.get(schema.name, {})
        missing = {CONFLICT: None} if CONFLICT in metadata.tables[schema.table].c else {}
        statement = self._statement(schema)
        with self._store.write() as connection:
            for batch in _batches({**missing, **row, **fixed} for row in rows):
                connection.execute(statement, batch)
            for batch in _batches({**dict(zip(schema.key, key, strict=True)), **fixed} for key in remove):
                connection.execute(self._removal(schema), batch)

    def _statement(self, schema: TableSchema) -> Any:  # noqa: ANN401 - an INSERT of either dialect
        table = metadata.tables[schema.table]
        insert = dialect_of(self._store.engine.dialect.name).insert(table)
        given = [
            column
            for column in table.columns
            if column.name in {*schema.columns, CONFLICT} and not column.primary_key
        ]
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key},
            where=or_(*(column.is_distinct_from(insert.excluded[column.name]) for column in given)),
        )

    def _removal(self, schema: TableSchema) -> Delete:
        table = metadata.tables[schema.table]
        return delete(table).where(and_(*(column == bindparam(column.name) for column in table.primary_key)))


def _batches(rows: Iterable[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
