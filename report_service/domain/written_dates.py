"""Dates and times as text: what has one meaning is read, of the rest it is said what it looks like."""

from __future__ import annotations

import re
from datetime import date, datetime

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
# No 24:00, which some Pythons read and others do not.
_TIME = re.compile(r"(?!24)[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?")
_SLASHED = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/(?:[0-9]{2}){1,2}(?:[T ].*)?")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2}(?:[T ].*)?")
_LAST_MIDNIGHT = re.compile(r".*[T ]24:00(:00)?.*")
_SERIAL = re.compile(r"[1-9][0-9]{4}(\.[0-9]+)?")


def read_instant(value: str) -> date | datetime | None:
    """Return a date, or a date and time with or without a zone; None if it is neither."""
    found = _DAY.match(value)
    if not found:
        return None
    day, rest = _calendar_day(found), value[found.end() :]
    if day is None or not rest:
        return day
    clock = _TIME.fullmatch(rest[1:]) if rest[0] in "T " else None
    try:
        return datetime.fromisoformat(f"{day}T{clock[0]}") if clock else None
    except ValueError:  # the form is right, the clock has no such time
        return None


def oddity(value: str) -> str:
    """Return what text that is no date looks like, as the end of a sentence that goes on; "" if like nothing."""
    if slashed := _SLASHED.fullmatch(value):
        both = max(int(slashed[1]), int(slashed[2])) <= 12
        return "has two meanings, day or month first: " if both else ""
    if _SHORT_YEAR.fullmatch(value):
        return "has a year of two digits: "
    if _LAST_MIDNIGHT.fullmatch(value):
        return "has the hour 24, which is the next day's 00:00: "
    if _SERIAL.fullmatch(value):
        return "is how Excel counts days: format the column as a date; "
    return ""


def _calendar_day(found: re.Match[str]) -> date | None:
    year, month, day = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:  # 31 February
        return None
