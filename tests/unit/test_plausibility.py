"""Figures that can hardly be meant are told, ordinary ones are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.domain.kinds import KIND_BY_NAME, KINDS
from report_service.domain.months import ReportMonth
from report_service.domain.plausibility import Figures, implausible
from report_service.mock_api.operator import made_up_operator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from report_service.domain.plausibility import Implausible

MONTH = ReportMonth(2026, 10)


def figures(kind: str, rows: Iterable[Mapping[str, object]], month: ReportMonth = MONTH) -> Figures:
    found = Figures(KIND_BY_NAME[kind], month)
    for row in rows:
        found.add(row)
    return found


def judged(
    kind: str, now: list[dict[str, object]], before: list[dict[str, object]] | None = None
) -> list[Implausible]:
    return list(implausible(figures(kind, now), figures(kind, before or [], MONTH.shift(-1))))


def hotline(**changed: object) -> dict[str, object]:
    return {"hotline_calls": 50, "fcr_rate": "0.87", "asa_seconds": "21.4", "rating": "1.9"} | changed


def ratings(*values: object) -> list[dict[str, object]]:
    return [{"hub_id": f"h{number}", "rating": value} for number, value in enumerate(values)]


def tariff(**changed: object) -> dict[str, object]:
    validity = {"valid_from": "2026-10-01T00:00:00+02:00", "valid_to": "2026-10-31T23:59:59+01:00"}
    return {"hub_id": "h", "cost_ct_per_kwh": 59, **validity} | changed


def complaints(*values: object) -> list[dict[str, object]]:
    return [{"point_id": f"p{number}", "total_complaints": value} for number, value in enumerate(values)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("size", [{}, {"hubs": 1, "points_per_hub": 2, "provider_groups": 1}])
def test_three_months_of_ordinary_data_give_no_warning(seed: int, size: dict[str, int]) -> None:
    months = [ReportMonth(2026, number) for number in (8, 9, 10)]
    said = [made_up_operator(month, seed=seed + 10 * month.number, **size) for month in months]

    for last, this in ((0, 1), (1, 2)):
        for kind in KINDS:
            before = figures(kind.name, said[last][kind.source], months[last])
            now = figures(kind.name, said[this][kind.source], months[this])
            assert [str(found) for found in implausible(now, before)] == []


@pytest.mark.parametrize(
    ("kind", "now", "before", "column", "count"),
    [
        ("hub_rating", ratings("4.1", "4.5", "4.9", "5", "4.2"), [], "rating", 5),
        ("hotline_rating", [hotline(rating="4.6")], [], "rating", 1),
        ("hub_rating", ratings(4, 4, 4, 4, "3.6"), ratings(2, 2, 2, 2, 2), "rating", 5),
        ("hotline_rating", [hotline(rating="3.5")], [hotline(rating="1.9")], "rating", 1),
        ("hub_rating", ratings(*["2.3"] * 20), [], "rating", 20),
        ("hotline_rating", [hotline(asa_seconds="0.99")], [], "asa_seconds", 1),
        ("hotline_rating", [hotline(asa_seconds=3601)], [], "asa_seconds", 1),
        ("hotline_rating", [hotline(fcr_rate=1)], [], "fcr_rate", 1),
        ("hotline_rating", [hotline(fcr_rate="0.0")], [], "fcr_rate", 1),
        ("ad_hoc_tariff", [tariff(cost_ct_per_kwh=201)], [], "cost_ct_per_kwh", 1),
        ("ad_hoc_tariff", [tariff()], [tariff(cost_ct_per_kwh=177)], "cost_ct_per_kwh", 1),
        ("ad_hoc_tariff", [tariff(cost_ct_per_kwh=60)], [tariff(cost_ct_per_kwh=20)], "cost_ct_per_kwh", 1),
        ("ad_hoc_tariff", [tariff(cost_ct_per_kwh="49.58")], [], "cost_ct_per_kwh", 1),
        ("point_rating", complaints(30, 1), complaints(5, 5), "total_complaints", 2),
        ("point_rating", complaints(*[1] * 20), [], "total_complaints", 20),
        ("ad_hoc_tariff", [tariff(valid_from="2026-11-01T00:00:00+01:00")], [], "valid_from", 1),
        ("ad_hoc_tariff", [tariff(valid_to="2026-09-30T23:59:59+02:00")], [], "valid_from", 1),
    ],
)
def test_what_can_hardly_be_meant_is_told_by_kind_and_column(
    kind: str, now: list[dict[str, object]], before: list[dict[str, object]], column: str, count: int
) -> None:
    (found,) = judged(kind, now, before)

    assert (found.kind.name, found.month, found.column, found.count) == (kind, MONTH, column, count)
    assert str(found).startswith(f"{found.kind.source}, {column}: ")


@pytest.mark.parametrize(
    ("kind", "now", "before"),
    [
        ("hub_rating", ratings("4", "4.5", "4.9", "5", "4.2"), []),
        ("hub_rating", ratings("4.1", "4.5", "4.9", "5"), []),
        ("hub_rating", ratings(4, 4, 4, 4, "1.5"), ratings(2, 2, 2, 2, 2)),
        ("hub_rating", ratings(*["2.3"] * 19), []),
        ("hub_rating", ratings(*["2.3"] * 19, "2.4"), []),
        ("hotline_rating", [hotline(rating="4")], []),
        ("hotline_rating", [hotline(asa_seconds=1)], []),
        ("hotline_rating", [hotline(asa_seconds=3600)], []),
        ("hotline_rating", [hotline(fcr_rate=1, hotline_calls=49)], []),
        ("hotline_rating", [hotline(hotline_calls=0, asa_seconds=0, fcr_rate=0)], []),
        ("ad_hoc_tariff", [tariff(cost_ct_per_kwh=200)], []),
        ("ad_hoc_tariff", [tariff()], [tariff(cost_ct_per_kwh=176)]),
        ("ad_hoc_tariff", [tariff(cost_ct_per_kwh=0)], [tariff()]),
        ("point_rating", complaints(28, 1), complaints(5, 5)),
        ("point_rating", complaints(*[1] * 19), []),
        ("point_rating", complaints(*[0] * 20), []),
        ("point_rating", complaints(20, 9), complaints(0, 10)),
        ("ad_hoc_tariff", [tariff(valid_from="2026-10-31T23:59:59+01:00", valid_to="2026-12-01T00:00:00Z")], []),
        ("ad_hoc_tariff", [tariff(valid_from="2026-01-01T00:00:00Z", valid_to="2026-10-01T00:00:00+02:00")], []),
        ("ad_hoc_tariff", [tariff(cost_ct_per_kwh="dear", valid_from="soon")], []),
    ],
)
def test_what_is_just_ordinary_is_not_told(
    kind: str, now: list[dict[str, object]], before: list[dict[str, object]]
) -> None:
    assert judged(kind, now, before) == []


def test_fractions_of_a_cent_are_told_once_for_all_of_a_kind() -> None:
    rows = [tariff(hub_id=f"h{number}", cost_ct_per_kwh="49.58") for number in range(300)]

    (found,) = judged("ad_hoc_tariff", rows)

    assert (found.count, found.example) == (300, "h0")
    assert "is this net, and gross is wanted?" in found.words


def test_prices_in_euros_are_told_as_such() -> None:
    (found,) = judged(
        "ad_hoc_tariff", [tariff(cost_ct_per_kwh="0.59"), tariff(hub_id="i", cost_ct_per_kwh="4.99")]
    )
    (net,) = judged("ad_hoc_tariff", [tariff(cost_ct_per_kwh="0.59"), tariff(hub_id="i", cost_ct_per_kwh="5.01")])

    assert "are these euros?" in found.words
    assert "is this net" in net.words
