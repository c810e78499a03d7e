"""Forms to fill in, and what belongs in their cells: the rules of the parsers, in a spreadsheet's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain import parsers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from report_service.domain.descriptors import Column
    from report_service.domain.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One kind's form: named and headed as the file that `import` takes."""

    kind: Kind
    given: tuple[str, ...]  # the columns that are filled in: month, ids, and names for people
    rows: list[tuple[str, ...]]  # one value a given column; "" where the inventory has none

    @property
    def to_fill_in(self) -> tuple[Column, ...]:
        """Return the columns that a person fills in; what hardly anybody needs is none of them."""
        return tuple(column for column in self.kind.columns if not column.omissible)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the header: what is given, then what is to be filled in."""
        return self.given + tuple(column.name for column in self.to_fill_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What belongs in a cell: in words, and as a range or a choice that a spreadsheet can check."""

    words: str
    low: int | None = None
    high: int | None = None  # inclusive
    whole: bool = False
    choices: tuple[str, ...] = ()


FREE = Entry(words="text; may be empty")

_ENTRIES: Mapping[Callable[[object], object], Entry] = {
    parsers.grade: Entry(words="average school grade, 1 (best) to 6, for example 2.4", low=1, high=6),
    parsers.rate: Entry(words="a share, 0 to 1: 93 % is 0.93", low=0, high=1),
    parsers.seconds: Entry(words="seconds, 0 or more", low=0, high=parsers.INT32_MAX),
    parsers.whole: Entry(words="a whole number, 0 or more", low=0, high=parsers.INT32_MAX, whole=True),
    parsers.money_ct: Entry(
        words="whole cents, as the authority wants them: EUR 0.45 is 45", low=0, high=parsers.INT32_MAX, whole=True
    ),
    parsers.contractual_basis: Entry(
        words="on what contract the price rests", choices=tuple(parsers.ContractualBasis)
    ),
    parsers.additional_costs: Entry(
        words='a JSON list, or empty: [{"description": "parking", "cost": 50}]',
    ),
    parsers.valid_from: Entry(words="the first day (2026-10-01), or a date and time"),
    parsers.valid_to: Entry(words="the last day (2026-10-31), or a date and time"),
}


def entry_of(parse: Callable[[object], object]) -> Entry:
    """Return what a column with this parser takes."""
    return _ENTRIES.get(parse, FREE)
