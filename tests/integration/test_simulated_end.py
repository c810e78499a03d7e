"""How a run ends: asked to, by a bug, or by itself; always with its one canonical line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.errors import LeaseHeld
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from tests.support.simulation import CLOSES, MONTH, Process, World, site
from tests.support.taps import StoreAway

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fakes import RecordingEvents

START = World().monotonic()


@dataclass
class Stop:
    """A process that is asked to end after some seconds."""

    world: World
    after_s: float
    asked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.asked_at = START + self.after_s

    def __call__(self) -> str | None:
        return "SIGTERM" if self.world.monotonic() >= self.asked_at else None


def canonical(events: RecordingEvents) -> dict[str, object]:
    """Return the run's canonical line: there is one."""
    [line] = events.of("run.completed") + events.of("run.failed")
    return line


# --- asked to end


def test_who_is_asked_to_end_sends_nothing_more_and_records_what_is_under_way(tmp_path: Path) -> None:
    world = World(latency=constant(2.0))
    stop = Stop(world, 4.3)
    place = site(tmp_path, world, hubs=8)
    with place.process(stop=stop) as process:
        result = process.run()
        states = process.states()
        assert set(states) == {State.ACCEPTED, State.PENDING}
        assert result.error is None
        assert not result.complete
        assert result.stats is not None
        assert result.stats.stopped == "SIGTERM"
        assert canonical(process.events)["accepted"] == states[State.ACCEPTED]
        last = process.service.ledger.runs.last(MONTH)
        assert last is not None
        assert last.result == "interrupted"
    assert states[State.ACCEPTED] == len(world.reports()) > 5
    assert world.arrivals()[-1] < stop.asked_at
    assert world.monotonic() < stop.asked_at + 3
    with place.process() as process:
        assert process.run(lease_patience_s=0).complete
    assert world.mock.stats()["conflicts"] == 0


def test_what_hangs_is_left_in_flight_when_grace_is_over(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("slow=60")])
    stop = Stop(world, 1.0)
    place = site(tmp_path, world, {"run__grace_s": "8"})
    with place.process(stop=stop) as process:
        result = process.run()
        assert result.error is None
        assert process.states() == {State.IN_FLIGHT: 1, State.PENDING: 10}
    assert stop.asked_at + 8 <= world.monotonic() <= stop.asked_at + 9
    world.mock.set_faults([])
    with place.process() as process:
        assert process.run(lease_patience_s=0).complete
    rows = place.ask("SELECT evidence FROM deliveries WHERE kind = 'hotline_rating'")
    assert [row.evidence for row in rows] == ["inferred"]


def test_an_answer_to_an_earlier_run_of_the_process_disturbs_no_later_one(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("slow=20@hotline_rating#1")])
    stop = Stop(world, 1.0)
    place = site(tmp_path, world, {"run__grace_s": "2"})
    with place.process(stop=stop) as process:
        process.run()
        assert process.states()[State.IN_FLIGHT] == 1
        stop.asked_at = float("inf")
        assert process.run().complete
    assert world.reports().count(f"{MONTH}/hotline_rating") == 2


@pytest.mark.parametrize("grace_s", ["0", "8"])
def test_who_waits_for_a_retry_ends_at_once(tmp_path: Path, grace_s: str) -> None:
    world = World(faults=[InjectedFault.parse("404@hotline_rating")])
    stop = Stop(world, 30.2)
    with site(tmp_path, world, {"run__grace_s": grace_s}).process(stop=stop) as process:
        process.run()
    assert stop.asked_at <= world.monotonic() < stop.asked_at + 0.5


def test_who_waits_for_the_lease_ends_at_once(tmp_path: Path) -> None:
    world = World()
    stop = Stop(world, 10)
    with site(tmp_path, world).process(stop=stop) as process:
        process.service.ledger.leases.acquire("another", at=0.0)
        with pytest.raises(LeaseHeld):
            process.run()
    assert stop.asked_at <= world.monotonic() <= stop.asked_at + 0.5


def test_who_waits_for_the_store_ends_when_grace_is_over(tmp_path: Path) -> None:
    world = World(latency=constant(1.0))
    stop = Stop(world, 5)
    place = site(tmp_path, world, {"run__grace_s": "8"}, hubs=9)
    away = StoreAway(world, 60, for_s=10_000)
    with place.process(stop=stop, tap=away) as process:
        result = process.run()
        assert canonical(process.events)["reason"] == "store_unavailable"
        assert result.stats is not None
    assert world.monotonic() <= stop.asked_at + 9


def test_a_store_that_comes_back_within_grace_is_told_what_came_in(tmp_path: Path) -> None:
    world = World(latency=constant(1.0))
    stop = Stop(world, 5)
    place = site(tmp_path, world, {"run__grace_s": "8"}, hubs=9)
    away = StoreAway(world, 10_000, for_s=4)
    with place.process(stop=stop, tap=away) as process:
        world.after(4.5, lambda: setattr(away, "_step", len(away.steps) + 1))
        result = process.run()
        assert result.error is None
        assert State.IN_FLIGHT not in process.states()
        assert process.states()[State.ACCEPTED] == len(world.reports())


# --- bugs


@dataclass
class Broken:
    """A source with a bug."""

    failure: BaseException

    def inventory(self, month: object) -> object:
        raise self.failure


def with_source(process: Process, failure: BaseException) -> None:
    planner = process.reconciler.planner
    process.reconciler = replace(
        process.reconciler,
        planner=lambda events: replace(planner(events), source=Broken(failure)),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("bug", "reason"),
    [(ZeroDivisionError("one by none"), "zero_division_error"), (KeyboardInterrupt(), "keyboard_interrupt")],
)
def test_a_bug_is_told_in_the_canonical_line_and_lets_the_lease_go(
    tmp_path: Path, bug: BaseException, reason: str
) -> None:
    place = site(tmp_path)
    with place.process() as process:
        with_source(process, bug)
        with pytest.raises(type(bug)):
            process.run()
        line = canonical(process.events)
        assert line["reason"] == reason
        assert type(bug).__name__ in str(line["exception"])
        last = process.service.ledger.runs.last(MONTH)
        assert last is not None
        assert last.result == "failed"
    with place.process() as process:
        assert process.run(lease_patience_s=0).complete


def test_a_bug_while_delivering_leaves_the_truth_and_says_what_was_done(tmp_path: Path) -> None:
    place = site(tmp_path)
    starts = []

    def buggy(step: str) -> None:
        if step == "executor.submit":
            starts.append(step)
            if len(starts) == 5:
                raise TypeError("a bug")

    with place.process(tap=buggy) as process:
        with pytest.raises(TypeError):
            process.run()
        line = canonical(process.events)
        assert (line["reason"], line["detail"]) == ("type_error", "a bug")
        assert (line["accepted"], line["in_flight"], line["sent"]) == (3, 1, 5)
    with place.process() as process:
        assert process.run(lease_patience_s=0).complete


def test_a_bug_in_the_last_step_does_not_cost_the_canonical_line(tmp_path: Path) -> None:
    place = site(tmp_path)

    def buggy(step: str) -> None:
        if step == "ledger.end":
            raise LookupError("a bug")

    with place.process(tap=buggy) as process:
        with pytest.raises(LookupError):
            process.run()
        line = canonical(process.events)
        assert line["reason"] == "lookup_error"
        assert line["accepted"] == 11


# --- the canonical line, and the forecast


def test_the_canonical_line_says_what_was_done(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("400@hotline_rating"), InjectedFault.parse("404@ad_hoc_tariff#1")])
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=0)
        line = canonical(process.events)
    counts = {"expected": 11, "delivered": 9, "accepted": 9, "rejected": 1, "retrying": 1, "sent": 12}
    assert {name: line[name] for name in counts} == counts
    assert line["complete"] is False
    assert line["trigger"] == "run"
    assert line["run_id"] == result.run_id
    assert line["forecast_in_time"] is True
    assert result.outlook is not None
    assert line["forecast_unix"] == int(result.outlook.done_at.timestamp())


def test_a_month_that_will_not_be_done_in_time_is_warned_of(tmp_path: Path) -> None:
    world = World(CLOSES - timedelta(minutes=3), latency=constant(20))
    stop = Stop(world, 30)
    place = site(tmp_path, world, {"obelis__max_in_flight": "2"}, hubs=10, points_per_hub=8)
    with place.process(stop=stop) as process:
        process.run()
        [late] = process.events.of("forecast.late")
        line = canonical(process.events)
    assert line["forecast_in_time"] is False, "two at once, 20 s each, are six a minute"
    assert int(str(late["outstanding"])) > 90
    assert late["forecast_unix"] == line["forecast_unix"]


def test_a_month_of_which_half_the_tries_fail_takes_twice_as_long(tmp_path: Path) -> None:
    forecasts = []
    for faults in ([], [InjectedFault.parse("503:0.5")]):
        world = World(latency=constant(1.0), faults=faults)
        place = site(tmp_path, world, {"obelis__max_in_flight": "4"}, hubs=20, points_per_hub=8)
        with place.process(stop=Stop(world, 15)) as process:
            result = process.run()
            assert result.outlook is not None
            assert result.month_counts is not None
            left = result.month_counts.expected - result.month_counts.count([State.ACCEPTED])
            forecasts.append((result.outlook.done_at - world.now()).total_seconds() / left)
    assert forecasts[0] == pytest.approx(1 / 4, rel=0.2)
    assert 1.4 <= forecasts[1] / forecasts[0] <= 3
