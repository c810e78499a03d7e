"""Days and clocks of a zone, as instants in UTC: what a clock shows twice, or never, is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from report_service.domain.field_errors import InvalidValue

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_LAST_SECOND = time(23, 59, 59)


def first_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    # Where clocks go forward at midnight, the offset before (fold=0) makes 00:00 the very instant of the change.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def last_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the last whole second of a local day (23:59:59), in UTC."""
    return datetime.combine(day, _LAST_SECOND, zone).replace(fold=1).astimezone(UTC)


def in_utc(at: datetime, zone: ZoneInfo) -> datetime:
    """Return a date-time in UTC; without an offset of its own it is what a clock in `zone` showed.

    Raise InvalidValue for what that clock showed twice (with both readings) or never; OverflowError.
    """
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        gone = _offset(second) - _offset(first)
        raise InvalidValue(
            f"does not exist in {zone.key}: clocks went forward {_minutes(gone)} then; write an hour that does"
        )
    raise InvalidValue(
        f"comes twice in {zone.key}, where clocks went back: write {first.isoformat()} or {second.isoformat()}"
    )


def _offset(at: datetime) -> timedelta:
    return at.utcoffset() or timedelta()


def _minutes(span: timedelta) -> str:
    return f"{int(span.total_seconds()) // 60} minutes"
