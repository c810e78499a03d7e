"""What a process costs that waits: a `run` for what is due again, a `run` for the lease, the daemon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Target
from benchmarks.processes import COMMAND, cpu_s, memory_mb, started, wait_for
from benchmarks.stage import mock_api

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from benchmarks.stage import Stage

MOST_CPU = Target(bound=0.1)
MOST_MB = Target(bound=90, every=True)
SETTLING_S = 3.0
"""After what is waited for has happened: what belongs to the start is over."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield CPU and memory of each sort of waiting."""
    with (
        mock_api("--limit", "0", "--fault", "404@hotline_rating") as api,
        stage.store(stage.sqlite, stage.operator) as store,
    ):
        stage.say("idle: delivering all but one report")
        stage.work("deliver", store, api, left=1)
        environ = stage.environ(store, api)
        with started([COMMAND, "run"], environ) as waiting:
            wait_for(waiting, "run.started")
            yield from waits(stage, waiting, "run that waits for what is due again")
            with started([COMMAND, "run"], environ) as second:
                wait_for(second, "lease.waiting")
                yield from waits(stage, second, "run that waits for another to end")


def waits(stage: Stage, process: subprocess.Popen[str], name: str) -> Iterator[Figure]:
    """Yield what a process takes while it waits."""
    span_s = 2.0 if stage.quick else 12.0
    stage.say(f"idle: {name}, {stage.runs} x {span_s:.0f} s")
    time.sleep(SETTLING_S)
    spent = []
    memory = []
    for _ in range(stage.runs):
        before, began = cpu_s(process.pid), time.perf_counter()
        time.sleep(span_s)
        spent.append(100 * (cpu_s(process.pid) - before) / (time.perf_counter() - began))
        memory.append(memory_mb(process.pid))
    assert process.poll() is None, "it ended while it was to wait"
    yield Figure(name=f"{name}: CPU", unit="% of a core", values=tuple(spent), target=MOST_CPU)
    yield Figure(name=f"{name}: memory", unit="MB", values=tuple(memory), target=MOST_MB, note="VmRSS")
