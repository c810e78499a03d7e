"""Time, processes and their deaths in the simulator: what every simulated month relies on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.simulation.engine import BusyLoop, Process, ProcessClock, ProcessDied, World

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 11, 1, tzinfo=UTC)


def _walker(process: Process, said: list[str], steps: int = 3) -> Callable[[], None]:
    """Return a task that says where it is at each switch."""

    def walk() -> None:
        for step in range(steps):
            process.switch()
            said.append(f"{process.name}{step}")

    return walk


def _sleeper(process: Process, woke: list[float], *naps: float) -> Callable[[], None]:
    """Return a task that says when it woke from each nap."""

    def sleep() -> None:
        for nap in naps:
            process.wait(nap)
            woke.append(process.world.elapsed)

    return sleep


def _history(seed: int) -> list[str]:
    world, said = World(START, seed), list[str]()
    for name in "ab":
        process = Process(world, name, pace=1.0)
        process.do(_walker(process, said, steps=5))
    world.run(until=10.0)
    return said


def test_processes_take_turns_as_the_dice_say() -> None:
    assert len({tuple(_history(seed)) for seed in range(5)}) > 1
    assert _history(1) == _history(1)


def test_a_process_waits_by_true_time() -> None:
    world, woke = World(START, 1), list[float]()
    process = Process(world, "a")
    process.do(_sleeper(process, woke, 5.0))
    world.run(until=4.9)
    assert not woke
    world.run(until=6.0)
    assert woke == [5.0]


def test_a_task_that_is_woken_goes_on_at_once_and_only_once() -> None:
    world, woke = World(START, 1), list[float]()
    process = Process(world, "a")
    task = process.do(_sleeper(process, woke, 5.0, 9.0))
    world.at(2.0, task.wake)
    world.run(until=8.0)
    assert woke == [2.0]
    assert not task.ended


def test_a_process_dies_at_its_switch_and_what_unwinds_has_no_effect() -> None:
    world, said = World(START, 1), list[str]()
    process = Process(world, "a", dies_at=2)

    def live() -> None:
        try:
            _walker(process, said)()
        finally:
            process.switch()
            said.append("cleaned up")

    process.do(live)
    world.run(until=1.0)
    assert said == ["a0"]
    assert process.dead


def test_every_task_of_a_killed_process_ends_where_it_waits() -> None:
    world, woke = World(START, 1), list[float]()
    process = Process(world, "a")
    tasks = [process.do(_sleeper(process, woke, 5.0)) for _ in range(2)]
    world.at(1.0, lambda: process.kill("for a test"))
    world.run(until=9.0)
    assert not woke
    assert all(task.ended for task in tasks)


def test_a_dead_process_can_begin_nothing() -> None:
    process = Process(World(START, 1), "a", dead=True)
    with pytest.raises(ProcessDied):
        process.switch()
    with pytest.raises(ProcessDied):
        process.wait(1.0)


@pytest.mark.parametrize(("thaws_at", "woke_at"), [(4.9, 5.0), (5.0, 5.0), (7.0, 7.0)])
def test_a_frozen_process_wakes_late(thaws_at: float, woke_at: float) -> None:
    world, woke = World(START, 1), list[float]()
    process = Process(world, "a", frozen_until=thaws_at)
    process.do(_sleeper(process, woke, 5.0))
    world.run(until=9.0)
    assert woke == [woke_at]


def test_a_loop_without_time_is_found() -> None:
    world = World(START, 1)

    def spin() -> None:
        while True:
            process.wait(0.0)

    process = Process(world, "a")
    process.do(spin)
    with pytest.raises(BusyLoop):
        world.run(until=1.0)


def test_what_a_task_raises_is_a_bug_of_the_month() -> None:
    def live() -> None:
        raise ValueError("odd")

    world = World(START, 1)
    Process(world, "a").do(live)
    world.run(until=1.0)
    assert world.bugs == ["a: ValueError: odd"]


def test_a_clock_is_off_drifts_and_can_be_set() -> None:
    world = World(START, 1)
    clock = ProcessClock(Process(world, "a"), offset_s=90.0, drift=0.01)
    began = clock.monotonic()
    world.run(until=100.0)
    assert clock.now() == START + timedelta(seconds=90 + 101)
    clock.offset_s -= 90
    assert clock.now() == START + timedelta(seconds=101)
    assert clock.monotonic() - began == pytest.approx(101)
