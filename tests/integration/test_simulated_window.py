"""In the window or not at all: law 1, and what a closed window makes of the rest."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.errors import ClockDisagrees, SourceUnavailable, WindowNotOpen
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from tests.support.simulation import CLOSES, MONTH, OPENED, OPENS, World, operator, site
from tests.support.taps import Kill

if TYPE_CHECKING:
    from pathlib import Path

LAST_SEND = CLOSES - timedelta(seconds=60)
SLOWLY = {"obelis__requests_per_minute": "60"}


def at_or_after(world: World, moment: datetime) -> list[float]:
    """Return what arrived from a moment on."""
    since = world.monotonic() - (world.now() - moment).total_seconds()
    return [at for at in world.arrivals() if at >= since]


def test_a_run_shortly_before_the_end_stops_at_the_guard(tmp_path: Path) -> None:
    world = World(LAST_SEND - timedelta(seconds=60), latency=constant(0.2))
    place = site(tmp_path, world, SLOWLY, hubs=10, points_per_hub=8)
    with place.process() as process:
        result = process.run()
        states = process.states()
    assert not at_or_after(world, LAST_SEND)
    assert 55 <= len(world.calls) <= 60
    assert states == {State.ACCEPTED: len(world.calls) - 1, State.PENDING: 104 - len(world.calls)}
    assert world.now() - LAST_SEND < timedelta(seconds=2)
    assert result.error is None
    assert not result.complete
    assert result.stats is not None
    assert result.stats.stopped == "the window of 2026-10 is not open"


def test_a_run_waits_for_a_retry_no_longer_than_the_window_is_open(tmp_path: Path) -> None:
    world = World(LAST_SEND - timedelta(seconds=100), faults=[InjectedFault.parse("404@hotline_rating")])
    with site(tmp_path, world).process() as process:
        process.run(patience_s=3600)
    assert world.now() - LAST_SEND < timedelta(seconds=1)


def test_a_worker_that_comes_late_sends_nothing(tmp_path: Path) -> None:
    world = World(LAST_SEND - timedelta(seconds=0.2))
    delays = iter([0.0, 0.5])
    world.dispatch_s = lambda _: next(delays)
    place = site(tmp_path, world)
    with place.process() as process:
        process.run()
        assert process.states() == {State.PENDING: 10, State.RETRYING: 1}
        [deferred] = process.events.of("report.deferred")
        assert deferred["reason"] == "not_sent"
        assert deferred["detail"] == "the window of 2026-10 is not open"
    assert world.reports() == []
    rows = place.ask("SELECT outcome FROM attempts WHERE delivery_id IS NOT NULL")
    assert [row.outcome for row in rows] == ["not_sent"]


@pytest.mark.parametrize(
    ("moment", "skew_s", "direction", "sends"),
    [
        (LAST_SEND - timedelta(minutes=9), 600, "behind", False),
        (LAST_SEND - timedelta(minutes=11), 600, "behind", True),
        (OPENS + timedelta(minutes=10), -600, "ahead", False),
        (OPENS + timedelta(minutes=12), -600, "ahead", True),
    ],
)
def test_both_clocks_must_lie_in_the_window(
    tmp_path: Path, moment: datetime, skew_s: float, direction: str, sends: bool
) -> None:
    world = World(moment, skew_s=skew_s)
    place = site(tmp_path, world)
    with place.process() as process:
        assert process.run(patience_s=0).complete is sends
        result = process.run(patience_s=0)  # it has a token from the start, and does not forget the clock
        assert result.complete is sends
        [skewed] = process.events.of("clock.skewed")
        assert skewed["skew_s"] == pytest.approx(600, abs=2)
        assert skewed["skew_direction"] == direction
        line = process.events.of("run.completed" if sends else "run.failed")[0]
        assert line["skew_s"] == pytest.approx(600, abs=2)
        if not sends:
            assert result.stats is not None
            assert "by the API's clock, " in str(result.stats.stopped)
            assert isinstance(result.error, ClockDisagrees)
            assert process.events.of("run.halted")[-1]["reason"] == "clock_disagrees"
    assert len(world.reports()) == (11 if sends else 0)


def test_clocks_that_agree_are_not_told_of(tmp_path: Path) -> None:
    world = World(skew_s=4)
    with site(tmp_path, world).process() as process:
        assert process.run().complete
        assert "clock.skewed" not in process.events.names()


def test_before_the_window_nothing_is_planned_or_recorded(tmp_path: Path) -> None:
    place = site(tmp_path, World(OPENS - timedelta(seconds=1)))
    with place.process() as process:
        with pytest.raises(WindowNotOpen):
            process.run()
        assert process.events.emitted == []
    assert place.ask("SELECT * FROM runs") == place.ask("SELECT * FROM deliveries") == []


@pytest.mark.parametrize(("seconds", "sent"), [(0, 0), (59, 0), (60, 11)])
def test_a_month_is_planned_when_its_window_opens_and_sent_after_the_guard(
    tmp_path: Path, seconds: int, sent: int
) -> None:
    world = World(OPENS + timedelta(seconds=seconds))
    with site(tmp_path, world).process() as process:
        process.run(patience_s=0)
        assert process.service.ledger.status.month_counts(MONTH).expected == 11
        assert len(process.events.of("window.opened")) == 1
    assert len(world.reports()) == sent


def test_a_plan_alone_sends_nothing(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        result = process.run(send=False)
        assert process.states() == {State.PENDING: 11}
    assert result.stats is None
    assert place.world.calls == []


# --- a closed window


def test_what_did_not_arrive_is_missed_and_that_is_said_once(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("400@hotline_rating"), InjectedFault.parse("404@hub_rating")])
    place = site(tmp_path, world)
    with place.process() as process:
        process.run(patience_s=0)
    world.turn_to(CLOSES)
    calls = len(world.calls)
    with place.process() as process:
        first, second = process.run(), process.run()
        missed = process.events.of("report.missed")
        assert {(event["key"], event["state"]) for event in missed} == {
            (key, "missed") for key in world.reports() if "hotline" in key or "hub_rating" in key
        }
        assert len(missed) == 3
        [line] = process.events.of("window.missed")
        assert (line["expected"], line["delivered"], line["missed"], line["unresolved"]) == (11, 8, 3, 0)
        assert "window.closed" not in process.events.names()
        assert process.states() == {State.ACCEPTED: 8, State.MISSED: 3}
    assert not first.complete
    assert not second.complete
    assert len(world.calls) == calls


def test_a_complete_month_is_closed_as_such_once(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run()
        place.world.turn_to(CLOSES)
        assert process.run().complete
        assert process.run().complete
        [line] = process.events.of("window.closed")
        assert (line["expected"], line["delivered"]) == (11, 11)
        assert "window.missed" not in process.events.names()


def test_a_report_of_unknown_end_is_unresolved(tmp_path: Path) -> None:
    world = World(
        LAST_SEND - timedelta(seconds=2),
        faults=[InjectedFault.parse("lost@hotline_rating"), InjectedFault.parse("503")],
    )
    place = site(tmp_path, world, hubs=0, provider_groups=1)
    with place.process() as process:
        process.run()
        world.turn_to(CLOSES)
        process.run()
        assert process.states() == {State.UNRESOLVED: 2}
        [line] = process.events.of("window.missed")
        assert (line["missed"], line["unresolved"]) == (0, 2)
        assert {event["state"] for event in process.events.of("report.missed")} == {"unresolved"}


def test_a_month_never_seen_before_is_recorded_as_missed(tmp_path: Path) -> None:
    place = site(tmp_path, World(CLOSES + timedelta(days=40)))
    with place.process() as process:
        process.run()
        assert process.states() == {State.MISSED: 11}
        assert len(process.events.of("window.missed")) == 1
        assert "window.opened" not in process.events.names()
    assert place.world.calls == []


def test_a_kill_at_the_closing_leaves_nobody_untold(tmp_path: Path) -> None:
    for step in site(tmp_path, World(CLOSES), hubs=0, provider_groups=1).deaths():
        place = site(tmp_path, World(CLOSES), hubs=0, provider_groups=1)
        killed = place.start(tap=Kill(at=step))
        killed.lives()
        place.world.turn(61)
        with place.process() as process:
            process.run()
            process.run()
            said = killed.events.names() + process.events.names()
            assert process.states() == {State.MISSED: 2}
        assert said.count("report.missed") >= 1
        assert 1 <= said.count("window.missed") <= 2  # again only if it died before it noted that it was said


def test_a_source_that_is_down_at_the_closing_leaves_nobody_untold(tmp_path: Path) -> None:
    place = site(tmp_path, World(CLOSES))
    gone = {"sources__hubs__url": f"sqlite:///{tmp_path}/none.sqlite3", "sources__hubs__query": "SELECT 1"}
    with place.elsewhere(environ=gone).process() as process:
        result = process.run()
        assert isinstance(result.error, SourceUnavailable)
        assert process.states() == {State.MISSED: 7}
        [missed] = process.events.of("window.missed")
        assert "sources.hubs" in str(missed["detail"])
    with place.process() as process:
        assert process.run().error is None
        assert len(process.events.of("report.missed")) == 4
        assert process.states() == {State.MISSED: 11}


def test_a_source_that_is_down_at_the_closing_keeps_no_planned_report_from_being_told(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run(send=False)
    place.world.turn_to(CLOSES)
    gone = {"sources__hubs__url": f"sqlite:///{tmp_path}/none.sqlite3", "sources__hubs__query": "SELECT 1"}
    with place.elsewhere(environ=gone).process() as process:
        result = process.run()
        assert isinstance(result.error, SourceUnavailable)
        assert process.states() == {State.MISSED: 11}
        assert {event["state"] for event in process.events.of("report.missed")} == {"missed"}
        assert len(process.events.of("report.missed")) == 11
        assert len(process.events.of("window.missed")) == 1
    with place.process() as process:
        process.run()
        assert process.events.names() == ["lease.acquired", "run.started", "run.completed"]


def test_a_clock_that_ran_ahead_and_was_put_right_costs_nothing(tmp_path: Path) -> None:
    place = site(tmp_path, World(CLOSES))
    with place.process() as process:
        process.run()
        assert process.states() == {State.MISSED: 11}
    with place.elsewhere(World(OPENED)).process() as process:
        assert process.run().complete


def test_an_inventory_that_shrinks_later_does_not_take_the_proof_of_a_miss(tmp_path: Path) -> None:
    place = site(tmp_path, World(CLOSES), hubs=0, provider_groups=2)
    with place.process() as process:
        process.run()
        assert process.states() == {State.MISSED: 3}
    groups = operator(MONTH, hubs=0, provider_groups=2)["provider-groups"]
    place.store({"provider-groups": [{**group, "valid_to": date(2024, 12, 31)} for group in groups]})
    with place.process() as process:
        process.run()
        assert process.states() == {State.MISSED: 3}
