from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from report_service.domain.inventory import Hub, Inventory, Period, Point
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
OTHER_HUB = "2a2e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "7d0a3c52-4c43-4f0e-8a55-0d0f5b1f2a11"


def hub(hub_id: object = HUB, **changed: object) -> dict[str, object]:
    return {
        "hub_id": hub_id,
        "name": "Coswig",
        "commissioned_on": "2025-01-01",
        "decommissioned_on": None,
    } | changed


def point(point_id: object = POINT, **changed: object) -> dict[str, object]:
    return {
        "point_id": point_id,
        "hub_id": HUB,
        "evse_id": "DE*ABC*E1",
        "commissioned_on": date(2025, 1, 1),
        "decommissioned_on": "",
    } | changed


def group(provider_group: object = "DEVFL", **changed: object) -> dict[str, object]:
    return {"provider_group": provider_group, "valid_from": None, "valid_to": None} | changed


def read(
    hubs: Iterable[Mapping[str, object]] = (),
    points: Iterable[Mapping[str, object]] = (),
    groups: Iterable[Mapping[str, object]] = (),
) -> Inventory:
    return Inventory.read(MONTH, hubs=hubs, points=points, provider_groups=groups)


def test_a_month_expects_one_hotline_and_each_group_hub_twice_and_point() -> None:
    found = read([hub(OTHER_HUB), hub(HUB.upper())], [point()], [group("devfl"), group("AT123")])

    assert [str(key) for key in found.keys()] == [  # noqa: SIM118 - no mapping
        "2026-10/hotline_rating",
        "2026-10/nondiscriminatory_access/AT123",
        "2026-10/nondiscriminatory_access/DEVFL",
        f"2026-10/hub_rating/{HUB}",
        f"2026-10/hub_rating/{OTHER_HUB}",
        f"2026-10/ad_hoc_tariff/{HUB}",
        f"2026-10/ad_hoc_tariff/{OTHER_HUB}",
        f"2026-10/point_rating/{POINT}",
    ]
    assert found.hub_of(POINT) == HUB
    assert found.hub_of(HUB) is None
    assert found.faults == ()


def test_an_empty_inventory_still_expects_the_hotline() -> None:
    assert list(read().keys()) == [DeliveryKey(MONTH, HOTLINE_RATING)]


@pytest.mark.parametrize(
    ("first", "last", "due"),
    [
        ("2026-10-31", None, True),
        ("2026-11-01", None, False),
        ("2025-01-01", "2026-09-30", False),
        ("2025-01-01", "2026-10-01", True),  # the last day in operation is within the month
        ("2026-10-15", "2026-10-15", True),
    ],
)
def test_a_report_is_due_for_a_month_with_any_day_in_operation(first: str, last: str | None, due: bool) -> None:
    found = read(
        [hub(commissioned_on=first, decommissioned_on=last)],
        [point(commissioned_on=first, decommissioned_on=last)],
        [group(valid_from=first, valid_to=last)],
    )

    counts = [len(found.subjects(kind)) for kind in KINDS]
    assert counts == [1, due, due, due, due]


def test_a_provider_group_may_be_valid_in_several_periods() -> None:
    past, present = group(valid_to="2026-01-31"), group(valid_from="2026-10-01")

    for rows in ([past, present], [present, past]):
        found = read(groups=rows)
        assert found.subjects(NONDISCRIMINATORY_ACCESS) == ("DEVFL",)
        assert found.faults == ()


def test_a_hub_or_point_in_several_rows_is_a_fault_and_due_if_one_of_them_is() -> None:
    gone = hub(decommissioned_on="2026-01-31")

    for rows in ([gone, hub()], [hub(), gone]):
        found = read(rows)
        assert found.subjects(HUB_RATING) == (HUB,)
        assert [str(fault) for fault in found.faults] == [
            f"hubs, hub_id {HUB}: hub_id = {HUB}: must be there once: it is in several rows"
        ]


def test_a_row_that_cannot_be_named_is_a_fault_with_its_number() -> None:
    found = read([hub(), hub(None), hub("Coswig")])

    assert found.subjects(HUB_RATING) == (HUB,)
    assert [(fault.table, fault.row, fault.fault.column, fault.fault.value) for fault in found.faults] == [
        ("hubs", "row 2", "hub_id", None),
        ("hubs", "hub_id Coswig", "hub_id", "Coswig"),
    ]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"commissioned_on": None}, "commissioned_on is empty: must be given"),
        (
            {"commissioned_on": "1/1/2027"},
            "commissioned_on = 1/1/2027: has two meanings, day or month first: must be a date as YYYY-MM-DD",
        ),
        ({"decommissioned_on": "gone"}, "decommissioned_on = gone: must be a date as YYYY-MM-DD"),
        ({"decommissioned_on": "2024-12-31"}, "must not be before commissioned_on (2025-01-01)"),
    ],
)
def test_a_hub_whose_dates_cannot_be_used_is_a_fault_and_counts_as_in_operation(
    changed: dict[str, object], fault: str
) -> None:
    found = read([hub(**changed)])

    assert found.hubs[HUB] == Hub(hub_id=HUB, name="Coswig", operation=Period(first=None, last=None))
    assert found.subjects(HUB_RATING) == (HUB,)
    assert [fault in str(one) for one in found.faults] == [True]


def test_a_point_with_unreadable_names_stays_due_and_every_reason_is_told() -> None:
    found = read([], [point(hub_id="Coswig", evse_id="7")])

    assert found.points[POINT] == Point(
        point_id=POINT, hub_id=None, evse_id="7", operation=Period(first=date(2025, 1, 1), last=None)
    )
    assert found.subjects(POINT_RATING) == (POINT,)
    assert [fault.fault.column for fault in found.faults] == ["hub_id"]


@pytest.mark.parametrize(
    ("hubs", "evse_id", "told"),
    [
        (
            [],
            "DE*ABC*E1",
            f"points, point_id {POINT} (DE*ABC*E1): hub_id = {HUB}: no such hub in the table `hubs`",
        ),
        (
            [hub(decommissioned_on="2026-09-30")],
            "",
            f"points, point_id {POINT}: hub_id = {HUB}: this hub is not in operation in 2026-10",
        ),
    ],
)
def test_a_point_whose_hub_is_not_due_is_due_all_the_same_and_named(
    hubs: list[dict[str, object]], evse_id: str, told: str
) -> None:
    found = read(hubs, [point(evse_id=evse_id)])

    assert found.subjects(POINT_RATING) == (POINT,)
    assert found.hub_of(POINT) == HUB
    assert [str(fault) for fault in found.faults] == [told]


def test_a_point_that_is_not_due_needs_no_hub() -> None:
    assert read([], [point(decommissioned_on="2026-09-30")]).faults == ()
