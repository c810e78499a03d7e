"""What is wrong with a row: faults, collected so that a person sees all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

MUST_BE_GIVEN = "must be given"
_SHOWN = 60
_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
"""What web pages and spreadsheets leave in cells unseen: zero-width spaces and joiners, byte order marks."""


class InvalidValue(ValueError):
    """A single value breaks a rule. Never leaves the domain: it becomes a Fault."""

    def __init__(self, rule: str) -> None:
        """Take the rule as the end of a sentence: "must be a whole number"."""
        self.rule = rule
        super().__init__(rule)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One reason why a row cannot be used."""

    column: str
    value: object
    rule: str

    def __str__(self) -> str:
        if is_absent(self.value):
            return f"{self.column} is empty: {self.rule}"
        return f"{self.column} = {shown(self.value)}: {self.rule}"


FieldErrors = tuple[FieldError, ...]
"""All reasons, in the order of the columns; never empty where it stands for a refusal."""


@dataclass(frozen=True, slots=True)
class RowError:
    """A fault, and the table and row that it is in; `row` names the row as a person would look for it."""

    table: str
    row: str
    fault: FieldError

    def __str__(self) -> str:
        return f"{self.table}, {self.row}: {self.fault}"


def is_absent(raw: object) -> bool:
    """Return True if a value stands for nothing: None (SQL's NULL) or blank text (CSV's empty cell)."""
    if not isinstance(raw, str):
        return raw is None
    return not raw or raw.isspace() or (not raw.isascii() and not plain(raw))


def plain(raw: object) -> str:
    """Return text without white space around it and zero-width characters anywhere; "" for what is no text."""
    if not isinstance(raw, str):
        return ""
    return raw.strip() if raw.isascii() else raw.translate(_ZERO_WIDTH).strip()


def shown(value: object) -> str:
    """Return a value fit for a line of text: printable, at most 60 characters."""
    text = str(value)
    text = text if text.isprintable() else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


class RowReader:
    """Reads the columns of one row and collects what is wrong with them."""

    __slots__ = ("_row", "faults")

    def __init__(self, row: Mapping[str, object]) -> None:
        self._row = row
        self.faults: list[FieldError] = []

    def lacks(self, column: str) -> bool:
        """Return True if the column is missing or empty."""
        return is_absent(self._row.get(column))

    def required(self, column: str, parse: Callable[[object], T], *, missing: str = MUST_BE_GIVEN) -> T:
        """Return the column's value; note a fault if it is bad, or empty.

        `missing` is then the rule; "" notes none, where another fault says it already. Where there is no value,
        what is returned is a stand-in, not to be used.
        """
        value = self.optional(column, parse)
        if value is None and missing and self.lacks(column):
            self.refuse(column, missing)
        return cast("T", value)

    def optional(self, column: str, parse: Callable[[object], T]) -> T | None:
        """Return the column's value, None if it is empty; note a fault if it is bad."""
        raw = self._row.get(column)
        if is_absent(raw):
            return None
        try:
            return parse(raw)
        except InvalidValue as bad:
            self.refuse(column, bad.rule)
            return None

    def refuse(self, column: str, rule: str) -> None:
        """Note a fault of the column."""
        self.faults.append(FieldError(column, self._row.get(column), rule))
