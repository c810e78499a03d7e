"""What the source says against what the ledger says: rows missing, wrong, twice there, or about nobody."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.month_plan import PROBLEMS_KEPT, Plan
from report_service.errors import NothingDue
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.waive import Waiving
from tests.support.simulation import MONTH, World, operator, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.simulation import Process, Rows, Site

ROWS = operator()
HUBS = sorted(str(hub["hub_id"]) for hub in ROWS["hubs"])
POINTS = sorted(str(point["point_id"]) for point in ROWS["points"])
HUB_KEY = f"{MONTH}/hub_rating/{HUBS[0]}"


def row_of(name: str, column: str, value: str, **changed: object) -> Rows:
    """Return one of the operator's rows, changed."""
    [found] = [row for row in ROWS[name] if row[column] == value]
    return {name: [{**found, **changed}]}


def hub_rating(**changed: object) -> Rows:
    return row_of("hub-ratings", "hub_id", HUBS[0], **changed)


def without(place: Site, table: str, column: str, value: str) -> None:
    place.ask(f"DELETE FROM {table} WHERE {column} = :value", value=value)


def standing(process: Process, key: str) -> tuple[State, str] | None:
    """Return how a report that is not done stands, and why."""
    found = {str(one.key): one for one in process.service.ledger.status.outstanding(MONTH)}
    return (found[key].state, found[key].reason) if key in found else None


def preview(process: Process, *, closed: bool = False) -> Plan:
    return process.reconciler.planner(process.events).preview(MONTH, closed=closed)


def test_what_looks_like_a_statement_is_text(tmp_path: Path) -> None:
    statement = '\'; DROP TABLE deliveries; -- %s :month "x" \\'
    place = site(tmp_path)
    group = str(ROWS["nondiscriminatory-access"][0]["provider_group"])
    place.store(row_of("nondiscriminatory-access", "provider_group", group, reasoning_different_costs=statement))
    with place.process() as process:
        process.run()

    (body,) = place.ask(
        "SELECT body FROM payloads JOIN deliveries ON sha256 = payload_sha256 WHERE subject = :group", group=group
    )
    assert json.loads(body[0])["reasoningDifferentCosts"] == statement


# --- rows


def test_a_missing_row_is_awaited_told_once_and_sent_when_it_comes(tmp_path: Path) -> None:
    place = site(tmp_path)
    without(place, "hub_ratings", "hub_id", HUBS[0])
    with place.process() as process:
        process.run()
        assert standing(process, HUB_KEY) == (State.AWAITING_DATA, "the source has no row for it")
        assert process.states() == {State.ACCEPTED: 10, State.AWAITING_DATA: 1}
        process.run()
        assert [event["key"] for event in process.events.of("data.missing")] == [HUB_KEY]
        place.store(hub_rating())
        assert process.run().complete
    assert place.world.reports().count(HUB_KEY) == 1


def test_an_invalid_row_is_told_with_every_reason_and_sent_when_it_is_mended(tmp_path: Path) -> None:
    place = site(tmp_path)
    place.store(row_of("point-ratings", "point_id", POINTS[0], rating=9, total_complaints=-1))
    key = f"{MONTH}/point_rating/{POINTS[0]}"
    with place.process() as process:
        process.run()
        process.run()
        [event] = process.events.of("report.invalid")
        assert event["key"] == key
        assert "rating = 9" in str(event["detail"])
        assert "total_complaints = -1" in str(event["detail"])
        assert standing(process, key) == (State.INVALID, event["detail"])
        place.store(row_of("point-ratings", "point_id", POINTS[0], rating=8))
        process.run()
        assert len(process.events.of("report.invalid")) == 2, "another reason is news"
        place.store(row_of("point-ratings", "point_id", POINTS[0]))
        assert process.run().complete


def test_a_rejected_row_is_sent_again_only_when_it_changes(tmp_path: Path) -> None:
    place = site(tmp_path, World(faults=[InjectedFault.parse("400@hub_rating#1")]))
    with place.process() as process:
        process.run()
        process.run()
        assert process.states() == {State.ACCEPTED: 10, State.REJECTED: 1}
        assert len(process.events.of("report.rejected")) == 1
        place.store(hub_rating(rating=5))
        assert process.run().complete
    assert place.world.reports().count(HUB_KEY) == 2


def test_a_row_that_changes_after_delivery_drifts_and_is_not_sent(tmp_path: Path) -> None:
    place = site(tmp_path)
    place.store(hub_rating(rating=1))
    with place.process() as process:
        process.run()
        for rating in (5, 5, 4):
            place.store(hub_rating(rating=rating))
            result = process.run()
            assert result.complete
            assert result.month_counts is not None
            assert result.month_counts.drifted == 1
        assert [event["key"] for event in process.events.of("report.drifted")] == [HUB_KEY]
        assert standing(process, HUB_KEY) is not None
        place.store(hub_rating(rating=1))
        result = process.run()
        assert result.month_counts is not None
        assert result.month_counts.drifted == 0
    assert place.world.reports().count(HUB_KEY) == 1


def test_an_average_that_makes_the_same_grade_is_no_drift(tmp_path: Path) -> None:
    place = site(tmp_path)
    place.store(hub_rating(rating=2))
    with place.process() as process:
        process.run()
        place.store(hub_rating(rating="2.4"))
        process.run()
        assert process.events.of("report.drifted") == []


def test_a_row_that_changed_while_its_end_was_unknown_waits_and_then_shows_as_drift(tmp_path: Path) -> None:
    place = site(tmp_path, World(faults=[InjectedFault.parse("lost@hub_rating#1")]))
    place.store(hub_rating(rating=1))
    with place.process() as process:
        process.run(patience_s=0)
        place.store(hub_rating(rating=5))
        result = process.run()
        assert result.month_counts is not None
        assert (result.month_counts.complete, result.month_counts.drifted) == (True, 1)
        assert process.events.of("report.drifted")[0]["key"] == HUB_KEY
    bodies = {call["body_sha256"] for call in place.world.calls if call["key"] == HUB_KEY}
    assert len(bodies) == 1, "a retry never makes a different report"


# --- a query of the operator's own: rows that no primary key keeps apart


def queried(folder: Path, *rows: tuple[str | None, object]) -> Site:
    """Return a site whose hub ratings come from another database: (hub_id, rating) each."""
    other = folder / "theirs.sqlite3"
    with sqlite3.connect(other) as theirs:
        theirs.execute("CREATE TABLE IF NOT EXISTS r (hub_id, rating)")
        theirs.execute("DELETE FROM r")
        theirs.executemany("INSERT INTO r VALUES (?, ?)", rows)
    theirs.close()
    return site(
        folder,
        environ={
            "sources__hub_ratings__url": f"sqlite:///{other}",
            "sources__hub_ratings__query": "SELECT :month AS month, hub_id, rating FROM r",
        },
    )


def test_two_rows_for_one_report_are_one_invalid_report_and_told_once(tmp_path: Path) -> None:
    place = queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2), (HUBS[0], 3), (HUBS[0], 1))
    with place.process() as process:
        for _ in range(3):
            plan = process.run().plan
            assert plan is not None
            assert [str(key) for key, _, _ in plan.blocked] == [HUB_KEY]
        assert process.states() == {State.ACCEPTED: 10, State.INVALID: 1}
        reason = "the source has several rows for it: leave one"
        assert standing(process, HUB_KEY) == (State.INVALID, reason)
        assert [event["detail"] for event in process.events.of("report.invalid")] == [reason]
        queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2))
        assert process.run().complete


def test_a_delivered_report_with_two_rows_later_drifts_once(tmp_path: Path) -> None:
    place = queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2))
    with place.process() as process:
        process.run()
        queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2), (HUBS[0], 1))
        for _ in range(3):
            process.run()
        assert [event["key"] for event in process.events.of("report.drifted")] == [HUB_KEY]
        queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2))
        result = process.run()
        assert result.month_counts is not None
        assert result.month_counts.drifted == 0


def test_rows_about_nobody_are_problems_of_the_source(tmp_path: Path) -> None:
    stranger = "00000000-0000-4000-8000-000000000000"
    place = queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2), (stranger, 3), ("no uuid", 3), (None, 3))
    with place.process() as process:
        result = process.run()
        assert result.complete
        assert result.plan is not None
        assert result.plan.problem_count == 3
        told = [str(event["detail"]) for event in process.events.of("source.faulty")]
    assert len(told) == 3
    assert f"is about {stranger}, which is not due for 2026-10" in told[0]
    assert "hub_id = no uuid" in told[1]
    assert "hub_id is empty" in told[2]


def test_of_many_problems_the_first_are_told_and_all_counted(tmp_path: Path) -> None:
    place = queried(tmp_path, (HUBS[0], 1), (HUBS[1], 2), *((f"odd {number}", 1) for number in range(70)))
    with place.process() as process:
        plan = process.run().plan
        assert plan is not None
        assert (plan.problem_count, len(plan.problems)) == (70, PROBLEMS_KEPT)
        assert len(process.events.of("source.faulty")) == PROBLEMS_KEPT


# --- what is due


def test_nothing_is_due_before_the_first_month(tmp_path: Path) -> None:
    place = site(tmp_path, environ={"schedule__first_month": "2026-11"})
    with place.process() as process:
        result = process.run()
        assert isinstance(result.error, NothingDue)
        assert result.error.hint == "That is schedule.first_month in the configuration."
        with pytest.raises(NothingDue):
            preview(process)
    assert place.world.calls == []


def test_the_first_month_itself_is_due(tmp_path: Path) -> None:
    with site(tmp_path, environ={"schedule__first_month": "2026-10"}).process() as process:
        assert process.run().complete


# --- waivers


def test_a_waived_report_is_done_and_an_unwaived_one_due_again(tmp_path: Path) -> None:
    place = site(tmp_path)
    without(place, "hub_ratings", "hub_id", HUBS[0])
    with place.process() as process:
        process.run()
        waiving = Waiving(
            plans=process.service.ledger.plans, waivers=process.service.ledger.waivers, clock=place.world
        )
        waiving.declare([HUB_KEY], reason="closed for works", declared_by="somebody")
        result = process.run()
        assert result.complete
        assert process.states() == {State.ACCEPTED: 10, State.WAIVED: 1}
        waiving.withdraw([HUB_KEY])
        assert not process.run().complete
        assert process.states() == {State.ACCEPTED: 10, State.AWAITING_DATA: 1}
        place.store(hub_rating())
        assert process.run().complete


def test_a_waived_report_is_not_sent_though_there_is_a_row(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run(send=False)
        Waiving(
            plans=process.service.ledger.plans, waivers=process.service.ledger.waivers, clock=place.world
        ).declare([HUB_KEY], reason="wrong row", declared_by="somebody")
        assert process.run().complete
    assert HUB_KEY not in place.world.reports()


# --- a preview


def test_a_preview_says_what_would_be_and_writes_nothing(tmp_path: Path) -> None:
    place = queried(tmp_path, (HUBS[0], 1), (HUBS[1], 9), (HUBS[0], 3))
    without(place, "ad_hoc_tariffs", "hub_id", HUBS[0])
    with place.process() as process:
        for _ in range(2):
            plan = preview(process)
            assert plan.expected == 11
            assert plan.by_state == {State.PENDING: 8, State.INVALID: 2, State.AWAITING_DATA: 1}
            assert {(str(key), state) for key, state, _ in plan.blocked} == {
                (HUB_KEY, State.INVALID),
                (f"{MONTH}/hub_rating/{HUBS[1]}", State.INVALID),
                (f"{MONTH}/ad_hoc_tariff/{HUBS[0]}", State.AWAITING_DATA),
            }
            assert all(why for _, _, why in plan.blocked)
        assert process.events.emitted == []
        assert place.ask("SELECT * FROM deliveries") == place.ask("SELECT * FROM runs") == []
        process.run()
        after = preview(process)
        assert after.by_state == {State.ACCEPTED: 8, State.INVALID: 2, State.AWAITING_DATA: 1}
        assert len(after.blocked) == 3, "what is blocked already is still said"


def test_a_preview_of_a_closed_month_says_what_is_lost(tmp_path: Path) -> None:
    place = site(tmp_path)
    without(place, "hub_ratings", "hub_id", HUBS[0])
    with place.process() as process:
        plan = preview(process, closed=True)
    assert plan.by_state == {State.MISSED: 11}
    assert plan.blocked == [
        (DeliveryKey(MONTH, HUB_RATING, HUBS[0]), State.MISSED, "the source has no row for it")
    ]


def test_a_plan_of_thousands_is_written_in_chunks_and_read_again_as_it_was(tmp_path: Path) -> None:
    place = site(tmp_path, hubs=60, points_per_hub=10, provider_groups=4)
    with place.process() as process:
        process.run(send=False)
        changed = place.ask("SELECT max(updated_at) AS at FROM deliveries")
        place.world.turn(60)
        process.run(send=False)
        assert place.ask("SELECT max(updated_at) AS at FROM deliveries") == changed
        assert process.states() == {State.PENDING: 1 + 4 + 120 + 600}
