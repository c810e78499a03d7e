"""What a raw value means depends on where it was written: whose clock, which decimal mark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from report_service.domain.field_errors import is_absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """How values are written in one place."""

    zone: ZoneInfo = UTC_ZONE  # of date-times that name none, and of whole days
    grouping: str = ""  # which of "." and "," may stand between thousands, so that 1.234 has two meanings


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A raw value, and the conventions by which it was written; prints as the value."""

    raw: object
    by: Conventions

    def __str__(self) -> str:
        return str(self.raw)

    def __repr__(self) -> str:
        return repr(self.raw)


NOWHERE = Conventions()
"""Of a value that comes with no conventions: UTC, in which the API counts [0.9]; a point is a decimal point."""


def of_raw(raw: object) -> tuple[object, Conventions]:
    """Return a value as raw as it was, and by what conventions it was written."""
    return (raw.raw, raw.by) if isinstance(raw, Written) else (raw, NOWHERE)


def written(row: Mapping[str, object], columns: Iterable[str], by: Conventions) -> Mapping[str, object]:
    """Return a row that says of the texts and dates in these columns how they were written."""
    said = {
        column: Written(value, by)
        for column in columns
        if isinstance(value := row.get(column), str | date) and not is_absent(value)
    }
    return {**row, **said} if said else row
