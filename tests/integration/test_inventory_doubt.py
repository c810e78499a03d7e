"""Nothing that was planned is lost to an inventory that lost rows, and no such month is complete (law 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.inventory_check import InventoryRecord
from report_service.services.status import status_of
from tests.support.simulated_daemon import Daemons
from tests.support.simulation import CLOSES, MONTH, OPENED, World, operator, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from report_service.services.run_result import RunResult
    from tests.support.simulation import Process, Site

ROWS = operator()
HUBS = sorted(str(hub["hub_id"]) for hub in ROWS["hubs"])
INVENTORY = ("points", "hubs", "provider_groups")


@pytest.fixture
def daemons() -> Iterator[Daemons]:
    started = Daemons()
    yield started
    started.close()


def emptied(place: Site) -> Site:
    for table in INVENTORY:
        place.ask(f"DELETE FROM {table}")
    return place


def large(tmp_path: Path, world: World | None = None) -> Site:
    """Return a site with 52 reports, of which one is a small change."""
    return site(tmp_path, world, hubs=9, points_per_hub=3, provider_groups=6)


def complete(process: Process, result: RunResult) -> bool:
    """Return whether the month is complete, about which run, status and log are of one mind."""
    found = status_of(process.service.ledger, MONTH, at=process.world.now(), guard_s=60, requests_per_minute=2000)
    said = process.events.of("run.completed")[-1]
    assert result.complete == found.month_counts.complete == found.as_json()["complete"] == said["complete"]
    assert said["inventory_in_doubt"] == int(bool(found.month_counts.inventory_doubt))
    return result.complete


def test_emptied_tables_take_nothing_away_and_what_was_planned_still_goes_out(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run(send=False)
        emptied(place)
        result = process.run()
        assert process.states() == {State.ACCEPTED: 11}
        assert not complete(process, result)
        assert result.plan is not None
        assert (result.plan.expected, result.plan.found) == (11, 1)
        [alarm] = process.events.of("inventory.shrunk")
        assert (alarm["expected"], alarm["previous_expected"]) == (1, 11)
        assert alarm["detail"] == "1 report is due, 11 were before"
        assert process.events.of("source.faulty") == [], "rows about what is kept are not at fault"
        place.store(ROWS)
        assert complete(process, process.run())


def test_hubs_that_were_never_entered_are_an_alarm_and_no_success(tmp_path: Path) -> None:
    place = site(tmp_path)
    place.ask("DELETE FROM hubs")
    with place.process() as process:
        result = process.run()
        assert not complete(process, result)
        assert "that the table `hubs` does not have" in str(process.events.of("inventory.shrunk")[-1]["detail"])
        place.store(ROWS)
        assert complete(process, process.run())


def test_an_inventory_that_was_always_empty_is_an_alarm_and_no_success(tmp_path: Path) -> None:
    with site(tmp_path, hubs=0, provider_groups=0).process() as process:
        result = process.run()
        assert process.states() == {State.ACCEPTED: 1}
        assert not complete(process, result)
        assert len(process.events.of("inventory.shrunk")) == 1


def test_far_less_than_the_month_before_is_an_alarm_and_no_success(tmp_path: Path) -> None:
    place = site(tmp_path)
    following = MONTH.shift(1)
    with place.process() as process:
        process.run()
        place.world.turn_to(OPENED.replace(month=12))
        place.ask("DELETE FROM hubs WHERE hub_id = :hub", hub=HUBS[0])
        place.ask("DELETE FROM points WHERE hub_id = :hub", hub=HUBS[0])
        place.store({name: rows for name, rows in operator(following).items() if "month" in rows[0]})
        result = process.run(following)
        [alarm] = process.events.of("inventory.shrunk")
        assert (alarm["expected"], alarm["previous_expected"]) == (7, 11)
        assert process.states(following) == {State.ACCEPTED: 7}
        assert not result.complete


def test_a_small_change_withdraws_and_deletes_nothing(tmp_path: Path) -> None:
    place = large(tmp_path)
    [gone] = place.ask("SELECT min(point_id) AS point FROM points")
    with place.process() as process:
        process.run()
        place.ask("UPDATE points SET decommissioned_on = '2026-09-30' WHERE point_id = :point", point=gone.point)
        result = process.run()
        assert complete(process, result)
        assert process.states() == {State.ACCEPTED: 51}
        [row] = place.ask("SELECT subject, state FROM deliveries WHERE NOT due")
        assert (row.subject, row.state) == (gone.point, "accepted")
        place.ask("UPDATE points SET decommissioned_on = NULL")
        assert complete(process, process.run())
        assert process.states() == {State.ACCEPTED: 52}
    assert place.world.mock.stats()["conflicts"] == 0


def test_what_was_never_sent_stays_in_the_ledger_when_it_is_withdrawn(tmp_path: Path) -> None:
    place = large(tmp_path)
    [gone] = place.ask("SELECT min(point_id) AS point FROM points")
    with place.process() as process:
        process.run(send=False)
        place.ask("DELETE FROM points WHERE point_id = :point", point=gone.point)
        process.run()
        [row] = place.ask("SELECT subject, state FROM deliveries WHERE NOT due")
        assert (row.subject, row.state) == (gone.point, "pending")
        assert not any(gone.point in key for key in place.world.reports())


def test_a_persons_word_is_what_the_month_is_measured_by_from_then_on(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run()
        place.ask("UPDATE hubs SET decommissioned_on = '2026-09-30' WHERE hub_id = :hub", hub=HUBS[0])
        place.ask("DELETE FROM points WHERE hub_id = :hub", hub=HUBS[0])
        assert not complete(process, process.run())
        assert complete(process, process.run(accepted_by="somebody"))
        assert process.states() == {State.ACCEPTED: 7}
        for _ in range(2):
            assert complete(process, process.run())
        assert len(process.events.of("inventory.shrunk")) == 1
        [said] = process.events.of("inventory.accepted")
        assert (said["expected"], said["detail"]) == (7, "by somebody")
        record = process.service.ledger.plans.inventory_record(MONTH)
        assert record == InventoryRecord(largest=7, accepted_by="somebody", accepted_at=place.world.now())


def test_a_daemon_takes_nobodys_word_and_reminds_once_a_day(tmp_path: Path, daemons: Daemons) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run()
    emptied(place)
    daemon = daemons(place)
    daemon.live(OPENED + timedelta(days=2, hours=1), every=timedelta(minutes=15))
    said = daemon.at("inventory.shrunk")
    assert [at - said[0] for at in said] == [timedelta(0), timedelta(days=1), timedelta(days=2)]
    assert daemon.beat()["inventory_in_doubt"] == 1
    assert "last_completed_month" not in daemon.beat()
    assert daemon.states(MONTH) == {"accepted": 11}
    place.store(ROWS)
    daemon.live(OPENED + timedelta(days=2, hours=2), every=timedelta(minutes=15))
    assert daemon.beat()["inventory_in_doubt"] == 0
    assert daemon.beat()["last_completed_month"] == str(MONTH)


def test_a_window_that_closes_on_an_inventory_in_doubt_is_missed(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run()
        emptied(place)
        process.run()
        place.world.turn_to(CLOSES)
        process.run()
        [missed] = process.events.of("window.missed")
        assert (missed["expected"], missed["delivered"], missed["missed"]) == (11, 11, 0)
        assert missed["detail"] == "1 report is due, 11 were before"
        assert process.events.of("window.closed") == []
        assert process.run(accepted_by="somebody").complete, "nothing that was owed leaves a closed month"
        assert process.states() == {State.ACCEPTED: 11}
