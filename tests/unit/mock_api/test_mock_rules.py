"""The limits of OpenAPI 0.9 on every field, with strict JSON types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.mock_api.app import MockObelis
from tests.support.fakes import FakeClock
from tests.support.mock_caller import BODIES, PATHS, Caller, said, without

if TYPE_CHECKING:
    from report_service.domain.kinds import Kind


@pytest.fixture
def caller() -> Caller:
    return Caller(MockObelis(clock=FakeClock()))


COST = {"description": "fee", "cost": 1}

ACCEPTED = [
    (HOTLINE_RATING, {"hotlineCalls": 0, "fcrRate": 0, "asa": 0.0, "rating": 1}),
    (HOTLINE_RATING, {"hotlineCalls": 2**31 - 1, "fcrRate": 1, "asa": 1e6, "rating": 6}),
    (NONDISCRIMINATORY_ACCESS, {"providerGroup": "AT1X2", "contractualBasis": "BILATERAL_CONTRACT"}),
    (NONDISCRIMINATORY_ACCESS, {"reasoningDifferentCosts": ""}),
    (AD_HOC_TARIFF, {"cost": 0, "additionalCosts": []}),
    (AD_HOC_TARIFF, {"contractualBasis": "ROAMING_CONTRACT"}),
    (AD_HOC_TARIFF, {"validFrom": "2026-10-01T00:00:00Z", "validTo": "2026-10-01T00:00:00.000001Z"}),
    (POINT_RATING, {"totalComplaints": 2**31 - 1}),
]

BROKEN: dict[tuple[Kind, str], list[object]] = {
    (HUB_RATING, "rating"): [0, 7, 1.0, True, "1", None, [1]],
    (HUB_RATING, "month"): ["2026-10", "13-2026", "00-2026", "1-2026", "10-0000", 102026],
    (HUB_RATING, "totalComplaints"): [0],  # no field of this report
    (HOTLINE_RATING, "hotlineCalls"): [-1, 2**31, 3.0, False],
    (HOTLINE_RATING, "fcrRate"): [-0.01, 1.01, "0.5", True, None],
    (HOTLINE_RATING, "asa"): [-0.5, "31", False],
    (NONDISCRIMINATORY_ACCESS, "providerGroup"): ["DEVF", "DEVFLX", "DE*VF", "devfl", 12345],
    (NONDISCRIMINATORY_ACCESS, "contractualBasis"): ["ROAMING", "", None],
    (NONDISCRIMINATORY_ACCESS, "reasoningDifferentCosts"): [None],
    (AD_HOC_TARIFF, "cost"): [-1, 0.59, "59"],
    (AD_HOC_TARIFF, "validFrom"): [
        "2026-10-01",
        "2026-10-01T00:00:00",
        "2026-10-01T00:00:00+02:00",
        "2026-10-01 00:00:00Z",
        "2026-02-30T00:00:00Z",
        1790812800,
    ],
    (AD_HOC_TARIFF, "validTo"): ["2026-09-30T23:59:59.999Z"],  # before validFrom
    (AD_HOC_TARIFF, "additionalCosts"): [
        None,
        {},
        ["fee"],
        [{"description": "fee"}],
        [{"description": "", "cost": 1}],
        [{"description": "fee", "cost": 0.5}],
        [{**COST, "unit": "ct"}],
        [COST, COST],
    ],
    (POINT_RATING, "totalComplaints"): [-1, 0.0, None],
}


@pytest.mark.parametrize(("kind", "fields"), ACCEPTED)
def test_values_at_the_limits_are_accepted(caller: Caller, kind: Kind, fields: dict[str, object]) -> None:
    assert caller.create(kind, **fields).http_status == 200


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [(kind, field, value) for (kind, field), values in BROKEN.items() for value in values],
)
def test_values_that_break_a_rule_are_refused_by_name(
    caller: Caller, kind: Kind, field: str, value: object
) -> None:
    answer = caller.create(kind, **{field: value})
    assert answer.http_status == 400
    assert said(answer)["statusCode"] == 400
    assert f"; {field} " in said(answer)["message"]
    assert caller.mock.reports == {}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field)
        for kind, body in BODIES.items()
        for field in body
        if field not in {"additionalCosts", "reasoningDifferentCosts"}
    ],
)
def test_required_fields_must_be_there(caller: Caller, kind: Kind, field: str) -> None:
    answer = caller.send("POST", PATHS[kind], without(BODIES[kind], field))
    assert answer.http_status == 400
    assert f"{field} is missing" in said(answer)["message"]


def test_optional_fields_may_be_left_out(caller: Caller) -> None:
    kind = NONDISCRIMINATORY_ACCESS
    body = without(BODIES[kind], "additionalCosts", "reasoningDifferentCosts")
    assert caller.send("POST", PATHS[kind], body).http_status == 200


def test_everything_that_is_wrong_is_named_at_once(caller: Caller) -> None:
    answer = caller.send("POST", PATHS[POINT_RATING], {"month": "10-2026", "rating": 9, "stars": 5})
    assert said(answer)["message"] == (
        "Invalid request; totalComplaints is missing; rating must be a whole number from 1 to 6; "
        "stars is not a field of this report"
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b'{"month":"10-2026","rating":NaN}', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(caller: Caller, body: bytes) -> None:
    answer = caller.send("POST", PATHS[HUB_RATING], body)
    assert (answer.http_status, said(answer)["message"]) == (400, "The body is not a JSON object")


def test_the_content_type_must_be_json(caller: Caller) -> None:
    answer = caller.send("POST", PATHS[HUB_RATING], BODIES[HUB_RATING], headers={"Content-Type": "text/plain"})
    assert (answer.http_status, said(answer)["message"]) == (400, "Content-Type must be application/json")


@pytest.mark.parametrize("kind", [HUB_RATING, AD_HOC_TARIFF, POINT_RATING])
def test_a_correction_does_not_repeat_the_month(caller: Caller, kind: Kind) -> None:
    caller.create(kind)
    answer = caller.send("PUT", f"{PATHS[kind]}/10-2026", BODIES[kind])
    assert answer.http_status == 400
    assert "month is not a field" in said(answer)["message"]


def test_a_correction_does_not_repeat_the_provider_group(caller: Caller) -> None:
    caller.create(NONDISCRIMINATORY_ACCESS)
    answer = caller.correct(NONDISCRIMINATORY_ACCESS, providerGroup="DEVFL")
    assert answer.http_status == 400
    assert "providerGroup is not a field" in said(answer)["message"]
