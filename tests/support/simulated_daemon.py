"""A daemon in simulated time: everything but APScheduler, whose part `live` plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.bootstrap.daemon import Daemon, build_daemon
from tests.support.fakes import RecordingEvents
from tests.support.simulation import SimulatedBackground, SimulatedExecutor, settings_of
from tests.support.taps import tapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from report_service.domain.months import ReportMonth
    from report_service.ports import HealthSnapshot, ReportApi, RequestExecutor
    from tests.support.simulation import Site, World

LOOK = timedelta(seconds=15)
_INSTANT = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class SimulatedDaemon:
    """One process of the daemon in a world."""

    world: World
    daemon: Daemon
    events: RecordingEvents
    pulses: list[HealthSnapshot]
    reason: str | None = None  # to end
    history: list[tuple[datetime, str, Mapping[str, object]]] = field(
        default_factory=list
    )  # events with their time
    _beat_at: datetime | None = None

    def tick(self) -> None:
        heard = len(self.events.emitted)
        at = self.world.now()
        try:
            self.daemon.watch.tick()
        finally:
            self.history += [(at, name, fields) for name, fields in self.events.emitted[heard:]]

    def beat(self) -> dict[str, object]:
        """Return what the heartbeat said."""
        heard = len(self.events.emitted)
        self.daemon.heartbeat.beat()
        said = self.events.emitted[heard:]
        self.history += [(self.world.now(), name, fields) for name, fields in said]
        return next(fields for name, fields in said if name == "run.heartbeat")

    def live(self, until: datetime, *, every: timedelta = LOOK, beats: timedelta | None = None) -> None:
        """Look every so often and whenever the calendar rings, until a moment; beat as often as asked."""
        while self.world.now() < until:
            self.tick()
            if beats is not None and (self._beat_at is None or self.world.now() >= self._beat_at + beats):
                self._beat_at = self.world.now()
                self.beat()
            now = self.world.now()
            self.world.turn_to(
                min(now + every, self.daemon.timetable.next_instant(now), max(until, now + _INSTANT))
            )

    def at(self, event: str, **fields: object) -> list[datetime]:
        """Return the times of the looks that said an event, with these fields."""
        return [at for at, name, said in self.history if name == event and fields.items() <= said.items()]

    def states(self, month: ReportMonth) -> dict[str, int]:
        month_counts = self.daemon.service.ledger.status.month_counts(month)
        return {state.value: count for state, count in month_counts.by_state.items()}

    def close(self) -> None:
        self.daemon.service.close()


def start(
    site: Site, *, redact: Callable[[str], str] = str, tap: Callable[[str], None] | None = None
) -> SimulatedDaemon:
    """Start a daemon on a site; nothing happens before it looks."""
    events = RecordingEvents()
    pulses: list[HealthSnapshot] = []
    made: list[SimulatedDaemon] = []
    executor: list[SimulatedExecutor] = []

    def new_exchanges(api: ReportApi) -> RequestExecutor:
        executor.append(SimulatedExecutor(api, site.world, 16))
        return executor[0]

    def stop() -> str | None:
        return made[0].reason if made else None

    daemon = build_daemon(
        settings_of(site.url, **site.environ),
        events=events,
        write=pulses.append,
        clock=site.world,
        background=SimulatedBackground(site.world),
        stop=stop,
        redact=redact,
        mock=site.world.mock,
        executor=new_exchanges,
        seed=next(site._seeds),
    )
    if tap is not None:
        daemon.watch.reconciler = tapped(daemon.watch.reconciler, tap)
    made.append(SimulatedDaemon(world=site.world, daemon=daemon, events=events, pulses=pulses))
    return made[0]


class Daemons:
    """Starts daemons, and closes all of them."""

    def __init__(self) -> None:
        self._started: list[SimulatedDaemon] = []

    def __call__(
        self, place: Site, *, redact: Callable[[str], str] = str, tap: Callable[[str], None] | None = None
    ) -> SimulatedDaemon:
        self._started.append(start(place, redact=redact, tap=tap))
        return self._started[-1]

    def close(self) -> None:
        for each in self._started:
            each.close()
