"""A person's word that there is nothing to report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.errors import BadInput, UnknownDelivery
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.waive import Waiving
from tests.support.simulation import CLOSES, MONTH, World, operator, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.simulation import Process, Site

HUBS = sorted(str(hub["hub_id"]) for hub in operator()["hubs"])
RATINGS = [f"{MONTH}/hub_rating/{hub}" for hub in HUBS]
HOTLINE = f"{MONTH}/hotline_rating"


@pytest.fixture
def place(tmp_path: Path) -> Site:
    """Return a site whose hub ratings fail: one is rejected, the other has an unknown end."""
    faults = (f"400@hub_rating/{HUBS[0]}", f"503@hub_rating/{HUBS[1]}")
    return site(tmp_path, World(faults=[InjectedFault.parse(fault) for fault in faults]))


@pytest.fixture
def process(place: Site) -> Iterator[Process]:
    """Return a process that has tried."""
    with place.process() as started:
        started.run(patience_s=0)
        yield started


def waiving(process: Process) -> Waiving:
    return Waiving(plans=process.service.ledger.plans, waivers=process.service.ledger.waivers, clock=process.world)


def declare(process: Process, *keys: str, reason: str = "no figures") -> list[str]:
    return waiving(process).declare(keys, reason=reason, declared_by="somebody")


def test_a_waiver_says_who_and_from_when_it_counts(process: Process) -> None:
    assert declare(process, RATINGS[0], reason="  closed  ") == [
        f"{RATINGS[0]}: waived by somebody; it counts from the next run on"
    ]
    [waiver] = process.service.ledger.waivers.of(MONTH).values()
    assert (waiver.reason, waiver.declared_by, waiver.declared_at) == ("closed", "somebody", process.world.now())


def test_a_newer_waiver_replaces_an_older_one(process: Process) -> None:
    declare(process, RATINGS[0], reason="first")
    declare(process, RATINGS[0], reason="second")
    assert [waiver.reason for waiver in process.service.ledger.waivers.of(MONTH).values()] == ["second"]


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_waiver_needs_a_reason(process: Process, reason: str) -> None:
    with pytest.raises(BadInput, match="reason"):
        declare(process, RATINGS[0], reason=reason)


def test_what_was_delivered_cannot_be_waived(process: Process) -> None:
    with pytest.raises(BadInput, match="accepted: it was reported"):
        declare(process, HOTLINE)


def test_what_may_have_arrived_cannot_be_waived(process: Process) -> None:
    with pytest.raises(BadInput, match="still unknown"):
        declare(process, RATINGS[1])


@pytest.mark.parametrize(
    "key", [f"{MONTH}/hub_rating/00000000-0000-4000-8000-000000000000", "2026-09/hotline_rating"]
)
def test_what_is_not_due_cannot_be_waived(process: Process, key: str) -> None:
    with pytest.raises(UnknownDelivery) as refused:
        declare(process, key)
    assert "plan" in str(refused.value.hint)


def test_what_is_no_longer_due_cannot_be_waived(place: Site, process: Process) -> None:
    place.ask("UPDATE deliveries SET due = false WHERE state = 'rejected'")
    with pytest.raises(UnknownDelivery):
        declare(process, RATINGS[0])


def test_of_several_all_are_waived_or_none(process: Process) -> None:
    with pytest.raises(BadInput):
        declare(process, RATINGS[0], HOTLINE)
    assert process.service.ledger.waivers.of(MONTH) == {}


def test_a_missed_report_can_be_waived_afterwards(process: Process) -> None:
    process.world.turn_to(CLOSES)
    process.run()
    declare(process, RATINGS[0])
    process.run()
    assert process.states() == {State.ACCEPTED: 9, State.WAIVED: 1, State.UNRESOLVED: 1}


def test_a_waiver_can_be_taken_back_once(process: Process) -> None:
    declare(process, RATINGS[0])
    assert waiving(process).withdraw([RATINGS[0]]) == [
        f"{RATINGS[0]}: not waived any more; it counts from the next run on"
    ]
    with pytest.raises(UnknownDelivery, match="is not waived"):
        waiving(process).withdraw([RATINGS[0]])


def test_of_several_withdrawals_all_are_carried_out_or_none(process: Process) -> None:
    declare(process, RATINGS[0])
    with pytest.raises(UnknownDelivery):
        waiving(process).withdraw([RATINGS[0], HOTLINE])
    assert len(process.service.ledger.waivers.of(MONTH)) == 1


def test_a_key_in_capitals_is_the_same_report(process: Process) -> None:
    month, kind, hub = RATINGS[0].split("/")
    shouted = f"{month}/{kind}/{hub.upper()}"
    assert declare(process, shouted) == [f"{RATINGS[0]}: waived by somebody; it counts from the next run on"]
    assert process.run(patience_s=0).plan is not None
    assert process.states()[State.WAIVED] == 1
    waiving(process).withdraw([shouted])
    assert process.service.ledger.waivers.of(MONTH) == {}


def test_a_waiver_that_an_operators_job_wrote_in_capitals_counts_and_can_be_replaced_and_withdrawn(
    place: Site, process: Process
) -> None:
    written(place, RATINGS[0].replace(RATINGS[0][-36:], RATINGS[0][-36:].upper()))
    process.run(patience_s=0)
    assert process.states()[State.WAIVED] == 1
    declare(process, RATINGS[0], reason="a newer one")
    assert [waiver.reason for waiver in process.service.ledger.waivers.of(MONTH).values()] == ["a newer one"]
    assert len(place.ask("SELECT key FROM waivers")) == 1
    waiving(process).withdraw([RATINGS[0]])
    assert place.ask("SELECT key FROM waivers") == []


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (f"{MONTH}/hub_ratings/x", "is not the key of a report"),
        (f"{MONTH}/hotline_rating/x", "is not the key of a report"),
        ("hub 7", "is not the key of a report"),
    ],
)
def test_a_row_that_is_no_waiver_is_told_and_stops_nothing(
    place: Site, process: Process, key: str, said: str
) -> None:
    written(place, key)
    written(place, RATINGS[0])
    result = process.run(patience_s=0)
    assert result.error is None
    assert process.states()[State.WAIVED] == 1
    assert result.plan is not None
    [problem] = result.plan.problems
    assert problem.startswith(f"waivers, key {key}: ")
    assert said in problem
    assert [event["detail"] for event in process.events.of("source.faulty")] == [problem]


def test_a_waiver_without_a_reason_is_told_and_does_not_count(place: Site, process: Process) -> None:
    written(place, RATINGS[0], reason=" ")
    result = process.run(patience_s=0)
    assert result.plan is not None
    assert result.plan.problems == [f"waivers, key {RATINGS[0]}: reason is empty"]
    assert State.WAIVED not in process.states()


def test_an_odd_waiver_of_another_month_is_not_this_ones_matter(place: Site, process: Process) -> None:
    written(place, "2026-09/hub_ratings/x")
    result = process.run(patience_s=0)
    assert result.plan is not None
    assert result.plan.problems == []


def written(place: Site, key: str, *, reason: str = "no figures") -> None:
    """Write a waiver as an operator's own job does."""
    place.ask(
        "INSERT INTO waivers (cpo_id, key, reason, declared_by, declared_at) "
        "VALUES (:cpo, :key, :reason, 'a job', '2026-11-01 00:00:00.000000')",
        cpo=place.settings.obelis.cpo_id,
        key=key,
        reason=reason,
    )
