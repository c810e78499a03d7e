"""What a kind of report is made of: the form of the descriptors in `report_service.domain.kinds`.

Tables, paths, bodies, settings, log values and texts all follow from a kind's descriptor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.field_errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from report_service.domain.field_errors import RowReader
    from report_service.domain.months import ReportMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What some kinds of report are about: one report a month and subject."""

    column: str  # that names it in source tables, and the placeholder in paths
    parse: Callable[[object], str]
    field: str = ""  # its name in the body; "": only the path says it

    def canonical(self, text: str) -> str:
        """Return a subject as the ledger has it; what no parser knows stays as it is."""
        try:
            return self.parse(text)
        except InvalidValue:
            return text


PROVIDER_GROUP = Subject(column="provider_group", parse=parsers.provider_group, field="providerGroup")
HUB = Subject(column="hub_id", parse=parsers.uuid)
POINT = Subject(column="point_id", parse=parsers.uuid)  # a path may name its hub, too, which the inventory knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure: a column of the source table, and a field of the report's body."""

    name: str
    field: str  # its name in the body
    stored: Callable[[object], object]  # what the table takes
    parse: Callable[[object], object]  # what the API takes, of what the table does
    required: bool = True  # False: an empty one is left out of the body
    omissible: bool = False  # True: files, queries and forms may do without the column
    waivable: bool = False  # an empty one may mean that there is nothing to report
    zero_means: str = ""  # why no other figure can be there when it is 0


def _no_check(_reader: RowReader, _figures: Mapping[str, object]) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Kind:
    """A kind of monthly report; there is one object of each, compared by identity."""

    name: str  # in keys, settings, ledger and log
    rank: int  # the place in the order of sending, lowest first: what the most depends on goes first
    label: str  # for people
    german: str  # for the authority
    source: str  # the name of its source, and of the file `<source>.csv`
    subject: Subject | None  # None: one a month
    columns: tuple[Column, ...]  # after month and subject, in the order of table and body
    path: str  # below the prefix [G]; may hold its subject's placeholder, a point's also {hub_id}
    correction_path: str = ""  # what a correction's path has between this path and its configured end
    correction_omits: frozenset[str] = frozenset({"month"})  # fields that a correction's body leaves out [0.9]
    check: Callable[[RowReader, Mapping[str, object]], None] = _no_check  # what figures must be to each other
    sample: Callable[[ReportMonth, Random], Mapping[str, object]]  # made-up figures by column, for mock and demo

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__
