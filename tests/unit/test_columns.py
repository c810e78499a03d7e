from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain import columns
from report_service.domain.columns import AdditionalCost, ContractualBasis
from report_service.domain.faults import BadValue, Fault, RowFault, is_absent
from report_service.domain.months import ReportMonth

if TYPE_CHECKING:
    from collections.abc import Callable

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
BERLIN_SUMMER = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("parse", "raw", "value"),
    [
        (columns.month, "2026-10", ReportMonth(2026, 10)),
        (columns.month, " 2026-10 ", ReportMonth(2026, 10)),
        (columns.month, date(2026, 10, 1), ReportMonth(2026, 10)),
        (columns.uuid, HUB, HUB),
        (columns.uuid, f" {HUB.upper()}\n", HUB),
        (columns.uuid, HUB.replace("-", ""), HUB),
        (columns.uuid, UUID(HUB), HUB),
        (columns.evse_id, "DE*ABC*E45B*78C", "DE*ABC*E45B*78C"),
        (columns.evse_id, "deabce45b78c", "DEABCE45B78C"),
        (columns.evse_id, "DE*ABC*E" + "1" * 31, "DE*ABC*E" + "1" * 31),
        (columns.provider_group, " devfl ", "DEVFL"),
        (columns.provider_group, "AT1X2", "AT1X2"),
        (columns.text, "  Büro\u2009☃ ", "Büro\u2009☃"),
        (columns.number, "0.93", Decimal("0.93")),
        (columns.number, "0,93", Decimal("0.93")),
        (columns.number, 0.93, Decimal("0.93")),
        (columns.number, 7, Decimal(7)),
        (columns.number, Decimal("1.10"), Decimal("1.10")),
        (columns.number, "-1.5e2", Decimal(-150)),
        (columns.whole, 3, 3),
        (columns.whole, 3.0, 3),
        (columns.whole, "3", 3),
        (columns.whole, "3,0", 3),
        (columns.whole, Decimal("3.000"), 3),
        (columns.whole, 0, 0),
        (columns.whole, 2**31 - 1, 2**31 - 1),
        (columns.money_ct, "45", 45),
        (columns.rate, "0", Decimal(0)),
        (columns.rate, 1, Decimal(1)),
        (columns.seconds, "12.345", Decimal("12.345")),
        (columns.rating, "1", Decimal(1)),
        (columns.rating, 6.0, Decimal(6)),
        (columns.rating, "2,4", Decimal("2.4")),
        (columns.instant, "2026-10-01T00:00:00Z", datetime(2026, 10, 1, tzinfo=UTC)),
        (columns.instant, "2026-10-01T00:00:00.5+02:00", datetime(2026, 9, 30, 22, 0, 0, 500000, tzinfo=UTC)),
        (columns.instant, "2026-10-01 00:00:00+00", datetime(2026, 10, 1, tzinfo=UTC)),
        (columns.instant, "2026-10-01 08:30", datetime(2026, 10, 1, 8, 30, tzinfo=UTC)),
        (columns.instant, "2026-10-01", datetime(2026, 10, 1, tzinfo=UTC)),
        (columns.instant, date(2026, 10, 1), datetime(2026, 10, 1, tzinfo=UTC)),
        (columns.instant, datetime(2026, 10, 1, 2), datetime(2026, 10, 1, 2, tzinfo=UTC)),  # noqa: DTZ001
        (columns.instant, datetime(2026, 10, 1, 2, tzinfo=BERLIN_SUMMER), datetime(2026, 10, 1, tzinfo=UTC)),
        (columns.day, "2026-10-31", date(2026, 10, 31)),
        (columns.day, "2026-10-31 00:00:00.000000", date(2026, 10, 31)),
        (columns.day, date(2026, 10, 31), date(2026, 10, 31)),
        (columns.day, datetime(2026, 10, 31), date(2026, 10, 31)),  # noqa: DTZ001
        (columns.contractual_basis, "roaming_contract ", ContractualBasis.ROAMING_CONTRACT),
        (columns.additional_costs, "[]", ()),
    ],
)
def test_a_value_is_read_from_any_origin(parse: Callable[[object], object], raw: object, value: object) -> None:
    found = parse(raw)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("parse", "raw", "rule"),
    [
        (columns.month, "10-2026", "YYYY-MM"),
        (columns.month, "2026-13", "YYYY-MM"),
        (columns.month, date(2026, 10, 2), "YYYY-MM"),
        (columns.uuid, "DE*ABC*E45B*78C", "UUID"),
        (columns.uuid, HUB[:-1], "UUID"),
        (columns.uuid, 7, "UUID"),
        (columns.evse_id, "DE*ABC*P45B", "EVSE id"),
        (columns.evse_id, "DE*ABC*E", "EVSE id"),
        (columns.evse_id, "DE*ABC*E" + "1" * 32, "EVSE id"),
        (columns.evse_id, 7, "EVSE id"),
        (columns.provider_group, "DE-VFL", "DEVFL"),
        (columns.provider_group, "1EVFL", "DEVFL"),
        (columns.provider_group, 7, "DEVFL"),
        (columns.text, 7, "must be text"),
        (columns.text, "a\x00b", "NUL"),
        (columns.text, "\ud83d", "surrogate"),
        (columns.number, "n/a", "must be a number"),
        (columns.number, "1.234,5", "must be a number"),
        (columns.number, "٣", "must be a number"),
        (columns.number, "NaN", "must be a number"),
        (columns.number, True, "must be a number"),
        (columns.number, float("nan"), "must be a number"),
        (columns.number, float("-inf"), "must be a number"),
        (columns.number, Decimal("NaN"), "must be a number"),
        (columns.number, "1e9999", "must be a number"),
        (columns.whole, "3.5", "whole"),
        (columns.whole, 3.5, "whole"),
        (columns.whole, "1e-999", "whole"),
        (columns.whole, -1, "0 to 2147483647"),
        (columns.whole, 2**31, "0 to 2147483647"),
        (columns.whole, "9e999", "0 to 2147483647"),
        (columns.whole, "1.000", "thousands"),
        (columns.whole, "1,000", "thousands"),
        (columns.whole, "12.345.678", "thousands"),
        (columns.money_ct, "44.5", "EUR 0.45 is 45"),
        (columns.money_ct, 0.45, "EUR 0.45 is 45"),
        (columns.money_ct, -1, "0 to 2147483647"),
        (columns.rate, "1.01", "0 to 1"),
        (columns.rate, -0.01, "0 to 1"),
        (columns.seconds, -1, "seconds"),
        (columns.seconds, 2**31, "seconds"),
        (columns.rating, "0.99", "1 to 6 (1 best)"),
        (columns.rating, 6.01, "1 to 6 (1 best)"),
        (columns.instant, "01.10.2026 00:00", "date-time"),
        (columns.instant, "2026-02-30", "date-time"),
        (columns.instant, "2026-10-01T24:30", "date-time"),
        (columns.instant, 7, "date-time"),
        (columns.instant, "0001-01-01T00:00+02:00", "years 1 to 9999"),
        (columns.day, "31.10.2026", "YYYY-MM-DD"),
        (columns.day, "2026-02-30", "YYYY-MM-DD"),
        (columns.day, "2026-10-31 12:00:00", "YYYY-MM-DD"),
        (columns.day, datetime(2026, 10, 31, 12), "YYYY-MM-DD"),  # noqa: DTZ001
        (columns.day, 7, "YYYY-MM-DD"),
        (columns.contractual_basis, "HANDSHAKE", "ROAMING_CONTRACT or BILATERAL_CONTRACT"),
        (columns.contractual_basis, 7, "ROAMING_CONTRACT or BILATERAL_CONTRACT"),
        (columns.additional_costs, "parking 50", "JSON list"),
        (columns.additional_costs, '{"parking": 50}', "JSON list"),
        (columns.additional_costs, "[" * 100_000, "JSON list"),
        (columns.additional_costs, '[{"description": "a", "cost": 1, "cost": 2}]', "JSON list"),
        (columns.additional_costs, "[50]", '"description" and "cost"'),
        (columns.additional_costs, '[{"description": "a", "cost": 1, "vat": 2}]', '"description" and "cost"'),
        (columns.additional_costs, '[{"description": " ", "cost": 1}]', "description for each"),
        (
            columns.additional_costs,
            '[{"description": "a", "cost": 0.5}]',
            "a cost for 'a' that must be whole cents",
        ),
        (
            columns.additional_costs,
            '[{"description": "a", "cost": 1}, {"cost": 1.0, "description": "a "}]',
            "twice",
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_rule(parse: Callable[[object], object], raw: object, rule: str) -> None:
    with pytest.raises(BadValue) as bad:
        parse(raw)

    assert rule in bad.value.rule


@pytest.mark.parametrize(
    ("average", "grade"),
    [("1", 1), ("1.49", 1), ("1.5", 2), ("2.5", 3), ("2.4999999999999999999999999999999999", 2), ("6", 6)],
)
def test_an_average_becomes_a_grade_rounded_half_up(average: str, grade: int) -> None:
    assert columns.grade(Decimal(average)) == grade


def test_additional_costs_are_a_set_whatever_their_order_and_origin() -> None:
    costs = [{"description": "parking", "cost": 50}, {"description": "energy", "cost": 5}]
    expected = (
        AdditionalCost(description="energy", cost_ct=5),
        AdditionalCost(description="parking", cost_ct=50),
    )

    assert columns.additional_costs(costs) == expected
    assert columns.additional_costs(costs[::-1]) == expected
    assert columns.additional_costs(json.dumps(costs)) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_number_is_the_same_from_text_and_from_the_driver(value: Decimal) -> None:
    assert columns.number(value) == columns.number(f"{value:f}") == columns.number(f"{value:f}".replace(".", ","))


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.text(),
        st.binary(),
        st.dates(),
        st.datetimes(timezones=st.none() | st.timezones()),
        st.uuids(),
        st.lists(st.dictionaries(st.sampled_from(["description", "cost"]), st.integers() | st.text())),
    )
)
def test_no_value_does_anything_but_be_read_or_be_refused(raw: object) -> None:
    for parse in (
        columns.text,
        columns.month,
        columns.uuid,
        columns.evse_id,
        columns.provider_group,
        columns.number,
        columns.plain_number,
        columns.whole,
        columns.money_ct,
        columns.rate,
        columns.seconds,
        columns.rating,
        columns.instant,
        columns.day,
        columns.contractual_basis,
        columns.json_list,
        columns.additional_costs,
    ):
        with contextlib.suppress(BadValue):
            parse(raw)


@pytest.mark.parametrize(("raw", "absent"), [(None, True), ("", True), (" \t", True), (0, False), ("0", False)])
def test_nothing_and_blank_text_are_absent(raw: object, absent: bool) -> None:
    assert is_absent(raw) is absent


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (Fault("rating", 7, "must be 1 to 6 (1 best)"), "rating = 7: must be 1 to 6 (1 best)"),
        (Fault("rating", " ", "must be given"), "rating is empty: must be given"),
        (Fault("name", "a\nb", "must be text"), r"name = 'a\nb': must be text"),
        (Fault("name", "x" * 61, "must be short"), f"name = {'x' * 57}...: must be short"),
        (
            RowFault("hubs", "row 3", Fault("hub_id", None, "must be given")),
            "hubs, row 3: hub_id is empty: must be given",
        ),
    ],
)
def test_a_fault_names_column_value_and_rule_on_one_line(fault: Fault | RowFault, shown: str) -> None:
    assert str(fault) == shown
