"""A stand-in for the canonical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.table_schemas import TableSchema


class RememberingIntake:
    """Keeps the rows that it is given, of whatever table."""

    def __init__(self) -> None:
        self.taken: list[dict[str, object]] = []
        self.stored: list[tuple[str, list[dict[str, object]]]] = []
        self.known: set[tuple[str, ...]] = set()
        self.removed: list[tuple[str, ...]] = []

    def keys(self, _schema: TableSchema, months: Collection[str]) -> Iterator[tuple[str, ...]]:
        """Yield what is known of these months."""
        yield from sorted(key for key in self.known if len(key) == 1 or key[0] in months)

    def rows(self, _month: ReportMonth, _kind: Kind) -> Iterator[Mapping[str, object]]:
        """Yield nothing: there was no month before."""
        yield from ()

    def upsert(
        self,
        schema: TableSchema,
        rows: Iterable[Mapping[str, object]],
        *,
        remove: Sequence[tuple[str, ...]] = (),
    ) -> None:
        """Keep the rows."""
        self.stored.append((schema.name, list(map(dict, rows))))
        self.taken += self.stored[-1][1]
        self.removed += remove
