"""Figures that can hardly be meant are told by run, preview, status and import; they stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from report_service.adapters.db.intake import SqlIntake
from report_service.adapters.table_files import table_files
from report_service.services.import_files import import_files
from report_service.services.status import status_of
from tests.support.simulation import MONTH, operator, site

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.adapters.db.engine import Store
    from report_service.domain.plausibility import Implausible
    from tests.support.simulation import Process, Site

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"


def told(process: Process) -> list[Implausible]:
    at = process.world.now()
    return status_of(process.service.ledger, MONTH, at=at, guard_s=60, requests_per_minute=2000).implausible


def misread(place: Site) -> None:
    """Store an answer within less than a second, and prices that were net."""
    place.ask("UPDATE hotline_ratings SET asa_seconds = '0.4'")
    place.ask("UPDATE ad_hoc_tariffs SET cost_ct_per_kwh = '49.58'")


def test_ordinary_figures_are_not_told(tmp_path: Path) -> None:
    with site(tmp_path).process() as process:
        assert process.run().complete
        assert process.events.of("figures.implausible") == []
        assert told(process) == []


def test_odd_figures_are_told_once_a_kind_and_sent_all_the_same(tmp_path: Path) -> None:
    place = site(tmp_path)
    misread(place)
    with place.process() as process:
        result = process.run()
        hotline, tariff = process.events.of("figures.implausible")
        completed = process.events.of("run.completed")[0]
    assert (hotline["kind"], hotline["month"]) == ("hotline_rating", str(MONTH))
    assert hotline["detail"] == "asa_seconds: 0.4 s is no average speed of answer: seconds are wanted"
    assert tariff["kind"] == "ad_hoc_tariff"
    assert completed["implausible_figures"] == 2
    assert result.plan is not None
    assert result.plan.problem_count == 0
    assert f"{MONTH}/hotline_rating" in place.world.reports()


def test_a_preview_and_the_status_tell_the_same_as_the_run(tmp_path: Path) -> None:
    place = site(tmp_path)
    misread(place)
    with place.process() as process:
        before = process.reconciler.planner(process.events).preview(MONTH, closed=False).implausible
        assert told(process) == []  # nothing is planned yet
        process.run()
        after = told(process)
    assert [one.column for one in before] == ["asa_seconds", "cost_ct_per_kwh"]
    assert [str(one) for one in before] == [str(one) for one in after]
    assert after[0].as_json() == {
        "kind": "hotline_rating",
        "month": str(MONTH),
        "column": "asa_seconds",
        "count": 1,
        "rule": "0.4 s is no average speed of answer: seconds are wanted",
        "example": None,
    }


def test_a_months_figures_are_seen_beside_those_that_were_planned_for_the_month_before(tmp_path: Path) -> None:
    place = site(tmp_path)
    place.store({"hotline-ratings": operator(MONTH.shift(-1))["hotline-ratings"]})
    place.ask("UPDATE hotline_ratings SET rating = '1.2' WHERE month = :month", month=str(MONTH.shift(-1)))
    place.ask("UPDATE hotline_ratings SET rating = '3.9' WHERE month = :month", month=str(MONTH))
    with place.process() as process:
        process.reconciler.reconcile(MONTH.shift(-1), trigger="backfill", patience_s=0, send=False)
        process.run()
        (found,) = told(process)
    assert found.words.startswith("the average went from 1.2 to 3.9 within a month")


def test_an_import_tells_odd_figures_beside_last_months(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "ad-hoc-tariffs.csv"
    header = "month,hub_id,cost_ct_per_kwh,additional_costs,valid_from,valid_to\n"

    def take_in(month: str, cost: int) -> list[str]:
        path.write_text(f"{header}{month},{HUB},{cost},,{month}-01,{month}-28\n")
        files, _ = table_files([path], ZoneInfo("Europe/Berlin"))
        (imported,) = import_files(files, SqlIntake(store, {}), progress=lambda read: None)
        assert imported.stored
        assert imported.warnings == []
        return [str(odd) for odd in imported.implausible]

    assert take_in("2026-09", 59) == []
    assert take_in("2026-10", 177) == [
        f"ad-hoc-tariffs, cost_ct_per_kwh: changed by a factor of 3 or more since last month (as {HUB})"
    ]
