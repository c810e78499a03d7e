from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from report_service.adapters.wire import DatetimeFormat, Wire
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.parsers import AdditionalCost, ContractualBasis
from report_service.domain.reports import Report
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PATHS, GUIDE_PREFIX, Routes
from report_service.errors import ConfigurationError

MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11"
VALID_FROM = datetime(2026, 9, 30, 22, 0, 0, 501999, tzinfo=UTC)
VALID_TO = datetime(2026, 10, 31, 23, tzinfo=UTC)
PARKING = AdditionalCost(description="Parken über 4 h", cost_ct=50)

HOTLINE = Report(
    key=DeliveryKey(MONTH, HOTLINE_RATING),
    figures={"hotline_calls": 120, "fcr_rate": Decimal("0.930"), "asa_seconds": Decimal("12.5"), "rating": 2},
)
ACCESS = Report(
    key=DeliveryKey(MONTH, NONDISCRIMINATORY_ACCESS, "DEVFL"),
    figures={
        "cost_ct_per_kwh": 45,
        "additional_costs": (PARKING,),
        "valid_from": VALID_FROM,
        "valid_to": VALID_TO,
        "contractual_basis": ContractualBasis.ROAMING_CONTRACT,
        "reasoning_different_costs": "Volume",
    },
)
HUB_REPORT = Report(key=DeliveryKey(MONTH, HUB_RATING, HUB), figures={"rating": 3})
TARIFF = Report(
    key=DeliveryKey(MONTH, AD_HOC_TARIFF, HUB),
    figures={
        "cost_ct_per_kwh": 59,
        "additional_costs": (),
        "valid_from": VALID_FROM,
        "valid_to": VALID_TO,
        "contractual_basis": None,
    },
)
POINT_REPORT = Report(
    key=DeliveryKey(MONTH, POINT_RATING, POINT), hub_id=HUB, figures={"rating": 2, "total_complaints": 3}
)
ACCESS_BODY = (
    '"cost":45,"additionalCosts":[{"description":"Parken über 4 h","cost":50}],'
    '"validFrom":"2026-09-30T22:00:00.501Z","validTo":"2026-10-31T23:00:00.000Z",'
    '"contractualBasis":"ROAMING_CONTRACT","reasoningDifferentCosts":"Volume"}'
)
TARIFF_BODY = '"cost":59,"validFrom":"2026-09-30T22:00:00.501Z","validTo":"2026-10-31T23:00:00.000Z"}'


def wire(*, correction: str = GUIDE_CORRECTION, datetime_format: DatetimeFormat = "milliseconds") -> Wire:
    return Wire(Routes.of(prefix=GUIDE_PREFIX, paths=GUIDE_PATHS, correction=correction), datetime_format)


MONTH_FIELD = '"month":"10-2026",'
KINDS_SENT = [
    (
        HOTLINE,
        "/hotline-ratings",
        "/10-2026",
        "",
        MONTH_FIELD + '"hotlineCalls":120,"fcrRate":0.93,"asa":12.5,"rating":2}',
    ),
    (
        ACCESS,
        "/nondiscriminatory-access",
        "/DEVFL/10-2026",
        MONTH_FIELD + '"providerGroup":"DEVFL",',
        ACCESS_BODY,
    ),
    (HUB_REPORT, f"/charginghub/{HUB}/ratings", "/10-2026", MONTH_FIELD, '"rating":3}'),
    (TARIFF, f"/charginghub/{HUB}/ad-hoc-tariff", "/10-2026", MONTH_FIELD, TARIFF_BODY),
    (
        POINT_REPORT,
        f"/charginghub/{HUB}/chargingpoint/{POINT}/ratings",
        "/10-2026",
        MONTH_FIELD,
        '"rating":2,"totalComplaints":3}',
    ),
]
"""A report of each kind, its path, what a correction's path adds, the fields that it leaves out, the rest."""
each_kind = pytest.mark.parametrize(("report", "path", "added", "left_out", "rest"), KINDS_SENT)


@each_kind
def test_each_kind_is_created_as_the_api_describes_it(
    report: Report, path: str, added: str, left_out: str, rest: str
) -> None:
    created = wire().create(report)

    body = "{" + left_out + rest
    assert created.path == GUIDE_PREFIX + path
    assert created.body.decode() == body
    assert created.sha256 == hashlib.sha256(body.encode()).hexdigest()


@each_kind
def test_each_kind_is_corrected_without_what_the_path_says(
    report: Report, path: str, added: str, left_out: str, rest: str
) -> None:
    created = wire().create(report)

    corrected = wire().correction_of(report.key, created.path, created.body, obelis_id=None)

    body = "{" + rest
    assert corrected.path == GUIDE_PREFIX + path + added
    assert corrected.body.decode() == body
    assert corrected.sha256 == hashlib.sha256(body.encode()).hexdigest()


def test_a_correction_may_name_the_id_that_the_api_gave() -> None:
    by_id = wire(correction="/{obelis_id}")
    created = by_id.create(HUB_REPORT)
    key = DeliveryKey(MONTH, HUB_RATING, HUB)

    corrected = by_id.correction_of(key, created.path, created.body, obelis_id="a/b")
    with pytest.raises(ConfigurationError, match=r"needs \{obelis_id\}, which the ledger") as refused:
        by_id.correction_of(key, created.path, created.body, obelis_id=None)

    assert corrected.path.endswith("/ratings/a%2Fb")
    assert refused.value.hint


def test_a_correction_under_other_paths_than_those_of_creation_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"/locations/7/ratings, which is not the form of obelis\.paths\.hub_rating"
    ):
        wire().correction_of(DeliveryKey(MONTH, HUB_RATING, HUB), "/locations/7/ratings", b"{}", obelis_id=None)


@pytest.mark.parametrize(
    ("datetime_format", "valid_from"),
    [
        ("seconds", "2026-09-30T22:00:00Z"),
        ("milliseconds", "2026-09-30T22:00:00.501Z"),
        ("microseconds", "2026-09-30T22:00:00.501999Z"),
        ("0.9", "2026-09-30T22:00:00.50"),
    ],
)
def test_date_times_are_utc_and_cut_to_the_fraction_that_is_set(
    datetime_format: DatetimeFormat, valid_from: str
) -> None:
    body = json.loads(wire(datetime_format=datetime_format).create(TARIFF).body)

    assert body["validFrom"] == valid_from


def test_the_same_figures_make_the_same_bytes_however_they_are_written() -> None:
    other = replace(
        HOTLINE, figures={**HOTLINE.figures, "fcr_rate": Decimal("0.93"), "asa_seconds": Decimal("1250e-2")}
    )

    assert wire().create(other) == wire().create(HOTLINE)


def test_zero_is_never_negative_on_the_wire() -> None:
    negative = {"fcr_rate": Decimal("-0"), "asa_seconds": Decimal("-0.0")}
    body = wire().create(replace(HOTLINE, figures={**HOTLINE.figures, **negative})).body

    assert b'"fcrRate":0.0,"asa":0.0' in body


def test_optional_fields_are_left_out_when_there_is_nothing_to_say() -> None:
    nothing = {"additional_costs": None, "reasoning_different_costs": None}
    silent = replace(ACCESS, figures={**ACCESS.figures, **nothing})

    assert json.loads(wire().create(silent).body).keys() == {
        "month",
        "providerGroup",
        "cost",
        "validFrom",
        "validTo",
        "contractualBasis",
    }
