"""The processes of a simulated month: daemons as their command builds them, and commands that a person starts.

Everything is real but APScheduler, whose part `DaemonProgram.live` plays. Where nothing happens its looks come
further and further apart, as alarms may: a month of looks every 15 s would cost minutes, and tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from report_service.bootstrap.daemon import build_daemon
from report_service.bootstrap.service import build
from report_service.domain.months import ReportMonth
from report_service.errors import ReportServiceError
from report_service.logs.sink import LogEvents
from report_service.mock_api.app import MockObelis
from report_service.settings import load_settings
from tests.simulation.engine import Process, ProcessBackground, ProcessClock, ProcessDied, World
from tests.simulation.network import SimulatedExecutor
from tests.simulation.sources import SimulatedSource
from tests.simulation.store import SimulatedStore, disk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from report_service.bootstrap.daemon import Daemon
    from report_service.bootstrap.service import Service
    from report_service.events import Level
    from report_service.ports import ReportApi
    from report_service.services.reconcile import Reconciler
    from report_service.settings import Settings
    from tests.simulation.engine import Task
    from tests.simulation.month import SimulatedMonth
    from tests.simulation.scenario import Machine

LOOK_S = 15.0
LONGEST_LOOK_S = 7200.0
SECRET = "s3cret-of-the-operator"
GRACE_S = 9.5
"""What a container's process gets between SIGTERM and SIGKILL."""


class TrueClock:
    """The database server's clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.now = lambda: world.now

    def monotonic(self) -> float:
        return self._world.elapsed

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a database does not wait")


@lru_cache(maxsize=64)
def _settings(limit_per_minute: int, sweep_minutes: int) -> Settings:
    named = {
        "OBELIS__MODE": "mock",
        "OBELIS__CLIENT_SECRET": SECRET,
        "OBELIS__REQUESTS_PER_MINUTE": str(limit_per_minute),
        "STORE__URL": disk().url,
        "SCHEDULE__SWEEP_MINUTES": str(sweep_minutes),
    }
    return load_settings(
        None, {f"REPORT_SERVICE_{name}": value for name, value in named.items()}, default_files=()
    )


@dataclass(slots=True, eq=False, kw_only=True)
class Program:
    """What a daemon and a command have in common: a process, and the parts that it is built of."""

    month: SimulatedMonth
    process: Process
    clock: ProcessClock
    executor: SimulatedExecutor | None = None
    secrets: set[str] = field(default_factory=lambda: {SECRET})
    closing: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process.ended = self._ended

    @property
    def settings(self) -> Settings:
        scenario = self.month.scenario
        return _settings(scenario.limit_per_minute, scenario.sweep_minutes)

    def parts(self) -> dict[str, object]:
        """Return what `build` takes in place of the real world."""
        return {
            "redact": self._redact,
            "learn": self.secrets.add,
            "clock": self.clock,
            "background": ProcessBackground(self.process),
            "stop": lambda: self.process.stop_reason,
            "store": SimulatedStore(self.process, self.month.database),
            "store_clock": TrueClock(self.process.world),
            "mock": _NOBODY,
            "executor": self._executor,
            "seed": self.process.world.random.getrandbits(32),
        }

    def events(self) -> LogEvents:
        return LogEvents(self._heard, strict=True)

    def sourced(self, reconciler: Reconciler) -> Reconciler:
        """Let it read the simulated source."""
        process, trouble, planner = self.process, self.month.trouble, reconciler.planner

        def sourced(events: object) -> object:
            made = planner(events)  # type: ignore[arg-type]
            return replace(made, source=SimulatedSource(process, made.source, trouble))

        return replace(reconciler, planner=sourced)  # type: ignore[arg-type]

    def _executor(self, api: ReportApi) -> SimulatedExecutor:
        obelis = self.settings.obelis
        self.executor = SimulatedExecutor(
            self.process, self.clock, self.month.obelis, capacity=obelis.max_in_flight, timeout_s=obelis.timeout_s
        )
        return self.executor

    def _redact(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def _heard(self, level: Level, event: str, fields: Mapping[str, object], /) -> None:
        if not self.process.dead:
            self.month.heard(self.process.name, event, fields)

    def _ended(self) -> None:
        for close in self.closing:
            close()
        self.month.ended(self)


@dataclass(slots=True, eq=False, kw_only=True)
class DaemonProgram(Program):
    """One replica."""

    idle: Task | None = None  # the task that waits for its next look
    stirred: bool = False
    daemon: Daemon | None = None

    def live(self) -> None:
        """Look again and again, until the process is to end."""
        self.daemon = self._built()
        self.process.do(self._beat)
        self._guarded(self.daemon.watch.ready)
        pause_s = LOOK_S
        while self.process.stop_reason is None:
            runs = self.month.runs
            self._guarded(self.daemon.watch.tick)
            pause_s = LOOK_S if self.stirred or self.month.runs != runs else min(4 * pause_s, self._longest_s())
            self.stirred = False
            self._rest(pause_s)
        self.process.end()

    def stir(self) -> None:
        """Let it look soon: something happened."""
        self.stirred = True
        if self.idle is not None:
            self.idle.wake()

    def terminate(self) -> None:
        """Send SIGTERM, and SIGKILL when its grace is over."""
        self.process.stop_reason = "SIGTERM"
        self.stir()
        self.process.world.after(GRACE_S, lambda: self.process.kill("after its grace"))

    def _built(self) -> Daemon:
        made = build_daemon(self.settings, events=self.events(), write=lambda _: None, **self.parts())  # type: ignore[arg-type]
        self.closing.append(made.service.close)
        made.watch.reconciler = self.sourced(made.watch.reconciler)
        return made

    def _guarded(self, call: Callable[[], object]) -> None:
        """Call as the scheduler does: what raises is a bug, and the next alarm rings all the same."""
        try:
            call()
        except ProcessDied:
            raise
        except Exception as bug:  # noqa: BLE001 - whatever it is
            self.month.bug(self.process.name, bug)

    def _rest(self, pause_s: float) -> None:
        assert self.daemon is not None
        now = self.clock.now()
        rings_s = (self.daemon.timetable.next_instant(now) - now).total_seconds()
        self.idle = self.process.running
        self.process.wait(max(min(pause_s, rings_s), 0.1))
        self.idle = None

    def _longest_s(self) -> float:
        """Return how far looks may be apart: the closer the end, the less."""
        left_s = self.month.scenario.closes - self.process.world.elapsed
        return min(LONGEST_LOOK_S, max(left_s / 8, 60.0)) if left_s > 0 else LONGEST_LOOK_S

    def _beat(self) -> None:
        assert self.daemon is not None
        while True:
            self._guarded(self.daemon.heartbeat.beat)
            self.process.wait(self.process.world.random.uniform(3600, 43200))


@dataclass(slots=True, eq=False, kw_only=True)
class CommandProgram(Program):
    """A command that a person starts."""

    act: Callable[[Service], object]

    def live(self) -> None:
        """Do it, and end."""
        service = build(self.settings, events=self.events(), **self.parts())  # type: ignore[arg-type]
        self.closing.append(service.close)
        service = replace(service, reconciler=self.sourced(service.reconciler))
        try:
            self.act(service)
        except ReportServiceError as refused:
            self.process.world.note(self.process.name, f"says {type(refused).__name__}: {refused}")
        except ProcessDied:
            raise
        except Exception as bug:  # noqa: BLE001 - whatever it is
            self.month.bug(self.process.name, bug)
        self.process.end()


_NOBODY = MockObelis(clock=TrueClock(World(datetime(2026, 1, 1, tzinfo=UTC), 0)))
"""Stands where the built-in mock would: the executor carries every request to the simulated API instead."""


def clock_of(process: Process, machine: Machine) -> ProcessClock:
    return ProcessClock(process, offset_s=machine.offset_s, drift=machine.drift)


def month_of(text: str) -> ReportMonth:
    return ReportMonth.parse(text)
