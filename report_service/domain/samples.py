"""Reports at the edges of what may be reported, to be held against an API's description."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.descriptors import HUB, POINT, PROVIDER_GROUP, Subject
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.months import ReportMonth
from report_service.domain.parsers import INT32_MAX, AdditionalCost, ContractualBasis
from report_service.domain.reports import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from report_service.domain.descriptors import Column
    from report_service.domain.kinds import Kind

_MONTH = ReportMonth(2024, 1)
_HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
_SUBJECTS: Mapping[Subject | None, str] = {
    None: "",
    HUB: _HUB,
    POINT: "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11",
    PROVIDER_GROUP: "DEVFL",
}
_WHOLE = (0, 1, INT32_MAX)
_EDGES: Mapping[Callable[[object], object], Sequence[object]] = {
    parsers.whole: _WHOLE,
    parsers.money_ct: _WHOLE,
    parsers.grade: range(1, 7),
    parsers.rate: tuple(map(Decimal, ("0", "0.93", "1"))),
    parsers.seconds: tuple(map(Decimal, ("0", "12.5", "3600"))),
    parsers.valid_from: (datetime(2023, 12, 31, 23, tzinfo=UTC),),
    parsers.valid_to: (datetime(2024, 1, 31, 22, 59, 59, tzinfo=UTC),),
    parsers.contractual_basis: tuple(ContractualBasis),
    parsers.text: ("Volume", "Menge"),
    parsers.additional_costs: (
        (AdditionalCost(description="Parken ab 4 h", cost_ct=0),),
        tuple(AdditionalCost(description=f"Entgelt {number}", cost_ct=INT32_MAX) for number in (1, 2)),
    ),
}
"""By what a column takes, the ends of its range or its words."""


def sample_reports() -> Iterator[Report]:
    """Yield reports of every kind: each field at the ends of its range, with each of its words, and left out."""
    for kind in KINDS:
        for omitting in {False} | {column.omissible for column in kind.columns}:
            yield from _samples(kind, omitting=omitting)


def _samples(kind: Kind, *, omitting: bool) -> Iterator[Report]:
    """Yield reports of one kind; `omitting`: without what files may do without."""
    key = DeliveryKey(_MONTH, kind, _SUBJECTS[kind.subject])
    edges = {
        column.name: (None,) if omitting and column.omissible else _edges(kind, column) for column in kind.columns
    }
    for number in range(max(map(len, edges.values()))):
        figures = {name: values[number % len(values)] for name, values in edges.items()}
        yield Report(key=key, hub_id=_HUB if kind.subject is POINT else None, figures=figures)


def _edges(kind: Kind, column: Column) -> Sequence[object]:
    """Return a column's values at the edges; of a kind's own sort of value, one that the kind makes up."""
    made_up = kind.sample(_MONTH, Random(1)).get(column.name)  # noqa: S311 - made-up figures
    own = () if made_up is None else (column.parse(made_up),)
    return (*_EDGES.get(column.parse, own), *(() if column.required else (None,)))
