"""Outcomes that end together are recorded together; none waits for others any longer than a moment."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from report_service.services.delivery.dispatcher import GATHER_S
from tests.support.simulation import World, site

if TYPE_CHECKING:
    from pathlib import Path

SLOT_S = 60 / 1980
"""Between two requests at the API's limit."""


class Records:
    """A tap that keeps when the ledger was written to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.at: list[float] = []

    def __call__(self, step: str) -> None:
        if step == "ledger.record":
            self.at.append(self._world.monotonic())


def records_of(folder: Path, *latencies_s: float) -> tuple[World, list[float]]:
    """Deliver 41 reports whose answers take these times in turn; return when the ledger was written to."""
    taking = cycle(latencies_s)
    world = World(latency=lambda _: next(taking))
    records = Records(world)
    with site(folder, world, hubs=4, points_per_hub=6, provider_groups=8).process(tap=records) as process:
        assert process.run().complete
    assert len(world.reports()) == 1 + 8 + 4 * 8
    return world, records.at


def test_outcomes_that_end_within_a_moment_share_a_transaction(tmp_path: Path) -> None:
    _, apart = records_of(tmp_path, 0.2)
    _, paired = records_of(tmp_path, 0.2, 0.2 - SLOT_S + GATHER_S / 2)
    assert len(apart) - len(paired) == pytest.approx(20, abs=2)


def test_an_outcome_waits_no_longer_than_a_moment_for_those_that_take_long(tmp_path: Path) -> None:
    world, written = records_of(tmp_path, 0.2, 5.0)
    ends = [at + takes_s for at, takes_s in zip(world.arrivals(), cycle((0.2, 5.0)), strict=False)]
    waited_s = [min(at for at in written if at > end - 1e-6) - end for end in ends]
    assert max(waited_s) <= GATHER_S + 1e-6
