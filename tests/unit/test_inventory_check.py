"""What leaves what is expected: a small change, or what a person said (law 7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from report_service.domain.inventory_check import InventoryCheck, InventoryRecord
from report_service.domain.kinds import KINDS, Kind
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
LATER = AT + timedelta(hours=6)


def sizes(total: int, *, hubs: int = 1) -> dict[Kind, int]:
    """Return a size of so many reports, with every kind among them."""
    rest = total - 1 - 1 - 2 * hubs
    return {
        HOTLINE_RATING: 1,
        NONDISCRIMINATORY_ACCESS: 1,
        HUB_RATING: hubs,
        AD_HOC_TARIFF: hubs,
        POINT_RATING: rest,
    }


NONE = dict.fromkeys(KINDS, 0)
ONLY_HOTLINE = NONE | {HOTLINE_RATING: 1}


def check(found: int, *, planned: int = 0, previous: int = 0, unread: tuple[str, ...] = ()) -> InventoryCheck:
    return InventoryCheck(
        found=sizes(found),
        planned=sizes(planned) if planned else NONE,
        previous=sizes(previous) if previous else NONE,
        unread=unread,
    )


@pytest.mark.parametrize(("missing", "words"), [(0, ""), (1, "1 hub that"), (2, "2 hubs that")])
def test_hubs_that_points_are_at_are_missed_until_a_person_says_that_they_are_not(
    missing: int, words: str
) -> None:
    found = replace(check(100), missing_hubs=missing)
    assert words in found.judge(None, at=AT).doubt
    assert bool(found.judge(None, at=AT).doubt) is bool(missing)
    assert found.judge(found.accept(by="me", at=AT), at=LATER).doubt == ""


@pytest.mark.parametrize(
    ("found", "before", "shrunk"),
    [(91, 100, False), (90, 100, False), (89, 100, True), (27, 30, False), (26, 30, True),
     (2071, 2301, False), (2070, 2301, True)],
)  # fmt: skip
def test_a_tenth_less_is_the_most_whatever_it_is_measured_by(found: int, before: int, *, shrunk: bool) -> None:
    planned_before = InventoryRecord(largest=before)
    by_the_month_before = check(found, previous=before).judge(None, at=AT)
    by_this_month = check(found, planned=found, previous=found).judge(planned_before, at=AT)
    by_a_person = check(found, previous=9999).judge(InventoryRecord(largest=before, accepted_by="me"), at=AT)
    for record in (by_the_month_before, by_this_month, by_a_person):
        assert bool(record.doubt) is shrunk
        assert record.doubted_at == (AT if shrunk else None)


def test_a_month_planned_before_records_were_kept_is_measured_by_its_rows() -> None:
    assert check(60, planned=100).judge(None, at=AT).doubt == "60 reports are due, 100 were before"


def test_many_small_changes_are_one_large_one() -> None:
    record = check(100).judge(None, at=AT)
    for found in (95, 91, 90):
        record = check(found, planned=found).judge(record, at=AT)
        assert not record.doubt
    assert check(89, planned=90).judge(record, at=AT).doubt


def test_a_doubt_keeps_the_time_since_when_and_ends_when_the_inventory_is_whole_again() -> None:
    record = check(100).judge(None, at=AT)
    doubted = check(50, planned=100).judge(record, at=AT)
    assert check(40, planned=100).judge(doubted, at=LATER).doubted_at == AT
    again = check(100, planned=100).judge(doubted, at=LATER)
    assert (again.doubt, again.doubted_at, again.largest) == ("", None, 100)


@pytest.mark.parametrize(("planned", "previous"), [(sizes(1000), NONE), (NONE, sizes(1000))])
def test_a_kind_of_which_nothing_is_left_is_in_doubt_however_small_it_was(
    planned: dict[Kind, int], previous: dict[Kind, int]
) -> None:
    found = sizes(1000) | {NONDISCRIMINATORY_ACCESS: 0}
    record = InventoryCheck(found=found, planned=planned, previous=previous).judge(None, at=AT)
    assert record.doubt == "no nondiscriminatory access is due any more"


def test_nothing_but_the_hotline_is_in_doubt_even_if_nothing_else_was_ever_there() -> None:
    record = InventoryCheck(found=ONLY_HOTLINE, planned=NONE, previous=NONE).judge(None, at=AT)
    assert record.doubt == "no hub, point or provider group was in operation"


def test_an_accepted_size_is_what_counts_from_then_on() -> None:
    accepted = check(50, planned=100, previous=100).accept(by="me", at=AT)
    assert accepted == InventoryRecord(largest=50, accepted_by="me", accepted_at=AT)
    assert not check(50, planned=50, previous=100).judge(accepted, at=LATER).doubt
    grown = check(60, planned=50, previous=100).judge(accepted, at=LATER)
    assert (grown.largest, grown.doubt) == (60, "")
    assert check(53, planned=60, previous=100).judge(grown, at=LATER).doubt == "53 reports are due, 60 were before"


def test_an_accepted_empty_inventory_is_no_alarm_any_more() -> None:
    empty = InventoryCheck(found=ONLY_HOTLINE, planned=sizes(100), previous=sizes(100))
    accepted = empty.accept(by="me", at=AT)
    assert not empty.judge(accepted, at=LATER).doubt


def test_what_cannot_be_read_is_in_doubt_even_if_a_person_accepts_it() -> None:
    unread = check(100, planned=100, unread=("hubs cannot be read", "points cannot be read"))
    assert unread.judge(None, at=AT).doubt == "hubs cannot be read; points cannot be read"
    accepted = unread.accept(by="me", at=AT)
    assert (accepted.doubt, accepted.doubted_at) == ("hubs cannot be read; points cannot be read", AT)
