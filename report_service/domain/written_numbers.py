"""Numbers as text: what has one meaning is read, of the rest it is said what it looks like."""

from __future__ import annotations

import re
from decimal import Decimal

from report_service.domain.field_errors import InvalidValue

NOT_A_NUMBER = "must be a number, for example 0.93"
EXCEL_MADE_A_DATE = "looks like a date that Excel made of it: format the column as text, and write"
IS_A_TIME = "is a time: write the number alone, 90 seconds as 90"

_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]{1,3})?")
_SPACED = re.compile(r"[+-]?[1-9][0-9]{0,2}([ \u00a0\u2009\u202f'\u2019][0-9]{3})+([.,][0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,][0-9]{3})+")
_BOTH_MARKS = re.compile(r"[+-]?[1-9][0-9]{0,2}((\.[0-9]{3})+,|(,[0-9]{3})+\.)[0-9]+")
_MILLIONS = re.compile(r"[+-]?[1-9][0-9]{0,2}((\.[0-9]{3}){2,}|(,[0-9]{3}){2,})")
_CLOCK = re.compile(r"[0-9]+:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?")
_WITH_UNIT = re.compile(r"[+-]?[0-9][0-9.,]*\s*([^\s0-9.,:-][^0-9]*)|(€|EUR)\s*[0-9][0-9.,]*", re.IGNORECASE)
_EXCEL_DATE = re.compile(
    r"(?=.*[0-9])([0-9]{1,2}[. -]*)?(jan|feb|mär|mrz|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec)[a-zä]*"
    r"\.?[ -]*([0-9]{2}|[0-9]{4})?|[0-9]{1,2}\.[0-9]{1,2}\.([0-9]{2,4})?",
    re.IGNORECASE,
)


def has_groups(value: str) -> bool:
    """Return True if a number may have marks between thousands: `1.000`, a thousand in German, one elsewhere."""
    return _THOUSANDS.fullmatch(value) is not None


def is_excel_date(value: str) -> bool:
    """Return True if text looks as Excel shows a date that it made of something else: `Okt 26`, `02. Apr`."""
    return _EXCEL_DATE.fullmatch(value) is not None


def read_number(value: str, grouping: str) -> Decimal:
    """Return the number that text without blanks around it says; raise InvalidValue.

    `grouping` are the characters that may stand between thousands there. With both marks (`1.234,5`), or one
    several times (`1.234.567`), a number itself shows which is which.
    """
    value = _without_groups(value)
    if not _NUMBER.fullmatch(value):
        raise InvalidValue(_what_it_is(value))
    mark = next((character for character in grouping if character in value), None)
    if mark and _THOUSANDS.fullmatch(value):
        before, after = value.split(mark)
        other = "," if mark == "." else "."
        raise InvalidValue(
            f"has two meanings here: write {before}{after} if it is above a thousand, "
            f"{before}{other}{after}0 if it is not"
        )
    return Decimal(value.replace(",", "."))


def _without_groups(value: str) -> str:
    if _SPACED.fullmatch(value):
        return re.sub(r"[^0-9.,+-]", "", value)
    if _BOTH_MARKS.fullmatch(value):
        whole, _, fraction = value.rpartition("," if value.rfind(",") > value.rfind(".") else ".")
        return f"{re.sub('[.,]', '', whole)}.{fraction}"
    return re.sub("[.,]", "", value) if _MILLIONS.fullmatch(value) else value


def _what_it_is(value: str) -> str:
    """Return what is wrong with text that is no number, as the end of a sentence."""
    if is_excel_date(value):
        return f"{EXCEL_MADE_A_DATE} the number"
    if _CLOCK.fullmatch(value):
        return IS_A_TIME
    if value.startswith("#"):
        return "is an error of the spreadsheet: mend its formula, or leave the cell empty"
    if value.startswith("="):
        return "is a formula: write its result"
    if unit := _WITH_UNIT.fullmatch(value):
        return f"must be the number alone, without {(unit[1] or unit[2]).strip()!r}"
    return NOT_A_NUMBER
