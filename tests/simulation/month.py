"""One simulated month: the world, the API, the database, the operator and the replicas, from first to last."""

from __future__ import annotations

import gc
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.simulation.deeds import DEEDS
from tests.simulation.engine import BusyLoop, Process, World
from tests.simulation.obelis import SimulatedObelis
from tests.simulation.operator import Books, store_of
from tests.simulation.processes import CommandProgram, DaemonProgram, clock_of
from tests.simulation.sources import Trouble
from tests.simulation.store import Database, disk
from tests.simulation.weather import Sky

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from report_service.bootstrap.service import Service
    from tests.simulation.processes import Program
    from tests.simulation.scenario import Scenario

DONE = {"accepted", "already_reported", "waived"}
LOOK_S = 1800.0
"""How often it is looked whether all is done."""
RESTARTS_AFTER_S = 20.0
"""How soon a container that died is started again, on average."""


class SimulatedMonth:
    """What happens in one month, and what is left of it for the laws to look at."""

    def __init__(self, scenario: Scenario) -> None:
        content, keys = store_of(scenario.month, scenario.size)
        disk().write(content)
        self.scenario = scenario
        self.world = World(scenario.starts, scenario.seed)
        self.books = Books(scenario.month, set(keys))
        self.database = Database(self.world)
        self.trouble = Trouble()
        self.obelis = SimulatedObelis(
            world=self.world,
            month=scenario.month,
            zone=ZoneInfo(scenario.zone),
            dialect=scenario.dialect,
            limit_per_minute=scenario.limit_per_minute,
            sky=Sky(list(scenario.weather)),
            picky=frozenset(scenario.picky),
            unregistered=dict(scenario.unregistered),
            foreign=dict.fromkeys(scenario.foreign, b""),
        )
        self.events: list[tuple[float, str, str, Mapping[str, object]]] = []
        self.claims: list[tuple[float, str, frozenset[str]]] = []  # when somebody said complete, and what lacked
        self.runs = 0
        self.restored: list[float] = []  # when the store was put back to an earlier state
        self.retried: set[str] = set()
        self.daemons: dict[int, DaemonProgram] = {}
        self.wanted: set[int] = set()  # the replicas that are to run
        self.kinds: Counter[str] = Counter()
        self._names = Counter[str]()

    def live(self) -> None:
        """Let the month happen."""
        for deed in self.scenario.deeds:
            self.world.at(deed.at, partial(self._befall, deed.what, partial(DEEDS[deed.what], self, deed)))
        for weather in self.scenario.weather:
            self.kinds[weather.what] += 1
            for moment in (weather.since, weather.until):
                self.world.at(moment, self.stir)
        try:
            self._go_on()
        except BusyLoop as loop:
            self.world.bugs.append(f"busy loop {loop}")
        self.wanted.clear()
        for daemon in list(self.daemons.values()):
            daemon.process.kill("at the end")
        self.world.run(self.world.elapsed)
        self.database.close()

    def _go_on(self) -> None:
        """Let time go by, to the end or until nothing can happen any more."""
        scenario, world = self.scenario, self.world
        world.run(min(scenario.settled + LOOK_S, scenario.ends))
        while world.elapsed < scenario.ends and (scenario.to_the_end or not self._is_done()):
            world.run(min(world.elapsed + LOOK_S, scenario.ends))

    def _is_done(self) -> bool:
        """Return True if all is delivered, and the ledger knows."""
        if self.lacking():
            return False
        with closing(sqlite3.connect(disk().path)) as live:
            states = {state for (state,) in live.execute("SELECT DISTINCT state FROM deliveries WHERE due")}
        return states <= DONE

    def start(self, who: int) -> None:
        """Start a replica, unless it runs."""
        self.wanted.add(who)
        if who not in self.daemons:
            process = Process(self.world, self._name(f"daemon-{who}"), pace=self._pace())
            machine = self.scenario.machines[who % len(self.scenario.machines)]
            program = DaemonProgram(month=self, process=process, clock=clock_of(process, machine))
            self.daemons[who] = program
            process.do(program.live)

    def command(self, name: str, act: Callable[[Service], object]) -> Process:
        """Start a command on the first machine."""
        process = Process(self.world, self._name(name), pace=self._pace())
        program = CommandProgram(
            month=self, process=process, clock=clock_of(process, self.scenario.machines[0]), act=act
        )
        process.do(program.live)
        return process

    def ended(self, program: Program) -> None:
        """Start a replica again, as whoever supervises it does."""
        for who in [who for who, daemon in self.daemons.items() if daemon is program]:
            del self.daemons[who]
            after_s = self.world.random.expovariate(1 / RESTARTS_AFTER_S)
            self.world.after(after_s, partial(self._start_again, who))

    def stir(self) -> None:
        for daemon in self.daemons.values():
            daemon.stir()

    def heard(self, who: str, event: str, fields: Mapping[str, object]) -> None:
        """Keep what a process said; a claim that the month is complete is held against the API's record."""
        told = " ".join(f"{name}={value}" for name, value in fields.items() if name not in UNTOLD)
        self.world.note(who, f"says {event} {told}".replace(str(disk().folder), ""))
        self.events.append((self.world.elapsed, who, event, fields))
        self.runs += event == "run.started"
        if fields.get("complete") is True or event == "window.closed":
            self.claims.append((self.world.elapsed, f"{who}: {event}", frozenset(self.lacking())))

    def lacking(self) -> set[str]:
        """Return the due reports that the API does not have and nobody has waived."""
        return self.books.due - self.obelis.stored.keys() - self.obelis.foreign.keys() - self.books.waived

    def bug(self, who: str, bug: Exception) -> None:
        self.world.note(who, f"raises {type(bug).__name__}: {bug}")
        self.world.bugs.append(f"{who}: {type(bug).__name__}: {bug}")

    def _befall(self, what: str, action: Callable[[], None]) -> None:
        self.kinds[what] += 1
        self.world.note("world", what)
        action()
        self.stir()

    def _start_again(self, who: int) -> None:
        if who in self.wanted:
            self.start(who)

    def _pace(self) -> float:
        return self.world.random.choice((0.02, 0.1, 0.5))

    def _name(self, name: str) -> str:
        self._names[name] += 1
        return f"{name}.{self._names[name]}"


UNTOLD = {"run_id", "instance", "holder", "settings", "endpoint", "exception", "hint"}
"""Fields that a replay need not show, or that differ from process to process."""


def simulate(scenario: Scenario) -> SimulatedMonth:
    """Let a month happen, and return what is left of it."""
    gc.disable()
    try:
        month = SimulatedMonth(scenario)
        month.live()
        return month
    finally:
        gc.enable()
