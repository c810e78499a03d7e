"""The operator's source in a simulated month: the real one, now and then slow, down or odd."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.inventory import Inventory
from report_service.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.ports import ReportSource
    from tests.simulation.engine import Process

BATCH = 16
"""So many rows come at once."""


@dataclass(slots=True)
class Trouble:
    """What ails the source: a kind, or the `inventory`, from now until (true seconds)."""

    down: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    odd: dict[str, float] = field(default_factory=dict)
    slow_s: float = 1.0  # a batch of rows then takes


@dataclass(slots=True)
class SimulatedSource:
    """What a process reads (`ports.ReportSource`)."""

    process: Process
    inner: ReportSource
    trouble: Trouble

    def inventory(self, month: ReportMonth) -> Inventory:
        try:
            self._pass("inventory")
        except SourceUnavailable as down:
            unread = dict.fromkeys(("hubs", "points", "provider-groups"), str(down))
            return Inventory.read(month, hubs=(), points=(), provider_groups=(), unread=unread)
        return self.inner.inventory(month)

    def rows(self, kind: Kind, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        self._pass(kind.name)
        for number, row in enumerate(self.inner.rows(kind, month)):
            if number % BATCH == BATCH - 1:
                self._pass(kind.name)
            yield row
        if self.trouble.odd.get(kind.name, 0.0) > self.process.world.elapsed:
            yield {"month": str(month), "hub_id": "\ud800", "rating": "9" * 400}

    def _pass(self, name: str) -> None:
        world, trouble = self.process.world, self.trouble
        self.process.switch(trouble.slow_s if trouble.slow.get(name, 0.0) > world.elapsed else 0.0)
        if trouble.down.get(name, 0.0) > world.elapsed:
            world.note(self.process.name, f"source {name} is down")
            raise SourceUnavailable(f"sources.{name} cannot be read", hint="See that this database is up.")
