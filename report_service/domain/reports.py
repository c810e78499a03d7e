"""The five kinds of report: what a source's row must hold to become one.

Ranges and fields are those of the API [0.9]; a rating may be an average, of which the grade is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from report_service.domain import parsers
from report_service.domain.field_errors import MUST_BE_GIVEN, FieldError, FieldErrors, RowReader
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.table_schemas import CONFLICT, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from report_service.domain.months import ReportMonth
    from report_service.domain.parsers import AdditionalCost, ContractualBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class HotlineRating:
    """How the operator's hotline did: one a month."""

    kind: ClassVar = Kind.HOTLINE_RATING
    month: ReportMonth
    hotline_calls: int
    fcr_rate: Decimal  # first call resolution, 0..1
    asa_seconds: Decimal  # average speed of answer
    rating: Decimal  # 1..6, 1 best, as given


@dataclass(frozen=True, slots=True, kw_only=True)
class NondiscriminatoryAccess:
    """What one provider group is charged: one a month and provider group."""

    kind: ClassVar = Kind.NONDISCRIMINATORY_ACCESS
    month: ReportMonth
    provider_group: str
    cost_ct_per_kwh: int
    additional_costs: tuple[AdditionalCost, ...]  # a set, sorted; empty: none
    valid_from: datetime  # UTC, like valid_to
    valid_to: datetime
    contractual_basis: ContractualBasis
    reasoning_different_costs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRating:
    """How customers rate a charging hub: one a month and hub."""

    kind: ClassVar = Kind.HUB_RATING
    month: ReportMonth
    hub_id: str
    rating: Decimal  # 1..6, 1 best, as given


@dataclass(frozen=True, slots=True, kw_only=True)
class AdHocTariff:
    """What charging without a contract costs at a hub: one a month and hub."""

    kind: ClassVar = Kind.AD_HOC_TARIFF
    month: ReportMonth
    hub_id: str
    cost_ct_per_kwh: int
    additional_costs: tuple[AdditionalCost, ...]  # a set, sorted; empty: none
    valid_from: datetime  # UTC, like valid_to
    valid_to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRating:
    """How customers rate a charging point: one a month and point."""

    kind: ClassVar = Kind.POINT_RATING
    month: ReportMonth
    hub_id: str  # where the inventory says that the point is
    point_id: str
    rating: Decimal  # 1..6, 1 best, as given
    total_complaints: int


Report = HotlineRating | NondiscriminatoryAccess | HubRating | AdHocTariff | PointRating


def subject_of(kind: Kind, row: Mapping[str, object]) -> str | FieldError:
    """Return what a row is about, as delivery keys have it (the hotline: ""), or the fault that hides it."""
    if kind is Kind.HOTLINE_RATING:
        return ""
    reader = RowReader(row)
    column, parse = SUBJECTS[kind]
    subject = reader.required(column, parse)
    return reader.faults[0] if reader.faults else subject


def read_report(
    kind: Kind, month: ReportMonth, row: Mapping[str, object], *, hub_id: str | None
) -> Report | FieldErrors:
    """Return the report that a row of raw values makes, or every reason why it makes none.

    `hub_id` is the hub of a point (`Inventory.hub_of`), None if the inventory names none; other kinds ignore it.
    """
    reader = RowReader(row)
    if not reader.lacks(CONFLICT):
        return (FieldError("month", row.get("month"), str(row[CONFLICT])),)
    if reader.required("month", parsers.month) != month and not reader.faults:
        reader.refuse("month", f"must be {month}, the month that was asked for")
    report = _READERS[kind](reader, month, hub_id)
    return tuple(reader.faults) or report


def _hotline_rating(reader: RowReader, month: ReportMonth, _hub_id: str | None) -> HotlineRating:
    kind = Kind.HOTLINE_RATING
    calls = reader.required("hotline_calls", parsers.whole)
    silent = calls == 0 and any(map(reader.lacks, ("fcr_rate", "asa_seconds", "rating")))
    if silent:
        reader.refuse("hotline_calls", f"without calls there is nothing to rate; {_way_out(month, kind)}")
    missing = "" if silent else MUST_BE_GIVEN
    return HotlineRating(
        month=month,
        hotline_calls=calls,
        fcr_rate=reader.required("fcr_rate", parsers.rate, missing=missing),
        asa_seconds=reader.required("asa_seconds", parsers.seconds, missing=missing),
        rating=reader.required(
            "rating", parsers.rating, missing=missing and f"{missing}; {_way_out(month, kind)}"
        ),
    )


def _nondiscriminatory_access(
    reader: RowReader, month: ReportMonth, _hub_id: str | None
) -> NondiscriminatoryAccess:
    provider_group = reader.required("provider_group", parsers.provider_group)
    cost, additional_costs = _costs(reader)
    valid_from, valid_to = _validity(reader)
    return NondiscriminatoryAccess(
        month=month,
        provider_group=provider_group,
        cost_ct_per_kwh=cost,
        additional_costs=additional_costs,
        valid_from=valid_from,
        valid_to=valid_to,
        contractual_basis=reader.required("contractual_basis", parsers.contractual_basis),
        reasoning_different_costs=reader.optional("reasoning_different_costs", parsers.text),
    )


def _hub_rating(reader: RowReader, month: ReportMonth, _hub_id: str | None) -> HubRating:
    hub_id = reader.required("hub_id", parsers.uuid)
    return HubRating(month=month, hub_id=hub_id, rating=_rating(reader, month, Kind.HUB_RATING, hub_id))


def _ad_hoc_tariff(reader: RowReader, month: ReportMonth, _hub_id: str | None) -> AdHocTariff:
    hub_id = reader.required("hub_id", parsers.uuid)
    cost, additional_costs = _costs(reader)
    valid_from, valid_to = _validity(reader)
    return AdHocTariff(
        month=month,
        hub_id=hub_id,
        cost_ct_per_kwh=cost,
        additional_costs=additional_costs,
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _point_rating(reader: RowReader, month: ReportMonth, hub_id: str | None) -> PointRating:
    point_id = reader.required("point_id", parsers.uuid)
    if hub_id is None:
        reader.refuse("hub_id", "the inventory names no hub for this point, and the report's path needs it")
    return PointRating(
        month=month,
        hub_id=hub_id or "",
        point_id=point_id,
        rating=_rating(reader, month, Kind.POINT_RATING, point_id),
        total_complaints=reader.required("total_complaints", parsers.whole),
    )


_READERS: Mapping[Kind, Callable[[RowReader, ReportMonth, str | None], Report]] = {
    Kind.HOTLINE_RATING: _hotline_rating,
    Kind.NONDISCRIMINATORY_ACCESS: _nondiscriminatory_access,
    Kind.HUB_RATING: _hub_rating,
    Kind.AD_HOC_TARIFF: _ad_hoc_tariff,
    Kind.POINT_RATING: _point_rating,
}


def _rating(reader: RowReader, month: ReportMonth, kind: Kind, subject: str) -> Decimal:
    missing = f"{MUST_BE_GIVEN}; {_way_out(month, kind, subject)}" if reader.lacks("rating") else ""
    return reader.required("rating", parsers.rating, missing=missing)


def _way_out(month: ReportMonth, kind: Kind, subject: str = "") -> str:
    key = DeliveryKey(month, kind, subject)
    return f"if there is nothing to report, declare it: report-service waive {key} --reason ..."


def _costs(reader: RowReader) -> tuple[int, tuple[AdditionalCost, ...]]:
    cost = reader.required("cost_ct_per_kwh", parsers.money_ct)
    return cost, reader.optional("additional_costs", parsers.additional_costs) or ()


def _validity(reader: RowReader) -> tuple[datetime, datetime]:
    known = len(reader.faults)
    valid_from = reader.required("valid_from", parsers.valid_from)
    valid_to = reader.required("valid_to", parsers.valid_to)
    if len(reader.faults) == known and valid_from >= valid_to:
        reader.refuse("valid_to", f"must be after valid_from ({valid_from:%Y-%m-%dT%H:%M:%SZ})")
    return valid_from, valid_to
