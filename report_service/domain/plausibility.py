"""Figures that can hardly be what was meant: a report with them is accepted with a 200, and nobody tells.

One pass over a month's raw rows beside last month's. It stops nothing and changes nothing: a person looks. Three
months of ordinary data give no warning; each threshold says why it is where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from report_service.domain import parsers
from report_service.domain.field_errors import InvalidValue, is_absent, shown
from report_service.domain.local_time import first_of, last_of
from report_service.domain.months import BERLIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth

T = TypeVar("T")

STARS_ABOVE = 4
"""Grades go from 1, best, to 6. Where all are above 4, the last that is sufficient at school, stars were sent."""
GRADE_SHIFT = Decimal("1.5")
"""Customers' averages move by tenths from month to month; stars for grades, or another column, by more."""
FEW = 5
"""Of fewer reports an average is chance."""
SHORTEST_ASA_S, LONGEST_ASA_S = 1, 3600
"""No hotline answers within a second on average, and none lets callers wait an hour: minutes, milliseconds?"""
MANY_CALLS = 50
"""Of so many calls, some are solved at the first try and some are not: exactly all, or none, was not measured."""
HIGHEST_PRICE_CT = 200
"""No charging price in Germany comes near EUR 2 a kWh: tenths of a cent, or a price for a session?"""
PRICE_FACTOR = 3
"""Prices move by a few cents; cents for euros, or net of a flat fee, move them by more."""
EURO_BELOW_CT = 5
"""Energy alone costs more than 5 ct a kWh: what has a fraction and is less was given in euros."""
COMPLAINTS_FACTOR, COMPLAINTS_MORE = 3, 20
"""So many times last month's, and so many more in all: of few, the double is chance."""
ALIKE = 20
"""So many ratings, or counts of complaints above 0, are not the same by chance: one was filled in for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implausible:
    """What is odd about a column of one kind's figures, and in how many reports."""

    kind: Kind
    month: ReportMonth
    column: str
    count: int
    words: str  # what is odd, and what may have been meant
    example: str = ""  # a subject that it is about

    def as_json(self) -> dict[str, object]:
        """Return it as one of the warnings of `import --json`."""
        return {
            "kind": self.kind.name,
            "month": str(self.month),
            "column": self.column,
            "count": self.count,
            "rule": self.words,
            "example": self.example or None,
        }

    def __str__(self) -> str:
        return f"{self.kind.source}, {self.column}: {self.words}" + (
            f" (as {self.example})" if self.example else ""
        )


class _Values(dict[object, T | None]):
    """What raw values mean, each read once: in thousands of rows the same ones come again and again."""

    def __init__(self, parse: Callable[[object], T]) -> None:
        self._parse = parse

    def __missing__(self, raw: object) -> T | None:
        """Read a value; None if it is absent or cannot be read."""
        try:
            value = None if is_absent(raw) else self._parse(raw)
        except InvalidValue:
            value = None
        self[raw] = value
        return value


class Figures:
    """One kind's figures of one month, as far as they can be judged; whatever cannot be read is left out."""

    def __init__(self, kind: Kind, month: ReportMonth) -> None:
        self.kind = kind
        self.month = month
        self.outside: list[str] = []  # subjects whose time of validity does not touch the month
        self._numbers: dict[str, dict[str, Decimal]] = {}
        self._subject = kind.subject.column if kind.subject else ""
        names = [column.name for column in kind.columns]
        self._columns = [
            (name, _Values(_NUMBERS[name]), self._numbers.setdefault(name, {}))
            for name in names
            if name in _NUMBERS
        ]
        self._validity = (
            (_Values(parsers.valid_from), _Values(parsers.valid_to))
            if {"valid_from", "valid_to"} <= {*names}
            else None
        )
        self._begins, self._over = first_of(month.first_day, BERLIN), last_of(month.last_day, BERLIN)

    def add(self, row: Mapping[str, object]) -> None:
        """Take in a raw row."""
        subject = str(row.get(self._subject, ""))
        for column, values, numbers in self._columns:
            try:
                value = values[row.get(column)]
            except TypeError:  # no number: a list, say
                continue
            if value is not None:
                numbers[subject] = value
        if self._validity is not None:
            starts, ends = self._validity
            try:
                start, end = starts[row.get("valid_from")], ends[row.get("valid_to")]
            except TypeError:
                return
            if (start is not None and start > self._over) or (end is not None and end < self._begins):
                self.outside.append(subject)

    def numbers(self, column: str) -> Mapping[str, Decimal]:
        """Return a column's numbers by subject."""
        return self._numbers.get(column, {})


_NUMBERS: Mapping[str, Callable[[object], Decimal]] = {
    "rating": parsers.number,
    "hotline_calls": parsers.number,
    "asa_seconds": parsers.number,
    "fcr_rate": parsers.share,
    "cost_ct_per_kwh": parsers.number,
    "total_complaints": parsers.number,
}
"""The numbers that are judged, in whichever kind they stand, and how they are read."""


def implausible(this: Figures, last: Figures) -> Iterator[Implausible]:
    """Yield what can hardly be meant in a month's figures of one kind, beside those of the month before."""

    def told(column: str, subjects: list[str], words: str) -> Iterator[Implausible]:
        if subjects:
            example = shown(subjects[0])
            yield Implausible(
                kind=this.kind, month=this.month, column=column, count=len(subjects), words=words, example=example
            )

    for rule in _RULES:
        for column, subjects, words in rule(this, last):
            yield from told(column, subjects, words)


Finding = tuple[str, list[str], str]
"""A column, the subjects in which it is odd, and the words for it."""


def _grades(this: Figures, last: Figures) -> Iterator[Finding]:
    now, before = this.numbers("rating"), last.numbers("rating")
    least = FEW if this.kind.subject else 1
    if len(now) >= least and min(now.values()) > STARS_ABOVE:
        yield "rating", list(now), "all are above 4: grades go from 1 (best) to 6; are these stars?"
    elif len(now) >= least and len(before) >= least and abs(_mean(now) - _mean(before)) > GRADE_SHIFT:
        moved = f"the average went from {_mean(before):.1f} to {_mean(now):.1f} within a month: grades, or stars?"
        yield "rating", list(now), moved
    yield from _alike("rating", now)


def _alike(column: str, now: Mapping[str, Decimal]) -> Iterator[Finding]:
    if len(now) >= ALIKE and len(set(now.values())) == 1:
        yield column, list(now), f"all {len(now):,} are {next(iter(now.values()))}: is this each one's own?"


def _hotline(this: Figures, _last: Figures) -> Iterator[Finding]:
    calls = this.numbers("hotline_calls")
    for subject, asa in this.numbers("asa_seconds").items():
        if calls.get(subject) != 0 and not SHORTEST_ASA_S <= asa <= LONGEST_ASA_S:
            yield "asa_seconds", [subject], f"{asa} s is no average speed of answer: seconds are wanted"
    for subject, fcr in this.numbers("fcr_rate").items():
        if fcr in {0, 1} and calls.get(subject, Decimal(0)) >= MANY_CALLS:
            yield "fcr_rate", [subject], f"exactly {fcr} of {calls[subject]} calls: was it measured?"


def _prices(this: Figures, last: Figures) -> Iterator[Finding]:
    column = "cost_ct_per_kwh"
    now, before = this.numbers(column), last.numbers(column)
    high = [subject for subject, price in now.items() if price > HIGHEST_PRICE_CT]
    yield column, high, f"above {HIGHEST_PRICE_CT} ct per kWh: whole cents are wanted"
    moved = [
        subject
        for subject, price in now.items()
        if (old := before.get(subject)) and price and max(price, old) >= PRICE_FACTOR * min(price, old)
    ]
    yield column, moved, f"changed by a factor of {PRICE_FACTOR} or more since last month"
    parts = {subject: price for subject, price in now.items() if price % 1}
    euros = max(parts.values(), default=0) < EURO_BELOW_CT
    meant = "are these euros?" if euros else "is this net, and gross is wanted?"
    yield column, list(parts), f"fractions of a cent, which cannot be reported: {meant}"


def _complaints(this: Figures, last: Figures) -> Iterator[Finding]:
    now, before = this.numbers("total_complaints"), last.numbers("total_complaints")
    if any(now.values()):  # none at all is what is hoped for
        yield from _alike("total_complaints", now)
    if not now or not before:
        return
    more = sum(now.values()) - sum(before.values())
    if more >= COMPLAINTS_MORE and _mean(now) > COMPLAINTS_FACTOR * _mean(before):
        words = (
            f"{sum(now.values())} in all, {sum(before.values())} last month: complaints of the month, or of ever?"
        )
        yield "total_complaints", sorted(now, key=lambda subject: -now[subject]), words


def _validity(this: Figures, _last: Figures) -> Iterator[Finding]:
    yield "valid_from", this.outside, f"the time of validity does not touch {this.month}"


_RULES = (_grades, _hotline, _prices, _complaints, _validity)


def _mean(values: Mapping[str, Decimal]) -> Decimal:
    return sum(values.values(), Decimal(0)) / len(values)
