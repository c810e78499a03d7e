"""Simulate months by the thousand, on every core, and say what came of it."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation import store
from tests.simulation.draw import draw
from tests.simulation.laws import LAWS, check
from tests.simulation.month import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.laws import Broken

CHUNK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one month."""

    seed: int
    reports: int
    replicas: int
    faults: int
    deaths: int
    requests: int
    switches: int
    kinds: Counter[str]
    broken: list[Broken]
    cpu_s: float


@dataclass(slots=True)
class Tally:
    """What came of many."""

    months: int = 0
    reports: int = 0
    with_replicas: int = 0
    faults: int = 0
    deaths: int = 0
    requests: int = 0
    switches: int = 0
    cpu_s: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        self.months += 1
        self.reports += outcome.reports
        self.with_replicas += outcome.replicas > 1
        self.faults += outcome.faults
        self.deaths += outcome.deaths
        self.requests += outcome.requests
        self.switches += outcome.switches
        self.cpu_s += outcome.cpu_s
        self.kinds += outcome.kinds
        if outcome.broken:
            self.failed.append(outcome)

    def lines(self) -> Iterator[str]:
        took_s, months = time.monotonic() - self.began, max(self.months, 1)
        yield (
            f"{self.months:,} months, {self.with_replicas:,} with replicas; {self.reports:,} reports, "
            f"{self.requests:,} requests, {self.switches:,} switches, {self.deaths:,} kills"
        )
        by_kind = ", ".join(f"{name} {count:,}" for name, count in self.kinds.most_common())
        yield f"{self.faults:,} faults: {by_kind}"
        yield f"laws checked after each: {', '.join(sorted({law for law, _ in LAWS}))}"
        yield f"months that broke one: {len(self.failed) or 'none'}"
        rate, cpu_ms = 60 * self.months / took_s, 1000 * self.cpu_s / months
        yield f"{rate:,.0f} months a minute, {cpu_ms:.0f} ms of CPU a month, {took_s:.0f} s in all"


def outcome_of(seed: int) -> Outcome:
    """Simulate the month of a seed."""
    began = time.process_time()
    scenario = draw(seed)
    month = simulate(scenario)
    broken = check(month)
    return Outcome(
        seed=seed,
        reports=scenario.size.reports,
        replicas=sum(deed.what == "start" for deed in scenario.deeds) - (scenario.well_since is not None),
        faults=scenario.faults,
        deaths=sum(what.startswith("killed") and "at the end" not in what for _, _, what in month.world.trace),
        requests=len(month.obelis.arrivals),
        switches=month.world.switches,
        kinds=month.kinds,
        broken=broken,
        cpu_s=time.process_time() - began,
    )


def hunt(seeds: Iterable[int], *, jobs: int) -> Iterator[Outcome]:
    """Yield what came of each month, as it comes."""
    with _scratch() as folder, multiprocessing.get_context("spawn").Pool(jobs, store.keep_in, (folder,)) as pool:
        yield from pool.imap_unordered(outcome_of, seeds, chunksize=CHUNK)


@contextmanager
def _scratch() -> Iterator[str]:
    """Make a folder for all workers: they end without cleaning up."""
    folder = tempfile.mkdtemp(prefix="report-service-months-", dir=store.MEMORY)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
