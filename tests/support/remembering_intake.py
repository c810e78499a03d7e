"""A stand-in for the canonical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from report_service.domain.table_schemas import TableSchema


class RememberingIntake:
    """Keeps the rows that it is given, of whatever table."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.stored: list[tuple[str, list[dict[str, object]]]] = []
        self.known: set[tuple[object, ...]] = set()
        self.removed: list[tuple[object, ...]] = []

    def keys(self, _schema: TableSchema, months: Collection[str]) -> set[tuple[object, ...]]:
        """Return what is known of these months."""
        return {key for key in self.known if len(key) == 1 or key[0] in months}

    def upsert(
        self,
        schema: TableSchema,
        rows: Iterable[Mapping[str, object]],
        *,
        remove: Sequence[tuple[object, ...]] = (),
    ) -> None:
        """Keep the rows."""
        self.stored.append((schema.name, list(map(dict, rows))))
        self.rows += self.stored[-1][1]
        self.removed += remove
