"""Law 5: the limit holds as requests arrive, whatever the work, the delays, the restarts and the 429s."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report_service.domain.rate_limiter import COUNTED_S, LONGEST_HOLD_S, GcraRateLimiter, RecentRequest


@dataclass
class Trip:
    """One request's way: granted here, arriving there, ended here."""

    acquired: float
    arrived: float
    ended: float
    throttled: bool = False
    noted: bool = False  # the ledger has its end


@dataclass
class World:
    """An engine of the simplest kind around the pacer: asks, waits, grants, notes ends; and its ledger."""

    limit: int
    now: float = 1000.0
    rate_limiter: GcraRateLimiter = field(init=False)
    trips: list[Trip] = field(default_factory=list)
    under_way: dict[str, Trip] = field(default_factory=dict)
    slowings: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rate_limiter = GcraRateLimiter(self.limit)

    def send(
        self, latency: float, share: float = 0.5, retry_after: float | None = None, *, bad: bool = False
    ) -> Trip:
        """Grant a request as soon as the pacer lets it; it arrives after `share` of its latency."""
        while (wait := self.rate_limiter.wait_s(self.now)) > 0:
            self.pass_to(self.now + wait)
        self.note_ends()
        trip = Trip(self.now, self.now + latency * share, self.now + latency, bad)
        name = str(len(self.trips))
        self.trips.append(trip)
        self.under_way[name] = trip
        self.rate_limiter.acquired(name, self.now)
        self.retry_after = retry_after
        return trip

    def pass_to(self, at: float) -> None:
        """Let time go by until the next end, or until `at`."""
        self.now = min([at, *(trip.ended for trip in self.under_way.values() if trip.ended > self.now)])
        self.note_ends()

    def note_ends(self) -> None:
        for name, trip in list(self.under_way.items()):
            if trip.ended <= self.now:
                del self.under_way[name]
                trip.noted = True
                self.rate_limiter.completed(name, trip.ended)
                if trip.throttled:
                    rate = self.rate_limiter.throttled(
                        self.now, retry_after_s=self.retry_after, started=trip.acquired
                    )
                    if rate is not None:
                        self.slowings.append((self.now, rate))

    def restart(self) -> None:
        """Go on with a new pacer that knows only what the ledger has; what was under way has no end there."""
        self.under_way.clear()
        self.rate_limiter = GcraRateLimiter(self.limit)
        oldest = self.now - self.rate_limiter.lookback_s
        sent = [
            RecentRequest(
                started_ago_s=self.now - trip.acquired,
                ended_ago_s=self.now - trip.ended if trip.noted else None,
                throttled=trip.throttled and trip.noted,
            )
            for trip in self.trips
            if trip.acquired >= oldest
        ]
        self.rate_limiter.restore(sent, at=self.now)

    def most_arrivals_in(self, seconds: float) -> int:
        return most_within([trip.arrived for trip in self.trips], seconds)

    def most_grants_in(self, seconds: float) -> int:
        return most_within([trip.acquired for trip in self.trips], seconds)


def most_within(moments: list[float], seconds: float) -> int:
    """Return the most moments that any span of so many seconds holds, both its ends included."""
    moments = sorted(moments)
    # what rounding may have taken from the span is given back
    return max((i + 1 - bisect_left(moments, last - seconds - 1e-9) for i, last in enumerate(moments)), default=0)


def saturate(world: World, count: int, latency: float) -> float:
    """Send without a break; return the seconds from the first grant to the last."""
    for _ in range(count):
        world.send(latency)
    return world.trips[-1].acquired - world.trips[-count].acquired


STEPS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 90)),  # idle before it
        st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 30)),  # latency
        st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1)),  # where within it the request arrives
        st.sampled_from(["ok"] * 12 + ["429", "429 and wait", "restart"]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(limit=st.integers(1, 30), steps=STEPS)
def test_fewer_than_the_limit_arrive_in_any_minute(
    limit: int, steps: list[tuple[float, float, float, str]]
) -> None:
    world = World(limit)
    for idle, latency, share, what in steps:
        until = world.now + idle
        while world.now < until:
            world.pass_to(until)
        if what == "restart":
            world.restart()
        world.send(latency, share, 7.0 if what == "429 and wait" else None, bad=what.startswith("429"))
    assert world.most_arrivals_in(60) <= max(1, limit - 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_full_limit_holds_with_wild_delays_and_restarts(seed: int) -> None:
    random = Random(seed)
    world = World(2000)
    for _ in range(6000):
        if random.random() < 0.001:
            world.restart()
        slow = random.random() < 0.05
        world.send(random.uniform(0, 30) if slow else random.uniform(0, 0.3), random.choice([0.0, 0.5, 1.0]))
    assert world.most_arrivals_in(60) <= 1999
    assert world.most_grants_in(1) <= 36  # a restart may cost the spacing one


def test_a_backlog_that_arrives_all_at_once_stays_below_the_limit() -> None:
    """The worst case: everything of 30 s arrives at its end, then the rest arrives as soon as it is granted."""
    world = World(2000)
    start = world.now
    while world.now < start + 30:
        world.send(start + 30 - world.now, share=1.0)
    while world.now < start + 120:
        world.send(0.01, share=0.0)
    assert world.most_arrivals_in(60) == 1999


def test_grants_are_even_within_each_second() -> None:
    world = World(2000)
    saturate(world, 2301, latency=0.2)
    assert world.most_grants_in(1) <= 35
    gaps = [b.acquired - a.acquired for a, b in zip(world.trips[1:], world.trips[2:], strict=False)]
    assert max(gaps) - min(gaps) < 1e-6
    assert gaps[0] == pytest.approx(60 / 1980)


@pytest.mark.parametrize("limit", [60, 600, 2000])
def test_a_saturated_pacer_uses_the_limit(limit: int) -> None:
    world = World(limit)
    seconds = saturate(world, 3 * limit, latency=0.2)
    rate = (3 * limit - 1) / seconds * 60
    assert rate >= 0.989 * min(0.99 * limit, limit - 1)


def test_slow_answers_cost_pace_but_never_the_limit() -> None:
    world = World(2000)
    seconds = saturate(world, 6000, latency=5.0)
    assert 5999 / seconds * 60 == pytest.approx(1999 * 60 / (COUNTED_S + 5), rel=0.01)


@pytest.mark.parametrize(("late", "next_at"), [(0.0, 2.0), (0.9, 2.0), (1.0, 2.0), (1.5, 2.5), (9.0, 10.0)])
def test_a_wake_up_late_by_one_interval_is_made_good_and_no_more(late: float, next_at: float) -> None:
    rate_limiter = GcraRateLimiter(2000)
    interval = 60 / 1980
    rate_limiter.acquired("a", 0.0)
    rate_limiter.acquired("b", 0.0)
    assert rate_limiter.wait_s(0.0) == pytest.approx(interval)
    rate_limiter.acquired("c", (1 + late) * interval)
    assert rate_limiter.wait_s((1 + late) * interval) == pytest.approx((next_at - 1 - late) * interval)


def test_after_idling_there_is_no_burst_to_catch_up() -> None:
    rate_limiter = GcraRateLimiter(2000)
    rate_limiter.acquired("a", 0.0)
    acquired = 0
    while rate_limiter.wait_s(500.0) == 0:
        acquired += 1
        rate_limiter.acquired(str(acquired), 500.0)
    assert acquired == 2


@pytest.mark.parametrize(("limit", "gap"), [(1, 60 + 0.6), (2, 60.0), (3, 60 * 2 / 4), (60, 60 / 59)])
def test_small_limits_are_kept_too(limit: int, gap: float) -> None:
    world = World(limit)
    seconds = saturate(world, 10, latency=0.0)
    assert seconds / 9 >= gap * 0.88
    assert world.most_arrivals_in(60) <= max(1, limit - 1)


def test_a_request_without_a_noted_end_counts_until_it_cannot_arrive_any_more() -> None:
    rate_limiter = GcraRateLimiter(2, unknown_end_s=30)
    rate_limiter.acquired("lost", 0.0)
    assert rate_limiter.wait_s(0.0) == pytest.approx(COUNTED_S)  # the soonest, should it end now
    assert rate_limiter.wait_s(90.0) == pytest.approx(0.05)
    assert rate_limiter.wait_s(90.05) == 0.0
    rate_limiter.completed("lost", 95.0)  # noted after all: too late to matter
    assert rate_limiter.wait_s(95.0) == 0.0


def test_an_end_frees_its_place_a_minute_later() -> None:
    rate_limiter = GcraRateLimiter(2)
    rate_limiter.acquired("a", 0.0)
    rate_limiter.completed("a", 10.0)
    assert rate_limiter.wait_s(10.0) == pytest.approx(60.05)
    assert rate_limiter.wait_s(70.06) == 0.0


def test_an_end_that_nobody_granted_changes_nothing() -> None:
    rate_limiter = GcraRateLimiter(2)
    rate_limiter.completed("stranger", 0.0)
    assert rate_limiter.wait_s(0.0) == 0.0


def test_requests_of_before_a_restart_count() -> None:
    rate_limiter = GcraRateLimiter(3)
    rate_limiter.restore(
        [RecentRequest(started_ago_s=50, ended_ago_s=40), RecentRequest(started_ago_s=20, ended_ago_s=None)],
        at=100.0,
    )
    assert rate_limiter.wait_s(100.0) == pytest.approx(20.05)  # the first ended at 60


def test_what_a_killed_process_had_under_way_counts_until_it_cannot_arrive_any_more() -> None:
    rate_limiter = GcraRateLimiter(2, unknown_end_s=30)
    rate_limiter.restore([RecentRequest(started_ago_s=20, ended_ago_s=None)], at=100.0)
    assert rate_limiter.wait_s(170.0) == pytest.approx(0.05)  # granted at 80, arrived by 110
    assert rate_limiter.wait_s(170.06) == 0.0


def test_requests_of_more_than_a_minute_ago_do_not_count() -> None:
    rate_limiter = GcraRateLimiter(2)
    rate_limiter.restore([RecentRequest(started_ago_s=80, ended_ago_s=61)], at=100.0)
    assert rate_limiter.wait_s(100.0) == 0.0


def test_the_spacing_goes_on_across_a_restart() -> None:
    rate_limiter = GcraRateLimiter(2000)
    interval = 60 / 1980
    rate_limiter.restore([RecentRequest(started_ago_s=n * interval, ended_ago_s=0) for n in range(5)], at=100.0)
    rate_limiter.acquired("next", 100.0)  # the one that may be early
    assert rate_limiter.wait_s(100.0) == pytest.approx(interval)


def test_a_429_of_before_a_restart_keeps_the_pace_slow() -> None:
    rate_limiter = GcraRateLimiter(2000)
    rate_limiter.restore([RecentRequest(started_ago_s=0.5, ended_ago_s=0.4, throttled=True)], at=100.0)
    assert rate_limiter.rate_per_minute(100.0) == 990
    assert rate_limiter.wait_s(100.0) == pytest.approx(0.6)


def test_a_429_halves_the_pace_which_recovers_within_a_minute() -> None:
    rate_limiter = GcraRateLimiter(2000)
    assert rate_limiter.throttled(0.0, retry_after_s=None) == 990
    assert rate_limiter.rate_per_minute(1.0) == 990
    assert rate_limiter.rate_per_minute(16.0) == pytest.approx(990 + 1980 / 4)
    assert rate_limiter.rate_per_minute(31.0) == 1980
    assert rate_limiter.rate_per_minute(1000.0) == 1980


def test_nothing_goes_out_for_a_moment_after_a_429() -> None:
    rate_limiter = GcraRateLimiter(2000)
    rate_limiter.throttled(10.0, retry_after_s=None)
    assert rate_limiter.wait_s(10.0) == pytest.approx(1.0)
    assert rate_limiter.wait_s(11.0) == 0.0


def test_429s_to_what_was_under_way_belong_to_the_same_slowing() -> None:
    rate_limiter = GcraRateLimiter(2000)
    assert rate_limiter.throttled(10.0, retry_after_s=None) is not None
    assert rate_limiter.throttled(10.2, retry_after_s=None) is None
    assert rate_limiter.throttled(14.0, retry_after_s=None, started=9.9) is None
    assert rate_limiter.rate_per_minute(14.0) == pytest.approx(990 + 1980 * 3 / 60)


def test_a_429_after_the_hold_slows_down_further_but_never_below_a_floor() -> None:
    rate_limiter = GcraRateLimiter(2000)
    rates = [
        rate_limiter.throttled(10.0 + 1.001 * n, retry_after_s=None, started=10.0 + 1.001 * n) for n in range(12)
    ]
    assert rates[:3] == [990, pytest.approx(495, rel=0.01), pytest.approx(247, rel=0.01)]
    assert min(rate for rate in rates if rate) == pytest.approx(1980 / 50)


@pytest.mark.parametrize(("asked", "held"), [(0.0, 1.0), (7.0, 7.0), (600.0, 600.0), (86400.0, LONGEST_HOLD_S)])
def test_retry_after_holds_everything_up_to_a_maximum(asked: float, held: float) -> None:
    rate_limiter = GcraRateLimiter(2000)
    rate_limiter.throttled(0.0, retry_after_s=asked)
    assert rate_limiter.wait_s(0.0) == pytest.approx(held)
    assert rate_limiter.rate_per_minute(held) == 990  # it grows only once something goes out again


def test_a_longer_retry_after_within_a_slowing_prolongs_the_hold() -> None:
    rate_limiter = GcraRateLimiter(2000)
    rate_limiter.throttled(0.0, retry_after_s=5.0)
    assert rate_limiter.throttled(1.0, retry_after_s=10.0) is None
    assert rate_limiter.throttled(1.0, retry_after_s=2.0) is None
    assert rate_limiter.wait_s(1.0) == pytest.approx(10.0)


def test_a_late_429_of_an_old_request_holds_without_halving_again() -> None:
    rate_limiter = GcraRateLimiter(2000)
    rate_limiter.throttled(0.0, retry_after_s=None)
    assert rate_limiter.throttled(16.0, retry_after_s=3.0, started=-1.0) is None
    assert rate_limiter.wait_s(16.0) == pytest.approx(3.0)
    assert rate_limiter.rate_per_minute(19.0) == pytest.approx(990 + 1980 / 4)


def test_a_throttled_run_sends_again_and_recovers() -> None:
    world = World(2000)
    saturate(world, 100, latency=0.2)
    world.send(0.2, bad=True)
    saturate(world, 3000, latency=0.2)
    assert [rate for _, rate in world.slowings] == [990]
    recent = deque((trip.acquired for trip in world.trips), maxlen=331)
    assert (recent[-1] - recent[0]) == pytest.approx(10.0, rel=0.01)
