"""One deliverer at a time: the second waits, the paused one is harmless, and what was left is adopted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.refusals import BRAKE_AFTER
from report_service.errors import LeaseHeld, LeaseLost
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from report_service.services.delivery.lease_keeper import ASK_AGAIN_S
from tests.support.simulation import MONTH, Site, World, assert_each_answer_is_one_link, site, site_at

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.services.run_result import RunResult


class Pause:
    """A tap that stops the process for a while, once, at a step; the world goes on, and so do others in it."""

    def __init__(self, place: Site, step: int | str, *, for_s: float = 120, others: bool = True) -> None:
        self._place, self._step, self._for_s, self._others = place, step, for_s, others
        self.steps: list[str] = []
        self.by_the_other: RunResult | None = None
        self.rows: list[tuple[object, ...]] = []
        self.arrived = 0

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if self._step not in (step, len(self.steps)):
            return
        self._step = ""
        stopped = list(self._place.backgrounds)
        for background in stopped:
            background.paused = True
        self._place.world.turn(self._for_s)
        if self._others:
            self._place.ask("UPDATE leases SET expires_at = '2026-01-01 00:00:00.000000'")
            with self._place.process() as other:
                self.by_the_other = other.run(patience_s=3600)
        self.arrived = len(self._place.world.calls)
        self.rows = deliveries(self._place)
        for background in stopped:
            background.paused = False


def deliveries(place: Site) -> list[tuple[object, ...]]:
    return [tuple(row) for row in place.ask("SELECT * FROM deliveries ORDER BY id")]


def taken_over(place: Site) -> None:
    """Let another have the lease, whose minute is over at once."""
    place.ask("UPDATE leases SET fence = fence + 1, holder = 'another', expires_at = '2026-01-01 00:00:00.000000'")


def small(folder: Path, latency_s: float = 0.2) -> Site:
    return site(folder, World(latency=constant(latency_s)), hubs=0, provider_groups=2)


def test_a_second_process_waits_for_its_patience_and_names_the_holder(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as first, place.process() as second:
        lease = first.service.ledger.leases.acquire(first.service.ledger.instance, at=place.world.monotonic())
        began = place.world.monotonic()
        with pytest.raises(LeaseHeld) as held:
            second.run(patience_s=30)
        assert first.service.ledger.instance in held.value.message
        assert held.value.hint is not None
        assert 30 <= place.world.monotonic() - began <= 31
        assert second.events.names() == ["lease.waiting"]
        assert second.events.of("lease.waiting")[0]["holder"] == first.service.ledger.instance
        assert not isinstance(lease, str)
        first.service.ledger.leases.release(lease)
        assert second.run().complete
    assert len(place.ask("SELECT * FROM runs")) == 1


def test_what_comes_in_after_the_lease_was_lost_is_one_link_an_answer(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(3.0)), hubs=0, provider_groups=9)
    with place.process() as first:
        place.world.after(7.0, lambda: taken_over(place))
        assert isinstance(first.run().error, LeaseLost)
    place.world.turn(120)
    with place.process() as second:
        assert second.run().complete
    assert_each_answer_is_one_link(place)


def test_a_run_that_loses_its_lease_as_a_kind_is_braked_comes_to_its_end(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=[InjectedFault.parse(f"400@{AD_HOC_TARIFF}")])
    place = site(tmp_path, world, hubs=50)
    taken = False

    def take_over_with_the_twentieth(step: str) -> None:
        nonlocal taken
        rejected = sum(f"/{AD_HOC_TARIFF}/" in str(call["key"]) for call in world.calls)
        if step == "executor.completed.done" and rejected >= BRAKE_AFTER and not taken:
            taken = True
            taken_over(place)

    with place.process(tap=take_over_with_the_twentieth) as process:
        assert isinstance(process.run().error, LeaseLost)
    assert taken


def test_a_run_that_waits_for_long_keeps_its_lease(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("503=2700")])
    place = site(tmp_path, world)
    found: list[str] = []

    def another_looks() -> None:
        with place.process() as second, pytest.raises(LeaseHeld) as held:
            second.run(patience_s=0)
        found.append(held.value.message)

    for minutes in (14, 16, 40):
        world.after(60 * minutes, another_looks)
    world.after(60 * 41, lambda: world.mock.set_faults([]))
    with place.process() as first:
        assert first.run(patience_s=3600).complete
    assert len(found) == 3


def test_a_second_process_goes_on_as_soon_as_the_first_lets_go(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as first, place.process() as second:
        lease = first.service.ledger.leases.acquire("the first", at=place.world.monotonic())
        assert not isinstance(lease, str)
        place.world.after(20, lambda: first.service.ledger.leases.release(lease))
        assert second.run(patience_s=0, lease_patience_s=600).complete
    assert 20 <= place.world.arrivals()[0] - 1000 <= 20 + ASK_AGAIN_S + 0.5


def test_the_lease_of_a_dead_process_ends_by_itself(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as dead, place.process() as next_one:
        dead.service.ledger.leases.acquire("the dead", at=place.world.monotonic())
        assert next_one.run(patience_s=90).complete
    assert 60 <= place.world.arrivals()[0] - 1000 <= 61


def test_the_lease_is_let_go_at_the_end(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as first:
        first.run()
    with place.process() as second:
        assert second.run(lease_patience_s=0).complete


def test_a_long_run_keeps_its_lease(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(20)), {"obelis__max_in_flight": "1"})
    with place.process() as first, place.process() as second:
        refused = []

        def tick() -> None:
            refused.append(second.service.ledger.leases.acquire("the other", at=place.world.monotonic()))
            place.world.after(7, tick)

        place.world.after(1, tick)
        assert first.run().complete
    assert place.world.monotonic() > 1200
    assert len(refused) > 20
    assert set(refused) == {first.service.ledger.instance}


def test_a_source_that_takes_its_time_does_not_cost_the_lease(tmp_path: Path) -> None:
    place = site(tmp_path)

    def slowly(step: str) -> None:
        if step == "ledger.known_deliveries.done":
            place.world.turn(45)

    with place.process(tap=slowly) as first, place.process() as second:
        for at in range(5, 225, 10):
            place.world.after(at, lambda: taken.append(second.service.ledger.leases.acquire("other", at=0.0)))
        taken: list[object] = []
        assert first.run().complete
    assert set(taken) == {first.service.ledger.instance}


@pytest.mark.parametrize("step", ["executor.submit", "ledger.record.done", "executor.completed.done"])
def test_a_paused_holder_that_is_still_alone_goes_on(tmp_path: Path, step: str) -> None:
    place = small(tmp_path)
    with place.process(tap=Pause(place, step, others=False)) as process:
        assert process.run().complete
    assert place.world.mock.stats()["conflicts"] == 0


def test_a_paused_holder_neither_sends_nor_writes(tmp_path: Path) -> None:
    """Wherever it is paused, for longer than its lease, while another process finishes the month."""
    alone = small(tmp_path)
    pause = Pause(alone, "")
    with alone.process(tap=pause) as process:
        process.run()
    steps = pause.steps
    first = steps.index("ledger.sent_since")
    for at in range(first + 1, len(steps) - 1):
        if not steps[at].endswith(".done"):
            continue
        place = small(tmp_path)
        pause = Pause(place, at + 1)
        with place.process(tap=pause) as process:
            result = process.run()
        assert pause.by_the_other is not None
        assert pause.by_the_other.complete
        assert len(place.world.calls) == pause.arrived, steps[at]
        assert deliveries(place) == pause.rows, steps[at]
        assert len({call["key"] for call in place.world.calls if call["ruling"] == "created"}) == 3
        if isinstance(result.error, LeaseLost):
            [lost] = process.events.of("lease.lost")
            [line] = process.events.of("run.failed")
            assert line["reason"] == "lease_lost"
            assert lost["holder"] == process.service.ledger.instance
        else:  # it had nothing left to write, and found nothing left to send
            assert result.complete


def test_what_a_paused_holder_hears_is_kept_as_the_end_of_its_attempt(tmp_path: Path) -> None:
    place = small(tmp_path, latency_s=1.0)
    pause = Pause(place, "executor.completed.done")
    with place.process(tap=pause) as process:
        process.run()
    open_ = place.ask("SELECT outcome FROM attempts WHERE ended_at IS NULL")
    assert open_ == []


def test_attempts_in_flight_when_the_lease_is_lost_still_get_their_ends(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(3.0)), hubs=0, provider_groups=9)
    with place.process() as first:

        def take() -> None:
            place.ask("UPDATE leases SET fence = fence + 1, holder = 'another'")

        place.world.after(7.0, take)
        result = first.run()
        assert isinstance(result.error, LeaseLost)
    attempts = place.ask("SELECT outcome FROM attempts WHERE delivery_id IS NOT NULL")
    assert len(attempts) > 5
    assert {row.outcome for row in attempts} == {"accepted"}
    states = [row.state for row in place.ask("SELECT state FROM deliveries")]
    assert "in_flight" in states, "the reports are the other's to settle"


def test_what_has_not_left_when_the_lease_is_lost_never_leaves(tmp_path: Path) -> None:
    world = World(latency=constant(0.1))
    world.dispatch_s = lambda _: 2.0
    place = site(tmp_path, world, hubs=0, provider_groups=40)
    with place.process() as first:

        def take() -> None:
            place.ask("UPDATE leases SET fence = fence + 1, holder = 'another'")

        world.after(9.0, take)
        result = first.run()
        assert isinstance(result.error, LeaseLost)
        assert first.states()[State.IN_FLIGHT] > 0
    assert len(world.reports()) > 5
    refused = place.ask("SELECT count(*) AS n FROM attempts WHERE outcome = 'not_sent'")
    assert refused[0].n > 0


@pytest.mark.postgres
def test_a_paused_holder_on_postgresql_neither_sends_nor_writes(postgres_url: str) -> None:
    place = site_at(postgres_url, World(latency=constant(0.2)), hubs=0, provider_groups=2)

    class Taken(Pause):
        def __call__(self, step: str) -> None:
            if step == "executor.submit":
                self._place.ask("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'")
            super().__call__(step)

    pause = Taken(place, "executor.submit", others=False)
    with place.process(tap=pause) as process, place.process() as other:

        def finish(step: str) -> None:
            pause(step)
            if step == "executor.submit" and pause.by_the_other is None:
                pause.by_the_other = other.run(patience_s=3600)
                pause.rows, pause.arrived = deliveries(place), len(place.world.calls)

        process.close()
        with place.process(tap=finish) as paused:
            result = paused.run()
    assert isinstance(result.error, LeaseLost)
    assert pause.by_the_other is not None
    assert pause.by_the_other.complete
    assert deliveries(place) == pause.rows
    assert len(place.world.calls) == pause.arrived


def test_what_a_dead_process_left_is_adopted_once(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(0.2)))
    with place.process() as process:
        process.run(send=False)
        place.ask("UPDATE deliveries SET state = 'in_flight' WHERE kind = 'hub_rating'")
        process.run(send=False)
        assert process.states() == {State.PENDING: 9, State.RETRYING: 2}
        assert {one.in_doubt for one in process.service.ledger.status.outstanding(MONTH)} == {True, False}
        assert process.run().complete
