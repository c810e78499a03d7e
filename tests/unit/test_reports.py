from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from report_service.domain.field_errors import FieldError
from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.parsers import AdditionalCost, ContractualBasis
from report_service.domain.reports import Report, read_report, subject_of
from report_service.domain.table_schemas import REPORT_SCHEMAS, TABLE_SCHEMAS

MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11"
TARIFF = {
    "cost_ct_per_kwh": "45",
    "additional_costs": '[{"description": "parking", "cost": 50}]',
    "valid_from": "2026-10-01T00:00:00+02:00",
    "valid_to": "2026-11-01T00:00:00Z",
}
ROWS: dict[Kind, dict[str, object]] = {
    HOTLINE_RATING: {
        "month": "2026-10",
        "hotline_calls": "120",
        "fcr_rate": "0,93",
        "asa_seconds": 12.5,
        "rating": "1.8",
    },
    NONDISCRIMINATORY_ACCESS: {
        "month": "2026-10",
        "provider_group": "devfl",
        **TARIFF,
        "contractual_basis": "ROAMING_CONTRACT",
        "reasoning_different_costs": "",
    },
    HUB_RATING: {"month": "2026-10", "hub_id": HUB.upper(), "rating": 2.5},
    AD_HOC_TARIFF: {"month": "2026-10", "hub_id": HUB, **TARIFF, "contractual_basis": ""},
    POINT_RATING: {"month": "2026-10", "point_id": POINT, "rating": "2", "total_complaints": "0"},
}


def read(kind: Kind, changed: dict[str, object], *, hub_id: str | None = HUB) -> Report | list[str]:
    """Return the report of a good row with some values changed, or its faults as a person sees them."""
    found = read_report(kind, MONTH, ROWS[kind] | changed, hub_id=hub_id)
    return [str(fault) for fault in found] if isinstance(found, tuple) else found


PRICE = {
    "cost_ct_per_kwh": 45,
    "additional_costs": (AdditionalCost(description="parking", cost_ct=50),),
    "valid_from": datetime(2026, 9, 30, 22, tzinfo=UTC),
    "valid_to": datetime(2026, 11, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("kind", "subject", "figures"),
    [
        (
            HOTLINE_RATING,
            "",
            {"hotline_calls": 120, "fcr_rate": Decimal("0.93"), "asa_seconds": Decimal("12.5"), "rating": 2},
        ),
        (
            NONDISCRIMINATORY_ACCESS,
            "DEVFL",
            PRICE | {"contractual_basis": ContractualBasis.ROAMING_CONTRACT, "reasoning_different_costs": None},
        ),
        (HUB_RATING, HUB, {"rating": 3}),
        (AD_HOC_TARIFF, HUB, PRICE | {"contractual_basis": None}),
        (POINT_RATING, POINT, {"rating": 2, "total_complaints": 0}),
    ],
)
def test_a_good_row_makes_its_report(kind: Kind, subject: str, figures: dict[str, object]) -> None:
    key, hub_id = DeliveryKey(MONTH, kind, subject), HUB if kind is POINT_RATING else None
    assert read(kind, {}) == Report(key=key, hub_id=hub_id, figures=figures)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (HOTLINE_RATING, {}),
        (NONDISCRIMINATORY_ACCESS, {"provider_group": "DEVFL"}),
        (HUB_RATING, {"hub_id": HUB}),
        (AD_HOC_TARIFF, {"hub_id": HUB}),
        (POINT_RATING, {"hub_id": HUB, "point_id": POINT}),
    ],
)
def test_a_report_gives_its_path_what_it_is_about(kind: Kind, place: dict[str, str]) -> None:
    report = read(kind, {})

    assert isinstance(report, Report)
    assert report.place == place


@pytest.mark.parametrize(
    ("kind", "changed", "faults"),
    [
        (
            HOTLINE_RATING,
            {"hotline_calls": 1.5, "fcr_rate": "93", "asa_seconds": "", "rating": 7},
            [
                "hotline_calls = 1.5: must be a whole number",
                "fcr_rate = 93: must be 0 to 1 (93 % is 0.93)",
                "asa_seconds is empty: must be given",
                "rating = 7: must be 1 to 6 (1 best)",
            ],
        ),
        (
            HOTLINE_RATING,
            {"hotline_calls": 0, "fcr_rate": None, "asa_seconds": None, "rating": ""},
            [
                (
                    "hotline_calls = 0: without calls there is nothing to rate; "
                    "if there is nothing to report, declare it: "
                    "report-service waive 2026-10/hotline_rating --reason ..."
                )
            ],
        ),
        (
            HOTLINE_RATING,
            {"rating": None},
            [
                (
                    "rating is empty: must be given; if there is nothing to report, declare it: "
                    "report-service waive 2026-10/hotline_rating --reason ..."
                )
            ],
        ),
        (
            NONDISCRIMINATORY_ACCESS,
            {"provider_group": "DE-VF", "cost_ct_per_kwh": "44,5", "contractual_basis": None},
            [
                (
                    "provider_group = DE-VF: must be 2 letters (country) and 3 letters or digits (provider), "
                    "for example DEVFL"
                ),
                "cost_ct_per_kwh = 44,5: must be whole cents (EUR 0.45 is 45): money is never rounded",
                "contractual_basis is empty: must be given",
            ],
        ),
        (
            NONDISCRIMINATORY_ACCESS,
            {"valid_from": "2026-10-01", "valid_to": "2026-10-01T02:00:00+02:00"},
            ["valid_to = 2026-10-01T02:00:00+02:00: must be after valid_from (2026-10-01T00:00:00Z)"],
        ),
        (
            AD_HOC_TARIFF,
            {"hub_id": None, "valid_from": "never", "valid_to": "2026-10-01"},
            [
                "hub_id is empty: must be given",
                "valid_from = never: must be a date or date-time, for example 2026-10-01 or 2026-10-01T00:00:00Z",
            ],
        ),
        (
            HUB_RATING,
            {"month": "2026-09"},
            ["month = 2026-09: must be 2026-10, the month that was asked for"],
        ),
        (
            HUB_RATING,
            {"month": "September"},
            ["month = September: must be a month as YYYY-MM, for example 2026-10"],
        ),
        (
            POINT_RATING,
            {"rating": " ", "total_complaints": -1},
            [
                (
                    "rating is empty: must be given; if there is nothing to report, declare it: "
                    f"report-service waive 2026-10/point_rating/{POINT} --reason ..."
                ),
                "total_complaints = -1: must be 0 to 2147483647",
            ],
        ),
    ],
)
def test_a_bad_row_is_refused_with_every_reason_and_the_way_out(
    kind: Kind, changed: dict[str, object], faults: list[str]
) -> None:
    assert read(kind, changed) == faults


def test_a_hotline_without_calls_can_be_reported_when_all_figures_are_there() -> None:
    assert isinstance(read(HOTLINE_RATING, {"hotline_calls": 0}), Report)


def test_a_point_without_a_hub_cannot_be_reported() -> None:
    assert read(POINT_RATING, {}, hub_id=None) == [
        "hub_id is empty: the inventory names no hub for this point, and the report's path needs it"
    ]


def test_a_missing_column_counts_as_empty() -> None:
    found = read_report(HUB_RATING, MONTH, {"hub_id": HUB, "rating": 2}, hub_id=None)

    assert found == (FieldError("month", None, "must be given"),)


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (HOTLINE_RATING, ""),
        (NONDISCRIMINATORY_ACCESS, "DEVFL"),
        (HUB_RATING, HUB),
        (AD_HOC_TARIFF, HUB),
        (POINT_RATING, POINT),
    ],
)
def test_a_row_says_what_it_is_about(kind: Kind, subject: str) -> None:
    assert subject_of(kind, ROWS[kind]) == subject


def test_a_row_that_does_not_say_what_it_is_about_says_why() -> None:
    found = subject_of(HUB_RATING, {"hub_id": "Coswig"})

    assert isinstance(found, FieldError)
    assert (found.column, found.value) == ("hub_id", "Coswig")


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_holds_what_can_be_reported_and_what_cannot(kind: Kind) -> None:
    form = REPORT_SCHEMAS[kind]
    good = form.read(ROWS[kind])
    unratable = form.read(
        ROWS[kind] | {"rating": "7.25", "cost_ct_per_kwh": "44.5", "contractual_basis": "HANDSHAKE"}
    )

    assert isinstance(good, dict)
    assert isinstance(unratable, dict)
    assert list(good) == list(form.columns) == list(ROWS[kind])
    assert good["month"] == "2026-10"


def test_the_form_refuses_what_the_column_cannot_hold() -> None:
    found = REPORT_SCHEMAS[POINT_RATING].read(
        {"month": "", "point_id": "7", "rating": "good", "total_complaints": "1.000"}
    )

    assert isinstance(found, tuple)
    assert [fault.column for fault in found] == ["month", "point_id", "rating", "total_complaints"]


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("2026-10/hotline_rating", "2026-10/hotline_rating"),
        (f"2026-10/hub_rating/{HUB.upper()}", f"2026-10/hub_rating/{HUB}"),
        ("2026-10/nondiscriminatory_access/devfl", "2026-10/nondiscriminatory_access/DEVFL"),
    ],
)
def test_a_waiver_names_a_report_by_its_key(raw: str, key: str) -> None:
    assert TABLE_SCHEMAS["waivers"].read({"key": raw, "reason": "no calls", "declared_by": "A. Person"}) == {
        "key": key,
        "reason": "no calls",
        "declared_by": "A. Person",
    }


@pytest.mark.parametrize("raw", ["2026-10", "2026-10/hub_rating/Coswig", "2026-13/hotline_rating"])
def test_a_waiver_for_what_is_no_report_is_refused(raw: str) -> None:
    found = TABLE_SCHEMAS["waivers"].read({"key": raw, "reason": "no calls", "declared_by": "A. Person"})

    assert isinstance(found, tuple)
    assert [(fault.column, fault.value) for fault in found] == [("key", raw)]
