"""The store goes away in the middle of a run: nothing is sent meanwhile, nothing recorded is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.errors import LeaseLost, StoreUnavailable
from report_service.mock_api.latency import constant
from tests.support.simulation import Site, World, assert_delivered_once, site
from tests.support.taps import StoreAway

if TYPE_CHECKING:
    from pathlib import Path


def small(folder: Path, latency_s: float = 0.2) -> Site:
    return site(folder, World(latency=constant(latency_s)), hubs=0, provider_groups=2)


def test_a_store_that_comes_back_costs_only_time_wherever_it_goes_away(tmp_path: Path) -> None:
    place = small(tmp_path)
    look = StoreAway(place.world)
    with place.process(tap=look) as process:
        process.run()
    delivering = range(look.steps.index("ledger.due"), look.steps.index("ledger.release"))
    for at in delivering:
        if not look.steps[at].startswith("ledger."):
            continue
        place = small(tmp_path)
        away = StoreAway(place.world, at + 1)
        with place.process(tap=away) as process:
            result = process.run()
            assert result.complete, look.steps[at]
            names = process.events.names()
            assert names.count("store.lost") == names.count("store.recovered") == 1
            [recovered] = process.events.of("store.recovered")
            assert 30 <= float(str(recovered["duration_s"])) <= 31
        assert away.began is not None
        began = away.began
        assert not [at for at in place.world.arrivals() if began < at < began + 30]
        assert_delivered_once(place, 3)


def test_outcomes_that_came_in_while_it_was_away_are_recorded_and_told(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(2.0)), hubs=0, provider_groups=9)
    away = StoreAway(place.world, 10_000)
    with place.process(tap=away) as process:
        place.world.after(4.5, lambda: setattr(away, "_step", len(away.steps) + 1))
        assert process.run().complete
        accepted = process.events.of("report.accepted")
        assert len(accepted) == 10
        assert {event["evidence"] for event in accepted} == {"confirmed"}
    assert place.world.mock.stats()["conflicts"] == 0


def test_what_is_under_way_when_it_comes_back_is_not_taken_for_lost(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(24.0)), hubs=0, provider_groups=9)
    away = StoreAway(place.world, for_s=1.0)
    adopted = []

    def tap(step: str) -> None:
        away(step)
        if step == "ledger.recover_in_flight.done":
            adopted.append(place.ask("SELECT count(*) AS n FROM deliveries WHERE state = 'retrying'")[0].n)

    with place.process(tap=tap) as process:
        place.world.after(55.0, lambda: setattr(away, "_step", "ledger.record"))
        assert process.run().complete
    assert adopted == [0, 0]


def test_a_store_away_for_longer_than_patience_ends_the_run_truthfully(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(2.0)), hubs=0, provider_groups=9)
    away = StoreAway(place.world, 10_000, for_s=10_000)
    with place.process(tap=away) as process:
        place.world.after(4.5, lambda: setattr(away, "_step", len(away.steps) + 1))
        result = process.run(patience_s=120)
        assert isinstance(result.error, StoreUnavailable)
        assert away.began is not None
        assert 120 <= place.world.monotonic() - away.began <= 123
        [line] = process.events.of("run.failed")
        assert line["reason"] == "store_unavailable"
        assert "expected" not in line
        assert process.states()[State.IN_FLIGHT] > 0
    arrived = len(place.world.calls)
    with place.process() as process:
        assert process.run().complete
    assert len(place.world.calls) > arrived
    assert_delivered_once(place, 10)


def test_without_patience_what_is_under_way_is_still_recorded_if_it_can_be(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(2.0)), hubs=0, provider_groups=9)
    away = StoreAway(place.world, 10_000, for_s=1.0)
    with place.process(tap=away) as process:
        place.world.after(4.5, lambda: setattr(away, "_step", len(away.steps) + 1))
        assert process.run(patience_s=0).complete
    assert place.world.mock.stats()["conflicts"] == 0


def test_a_store_that_is_away_from_the_start_fails_the_run(tmp_path: Path) -> None:
    place = small(tmp_path)
    with place.process(tap=StoreAway(place.world, 1, for_s=10_000)) as process:
        result = process.run()
        assert isinstance(result.error, StoreUnavailable)
        assert process.events.names() == ["run.failed"]
    assert place.world.calls == []


def test_a_store_that_goes_away_while_planning_fails_the_run_and_the_next_one_delivers(tmp_path: Path) -> None:
    place = small(tmp_path)
    with place.process(tap=StoreAway(place.world, "ledger.save_plan", for_s=1)) as process:
        result = process.run()
        assert isinstance(result.error, StoreUnavailable)
        assert process.events.names() == [
            *("lease.acquired", "run.started", "window.opened", "store.lost", "run.failed"),
        ]
        place.world.turn(61)
        assert process.run().complete


def test_who_came_back_too_late_writes_nothing_over_what_another_recorded(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(2.0)), hubs=0, provider_groups=4)
    away = StoreAway(place.world, 10_000, for_s=200)
    rows: list[object] = []

    def others_turn() -> None:
        with place.process() as other:
            assert other.run(patience_s=300).complete
        rows.extend(place.ask("SELECT * FROM deliveries ORDER BY id"))

    with place.process(tap=away) as process:
        place.world.after(4.5, lambda: setattr(away, "_step", len(away.steps) + 1))
        place.world.after(90, others_turn)
        result = process.run(patience_s=600)
        assert isinstance(result.error, LeaseLost)
    assert rows
    assert place.ask("SELECT * FROM deliveries ORDER BY id") == rows
    assert_delivered_once_by_two(place)


def assert_delivered_once_by_two(place: Site) -> None:
    created = [call["key"] for call in place.world.calls if call["ruling"] == "created"]
    assert len(created) == len(set(created)) == 5
    assert {row.state for row in place.ask("SELECT state FROM deliveries")} == {"accepted"}
    assert place.ask("SELECT * FROM attempts WHERE ended_at IS NULL") == []


def test_a_store_that_takes_outcomes_and_no_intents_ends_the_run_when_patience_does(tmp_path: Path) -> None:
    place = small(tmp_path)
    steps: list[str] = []

    def full_disk(step: str) -> None:
        after_renewal = steps[-1:] == ["ledger.renew.done"]  # then only outcomes are recorded
        steps.append(step)
        if step == "ledger.record" and not after_renewal:
            raise StoreUnavailable("the store cannot be used: the disk is full")

    with place.process(tap=full_disk) as process:
        began = place.world.monotonic()
        result = process.run(patience_s=60)
        assert isinstance(result.error, StoreUnavailable)
        assert 60 <= place.world.monotonic() - began <= 63
        assert process.events.names().count("store.lost") == 1
        assert "store.recovered" not in process.events.names()
    assert not place.world.calls
