"""A process may die between any two steps, and the next one finishes the month: nothing lost, nothing doubled."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report_service.adapters.db.engine import Store
from report_service.domain.delivery import State
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from tests.support.fakes import RecordingEvents
from tests.support.simulation import MONTH, Site, World, assert_delivered_once, site, site_at
from tests.support.taps import Kill, StoreAway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.events import Level


def finish(place: Site) -> None:
    with place.process() as process:
        assert process.run(patience_s=3600).complete


def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(tmp_path: Path) -> None:
    for step in site(tmp_path, World(latency=constant(0.2)), hubs=0, provider_groups=2).deaths():
        place = site(tmp_path, World(latency=constant(0.2)), hubs=0, provider_groups=2)
        assert not place.start(tap=Kill(at=step)).lives()
        place.world.turn(61)
        place.start().lives()
        assert_delivered_once(place, 3)


@pytest.mark.postgres
def test_a_kill_on_postgresql_loses_and_doubles_nothing(postgres_url: str) -> None:
    place = site_at(postgres_url, World(latency=constant(0.2)))
    for step in (40, 52, 55, 58, 63):
        assert not place.start(tap=Kill(at=step)).lives()
        place.ask("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'")
        place.world.turn(61)
    finish(place)
    assert_delivered_once(place, 11)


def test_a_report_in_flight_at_a_kill_waits_until_its_time_is_over(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(20)), hubs=0, provider_groups=1)
    kill = Kill(at=10_000)
    place.start(tap=kill).lives()
    again = site(tmp_path, World(latency=constant(20)), hubs=0, provider_groups=1)
    sent = len(kill.steps) - kill.steps[::-1].index("executor.submit.done")
    assert not again.start(tap=Kill(at=sent)).lives()
    [first_at] = again.world.arrivals(again.world.reports()[-1])
    again.ask("UPDATE leases SET expires_at = '2026-01-01 00:00:00.000000'")  # as if a minute had gone by
    again.start().lives()
    [_, then_at] = again.world.arrivals(again.world.reports()[-1])
    assert then_at >= first_at + 25
    assert_delivered_once(again, 2)


def test_the_intent_is_durable_before_its_request_arrives(tmp_path: Path) -> None:
    place = site(tmp_path)
    store = Store(place.url)
    seen = []

    class Looking(World):
        """Asks the store, by a connection of its own, whether it knows of what arrives."""

        def _log(self, line: str) -> None:
            super()._log(line)
            with store.read() as connection:
                known = connection.exec_driver_sql(
                    "SELECT count(*) FROM attempts WHERE request_id = ? AND ended_at IS NULL",
                    (self.calls[-1]["request_id"],),
                ).scalar_one()
            seen.append(known)

    place.world = Looking()
    finish(place)
    store.close()
    assert seen == [1] * 12


def test_an_outcome_is_durable_before_anybody_is_told(tmp_path: Path) -> None:
    place = site(tmp_path)
    store = Store(place.url)
    seen = []

    class Looking(RecordingEvents):
        """Asks the store, by a connection of its own, how the report stands that is told of."""

        def _record(self, level: Level, event: str, fields: Mapping[str, object], /) -> None:
            if event == "report.accepted":
                with store.read() as connection:
                    subject = str(fields["key"]).partition(f"{fields['kind']}")[2].lstrip("/")
                    row = connection.exec_driver_sql(
                        "SELECT state, obelis_id FROM deliveries WHERE kind = ? AND subject = ?",
                        (fields["kind"], subject),
                    ).one()
                seen.append((row.state, row.obelis_id == fields["obelis_id"]))

    with place.process() as process:
        process.reconciler = replace(process.reconciler, events=Looking())
        process.run()
    store.close()
    assert seen == [("accepted", True)] * 11


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    faults=st.lists(
        st.sampled_from(
            [
                *(
                    "lost:0.3",
                    "drop:0.2",
                    "503:0.2",
                    "503+done:0.2",
                    "html:0.1",
                    "cut:0.2",
                    "429=5:0.2",
                    "429:0.1",
                ),
                *("slow=60:0.1", "401:0.05", "404:0.1", "503:0.3@token", "drop:0.3@token", "500#1-12"),
            ]
        ),
        max_size=4,
        unique=True,
    ),
    troubles=st.lists(st.tuples(st.sampled_from(["kill", "store"]), st.integers(1, 110)), max_size=4),
    latency_s=st.sampled_from([0.0, 0.05, 1.0, 8.0]),
    transit_s=st.sampled_from([0.0, 2.0]),
)
def test_whatever_fails_and_dies_the_month_is_delivered_once(
    seed: int, faults: list[str], troubles: list[tuple[str, int]], latency_s: float, transit_s: float
) -> None:
    random = Random(seed)
    world = World(
        seed=seed,
        latency=lambda chance: chance.uniform(0, 2 * latency_s),
        faults=[InjectedFault.parse(fault) for fault in faults],
    )
    world.transit_s = lambda chance: chance.uniform(0, transit_s)
    world.dispatch_s = lambda chance: chance.uniform(0, 0.1)
    with tempfile.TemporaryDirectory() as folder:
        place = site(Path(folder), world, hubs=1)
        for trouble, at in troubles:
            away = StoreAway(world, at, for_s=random.choice([3, 100]))
            process = place.start(tap=Kill(at=at) if trouble == "kill" else away)
            process.lives(patience_s=random.choice([0, 60, 600]))
            world.turn(random.choice([1, 61, 600, 7200]))
        world.mock.set_faults([])
        for _ in range(3):
            world.turn(7200)
            place.start().lives(patience_s=3600)
        assert_delivered_once(place, 7)
        assert all(row.ended_at >= row.started_at for row in place.ask("SELECT * FROM attempts") if row.ended_at)


def test_a_month_whose_process_was_killed_is_told_as_it_stands(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(0.2)))
    place.start(tap=Kill(at=70)).lives()
    with place.process() as process:
        month_counts = process.service.ledger.status.month_counts(MONTH)
        assert month_counts.expected == 11
        assert month_counts.count([State.IN_FLIGHT]) > 0
        last = process.service.ledger.runs.last(MONTH)
        assert last is not None
        assert last.result is None
