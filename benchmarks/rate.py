"""No limit, no latency: what recording everything costs beside the same client recording nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Target, ratios
from benchmarks.stage import mock_api
from report_service.settings.obelis import ObelisSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Database, Stage

IN_FLIGHT = (1, 4, 8, 16, 32, 64)
ASYNCIO_AT = (4, 16)
"""Where asyncio is measured beside the threads, which are there because of this."""
LEAST_RATIO = {"SQLite": 0.8, "PostgreSQL": 0.7}
MOST_CPU_MS = 2.5
DEFAULT: int = ObelisSettings.model_fields["max_in_flight"].default

Measured = dict[str, Any]


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield rates, their ratios and the CPU for each number of requests in flight; targets are for the default.

    Times are those of delivery: of planning, and of getting the first token in the bare client's case, they know
    nothing.
    """
    for in_flight in (DEFAULT,) if stage.quick else sorted({*IN_FLIGHT, DEFAULT}):
        stage.say(f"rate with {in_flight} in flight")
        yield from _with(stage, in_flight)


def _with(stage: Stage, in_flight: int) -> Iterator[Figure]:
    bare: list[Measured] = []
    ours: dict[Database, list[Measured]] = {database: [] for database in stage.databases}
    for _ in range(stage.runs):
        bare.append(_run(stage, "bare", stage.sqlite, in_flight))
        for database in stage.databases:
            ours[database].append(_run(stage, "deliver", database, in_flight))
    suffix = f", {in_flight} in flight"
    judged = in_flight == DEFAULT
    yield Figure(name=f"bare client{suffix}", unit="reports/s", values=_rates(bare))
    yield Figure(name=f"bare client{suffix}: CPU", unit="ms/report", values=_cpu_ms(bare))
    if in_flight in ASYNCIO_AT:
        plain = [_run(stage, "asyncio", stage.sqlite, in_flight) for _ in range(stage.runs)]
        yield Figure(name=f"httpx.AsyncClient{suffix}", unit="reports/s", values=_rates(plain))
        yield Figure(name=f"httpx.AsyncClient{suffix}: CPU", unit="ms/report", values=_cpu_ms(plain))
    for database, runs in ours.items():
        name = f"ours on {database.name}{suffix}"
        least = Target(bound=LEAST_RATIO[database.name], at_least=True)
        yield Figure(name=name, unit="reports/s", values=_rates(runs))
        yield Figure(
            name=f"{name}: rate / bare client's",
            unit="",
            values=ratios(_rates(runs), _rates(bare)),
            target=least if judged else None,
            note="the default number in flight" if judged else "",
        )
        yield Figure(
            name=f"{name}: CPU",
            unit="ms/report",
            values=_cpu_ms(runs),
            target=Target(bound=MOST_CPU_MS) if judged else None,
            note=f"{_share(runs):.0%} of it the coordinator's thread, the rest the workers'",
        )


def _run(stage: Stage, task: str, database: Database, in_flight: int) -> Measured:
    with mock_api("--limit", "0") as api, stage.store(database, stage.operator) as store:
        return stage.work(task, store, api, in_flight=in_flight)


def _rates(runs: list[Measured]) -> tuple[float, ...]:
    return tuple(run["sent"] / run["deliver_s"] for run in runs)


def _cpu_ms(runs: list[Measured]) -> tuple[float, ...]:
    return tuple(1000 * run["cpu_s"] / run["sent"] for run in runs)


def _share(runs: list[Measured]) -> float:
    coordinator: float = sum(run["coordinator_cpu_s"] for run in runs)
    everything: float = sum(run["cpu_s"] for run in runs)
    return coordinator / everything
