"""Reports at the edges of what may be reported, to be held against an API's description."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from report_service.domain.months import ReportMonth
from report_service.domain.parsers import INT32_MAX, AdditionalCost, ContractualBasis
from report_service.domain.reports import (
    AdHocTariff,
    HotlineRating,
    HubRating,
    NondiscriminatoryAccess,
    PointRating,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.domain.reports import Report

_MONTH = ReportMonth(2024, 1)
_HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
_POINT = "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11"
_FROM = datetime(2023, 12, 31, 23, tzinfo=UTC)
_TO = datetime(2024, 1, 31, 23, tzinfo=UTC)
_WHOLE = (0, 1, INT32_MAX)
_GRADES = tuple(map(Decimal, range(1, 7)))
_COSTS = (
    (),
    (AdditionalCost(description="Parken ab 4 h", cost_ct=0),),
    tuple(AdditionalCost(description=f"Entgelt {number}", cost_ct=INT32_MAX) for number in (1, 2)),
)


def sample_reports(*, provider_group: str = "DEVFL") -> Iterator[Report]:
    """Yield reports of every kind: each field at the ends of its range, with each of its words, and left out."""
    yield from (
        HotlineRating(month=_MONTH, hotline_calls=calls, fcr_rate=rate, asa_seconds=asa, rating=grade)
        for calls, rate, asa in zip(
            _WHOLE, map(Decimal, ("0", "0.93", "1")), map(Decimal, ("0", "12.5", "3600")), strict=True
        )
        for grade in _GRADES
    )
    yield from (
        NondiscriminatoryAccess(
            month=_MONTH,
            provider_group=provider_group,
            cost_ct_per_kwh=cost,
            additional_costs=further,
            valid_from=_FROM,
            valid_to=_TO,
            contractual_basis=basis,
            reasoning_different_costs=reason,
        )
        for cost, further, reason in zip(_WHOLE, _COSTS, (None, "Volume", "Menge"), strict=True)
        for basis in ContractualBasis
    )
    yield from (HubRating(month=_MONTH, hub_id=_HUB, rating=grade) for grade in _GRADES)
    yield from (
        AdHocTariff(
            month=_MONTH,
            hub_id=_HUB,
            cost_ct_per_kwh=cost,
            additional_costs=further,
            valid_from=_FROM,
            valid_to=_TO,
        )
        for cost, further in zip(_WHOLE, _COSTS, strict=True)
    )
    yield from (
        PointRating(month=_MONTH, hub_id=_HUB, point_id=_POINT, rating=grade, total_complaints=complaints)
        for grade in _GRADES
        for complaints in _WHOLE
    )
