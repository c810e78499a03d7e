"""Parsers of one value each.

Each takes a raw value as a CSV file or a SQL driver gives it (text, int, float, Decimal, bool, date, datetime,
UUID; list or dict for JSON), never an absent one (`field_errors.is_absent`), and returns the value or raises
InvalidValue.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from report_service.domain.field_errors import InvalidValue
from report_service.domain.months import ReportMonth
from report_service.errors import BadInput

INT32_MAX = 2**31 - 1
"""The API's whole numbers are int32 [0.9]."""

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_EVSE_ID = re.compile(r"[A-Z]{2}\*?[A-Z0-9]{3}\*?E[A-Z0-9][A-Z0-9*]{0,30}")
_PROVIDER_GROUP = re.compile(r"[A-Z]{2}[A-Z0-9]{3}")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]{1,3})?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,][0-9]{3})+")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ]00:00(:00(\.0+)?)?)?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)

_NOT_A_NUMBER = "must be a number, for example 0.93"
_NOT_WHOLE = "must be a whole number"


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
    value = raw.strip()
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidValue("must not contain NUL or half a surrogate pair")
    return value


def month(raw: object) -> ReportMonth:
    """Return a month: `YYYY-MM`, or the date of its first day as a driver gives it."""
    if isinstance(raw, date) and raw.day == 1:
        return ReportMonth.of(raw)
    try:
        return ReportMonth.parse(str(raw))
    except BadInput:
        raise InvalidValue("must be a month as YYYY-MM, for example 2026-10") from None


def uuid(raw: object) -> str:
    """Return a UUID in its canonical form: lower case, hyphens; read with or without hyphens, and in braces."""
    if isinstance(raw, UUID):
        return str(raw)
    value = raw.strip().lower() if isinstance(raw, str) else ""
    value = value[1:-1] if value[:1] == "{" and value[-1:] == "}" else value
    if not _UUID.fullmatch(value):
        raise InvalidValue(
            "must be the UUID that OBELIS assigned, for example 191e7db7-1bea-44db-9e52-2ddab118d699"
        )
    return value if len(value) == 36 and value.count("-") == 4 else str(UUID(value))


def evse_id(raw: object) -> str:
    """Return an EVSE id in upper case, its separators as given.

    Country (2 letters), operator (3 characters), `E`, outlet (1 to 31 characters), `*` between them optional:
    ISO 15118-2 annex H and eMI3 "Electric Vehicle ICT Interface Specifications", part 2.
    """
    value = raw.strip().upper() if isinstance(raw, str) else ""
    if not _EVSE_ID.fullmatch(value):
        raise InvalidValue("must be an EVSE id, for example DE*ABC*E45B*78C")
    return value


def provider_group(raw: object) -> str:
    """Return a provider group in upper case: country and provider id [0.9]."""
    value = raw.strip().upper() if isinstance(raw, str) else ""
    if not _PROVIDER_GROUP.fullmatch(value):
        raise InvalidValue("must be 2 letters (country) and 3 letters or digits (provider), for example DEVFL")
    return value


def number(raw: object) -> Decimal:
    """Return a number exactly as written; one decimal comma is read as the decimal point.

    A float counts as the shortest decimal that it prints as (0.93, not 0.930000000000000048...).
    """
    if isinstance(raw, Decimal):
        value = raw
    elif isinstance(raw, float):
        value = Decimal(repr(raw))
    elif isinstance(raw, int) and not isinstance(raw, bool):
        return Decimal(raw)
    elif isinstance(raw, str) and _NUMBER.fullmatch(plain := raw.strip()):
        value = Decimal(plain.replace(",", "."))
    else:
        raise InvalidValue(_NOT_A_NUMBER)
    if not value.is_finite():
        raise InvalidValue(_NOT_A_NUMBER)
    return value


def plain_number(raw: object) -> Decimal:
    """Return the number of a column that holds whole ones; refuse "1.000", a thousand in German, one elsewhere."""
    if isinstance(raw, str) and _THOUSANDS.fullmatch(raw.strip()):
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
    raise InvalidValue("must be whole cents (EUR 0.45 is 45): money is never rounded")


def rate(raw: object) -> Decimal:
    """Return a share, 0 to 1."""
    value = number(raw)
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


def grade(average: Decimal) -> int:
    """Return the grade to be sent for a rating: rounded half up (2.5 is 3)."""
    return int(average.to_integral_value(ROUND_HALF_UP))


def instant(raw: object) -> datetime:
    """Return a date-time in UTC.

    Without a zone it is taken as UTC, in which the API counts [0.9]; a bare date is the start of that day in UTC.
    """
    if isinstance(raw, datetime):
        value = raw
    elif isinstance(raw, date):
        value = datetime.combine(raw, time())
    else:
        value = _written_instant(raw)
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue("must lie in the years 1 to 9999") from None


def _written_instant(raw: object) -> datetime:
    try:
        if isinstance(raw, str) and _INSTANT.fullmatch(raw.strip()):
            return datetime.fromisoformat(raw.strip())
    except ValueError:  # the form is right, the calendar or the clock has no such value
        pass
    raise InvalidValue("must be a date-time, for example 2026-10-01T00:00:00Z (without a zone: UTC)")


def day(raw: object) -> date:
    """Return a date; a date-time counts only at midnight, as some databases keep dates."""
    if isinstance(raw, datetime) and raw.time() == time():
        return raw.date()
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    try:
        if isinstance(raw, str) and (found := _DATE.fullmatch(raw.strip())):
            return date.fromisoformat(found[1])
    except ValueError:  # 31 February
        pass
    raise InvalidValue("must be a date as YYYY-MM-DD, for example 2026-10-01")


def contractual_basis(raw: object) -> ContractualBasis:
    """Return the contractual basis, read in any case."""
    try:
        return ContractualBasis(raw.strip().upper() if isinstance(raw, str) else "")
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
