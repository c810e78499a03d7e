"""Values that mean what the conventions of their place say: local clocks, and marks between thousands."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from report_service.domain import parsers
from report_service.domain.field_errors import FieldError, InvalidValue
from report_service.domain.written import Conventions, Written, written

if TYPE_CHECKING:
    from collections.abc import Callable

BERLIN = ZoneInfo("Europe/Berlin")


def local(raw: object, zone: str = "Europe/Berlin") -> Written:
    return Written(raw, Conventions(zone=ZoneInfo(zone)))


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("parse", "raw", "instant"),
    [
        # Both sides of both changes of the clock, as days and as clock times.
        (parsers.valid_from, "2026-03-28", utc(2026, 3, 27, 23)),
        (parsers.valid_from, "2026-03-29", utc(2026, 3, 28, 23)),
        (parsers.valid_from, "2026-03-30", utc(2026, 3, 29, 22)),
        (parsers.valid_to, "2026-03-28", utc(2026, 3, 28, 22, 59, 59)),
        (parsers.valid_to, "2026-03-29", utc(2026, 3, 29, 21, 59, 59)),
        (parsers.valid_from, "2026-10-25", utc(2026, 10, 24, 22)),
        (parsers.valid_to, date(2026, 10, 24), utc(2026, 10, 24, 21, 59, 59)),
        (parsers.valid_to, date(2026, 10, 25), utc(2026, 10, 25, 22, 59, 59)),
        (parsers.valid_to, date(2026, 10, 31), utc(2026, 10, 31, 22, 59, 59)),
        (parsers.valid_from, "2026-03-29T01:59:59", utc(2026, 3, 29, 0, 59, 59)),
        (parsers.valid_from, "2026-03-29T03:00:00", utc(2026, 3, 29, 1)),
        (parsers.valid_from, "2026-10-25T01:59:59", utc(2026, 10, 24, 23, 59, 59)),
        (parsers.valid_from, "2026-10-25 03:00", utc(2026, 10, 25, 2)),
        (parsers.valid_from, datetime(2026, 10, 1), utc(2026, 9, 30, 22)),  # noqa: DTZ001
        # A zone of its own counts, whatever the place's.
        (parsers.valid_from, "2026-10-25T02:30+02:00", utc(2026, 10, 25, 0, 30)),
        (parsers.valid_from, "2026-10-25T02:30:00Z", utc(2026, 10, 25, 2, 30)),
    ],
)
def test_what_names_no_zone_is_read_by_the_clock_of_its_place(
    parse: Callable[[object], datetime], raw: object, instant: datetime
) -> None:
    assert parse(local(raw)) == instant


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (
            "2026-10-25T02:00",
            (
                "comes twice in Europe/Berlin, where clocks went back: "
                "write 2026-10-25T02:00:00+02:00 or 2026-10-25T02:00:00+01:00"
            ),
        ),
        ("25.10.2026 02:59:59", "write 2026-10-25T02:59:59+02:00 or 2026-10-25T02:59:59+01:00"),
        (datetime(2026, 10, 25, 2, 30), "comes twice"),  # noqa: DTZ001
        ("2026-03-29T02:00", "does not exist in Europe/Berlin: clocks went forward 60 minutes then"),
        ("2026-03-29T02:59:59", "does not exist"),
    ],
)
def test_an_hour_that_comes_twice_or_never_is_refused_with_both_readings(raw: object, rule: str) -> None:
    with pytest.raises(InvalidValue) as bad:
        parsers.valid_from(local(raw))

    assert rule in bad.value.rule


def test_a_day_that_has_no_midnight_or_two_begins_with_its_first_instant() -> None:
    assert parsers.valid_from(local("2018-11-04", "America/Sao_Paulo")) == utc(2018, 11, 4, 3)
    assert parsers.valid_from(local("2024-11-03", "America/Havana")) == utc(2024, 11, 3, 4)


@pytest.mark.parametrize(
    ("grouping", "raw", "value"),
    [
        (".", "1,234", Decimal("1.234")),
        (".", "0.934", Decimal("0.934")),
        (".", "12.34", Decimal("12.34")),
        (".", "1.2345", Decimal("1.2345")),
        (",", "1.234", Decimal("1.234")),
        (".,", 1.234, Decimal("1.234")),
    ],
)
def test_a_number_with_one_meaning_is_read_whatever_the_decimal_mark(
    grouping: str, raw: object, value: Decimal
) -> None:
    assert parsers.number(Written(raw, Conventions(grouping=grouping))) == value


@pytest.mark.parametrize(
    ("grouping", "raw", "ways"),
    [
        (".", "1.234", ("1234", "1,2340")),
        (",", "12,345", ("12345", "12.3450")),
        (".,", "1.234", ("1234", "1,2340")),
    ],
)
def test_three_digits_after_a_mark_that_may_group_thousands_are_refused_with_both_ways_out(
    grouping: str, raw: str, ways: tuple[str, str]
) -> None:
    with pytest.raises(InvalidValue) as bad:
        parsers.number(Written(raw, Conventions(grouping=grouping)))

    above, below = ways
    assert bad.value.rule == (
        f"has two meanings here: write {above} if it is above a thousand, {below} if it is not"
    )
    for way in ways:
        parsers.number(Written(way, Conventions(grouping=grouping)))


def test_a_row_says_of_local_columns_how_they_were_written_and_prints_as_before() -> None:
    row = written(
        {"valid_from": "2026-10-01", "valid_to": "", "hub_id": "h"}, ("valid_from", "valid_to"), Conventions()
    )

    assert isinstance(row["valid_from"], Written)
    assert (row["valid_to"], row["hub_id"]) == ("", "h")
    assert str(FieldError("valid_from", row["valid_from"], "must")) == "valid_from = 2026-10-01: must"
