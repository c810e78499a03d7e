"""Parsers of one value each: what has one meaning is read, what has two is refused.

Each takes a raw value as a file or a SQL driver gives it (text, int, float, Decimal, bool, date, datetime, UUID;
list or dict for JSON; any of them `Written`), never an absent one (`field_errors.is_absent`), and returns the
value or raises InvalidValue. Zero-width characters say nothing, nor does white space around a value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

from report_service.domain.field_errors import InvalidValue, plain
from report_service.domain.local_time import first_of, in_utc, last_of
from report_service.domain.months import ReportMonth
from report_service.domain.written import Written, of_raw
from report_service.domain.written_dates import oddity, read_instant
from report_service.domain.written_numbers import (
    EXCEL_MADE_A_DATE,
    IS_A_TIME,
    NOT_A_NUMBER,
    has_groups,
    is_excel_date,
    read_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

INT32_MAX = 2**31 - 1
"""The API's whole numbers are int32 [0.9]."""

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_EVSE_ID = re.compile(r"([A-Z]{2})\*?([A-Z0-9]{3})\*?E[A-Z0-9][A-Z0-9*]{0,30}")
_PROVIDER_GROUP = re.compile(r"([A-Z]{2})[*\- ]?([A-Z0-9]{3})")
_YEAR_FIRST = re.compile(r"(20[0-9]{2})[-/.](0[1-9]|1[0-2])")
_MONTH_FIRST = re.compile(r"(0?[1-9]|1[0-2])[-/.](20[0-9]{2})")
_NOT_WHOLE = "must be a whole number"
NOT_WHOLE_CENTS = "must be whole cents (EUR 0.45 is 45): money is never rounded"
_NOT_A_DAY = "must be a date as YYYY-MM-DD, for example 2026-10-01"
_NOT_AN_INSTANT = "must be a date or date-time, for example 2026-10-01 or 2026-10-01T00:00:00Z"


class ContractualBasis(StrEnum):
    """On what contract the price rests [0.9]."""

    ROAMING_CONTRACT = "ROAMING_CONTRACT"
    BILATERAL_CONTRACT = "BILATERAL_CONTRACT"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AdditionalCost:
    """A price beside the one per kWh: what for, and whole cents."""

    description: str
    cost_ct: int


def text(raw: object) -> str:
    """Return text without the white space around it; refuse what neither JSON in UTF-8 nor PostgreSQL can hold."""
    if not isinstance(raw, str):
        raise InvalidValue("must be text")
    value, odd = raw.strip(), "\x00" in raw
    if not value.isascii():
        value = value.strip("\ufeff\u200b\u2060").strip()
        odd |= any("\ud800" <= character <= "\udfff" for character in value)
    if odd:
        raise InvalidValue("must not contain NUL or half a surrogate pair")
    return value


def month(raw: object) -> ReportMonth:
    """Return a month: `YYYY-MM`, `MM-YYYY` as the API has it, `MM/YYYY`, or the date of its first day."""
    value = plain(raw)
    if found := _YEAR_FIRST.fullmatch(value):
        return ReportMonth(int(found[1]), int(found[2]))
    if found := _MONTH_FIRST.fullmatch(value):
        return ReportMonth(int(found[2]), int(found[1]))
    try:
        first = day(raw)
    except InvalidValue:
        first = None
    if first is not None and first.day == 1 and 2000 <= first.year < 2100:
        return ReportMonth.of(first)
    if is_excel_date(value):
        raise InvalidValue(f"{EXCEL_MADE_A_DATE} the month as YYYY-MM, for example 2026-10")
    raise InvalidValue("must be a month as YYYY-MM, for example 2026-10")


def uuid(raw: object) -> str:
    """Return a UUID in its canonical form: lower case, hyphens; read with or without hyphens, and in braces."""
    if isinstance(raw, UUID):
        return str(raw)
    value = plain(raw).lower()
    if value.startswith("{") and value.endswith("}"):
        value = value[1:-1]
    if not _UUID.fullmatch(value):
        raise InvalidValue(
            "must be the UUID that OBELIS assigned, for example 191e7db7-1bea-44db-9e52-2ddab118d699"
        )
    return value if len(value) == 36 and value.count("-") == 4 else str(UUID(value))


def evse_id(raw: object) -> str:
    """Return an EVSE id in upper case, in whatever form: it is never sent, and only helps people find a point."""
    return text(str(raw)).upper()


def is_usual_evse_id(value: str) -> bool:
    """Return True if an EVSE id has the usual form.

    Country (2 letters), operator (3 characters), `E`, outlet (1 to 31 characters), `*` between them optional:
    ISO 15118-2 annex H and eMI3 "Electric Vehicle ICT Interface Specifications", part 2.
    """
    return _EVSE_ID.fullmatch(value) is not None


def operator_of(evse_id: str) -> str | None:
    """Return country and operator of an EVSE id of the usual form, `DE*ABC`; None: it has another."""
    found = _EVSE_ID.fullmatch(evse_id)
    return f"{found[1]}*{found[2]}" if found else None


def provider_group(raw: object) -> str:
    """Return a provider group in upper case: country and provider id [0.9]; `DE*VFL`, `DE-VFL`, `DE VFL` too."""
    found = _PROVIDER_GROUP.fullmatch(plain(raw).upper())
    if not found:
        raise InvalidValue("must be 2 letters (country) and 3 letters or digits (provider), for example DEVFL")
    return found[1] + found[2]


def number(raw: object) -> Decimal:
    """Return a number exactly as written; one decimal comma is read as the decimal point.

    A float counts as the shortest decimal that it prints as (0.93, not 0.930000000000000048...). Refuse what may
    be a thousand, by the conventions of where it was written.
    """
    value, by = of_raw(raw)
    if isinstance(value, Decimal):
        found = value
    elif isinstance(value, float):
        found = Decimal(repr(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    elif isinstance(value, str):
        found = read_number(plain(value), by.grouping)
    elif isinstance(value, date):
        raise InvalidValue(f"{EXCEL_MADE_A_DATE} the number")
    else:
        raise InvalidValue(IS_A_TIME if isinstance(value, time | timedelta) else NOT_A_NUMBER)
    if not found.is_finite():
        raise InvalidValue(NOT_A_NUMBER)
    return found


def plain_number(raw: object) -> Decimal:
    """Return the number of a column that holds whole ones; refuse "1.000", a thousand in German, one elsewhere."""
    if has_groups(plain(raw)):
        raise InvalidValue("must be written without a thousands separator, and without zeros after the point")
    return number(raw)


def whole(raw: object) -> int:
    """Return a whole number, 0 to the largest int32; 3, 3.0 and "3" are whole."""
    if type(raw) is int and 0 <= raw <= INT32_MAX:
        return raw
    value = plain_number(raw)
    if not 0 <= value <= INT32_MAX:
        raise InvalidValue(f"must be 0 to {INT32_MAX}")
    if value != int(value):
        raise InvalidValue(_NOT_WHOLE)
    return int(value)


def money_ct(raw: object) -> int:
    """Return whole cents, 0 or more; a fraction of a cent is refused, never rounded."""
    try:
        return whole(raw)
    except InvalidValue as bad:
        if bad.rule != _NOT_WHOLE:
            raise
    raise InvalidValue(NOT_WHOLE_CENTS)


def share(raw: object) -> Decimal:
    """Return a number that may be written in percent: 93 % is 0.93."""
    value, by = of_raw(raw)
    if isinstance(value, str) and plain(value).endswith("%"):
        return number(Written(plain(value)[:-1], by)).scaleb(-2)
    return number(raw)


def rate(raw: object) -> Decimal:
    """Return a share, 0 to 1."""
    value = share(raw)
    if not 0 <= value <= 1:
        raise InvalidValue("must be 0 to 1 (93 % is 0.93)")
    return value


def seconds(raw: object) -> Decimal:
    """Return a duration in seconds, 0 or more, within the int32 range, which no waiting time exceeds."""
    value = number(raw)
    if not 0 <= value <= INT32_MAX:
        raise InvalidValue(f"must be 0 to {INT32_MAX} seconds")
    return value


def rating(raw: object) -> Decimal:
    """Return a rating as given: a grade or an average of grades, 1 (best) to 6."""
    value = number(raw)
    if not 1 <= value <= 6:
        raise InvalidValue("must be 1 to 6 (1 best)")
    return value


def grade(raw: object) -> int:
    """Return the grade to be sent for a rating: rounded half up (2.5 is 3)."""
    return int(rating(raw).to_integral_value(ROUND_HALF_UP))


def valid_from(raw: object) -> datetime:
    """Return when something begins, in UTC; a bare date is the beginning of that local day.

    Without a zone, a date-time shows the clock of where it was written (`Written`; else UTC).
    """
    return _instant(raw, first_of)


def valid_to(raw: object) -> datetime:
    """Return when something ends, in UTC; a bare date is the last second of that local day."""
    return _instant(raw, last_of)


def _instant(raw: object, of_day: Callable[[date, ZoneInfo], datetime]) -> datetime:
    value, by = of_raw(raw)
    if isinstance(value, str):
        value = read_instant(plain(value))
    try:
        if isinstance(value, datetime):
            return in_utc(value, by.zone)
        if isinstance(value, date):
            return of_day(value, by.zone)
    except OverflowError:
        raise InvalidValue("must lie in the years 1 to 9999") from None
    raise InvalidValue(oddity(str(raw).strip()) + _NOT_AN_INSTANT)


def day(raw: object) -> date:
    """Return a date, `2024-02-01` or `01.02.2024`; a date-time only at midnight, as some databases keep dates."""
    found = read_instant(plain(raw)) if isinstance(raw, str) else raw
    if isinstance(found, datetime) and found.time() == time() and (found is raw or found.tzinfo is None):
        return found.date()
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    raise InvalidValue(oddity(str(raw).strip()) + _NOT_A_DAY)


def contractual_basis(raw: object) -> ContractualBasis:
    """Return the contractual basis, read in any case, and with a blank or a hyphen between its words."""
    try:
        return ContractualBasis(re.sub(r"[ -]", "_", plain(raw).upper()))
    except ValueError:
        raise InvalidValue(f"must be {' or '.join(ContractualBasis)}") from None


def json_list(raw: object) -> list[object]:
    """Return a JSON list, from its text or as a driver has decoded it; numbers with a point are Decimal."""
    try:
        value = json.loads(raw, object_pairs_hook=_pairs, parse_float=Decimal) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise InvalidValue('must be a JSON list, for example [{"description": "parking", "cost": 50}]')
    return value


def json_text(raw: object) -> str:
    """Return the text of a JSON list, as given."""
    json_list(raw)
    return text(raw)


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in an object")
    return found


def additional_costs(raw: object) -> tuple[AdditionalCost, ...]:
    """Return further prices in a fixed order: they are a set to the API [0.9], so none may appear twice."""
    costs = sorted(_additional_cost(entry) for entry in json_list(raw))
    for one, other in pairwise(costs):
        if one == other:
            raise InvalidValue(f"must be a set: {one.description!r} at {one.cost_ct} ct stands in it twice")
    return tuple(costs)


def _additional_cost(entry: object) -> AdditionalCost:
    if not isinstance(entry, dict) or entry.keys() != {"description", "cost"}:
        raise InvalidValue('must hold objects with "description" and "cost" (ct) and nothing else')
    description = text(entry["description"])
    if not description:
        raise InvalidValue("must have a description for each cost")
    try:
        return AdditionalCost(description=description, cost_ct=money_ct(entry["cost"]))
    except InvalidValue as bad:
        raise InvalidValue(f"has a cost for {description!r} that {bad.rule}") from None
