"""The operator's figures: out of the source, into the canonical tables, towards the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from report_service.domain.contract import Violation
    from report_service.domain.field_errors import FieldErrors
    from report_service.domain.inventory import Inventory
    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import Payload
    from report_service.domain.reports import Report
    from report_service.domain.table_schemas import TableSchema


class ReportSource(Protocol):
    """The operator's figures, as raw as they are stored.

    Any call raises StoreUnavailable, and ends in bounded time. Whatever else keeps a table from being read is a
    fault of that table alone (law 8).
    """

    def inventory(self, month: ReportMonth) -> Inventory:
        """Return everything that may be reported on, what is wrong with it, and which tables cannot be read."""

    def rows(self, kind: Kind, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        """Yield the raw rows of one kind and month as they are read; their columns are those of the CSV file.

        Raise SourceUnavailable, after some rows or before the first.
        """


class Renderer(Protocol):
    """Reports as the API takes them: the same figures always make the same bytes."""

    def create(self, report: Report) -> Payload:
        """Return what creates a report (POST)."""

    def correction_of(self, key: DeliveryKey, path: str, body: bytes, *, obelis_id: str | None) -> Payload:
        """Return what makes an accepted report say what a create body says (PUT).

        `path` is the one that created it, `obelis_id` what the API answered then. Raise ConfigurationError
        when the configured paths cannot name the report.
        """


class BodySchemas(Protocol):
    """What an API's description says of bodies."""

    def violations(self, schema: str, body: bytes) -> Sequence[Violation]:
        """Return everything in a JSON body that breaks the schema at a JSON pointer of the description."""


class TableFile(Protocol):
    """A file, or a sheet of one, with rows for one table."""

    @property
    def schema(self) -> TableSchema:
        """Return the form of that table."""

    @property
    def name(self) -> str:
        """Return the file's name, as a person gave it."""

    @property
    def unit(self) -> str:
        """Return what its rows are counted in: "line" or "row"."""

    def held(self) -> AbstractContextManager[None]:
        """Keep for several readings what takes long, or much memory, to make; raise BadInput as `rows` does."""

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[int, Mapping[str, object] | FieldErrors]]:
        """Yield each row's first line (from 1) and raw values, or why it is no row.

        Call `progress` with the bytes read since the last call. Raise BadInput for a file that is no table.
        """


class Intake(Protocol):
    """The canonical tables, to be filled."""

    def keys(self, schema: TableSchema, months: Collection[str]) -> Iterator[tuple[str, ...]]:
        """Yield the sorted keys of the stored rows; of a table of figures, those of these months (`2026-10`)."""

    def rows(self, month: ReportMonth, kind: Kind) -> Iterator[Mapping[str, object]]:
        """Yield the stored rows of one kind and month."""

    def upsert(
        self,
        schema: TableSchema,
        rows: Iterable[Mapping[str, object]],
        *,
        remove: Sequence[tuple[str, ...]] = (),
    ) -> None:
        """Insert rows, or replace those with the same key, in one transaction; raise StoreUnavailable.

        Rows with the keys in `remove` are deleted. When `rows` raises, nothing is changed.
        """
