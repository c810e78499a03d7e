"""Never above the limit (law 5), and slower when the API says so."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from report_service.domain.rate_limiter import GcraRateLimiter
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from report_service.services.delivery.service import LOOK_BACK_S
from tests.support.simulation import World, site
from tests.support.taps import Kill

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 90
LIMITED = {"obelis__requests_per_minute": str(LIMIT)}


def most_in_a_minute(arrivals: list[float]) -> int:
    return max(sum(at <= other < at + 60 for other in arrivals) for at in arrivals)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fewer_than_the_limit_arrive_in_any_minute_across_restarts_and_kills(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    world = World(
        seed=seed,
        latency=lambda chance: chance.uniform(0.01, 2),
        requests_per_minute=LIMIT,
        faults=[
            InjectedFault.parse("lost:0.1"),
            InjectedFault.parse("503:0.05"),
            InjectedFault.parse("slow=60:0.01"),
        ],
    )
    world.transit_s = lambda chance: chance.choice([0.05, 0.1, 3.0])
    place = site(tmp_path, world, LIMITED, hubs=25, points_per_hub=9, provider_groups=10)
    for _ in range(6):
        until = world.monotonic() + random.uniform(5, 50)
        if random.random() < 0.5:
            stopped = place.start(stop=lambda until=until: "SIGTERM" if world.monotonic() > until else None)  # type: ignore[misc]
            assert stopped.lives()
        else:
            place.start(tap=Kill(at=random.randint(100, 300))).lives()
            place.ask("UPDATE leases SET expires_at = '2026-01-01 00:00:00.000000'")  # its holder's minute is over
        world.turn(random.choice([0, 0.5, 20]))
    world.mock.set_faults([])
    with place.process() as process:
        assert process.run(patience_s=3600).complete
    assert world.mock.stats()["by_status"].get("429") is None  # type: ignore[attr-defined]
    assert most_in_a_minute(world.arrivals()) < LIMIT
    assert most_in_a_minute(world.arrivals()) > LIMIT * 0.95  # the allowed is used


def test_a_run_looks_back_as_far_as_its_pacer_remembers() -> None:
    assert GcraRateLimiter(2000).lookback_s <= LOOK_BACK_S


def test_a_slowing_is_told_once_and_everything_arrives(tmp_path: Path) -> None:
    world = World(latency=constant(1.0), faults=[InjectedFault.parse("429=7#4-9")])
    with site(tmp_path, world, hubs=4).process() as process:
        result = process.run()
        assert result.complete
        [slowed] = process.events.of("pace.slowed")
        assert slowed["retry_after_s"] == 7
        assert slowed["rate_per_minute"] == 990
        [line] = process.events.of("run.completed")
        assert line["throttled"] == 6
        deferred = process.events.of("report.deferred")
        assert {event["reason"] for event in deferred} == {"throttled"}
    first_429 = world.arrivals()[4] + 1.0
    assert not [at for at in world.arrivals() if first_429 < at < first_429 + 7]


def test_an_api_with_a_lower_limit_than_ours_gets_everything_in_the_end(tmp_path: Path) -> None:
    world = World(latency=constant(0.1), requests_per_minute=40, retry_after_s=5)
    with site(tmp_path, world, LIMITED, hubs=6, points_per_hub=8).process() as process:
        assert process.run().complete
        slowed, throttled = process.events.of("pace.slowed"), process.events.of("run.completed")[0]["throttled"]
    assert 1 <= len(slowed) <= int(str(throttled))
    assert len(world.mock.reports) == 63


def test_an_api_that_only_says_429_ends_the_run_when_patience_does(tmp_path: Path) -> None:
    world = World(latency=constant(0.1), requests_per_minute=0, faults=[InjectedFault.parse("429")])
    with site(tmp_path, world, hubs=20).process() as process:
        result = process.run(patience_s=300)
        assert type(result.error).__name__ == "ApiUnavailable"
        assert 300 <= world.monotonic() - 1000 <= 330
