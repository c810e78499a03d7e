"""Simulated time, and the processes that live in it.

A `World` has one true time and an agenda of what happens when. A `Process` has tasks, each a greenlet: it runs
until it waits, then the agenda says who goes on. So processes interleave wherever one waits or touches the outside
(`switch`), and nothing but the seed decides how. A killed process is unwound, and nothing that it does on the way
has any effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING, TypeVar

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
POLL_S = 0.01
"""How often a task looks whether a lock is free."""
IDLE_STEPS = 20_000
"""More steps than this without any time going by are a busy loop."""


class ProcessDied(BaseException):
    """The process was killed: nothing of it runs any more, no handler and no `finally` has any effect."""


class BusyLoop(Exception):
    """Something goes on without any time going by."""


class World:
    """True time, the dice, and the record of what happened."""

    def __init__(self, start: datetime, seed: int) -> None:
        self.start = start
        self.elapsed = 0.0  # true seconds since `start`
        self.random = Random(seed)
        self.trace: list[tuple[float, str, str]] = []  # when, who, what
        self.bugs: list[str] = []
        self.switches = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.hub = getcurrent()

    @property
    def now(self) -> datetime:
        """Return the true time."""
        return self.start + timedelta(seconds=self.elapsed)

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Let something happen at a moment, in true seconds; what is past happens next."""
        heappush(self._agenda, (max(moment, self.elapsed), next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.elapsed + seconds, action)

    def note(self, who: str, what: str) -> None:
        self.trace.append((self.elapsed, who, what))

    def run(self, until: float) -> None:
        """Let time go by up to a moment; raise BusyLoop if it stands still."""
        agenda, steps = self._agenda, 0
        while agenda and agenda[0][0] <= until:
            moment, _, action = heappop(agenda)
            steps = steps + 1 if moment <= self.elapsed else 0
            if steps > IDLE_STEPS:
                raise BusyLoop(f"at {self.now}")
            self.elapsed = max(self.elapsed, moment)
            action()
        self.elapsed = max(self.elapsed, until)

    def suspend(self) -> None:
        """Leave the task that runs until somebody switches to it."""
        self.hub.switch()


class Task:
    """Something that a process does, beside what else it does."""

    def __init__(self, process: Process, main: Callable[[], None]) -> None:
        self._process = process
        self._main = main
        self._sleep = 0  # its number: what would end another one comes too late
        self._greenlet = greenlet(self._live, parent=process.world.hub)  # where it goes when it ends
        process.tasks.append(self)
        process.world.after(0.0, self._start)

    @property
    def ended(self) -> bool:
        return bool(self._greenlet.dead)

    def wait(self, seconds: float) -> None:
        """Let others run, for so many true seconds or until somebody wakes this task."""
        world = self._process.world
        self._sleep += 1
        number = self._sleep
        world.after(max(seconds, 0.0), lambda: self._resume(number))
        world.suspend()
        if self._process.dead:
            raise ProcessDied

    def wake(self) -> None:
        """Let the task go on as soon as whoever runs now waits."""
        number = self._sleep
        self._process.world.after(0.0, lambda: self._resume(number))

    def bury(self) -> None:
        """Unwind the task of a dead process."""
        if self._greenlet and not self._greenlet.dead:
            self._greenlet.throw(ProcessDied)

    def _start(self) -> None:
        if not self._process.dead:
            self._switch()

    def _resume(self, number: int) -> None:
        process = self._process
        if number != self._sleep or process.dead or self._greenlet.dead:
            return
        if process.frozen_until > process.world.elapsed:
            process.world.at(process.frozen_until, lambda: self._resume(number))
            return
        self._sleep += 1
        self._switch()

    def _switch(self) -> None:
        before, self._process.running = self._process.running, self
        self._greenlet.switch()
        self._process.running = before

    def _live(self) -> None:
        try:
            self._main()
        except ProcessDied:
            pass
        except Exception as bug:  # noqa: BLE001 - whatever it is, no month may bring it about
            if not self._process.dead:
                self._process.world.bugs.append(f"{self._process.name}: {type(bug).__name__}: {bug}")
        self._process.tasks.remove(self)


@dataclass(slots=True, eq=False)
class Process:
    """One process: what it does, and what befalls it."""

    world: World
    name: str
    pace: float = 0.3  # how often a switch lets others run at all, 0..1
    tasks: list[Task] = field(default_factory=list)
    running: Task | None = None
    dead: bool = False
    stop_reason: str | None = None  # why it was asked to end
    frozen_until: float = 0.0  # SIGSTOP, or a machine that stands still; true seconds
    switches: int = 0
    dies_at: int | None = None  # the switch that is its last
    ended: Callable[[], None] = lambda: None

    def do(self, main: Callable[[], None]) -> Task:
        """Begin a task."""
        return Task(self, main)

    def wait(self, seconds: float) -> None:
        """Let the task that runs wait."""
        if self.dead:
            raise ProcessDied
        assert self.running is not None, "nobody is there to wait"
        self.running.wait(seconds)

    def switch(self, seconds: float = 0.0) -> None:
        """Pass a point at which the process may die, stand still, or let another one run."""
        if self.dead:
            raise ProcessDied
        self.switches += 1
        self.world.switches += 1
        if self.dies_at is not None and self.switches >= self.dies_at:
            self.kill("at a switch")
            raise ProcessDied
        if self.running is not None and (seconds > 0 or self.world.random.random() < self.pace):
            self.running.wait(seconds + self.world.random.expovariate(500.0))

    def kill(self, why: str) -> None:
        """End it as kill -9 does."""
        if not self.dead:
            self.dead = True
            self.world.note(self.name, f"killed {why}")
            self.world.after(0.0, self._bury)

    def end(self) -> None:
        """Come to its own end."""
        self.dead = True
        self.world.note(self.name, "ended")
        self.world.after(0.0, self._bury)

    def _bury(self) -> None:
        for task in reversed(self.tasks.copy()):  # what a task waits for ends before it
            task.bury()
        self.ended()


class ProcessBackground:
    """What goes on in a process beside the caller (`ports.Background`): tasks, where threads are otherwise."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        ended: list[bool] = []

        def go_on() -> None:
            while not ended:
                self._process.wait(seconds)
                if not ended:
                    call()

        self._process.do(go_on)
        return lambda: ended.append(True)

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        caller, made, failed = self._process.running, list[T](), list[BaseException]()
        late = False

        def make() -> None:
            try:
                made.append(call())
            except Exception as failure:  # noqa: BLE001 - it is raised where it is awaited
                failed.append(failure)
            if caller is not None and not late:
                caller.wake()

        self._process.do(make)
        self._process.wait(seconds)
        late = True
        if failed:
            raise failed[0]
        if not made:
            raise TimeoutError
        return made[0]

    def lock(self) -> ProcessLock:
        return ProcessLock(self._process)


class ProcessLock:
    """Lets one task of a process in at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._held = False

    def __enter__(self) -> None:
        while self._held:
            self._process.wait(POLL_S)
        self._held = True

    def __exit__(self, *_failure: object) -> None:
        self._held = False


@dataclass(slots=True, eq=False)
class ProcessClock:
    """A machine's clock as one process reads it (`ports.Clock`): off, drifting, and set now and then."""

    process: Process
    offset_s: float = 0.0  # ahead of true time
    drift: float = 0.0  # seconds gained a second
    booted_s: float = 5000.0  # the monotonic clock's value when the world began

    def now(self) -> datetime:
        world = self.process.world
        return world.start + timedelta(seconds=self.offset_s + world.elapsed * (1 + self.drift))

    def monotonic(self) -> float:
        return self.booted_s + self.process.world.elapsed * (1 + self.drift)

    def sleep(self, seconds: float) -> None:
        self.process.wait(seconds / (1 + self.drift))
