from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from report_service.adapters.obelis.wire import DatetimeFormat, Wire
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.domain.parsers import AdditionalCost, ContractualBasis
from report_service.domain.reports import (
    AdHocTariff,
    HotlineRating,
    HubRating,
    NondiscriminatoryAccess,
    PointRating,
    Report,
)
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PATHS, GUIDE_PREFIX, Routes
from report_service.errors import ConfigurationError

MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11"
VALID_FROM = datetime(2026, 9, 30, 22, 0, 0, 501999, tzinfo=UTC)
VALID_TO = datetime(2026, 10, 31, 23, tzinfo=UTC)
PARKING = AdditionalCost(description="Parken über 4 h", cost_ct=50)

HOTLINE = HotlineRating(
    month=MONTH,
    hotline_calls=120,
    fcr_rate=Decimal("0.930"),
    asa_seconds=Decimal("12.5"),
    rating=Decimal("1.5"),
)
ACCESS = NondiscriminatoryAccess(
    month=MONTH,
    provider_group="DEVFL",
    cost_ct_per_kwh=45,
    additional_costs=(PARKING,),
    valid_from=VALID_FROM,
    valid_to=VALID_TO,
    contractual_basis=ContractualBasis.ROAMING_CONTRACT,
    reasoning_different_costs="Volume",
)
HUB_RATING = HubRating(month=MONTH, hub_id=HUB, rating=Decimal("2.5"))
TARIFF = AdHocTariff(
    month=MONTH, hub_id=HUB, cost_ct_per_kwh=59, additional_costs=(), valid_from=VALID_FROM, valid_to=VALID_TO
)
POINT_RATING = PointRating(month=MONTH, hub_id=HUB, point_id=POINT, rating=Decimal("2.4"), total_complaints=3)
ACCESS_BODY = (
    '"cost":45,"additionalCosts":[{"description":"Parken über 4 h","cost":50}],'
    '"validFrom":"2026-09-30T22:00:00.501Z","validTo":"2026-10-31T23:00:00.000Z",'
    '"contractualBasis":"ROAMING_CONTRACT","reasoningDifferentCosts":"Volume"}'
)
TARIFF_BODY = '"cost":59,"validFrom":"2026-09-30T22:00:00.501Z","validTo":"2026-10-31T23:00:00.000Z"}'


def wire(*, correction: str = GUIDE_CORRECTION, datetime_format: DatetimeFormat = "milliseconds") -> Wire:
    return Wire(Routes.of(prefix=GUIDE_PREFIX, paths=GUIDE_PATHS, correction=correction), datetime_format)


@pytest.mark.parametrize(
    ("report", "path", "body"),
    [
        (
            HOTLINE,
            "/hotline-ratings",
            '{"month":"10-2026","hotlineCalls":120,"fcrRate":0.93,"asa":12.5,"rating":2}',
        ),
        (ACCESS, "/nondiscriminatory-access", '{"month":"10-2026","providerGroup":"DEVFL",' + ACCESS_BODY),
        (HUB_RATING, f"/charginghub/{HUB}/ratings", '{"month":"10-2026","rating":3}'),
        (TARIFF, f"/charginghub/{HUB}/ad-hoc-tariff", '{"month":"10-2026",' + TARIFF_BODY),
        (
            POINT_RATING,
            f"/charginghub/{HUB}/chargingpoint/{POINT}/ratings",
            '{"month":"10-2026","rating":2,"totalComplaints":3}',
        ),
    ],
)
def test_each_kind_is_created_as_the_api_describes_it(report: Report, path: str, body: str) -> None:
    created = wire().create(report)

    assert created.path == GUIDE_PREFIX + path
    assert created.body.decode() == body
    assert created.sha256 == hashlib.sha256(body.encode()).hexdigest()


@pytest.mark.parametrize(
    ("report", "subject", "path", "body"),
    [
        (
            HOTLINE,
            "",
            "/hotline-ratings/10-2026",
            '{"month":"10-2026","hotlineCalls":120,"fcrRate":0.93,"asa":12.5,"rating":2}',
        ),
        (ACCESS, "DEVFL", "/nondiscriminatory-access/DEVFL/10-2026", "{" + ACCESS_BODY),
        (HUB_RATING, HUB, f"/charginghub/{HUB}/ratings/10-2026", '{"rating":3}'),
        (TARIFF, HUB, f"/charginghub/{HUB}/ad-hoc-tariff/10-2026", "{" + TARIFF_BODY),
        (
            POINT_RATING,
            POINT,
            f"/charginghub/{HUB}/chargingpoint/{POINT}/ratings/10-2026",
            '{"rating":2,"totalComplaints":3}',
        ),
    ],
)
def test_each_kind_is_corrected_without_what_the_path_says(
    report: Report, subject: str, path: str, body: str
) -> None:
    created = wire().create(report)
    key = DeliveryKey(MONTH, report.kind, subject)

    corrected = wire().correction_of(key, created.path, created.body, obelis_id=None)

    assert corrected.path == GUIDE_PREFIX + path
    assert corrected.body.decode() == body
    assert corrected.sha256 == hashlib.sha256(body.encode()).hexdigest()


def test_a_correction_may_name_the_id_that_the_api_gave() -> None:
    by_id = wire(correction="/{obelis_id}")
    created = by_id.create(HUB_RATING)
    key = DeliveryKey(MONTH, Kind.HUB_RATING, HUB)

    corrected = by_id.correction_of(key, created.path, created.body, obelis_id="a/b")
    with pytest.raises(ConfigurationError, match=r"needs \{obelis_id\}, which the ledger") as refused:
        by_id.correction_of(key, created.path, created.body, obelis_id=None)

    assert corrected.path.endswith("/ratings/a%2Fb")
    assert refused.value.hint


def test_a_correction_under_other_paths_than_those_of_creation_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"/locations/7/ratings, which is not the form of obelis\.paths\.hub_rating"
    ):
        wire().correction_of(
            DeliveryKey(MONTH, Kind.HUB_RATING, HUB), "/locations/7/ratings", b"{}", obelis_id=None
        )


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
    other = HotlineRating(
        month=MONTH,
        hotline_calls=120,
        fcr_rate=Decimal("0.93"),
        asa_seconds=Decimal("1250e-2"),
        rating=Decimal("1.50"),
    )

    assert wire().create(other) == wire().create(HOTLINE)


def test_zero_is_never_negative_on_the_wire() -> None:
    body = (
        wire()
        .create(
            HotlineRating(
                month=MONTH,
                hotline_calls=0,
                fcr_rate=Decimal("-0"),
                asa_seconds=Decimal("-0.0"),
                rating=Decimal(1),
            )
        )
        .body
    )

    assert b'"fcrRate":0.0,"asa":0.0' in body


def test_optional_fields_are_left_out_when_there_is_nothing_to_say() -> None:
    silent = NondiscriminatoryAccess(
        month=MONTH,
        provider_group="DEVFL",
        cost_ct_per_kwh=45,
        additional_costs=(),
        valid_from=VALID_FROM,
        valid_to=VALID_TO,
        contractual_basis=ContractualBasis.BILATERAL_CONTRACT,
        reasoning_different_costs=None,
    )

    assert json.loads(wire().create(silent).body).keys() == {
        "month",
        "providerGroup",
        "cost",
        "validFrom",
        "validTo",
        "contractualBasis",
    }
