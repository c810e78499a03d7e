"""What a source's row must hold to become a report.

Ranges and fields are those of the API [0.9]; each kind's descriptor says them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.descriptors import POINT
from report_service.domain.field_errors import MUST_BE_GIVEN, FieldError, FieldErrors, RowReader
from report_service.domain.kinds import DeliveryKey
from report_service.domain.table_schemas import CONFLICT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report, fit to be sent."""

    key: DeliveryKey
    hub_id: str | None = None  # of a point: where the inventory says that it is
    figures: Mapping[str, object]  # by column; date-times are UTC, None is left out

    @property
    def place(self) -> dict[str, str]:
        """Return what the paths of the API may name of it, by placeholder."""
        subject = self.key.kind.subject
        place = {subject.column: self.key.subject} if subject else {}
        return place if self.hub_id is None else {"hub_id": self.hub_id, **place}


def subject_of(kind: Kind, row: Mapping[str, object]) -> str | FieldError:
    """Return what a row is about, as delivery keys have it, or the fault that hides it."""
    reader = RowReader(row)
    subject = _subject(kind, reader)
    return reader.faults[0] if reader.faults else subject


def read_report(
    kind: Kind, month: ReportMonth, row: Mapping[str, object], *, hub_id: str | None
) -> Report | FieldErrors:
    """Return the report that a row of raw values makes, or every reason why it makes none.

    `hub_id` is the hub of a point (`Inventory.hub_of`), None if the inventory names none; other kinds ignore it.
    """
    reader = RowReader(row)
    if not reader.lacks(CONFLICT):
        return (FieldError("month", row.get("month"), str(row[CONFLICT])),)
    if reader.required("month", parsers.month) != month and not reader.faults:
        reader.refuse("month", f"must be {month}, the month that was asked for")
    key = DeliveryKey(month, kind, _subject(kind, reader))
    about_point = kind.subject is POINT
    if about_point and hub_id is None:
        reader.refuse("hub_id", "the inventory names no hub for this point, and the report's path needs it")
    figures = _figures(key, reader)
    kind.check(reader, figures)
    return tuple(reader.faults) or Report(key=key, hub_id=hub_id if about_point else None, figures=figures)


def _subject(kind: Kind, reader: RowReader) -> str:
    return reader.required(kind.subject.column, kind.subject.parse) if kind.subject else ""


def _figures(key: DeliveryKey, reader: RowReader) -> dict[str, object]:
    """Return the figures by column; for each that is bad, or missing though required, note a fault.

    When a 0 says that there is nothing to report, what is missing is one fault, not several.
    """
    figures: dict[str, object] = {}
    idle = False
    for column in key.kind.columns:
        missing = MUST_BE_GIVEN if column.required and not idle else ""
        if missing and column.waivable and reader.lacks(column.name):
            missing += _way_out(key)
        value = figures[column.name] = reader.required(column.name, column.parse, missing=missing)
        if column.zero_means and value == 0 and _is_partial(key.kind, reader):
            reader.refuse(column.name, column.zero_means + _way_out(key))
            idle = True
    return figures


def _is_partial(kind: Kind, reader: RowReader) -> bool:
    return any(column.required and reader.lacks(column.name) for column in kind.columns)


def _way_out(key: DeliveryKey) -> str:
    return f"; if there is nothing to report, declare it: report-service waive {key} --reason ..."
