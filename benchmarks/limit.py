"""200 ms latency and the API's limit: how near delivery comes to the shortest time that is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Target
from benchmarks.stage import mock_api, mock_stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage

LIMIT = 2000
LATENCY = "200ms"
SAMPLE = 100
"""Reports after which the one-at-a-time loop is stopped; a whole month of it takes eight minutes."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the time beside the bound, what was refused, and what the simplest loop would take."""
    reports = stage.operator.reports
    bound_s = 60 * reports / LIMIT
    took: list[float] = []
    refused: list[float] = []
    peaks: list[float] = []
    loops: list[float] = []
    for number in range(stage.runs):
        stage.say(f"limit, run {number + 1} of {stage.runs}: {bound_s:.0f} s and the loop")
        with mock_api("--limit", str(LIMIT), "--latency", LATENCY) as api:
            with stage.store(stage.sqlite, stage.operator) as store:
                took.append(stage.work("deliver", store, api, paced=True)["deliver_s"])
            stats = mock_stats(api)
            refused.append(stats["by_status"].get("429", 0))
            peaks.append(stats["max_in_60_s"])
        with (
            mock_api("--limit", str(LIMIT), "--latency", LATENCY) as api,
            stage.store(stage.sqlite, stage.operator) as store,
        ):
            loop = stage.work("loop", store, api, reports=SAMPLE)
        loops.append(loop["deliver_s"] / loop["sent"] * reports)
    yield Figure(
        name=f"{reports:,} reports, {LATENCY} latency, limit {LIMIT:,}",
        unit="s",
        values=tuple(took),
        note=f"the bound, {LIMIT:,} a minute evenly, is {bound_s:.2f} s; ours paces at 99 % of that",
    )
    yield Figure(
        name="... / evenly paced bound",
        unit="",
        values=tuple(took_s / bound_s for took_s in took),
        target=Target(bound=1.03),
        note="planning excluded, the token request included",
    )
    yield Figure(name="... answers 429", unit="", values=tuple(refused), target=Target(bound=0, every=True))
    yield Figure(
        name="... most requests that arrived in 60 s",
        unit="",
        values=tuple(peaks),
        target=Target(bound=LIMIT - 1, every=True),
    )
    yield Figure(
        name="... one at a time, each committed",
        unit="s",
        values=tuple(loops),
        note=f"a plain httpx loop, from its first {SAMPLE} reports",
    )
