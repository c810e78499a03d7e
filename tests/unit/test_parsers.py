from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain import parsers
from report_service.domain.field_errors import FieldError, InvalidValue, RowError, is_absent
from report_service.domain.months import ReportMonth
from report_service.domain.parsers import AdditionalCost, ContractualBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
BERLIN_SUMMER = timezone(timedelta(hours=2))


READ: Mapping[Callable[[object], object], list[tuple[object, object]]] = {
    parsers.month: [
        ("2026-10", ReportMonth(2026, 10)),
        (" 2026-10 ", ReportMonth(2026, 10)),
        (date(2026, 10, 1), ReportMonth(2026, 10)),
        (datetime(2026, 10, 1), ReportMonth(2026, 10)),  # noqa: DTZ001
        ("10-2026", ReportMonth(2026, 10)),
        ("10/2026", ReportMonth(2026, 10)),
        ("1.2026", ReportMonth(2026, 1)),
        ("2026/10", ReportMonth(2026, 10)),
        ("2026.10", ReportMonth(2026, 10)),
        ("2026-10-01", ReportMonth(2026, 10)),
        ("01.10.2026", ReportMonth(2026, 10)),
    ],
    parsers.uuid: [
        (HUB, HUB),
        (f" {HUB.upper()}\n", HUB),
        (HUB.replace("-", ""), HUB),
        (UUID(HUB), HUB),
        ("{" + HUB.upper() + "}", HUB),
        (f"\u00a0{HUB[:9]}\u200b{HUB[9:]}\ufeff", HUB),
    ],
    parsers.evse_id: [
        ("DE*ABC*E45B*78C", "DE*ABC*E45B*78C"),
        ("deabce45b78c", "DEABCE45B78C"),
        ("DE*ABC*E" + "1" * 31, "DE*ABC*E" + "1" * 31),
        ("+49*810*000*0815", "+49*810*000*0815"),
        (" de abc p1 ", "DE ABC P1"),
        (7, "7"),
    ],
    parsers.provider_group: [
        (" devfl ", "DEVFL"),
        ("AT1X2", "AT1X2"),
        ("de*vfl", "DEVFL"),
        ("DE-VFL", "DEVFL"),
        ("DE VFL", "DEVFL"),
    ],
    parsers.text: [
        ("  Büro\u2009☃ ", "Büro\u2009☃"),
        ("\ufeff Uelzen\u200b", "Uelzen"),
    ],
    parsers.number: [
        ("0.93", Decimal("0.93")),
        ("0,93", Decimal("0.93")),
        (0.93, Decimal("0.93")),
        (7, Decimal(7)),
        (Decimal("1.10"), Decimal("1.10")),
        ("-1.5e2", Decimal(-150)),
        ("\u00a02,4\u200b", Decimal("2.4")),
        ("1\u202f234,5", Decimal("1234.5")),
        ("12 345", Decimal(12345)),
        ("1.234,5", Decimal("1234.5")),
        ("1,234,567.25", Decimal("1234567.25")),
        ("1.234.567", Decimal(1234567)),
        ("1.234", Decimal("1.234")),
    ],
    parsers.whole: [
        ("1 873", 1873),
        (3, 3),
        (3.0, 3),
        ("3", 3),
        ("3,0", 3),
        (Decimal("3.000"), 3),
        (0, 0),
        (2**31 - 1, 2**31 - 1),
    ],
    parsers.money_ct: [
        ("45", 45),
    ],
    parsers.share: [
        ("93 %", Decimal("0.93")),
        (" 87,5%", Decimal("0.875")),
    ],
    parsers.rate: [
        ("0", Decimal(0)),
        (1, Decimal(1)),
        ("100%", Decimal(1)),
    ],
    parsers.seconds: [
        ("12.345", Decimal("12.345")),
    ],
    parsers.rating: [
        ("1", Decimal(1)),
        (6.0, Decimal(6)),
        ("2,4", Decimal("2.4")),
    ],
    parsers.valid_from: [
        ("2026-10-01T00:00:00Z", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T00:00:00.5+02:00", datetime(2026, 9, 30, 22, 0, 0, 500000, tzinfo=UTC)),
        ("2026-10-01 00:00:00+00", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01 08:30", datetime(2026, 10, 1, 8, 30, tzinfo=UTC)),
        ("2026-10-01", datetime(2026, 10, 1, tzinfo=UTC)),
        (date(2026, 10, 1), datetime(2026, 10, 1, tzinfo=UTC)),
        (datetime(2026, 10, 1, 2), datetime(2026, 10, 1, 2, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 10, 1, 2, tzinfo=BERLIN_SUMMER), datetime(2026, 10, 1, tzinfo=UTC)),
        ("01.10.2026", datetime(2026, 10, 1, tzinfo=UTC)),
        ("1.10.2026 08:30", datetime(2026, 10, 1, 8, 30, tzinfo=UTC)),
    ],
    parsers.valid_to: [
        ("2026-10-31", datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)),
        (date(2026, 10, 31), datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
    parsers.day: [
        ("2026-10-31", date(2026, 10, 31)),
        ("31.10.2026", date(2026, 10, 31)),
        ("1.2.2024", date(2024, 2, 1)),
        ("2026-10-31 00:00:00.000000", date(2026, 10, 31)),
        (date(2026, 10, 31), date(2026, 10, 31)),
        (datetime(2026, 10, 31), date(2026, 10, 31)),  # noqa: DTZ001
    ],
    parsers.contractual_basis: [
        ("roaming_contract ", ContractualBasis.ROAMING_CONTRACT),
        ("Bilateral contract", ContractualBasis.BILATERAL_CONTRACT),
    ],
    parsers.additional_costs: [
        ("[]", ()),
    ],
}
"""What is given, and the value that it is."""


@pytest.mark.parametrize(
    ("parse", "raw", "value"),
    [(parse, raw, value) for parse, given in READ.items() for raw, value in given],
)
def test_a_value_is_read_from_any_origin(parse: Callable[[object], object], raw: object, value: object) -> None:
    found = parse(raw)

    assert (found, type(found)) == (value, type(value))


REFUSED: Mapping[Callable[[object], object], list[tuple[object, str]]] = {
    parsers.month: [
        ("2026-13", "YYYY-MM"),
        ("Okt 26", "Excel made of it: format the column as text, and write the month as YYYY-MM"),
        ("26. Okt", "Excel made of it"),
        ("Mär 26", "Excel made of it"),
        ("2026-10-02", "YYYY-MM"),
        (date(2026, 10, 2), "YYYY-MM"),
    ],
    parsers.number: [
        ("02. Apr", "Excel made of it: format the column as text, and write the number"),
        ("02.04.2026", "Excel made of it"),
        ("Apr 02", "Excel made of it"),
        (date(2026, 4, 2), "Excel made of it"),
        ("1 23", "must be a number"),
        ("n/a", "must be a number"),
        ("1.234.56", "must be a number"),
        ("12,5 s", "must be the number alone, without 's'"),
        ("EUR 0,59", "must be the number alone, without 'EUR'"),
        ("93 %", "must be the number alone, without '%'"),
        ("00:21", "is a time"),
        (time(0, 21), "is a time"),
        (timedelta(seconds=21), "is a time"),
        ("#WERT!", "is an error of the spreadsheet"),
        ("=1+1", "is a formula"),
        ("٣", "must be a number"),
        ("NaN", "must be a number"),
        (True, "must be a number"),
        (float("nan"), "must be a number"),
        (float("-inf"), "must be a number"),
        (Decimal("NaN"), "must be a number"),
        ("1e9999", "must be a number"),
    ],
    parsers.uuid: [
        ("DE*ABC*E45B*78C", "UUID"),
        (HUB[:-1], "UUID"),
        (7, "UUID"),
    ],
    parsers.provider_group: [
        ("1EVFL", "DEVFL"),
        (7, "DEVFL"),
    ],
    parsers.text: [
        (7, "must be text"),
        ("a\x00b", "NUL"),
        ("\ud83d", "surrogate"),
    ],
    parsers.whole: [
        ("3.5", "whole"),
        (3.5, "whole"),
        ("1e-999", "whole"),
        (-1, "0 to 2147483647"),
        (2**31, "0 to 2147483647"),
        ("9e999", "0 to 2147483647"),
        ("1.000", "thousands"),
        ("1,000", "thousands"),
        ("12.345.678", "thousands"),
    ],
    parsers.money_ct: [
        ("44.5", "EUR 0.45 is 45"),
        (0.45, "EUR 0.45 is 45"),
        (-1, "0 to 2147483647"),
    ],
    parsers.share: [
        ("%", "must be a number"),
    ],
    parsers.rate: [
        ("1.01", "0 to 1"),
        (-0.01, "0 to 1"),
    ],
    parsers.seconds: [
        (-1, "seconds"),
        (2**31, "seconds"),
    ],
    parsers.rating: [
        ("0.99", "1 to 6 (1 best)"),
        (6.01, "1 to 6 (1 best)"),
    ],
    parsers.valid_from: [
        ("2026-02-30", "date-time"),
        ("2026-10-01T24:30", "date-time"),
        ("2026-10-31T24:00", "has the hour 24"),
        ("31.10.26 23:59", "has a year of two digits"),
        (46296.5, "is how Excel counts days"),
        (7, "date-time"),
        ("0001-01-01T00:00+02:00", "years 1 to 9999"),
    ],
    parsers.day: [
        ("2026-02-30", "YYYY-MM-DD"),
        ("30.02.2026", "YYYY-MM-DD"),
        ("01/02/2024", "two meanings, day or month first"),
        ("13/02/2024", "must be a date as YYYY-MM-DD"),
        ("01.02.24", "has a year of two digits"),
        (46296, "is how Excel counts days"),
        ("2026-10-31 12:00:00", "YYYY-MM-DD"),
        (datetime(2026, 10, 31, 12), "YYYY-MM-DD"),  # noqa: DTZ001
        (7, "YYYY-MM-DD"),
    ],
    parsers.contractual_basis: [
        ("HANDSHAKE", "ROAMING_CONTRACT or BILATERAL_CONTRACT"),
        (7, "ROAMING_CONTRACT or BILATERAL_CONTRACT"),
    ],
    parsers.additional_costs: [
        ("parking 50", "JSON list"),
        ('{"parking": 50}', "JSON list"),
        ("[" * 100_000, "JSON list"),
        ('[{"description": "a", "cost": 1, "cost": 2}]', "JSON list"),
        ("[50]", '"description" and "cost"'),
        ('[{"description": "a", "cost": 1, "vat": 2}]', '"description" and "cost"'),
        ('[{"description": " ", "cost": 1}]', "description for each"),
        ('[{"description": "a", "cost": 0.5}]', "a cost for 'a' that must be whole cents"),
        ('[{"description": "a", "cost": 1}, {"cost": 1.0, "description": "a "}]', "twice"),
    ],
}
"""What is given, and the rule that it breaks."""


@pytest.mark.parametrize(
    ("parse", "raw", "rule"),
    [(parse, raw, rule) for parse, given in REFUSED.items() for raw, rule in given],
)
def test_a_bad_value_is_refused_with_its_rule(parse: Callable[[object], object], raw: object, rule: str) -> None:
    with pytest.raises(InvalidValue) as bad:
        parse(raw)

    assert rule in bad.value.rule


@pytest.mark.parametrize(
    ("average", "grade"),
    [("1", 1), ("1.49", 1), ("1.5", 2), ("2.5", 3), ("2.4999999999999999999999999999999999", 2), ("6", 6)],
)
def test_an_average_becomes_a_grade_rounded_half_up(average: str, grade: int) -> None:
    assert parsers.grade(average) == grade


def test_additional_costs_are_a_set_whatever_their_order_and_origin() -> None:
    costs = [{"description": "parking", "cost": 50}, {"description": "energy", "cost": 5}]
    expected = (
        AdditionalCost(description="energy", cost_ct=5),
        AdditionalCost(description="parking", cost_ct=50),
    )

    assert parsers.additional_costs(costs) == expected
    assert parsers.additional_costs(costs[::-1]) == expected
    assert parsers.additional_costs(json.dumps(costs)) == expected


@pytest.mark.parametrize(
    ("value", "usual"),
    [
        ("DE*ABC*E45B*78C", True),
        ("DEABCE45B78C", True),
        ("DE*ABC*E" + "1" * 31, True),
        ("DE*ABC*P45B", False),
        ("DE*ABC*E", False),
        ("DE*ABC*E" + "1" * 32, False),
        ("DE*ABC *E1", False),
        ("+49*810*000*0815", False),
    ],
)
def test_the_usual_form_of_an_evse_id_is_known(value: str, usual: bool) -> None:
    assert parsers.is_usual_evse_id(value) is usual


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_number_is_the_same_from_text_and_from_the_driver(value: Decimal) -> None:
    assert parsers.number(value) == parsers.number(f"{value:f}") == parsers.number(f"{value:f}".replace(".", ","))


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
        parsers.text,
        parsers.month,
        parsers.uuid,
        parsers.evse_id,
        parsers.provider_group,
        parsers.number,
        parsers.plain_number,
        parsers.whole,
        parsers.money_ct,
        parsers.share,
        parsers.rate,
        parsers.seconds,
        parsers.rating,
        parsers.valid_from,
        parsers.valid_to,
        parsers.day,
        parsers.contractual_basis,
        parsers.json_list,
        parsers.additional_costs,
    ):
        with contextlib.suppress(InvalidValue):
            parse(raw)


@pytest.mark.parametrize(
    ("raw", "absent"),
    [
        (None, True),
        ("", True),
        (" \t", True),
        ("\u00a0\u200b", True),
        ("\ufeff", True),
        (0, False),
        ("0", False),
    ],
)
def test_nothing_and_blank_text_are_absent(raw: object, absent: bool) -> None:
    assert is_absent(raw) is absent


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (FieldError("rating", 7, "must be 1 to 6 (1 best)"), "rating = 7: must be 1 to 6 (1 best)"),
        (FieldError("rating", " ", "must be given"), "rating is empty: must be given"),
        (FieldError("name", "a\nb", "must be text"), r"name = 'a\nb': must be text"),
        (FieldError("name", "x" * 61, "must be short"), f"name = {'x' * 57}...: must be short"),
        (
            RowError("hubs", "row 3", FieldError("hub_id", None, "must be given")),
            "hubs, row 3: hub_id is empty: must be given",
        ),
    ],
)
def test_a_fault_names_column_value_and_rule_on_one_line(fault: FieldError | RowError, shown: str) -> None:
    assert str(fault) == shown
