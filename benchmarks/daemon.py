"""The daemon: how soon it says that it lives, and what it costs to have it and to ask for its life."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Target
from benchmarks.idle import waits
from benchmarks.processes import COMMAND, FRESH, figures_of, started, usage_of, wait_for
from benchmarks.stage import mock_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield its start, its idle cost and its end, with a month that is delivered already."""
    with mock_api("--limit", "0") as api, stage.store(stage.sqlite, stage.operator) as store:
        stage.say("daemon: delivering its month")
        stage.work("deliver", store, api)
        environ = stage.environ(store, api) | {"REPORT_SERVICE_HEALTH__FILE": str(stage.folder / "pulse")}
        starts = []
        ends = []
        for _ in range(stage.runs):
            began = time.perf_counter()
            with started([COMMAND, "daemon"], environ) as process:
                wait_for(process, "run.heartbeat")
                starts.append(time.perf_counter() - began)
                time.sleep(1)
                asked = time.perf_counter()
            ends.append(time.perf_counter() - asked)
        yield Figure(
            name="daemon: start to first heartbeat", unit="s", values=tuple(starts), target=Target(bound=1.5)
        )
        yield Figure(name="daemon: SIGTERM to end, idle", unit="s", values=tuple(ends), target=Target(bound=2))
        with started([COMMAND, "daemon"], environ) as process:
            wait_for(process, "run.heartbeat")
            yield from waits(stage, process, "daemon with nothing to do")
            stage.say("daemon: probes")
            probes = [usage_of([COMMAND, "health", "--live"], environ) for _ in range(4 * stage.runs)]
    yield from figures_of("report-service health --live", probes, FRESH, within_s=0.06, mb=20)
