"""The ledger on both databases: each method's contract, and the laws that the store has to keep."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from report_service.adapters.db.status_queries import durations
from report_service.adapters.db.tables import deliveries, payloads
from report_service.domain.delivery import DONE, OPEN, Evidence, State
from report_service.domain.inventory_check import InventoryRecord
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.rate_limiter import RecentRequest
from report_service.domain.responses import ApiResponse, Outcome
from report_service.errors import IllegalTransition, LeaseLost
from report_service.ports import DeliveryStatus, RunRecord, Undelivered, Waiver
from tests.support.ledger_desk import (
    CONFLICT,
    GONE,
    MONTH,
    NO,
    NOW,
    TIME_OUT,
    TIMEOUT_S,
    UNKNOWN_HUB,
    YES,
    Desk,
    later,
    row,
)
from tests.support.obelis_answers import CASES, OBELIS_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.adapters.db.engine import Store
    from report_service.domain.planning import SourceFinding


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


# --- planning


def test_what_was_planned_is_known(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(9), "c": GONE})
    known = desk.ledger.plans.known_deliveries(MONTH, HUB_RATING)
    assert {subject: one.state for subject, one in known.items()} == {
        "a": State.PENDING,
        "b": State.INVALID,
        "c": State.AWAITING_DATA,
    }
    body = b'{"month": "10-2026", "rating": 2}'
    assert known["a"].payload_sha256 == known["a"].source_sha256 == hashlib.sha256(body).hexdigest()
    assert known["a"].path == "/ratings"
    assert known["b"].detail == "rating = 9: must be 1..6"
    assert known["c"].detail == GONE.reason
    assert all(one.due and one.row and not one.attempts for one in known.values())
    assert desk.row("b").source == '{"rating": 9}'
    assert desk.row("a").updated_at == NOW


def test_a_plan_of_what_is_known_writes_nothing(desk: Desk) -> None:
    rows = {"a": row(2), "b": row(9), "c": GONE}
    desk.plan(rows)
    before = [desk.row(subject) for subject in rows]
    desk.at = later(3600)
    desk.plan(rows)
    assert [desk.row(subject) for subject in rows] == before


def test_a_changed_row_replaces_what_is_to_be_sent_and_both_bodies_stay(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": UNKNOWN_HUB})
    desk.plan({"a": row(3)})
    [due] = desk.due()
    assert (due.body, due.state, due.attempts) == (b'{"month": "10-2026", "rating": 3}', State.PENDING, 1)
    assert (due.consecutive_failures, due.http_status, due.next_attempt_at) == (
        0,
        None,
        None,
    )  # its tries begin anew
    with desk.store.read() as connection:
        assert len(connection.execute(select(payloads)).all()) == 2


@pytest.mark.parametrize("found", [row(9), GONE], ids=["invalid", "gone"])
def test_what_cannot_be_sent_any_more_waits_for_no_try(desk: Desk, found: SourceFinding) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": UNKNOWN_HUB})
    assert desk.row("a").next_attempt_at == later(300)
    desk.plan({"a": found})
    assert desk.row("a").next_attempt_at is None
    assert desk.ledger.attempts.next_attempt(MONTH) is None


def test_a_plan_leaves_the_next_try_of_an_unknown_end_as_it_is(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": TIME_OUT})
    before = desk.row("a")
    desk.plan({"a": row(3)})
    after = desk.row("a")
    assert (after.next_attempt_at, after.consecutive_failures, after.payload_sha256, after.in_doubt) == (
        before.next_attempt_at,
        before.consecutive_failures,
        before.payload_sha256,
        True,
    )
    assert after.source_sha256 != before.source_sha256


def test_reports_with_the_same_body_share_it(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2)})
    desk.plan({"a": row(2), "b": row(2), "c": row(2)})
    with desk.store.read() as connection:
        assert len(connection.execute(select(payloads)).all()) == 1
    assert len({delivery.body for delivery in desk.due()}) == 1


def test_the_database_itself_refuses_a_second_row_for_a_report(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    twin = {name: value for name, value in desk.row("a")._mapping.items() if name != "id"}
    with pytest.raises(IntegrityError, match=r"(?i)unique"), desk.store.write() as connection:
        connection.execute(insert(deliveries).values(**twin))


def test_kinds_and_months_are_kept_apart(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    assert desk.ledger.plans.known_deliveries(MONTH, AD_HOC_TARIFF) == {}
    assert desk.ledger.plans.known_deliveries(MONTH.shift(1), HUB_RATING) == {}
    assert desk.ledger.attempts.due(MONTH.shift(1), HUB_RATING, at=NOW, limit=10) == []


# --- what is no longer due


def test_what_is_not_due_any_more_stays_and_is_not_sent(desk: Desk) -> None:
    desk.plan({"never sent": row(2), "no row": GONE, "accepted": row(3), "doubtful": row(4), "due": row(5)})
    desk.deliver({"accepted": YES, "doubtful": TIME_OUT})
    gone = ["never sent", "no row", "accepted", "doubtful", "unheard of"]
    desk.ledger.plans.withdraw(MONTH, HUB_RATING, gone, lease=desk.lease)
    known = desk.ledger.plans.known_deliveries(MONTH, HUB_RATING)
    assert {subject: (one.due, one.state) for subject, one in known.items()} == {
        "never sent": (False, State.PENDING),
        "no row": (False, State.AWAITING_DATA),
        "accepted": (False, State.ACCEPTED),
        "doubtful": (False, State.RETRYING),
        "due": (True, State.PENDING),
    }
    assert desk.ledger.status.month_counts(MONTH).expected == 1
    assert desk.subjects(at=later(9999)) == ["due"]
    assert desk.ledger.attempts.next_attempt(MONTH) is None
    assert [one.key.subject for one in desk.ledger.status.outstanding(MONTH)] == ["due"]


def test_what_is_due_again_is_as_it_was(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2)})
    desk.deliver({"a": YES})
    desk.ledger.plans.withdraw(MONTH, HUB_RATING, ["a", "b"], lease=desk.lease)
    desk.plan({"a": row(2), "b": row(2)})
    assert desk.states() == {"a": State.ACCEPTED, "b": State.PENDING}
    assert desk.ledger.status.month_counts(MONTH).expected == 2


def test_a_thousand_reports_can_go_at_once(desk: Desk) -> None:
    subjects = [f"{number:04}" for number in range(1100)]
    desk.plan(dict.fromkeys(subjects, row(2)))
    desk.ledger.plans.withdraw(MONTH, HUB_RATING, subjects[1:], lease=desk.lease)
    assert desk.subjects() == ["0000"]
    desk.ledger.plans.withdraw(MONTH, HUB_RATING, [], lease=desk.lease)
    assert desk.subjects() == ["0000"]


# --- waivers


def waiver(subject: str = "a", month: ReportMonth = MONTH, reason: str = "never opened") -> Waiver:
    berlin = timezone(timedelta(hours=1))
    return Waiver(
        key=DeliveryKey(month, HUB_RATING, subject),
        reason=reason,
        declared_by="Jo",
        declared_at=datetime(2026, 11, 2, 10, tzinfo=berlin),
    )


def test_a_waiver_is_kept_with_who_when_and_why(desk: Desk) -> None:
    desk.ledger.waivers.declare(waiver())
    assert desk.ledger.waivers.of(MONTH) == {waiver().key: waiver()}
    assert desk.ledger.waivers.of(MONTH.shift(1)) == {}


def test_a_newer_waiver_replaces_the_one_before(desk: Desk) -> None:
    desk.ledger.waivers.declare(waiver())
    desk.ledger.waivers.declare(waiver(reason="closed for repair"))
    [kept] = desk.ledger.waivers.of(MONTH).values()
    assert kept.reason == "closed for repair"


def test_a_waiver_that_is_taken_back_is_gone(desk: Desk) -> None:
    desk.ledger.waivers.declare(waiver("a"))
    desk.ledger.waivers.declare(waiver("b"))
    assert desk.ledger.waivers.withdraw(waiver("a").key)
    assert not desk.ledger.waivers.withdraw(waiver("a").key)
    assert list(desk.ledger.waivers.of(MONTH)) == [waiver("b").key]


def test_a_waiver_counts_from_the_next_plan_on_and_so_does_its_end(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2)})
    desk.ledger.waivers.declare(waiver("a"))
    assert desk.states()["a"] is State.PENDING
    desk.plan({"a": row(2), "b": row(2)})
    assert desk.states() == {"a": State.WAIVED, "b": State.PENDING}
    assert desk.subjects() == ["b"]
    desk.ledger.waivers.withdraw(waiver("a").key)
    desk.plan({"a": row(2), "b": row(2)})
    assert desk.subjects() == ["a", "b"]


# --- what is due


def test_what_waited_comes_first_within_the_order_of_kinds(desk: Desk) -> None:
    desk.plan({"retried": row(2)}, kind=NONDISCRIMINATORY_ACCESS)
    desk.deliver({"retried": ApiResponse(http_status=429)})
    for kind in reversed(KINDS):
        desk.plan({} if kind is HOTLINE_RATING else {f"{kind}-b": row(2), f"{kind}-a": row(2)}, kind=kind)
    desk.plan({"": row(2)}, kind=HOTLINE_RATING)
    ordered = ["", "retried", *(f"{kind}-{name}" for kind in KINDS[1:] for name in "ab")]
    assert desk.subjects(at=later(3600)) == ordered


def test_a_page_is_as_long_as_was_asked_for_and_the_next_one_goes_on(desk: Desk) -> None:
    subjects = [f"{number:02}" for number in range(7)]
    desk.plan(dict.fromkeys(subjects, row(2)))
    pages = []
    while page := desk.due(limit=3):
        pages.append([delivery.key.subject for delivery in page])
        desk.send(page)
    assert pages == [subjects[:3], subjects[3:6], subjects[6:]]


@pytest.mark.parametrize(("seconds", "due"), [(299.999, False), (300, True), (300.001, True)])
def test_a_report_that_waits_is_due_when_its_time_has_come(desk: Desk, seconds: float, *, due: bool) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": UNKNOWN_HUB})
    assert (desk.subjects(at=later(seconds)) == ["a"]) is due


def test_only_what_can_be_sent_is_due(desk: Desk) -> None:
    desk.plan({state.value: row(2) for state in State})
    for state in State:
        force(desk, state.value, state=state.value)
    assert desk.subjects() == ["retrying", "pending"]


def test_a_due_report_has_all_that_its_delivery_takes(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": TIME_OUT})
    desk.plan({"a": row(3)})
    [delivery] = desk.due(at=later(60))
    assert delivery.key == DeliveryKey(MONTH, HUB_RATING, "a")
    assert (delivery.path, delivery.body) == ("/ratings", b'{"month": "10-2026", "rating": 2}')
    assert delivery.payload_sha256 == hashlib.sha256(delivery.body).hexdigest()
    assert (delivery.state, delivery.in_doubt, delivery.outdated) == (State.RETRYING, True, True)
    assert (delivery.attempts, delivery.consecutive_failures, delivery.last_outcome) == (1, 1, Outcome.NO_ANSWER)
    assert (delivery.detail, delivery.http_status, delivery.next_attempt_at) == (TIME_OUT.detail, None, later(2))
    assert (delivery.drift, delivery.echo_differs, delivery.obelis_id) == (False, False, None)


@pytest.mark.parametrize(("found", "outdated"), [(row(2), False), (row(3), True), (row(9), True), (GONE, False)])
def test_a_row_that_changed_while_its_bytes_have_an_unknown_end_drifts_once_they_are_accepted(
    desk: Desk, found: SourceFinding, *, outdated: bool
) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": TIME_OUT})
    desk.plan({"a": found})
    [delivery] = desk.due(at=later(60))
    assert delivery.outdated is outdated
    desk.deliver({"a": CONFLICT}, at=later(60))
    assert desk.row("a").drift is outdated
    assert desk.ledger.status.month_counts(MONTH).drifted == outdated
    desk.plan({"a": found})
    assert desk.row("a").drift is outdated


def test_the_first_and_the_last_of_those_that_wait_are_known(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2), "c": row(2)})
    assert desk.ledger.attempts.next_attempt(MONTH) is None
    desk.deliver({"a": UNKNOWN_HUB, "b": TIME_OUT})
    assert (desk.ledger.attempts.next_attempt(MONTH), desk.ledger.attempts.last_attempt(MONTH)) == (
        later(2),
        later(300),
    )
    desk.deliver({"b": YES}, at=later(2))
    assert (desk.ledger.attempts.next_attempt(MONTH), desk.ledger.attempts.last_attempt(MONTH)) == (
        later(300),
        later(300),
    )
    assert desk.ledger.attempts.last_attempt(MONTH.shift(-1)) is None


# --- from the answer to the row

ROWS = {
    Outcome.ACCEPTED: (State.ACCEPTED, Evidence.CONFIRMED, False),
    Outcome.REJECTED: (State.REJECTED, None, False),
    Outcome.CONFLICT: (State.ALREADY_REPORTED, None, False),
    Outcome.SERVER_ERROR: (State.RETRYING, None, True),
    Outcome.UNREADABLE: (State.RETRYING, None, True),
    Outcome.NO_ANSWER: (State.RETRYING, None, True),
    Outcome.NOT_SENT: (State.RETRYING, None, False),
    Outcome.UNAUTHORIZED: (State.RETRYING, None, False),
    Outcome.FORBIDDEN: (State.RETRYING, None, False),
    Outcome.NOT_FOUND: (State.RETRYING, None, False),
    Outcome.THROTTLED: (State.RETRYING, None, False),
    Outcome.MISDIRECTED: (State.RETRYING, None, False),
    Outcome.REFUSED: (State.RETRYING, None, False),
    Outcome.OUT_OF_WINDOW: (State.RETRYING, None, False),
}
"""State, evidence, and whether an attempt has an unknown end, after a first attempt."""
AFTER_AN_UNKNOWN_END = {
    **{outcome: (state, evidence, True) for outcome, (state, evidence, _) in ROWS.items()},
    Outcome.ACCEPTED: (State.ACCEPTED, Evidence.CONFIRMED, False),
    Outcome.REJECTED: (State.REJECTED, None, False),
    Outcome.CONFLICT: (State.ACCEPTED, Evidence.INFERRED, False),
}


@pytest.mark.parametrize("doubtful", [False, True], ids=["first attempt", "after an unknown end"])
def test_each_answer_of_obelis_makes_the_row_that_it_should(desk: Desk, *, doubtful: bool) -> None:
    answers = {case.name: case.answer for case in CASES}
    desk.plan(dict.fromkeys(answers, row(2)))
    if doubtful:
        desk.deliver(dict.fromkeys(answers, TIME_OUT))
    desk.deliver(answers, at=later(10))
    expected = AFTER_AN_UNKNOWN_END if doubtful else ROWS
    rows = {case.name: desk.row(case.name) for case in CASES}
    assert {
        name: (State(one.state), one.evidence and Evidence(one.evidence), one.in_doubt)
        for name, one in rows.items()
    } == {case.name: expected[case.outcome] for case in CASES}
    for case in CASES:
        one = rows[case.name]
        assert one.last_outcome == case.outcome
        assert one.http_status == case.answer.http_status
        assert one.attempts == (2 if doubtful else 1)
        assert (one.next_attempt_at is None) is (one.state != "retrying")
        assert (one.obelis_id == OBELIS_ID) is (case.outcome is Outcome.ACCEPTED and b'"id"' in case.answer.body)


def test_an_answer_that_no_store_could_hold_is_held(desk: Desk) -> None:
    """NUL is no text for PostgreSQL, half a surrogate pair none for either database's driver."""
    desk.plan({"a": row(2), "b": row(2)})
    odd = rb'"x\u0000y\ud800z"'
    desk.deliver(
        {
            "a": ApiResponse(
                http_status=200, body=b'{"statusCode": 200, "data": {"id": %s, "rating": %s}}' % (odd, odd)
            ),
            "b": ApiResponse(http_status=400, body=b'{"message": %s}' % odd),
        }
    )
    assert desk.row("a").obelis_id is None
    assert desk.row("a").echo_differs
    assert desk.row("b").detail == "x�y�z"


def test_what_obelis_stored_otherwise_stays_a_drift_whatever_is_planned(desk: Desk) -> None:
    desk.plan({"a": row(3)})
    desk.deliver({"a": YES})  # its echo says 2
    for found in (row(3), row(9), row(3), GONE, row(3)):
        desk.plan({"a": found})
        assert desk.row("a").drift
        assert desk.row("a").detail == "the API stored otherwise: rating: sent 3, stored 2"


# --- intents and outcomes


def test_an_intent_is_there_before_its_answer(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    [delivery] = desk.due()
    [start] = desk.send([delivery])
    assert desk.states() == {"a": State.IN_FLIGHT}
    [attempt] = desk.attempts()
    assert attempt.request_id == start.request.request_id
    assert (attempt.delivery_id, attempt.payload_sha256) == (delivery.row, delivery.payload_sha256)
    assert (attempt.endpoint, attempt.run_id, attempt.instance) == ("mock", "run-1", desk.name)
    assert (attempt.verb, attempt.path, attempt.started_at) == ("POST", "/ratings", NOW)
    assert (attempt.ended_at, attempt.http_status, attempt.outcome, attempt.answer) == (None, None, None, None)
    assert desk.due() == []


def test_an_attempt_ends_with_what_came_of_it(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": NO}, at=later(3))
    [attempt] = desk.attempts()
    assert (attempt.ended_at, attempt.http_status, attempt.outcome) == (later(3), 400, "rejected")
    assert "rating too bad" in attempt.answer
    with desk.store.read() as connection:  # what was sent stays provable
        body = connection.scalar(select(payloads.c.body).where(payloads.c.sha256 == attempt.payload_sha256))
    assert body == '{"month": "10-2026", "rating": 2}'


def test_outcomes_and_intents_go_in_one_step(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2)})
    first, second = desk.due()
    [start] = desk.send([first])
    desk.ledger.attempts.record([desk.ended(start, first, YES)], [desk.start(second)], lease=desk.lease)
    assert desk.states() == {"a": State.ACCEPTED, "b": State.IN_FLIGHT}


def test_a_token_request_is_an_attempt_without_a_report(desk: Desk) -> None:
    start = desk.start(None)
    desk.ledger.attempts.record([], [start], lease=desk.lease)
    desk.ledger.attempts.record([desk.ended(start, None, YES, at=later(1))], [], lease=desk.lease)
    [attempt] = desk.attempts()
    assert (attempt.delivery_id, attempt.payload_sha256, attempt.path) == (None, None, "/token")
    assert (attempt.outcome, attempt.ended_at) == ("accepted", later(1))


def test_nothing_to_record_is_no_error(desk: Desk) -> None:
    desk.ledger.attempts.record([], [], lease=desk.lease)
    assert desk.attempts() == []


def test_an_intent_that_fails_takes_the_outcomes_beside_it_back(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2)})
    first, second = desk.due()
    [start] = desk.send([first])
    twin = replace(
        desk.start(second), request=replace(desk.start(second).request, request_id=start.request.request_id)
    )
    with pytest.raises(IntegrityError):
        desk.ledger.attempts.record([desk.ended(start, first, YES)], [twin], lease=desk.lease)
    assert desk.states() == {"a": State.IN_FLIGHT, "b": State.PENDING}
    assert [attempt.outcome for attempt in desk.attempts()] == [None]


def test_a_report_is_not_sent_twice_whoever_asks(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2)})
    first, second = desk.due()
    with pytest.raises(IllegalTransition):
        desk.ledger.attempts.record(
            [], [desk.start(first), desk.start(second), desk.start(first)], lease=desk.lease
        )
    assert desk.states() == {"a": State.PENDING, "b": State.PENDING}
    desk.send([first])
    with pytest.raises(IllegalTransition):
        desk.send([second, first])
    assert desk.states() == {"a": State.IN_FLIGHT, "b": State.PENDING}
    assert len(desk.attempts()) == 1


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING, State.RETRYING}))
def test_only_what_is_to_be_sent_can_be_sent(desk: Desk, state: State) -> None:
    desk.plan({"a": row(2)})
    [delivery] = desk.due()
    force(desk, "a", state=state.value)
    with pytest.raises(IllegalTransition):
        desk.send([delivery])
    assert desk.attempts() == []


def test_recording_an_outcome_again_changes_nothing(desk: Desk) -> None:
    """After a commit of which nobody knows whether it went through."""
    desk.plan({"a": row(2)})
    [delivery] = desk.due()
    [start] = desk.send([delivery])
    ended = desk.ended(start, delivery, YES)
    desk.ledger.attempts.record([ended], [], lease=desk.lease)
    before = desk.row("a"), desk.attempts()
    desk.ledger.attempts.record([ended], [], lease=desk.lease)
    assert (desk.row("a"), desk.attempts()) == before


# --- a late writer


def test_a_late_writer_leaves_the_ends_of_its_attempts_and_no_more(store: Store, desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2), "c": row(2)})
    first, second, third = desk.due()
    [start] = desk.send([first])
    desk.ledger.leases.release(desk.lease)
    successor = Desk(store, at=later(60))
    before = [desk.row(subject) for subject in "abc"]
    with pytest.raises(LeaseLost):
        desk.ledger.attempts.record([desk.ended(start, first, YES)], [desk.start(second)], lease=desk.lease)
    assert [desk.row(subject) for subject in "abc"] == before
    [attempt] = desk.attempts()
    assert (attempt.outcome, attempt.http_status) == ("accepted", 200)
    with pytest.raises(LeaseLost):
        desk.plan({"b": row(3)})
    with pytest.raises(LeaseLost):
        desk.ledger.plans.withdraw(MONTH, HUB_RATING, ["c"], lease=desk.lease)
    with pytest.raises(LeaseLost):
        desk.ledger.attempts.recover_in_flight(at=NOW, timeout_s=TIMEOUT_S, lease=desk.lease)
    with pytest.raises(LeaseLost):
        desk.ledger.attempts.close_month(MONTH, at=NOW, lease=desk.lease)
    assert [desk.row(subject) for subject in "abc"] == before
    successor.send([third])
    assert desk.states()["c"] is State.IN_FLIGHT


# --- what a former holder left


def test_what_was_left_in_flight_has_an_unknown_end(store: Store, desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2), "c": row(2)})
    in_flight, refused, _pending = desk.due()
    desk.deliver({"b": ApiResponse(http_status=404)})
    assert refused.key.subject == "b"
    desk.send([in_flight], at=later(10))
    desk.ledger.leases.release(desk.lease)
    successor = Desk(store, at=later(12))
    before = [desk.row(subject) for subject in "bc"]
    assert (
        successor.ledger.attempts.recover_in_flight(at=later(12), timeout_s=TIMEOUT_S, lease=successor.lease) == 1
    )
    left = desk.row("a")
    assert (left.state, left.in_doubt, left.attempts) == ("retrying", True, 1)
    assert (left.last_outcome, left.http_status) == ("no_answer", None)
    assert "ended before the answer was recorded" in left.detail
    assert left.next_attempt_at == later(35)
    assert [desk.row(subject) for subject in "bc"] == before
    assert (
        successor.ledger.attempts.recover_in_flight(at=later(13), timeout_s=TIMEOUT_S, lease=successor.lease) == 0
    )


@pytest.mark.parametrize(("seconds", "due"), [(34.9, False), (35, True), (35.1, True)])
def test_it_is_sent_again_a_time_out_after_it_went_out(desk: Desk, seconds: float, *, due: bool) -> None:
    desk.plan({"a": row(2)})
    desk.send(desk.due(), at=later(10))
    desk.ledger.attempts.recover_in_flight(at=later(11), timeout_s=TIMEOUT_S, lease=desk.lease)
    assert (desk.subjects(at=later(seconds)) == ["a"]) is due


def test_it_goes_by_the_last_of_its_attempts(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": ApiResponse(http_status=503)})
    desk.send(desk.due(at=later(100)), at=later(100))
    desk.ledger.attempts.recover_in_flight(at=later(101), timeout_s=TIMEOUT_S, lease=desk.lease)
    found = desk.row("a")
    assert (found.next_attempt_at, found.attempts) == (later(125), 2)
    assert (found.last_outcome, found.http_status) == ("no_answer", None)


def test_a_clock_that_ran_ahead_does_not_put_it_off(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.send(desk.due(), at=later(86_400))
    desk.ledger.attempts.recover_in_flight(at=later(5), timeout_s=TIMEOUT_S, lease=desk.lease)
    assert desk.row("a").next_attempt_at == later(30)


@pytest.mark.parametrize(
    ("answer", "state", "evidence"),
    [
        (YES, State.ACCEPTED, Evidence.CONFIRMED),
        (CONFLICT, State.ACCEPTED, Evidence.INFERRED),
        (NO, State.REJECTED, None),
    ],
)
def test_the_same_bytes_settle_it(
    desk: Desk, answer: ApiResponse, state: State, evidence: Evidence | None
) -> None:
    desk.plan({"a": row(2)})
    [before] = desk.due()
    desk.send([before])
    desk.ledger.attempts.recover_in_flight(at=NOW, timeout_s=TIMEOUT_S, lease=desk.lease)
    desk.plan({"a": row(5)})
    [again] = desk.due(at=later(60))
    assert again.body == before.body
    desk.deliver({"a": answer}, at=later(60))
    found = desk.row("a")
    assert (found.state, found.evidence, found.in_doubt) == (state, evidence, False)


def test_an_attempt_whose_answer_came_too_late_still_ends(store: Store, desk: Desk) -> None:
    """The report is the successor's by then; that it was accepted it learns from the API."""
    desk.plan({"a": row(2)})
    [delivery] = desk.due()
    [start] = desk.send([delivery])
    desk.ledger.leases.release(desk.lease)
    successor = Desk(store, at=later(60))
    successor.ledger.attempts.recover_in_flight(at=later(60), timeout_s=TIMEOUT_S, lease=successor.lease)
    with pytest.raises(LeaseLost):
        desk.ledger.attempts.record([desk.ended(start, delivery, YES)], [], lease=desk.lease)
    assert desk.states() == {"a": State.RETRYING}
    successor.deliver({"a": CONFLICT}, at=later(90))
    assert desk.row("a").evidence == "inferred"


# --- the pace


def test_what_was_sent_in_the_last_minute_counts_by_its_age(desk: Desk) -> None:
    desk.plan({"answered": row(2), "under way": row(2), "throttled": row(2)})
    answered, throttled, under_way = desk.due()
    [one] = desk.send([answered], at=later(-50))
    desk.ledger.attempts.record([desk.ended(one, answered, YES, at=later(-49))], [], lease=desk.lease)
    [two] = desk.send([throttled], at=later(-30))
    desk.ledger.attempts.record(
        [desk.ended(two, throttled, ApiResponse(http_status=429), at=later(-28))], [], lease=desk.lease
    )
    desk.send([under_way], at=later(-10))
    desk.ledger.attempts.record([], [desk.start(None, at=later(-5))], lease=desk.lease)
    assert desk.ledger.attempts.sent_since(60, at=NOW) == [
        RecentRequest(started_ago_s=50, ended_ago_s=49),
        RecentRequest(started_ago_s=30, ended_ago_s=28, throttled=True),
        RecentRequest(started_ago_s=10, ended_ago_s=None),
        RecentRequest(started_ago_s=5, ended_ago_s=None),
    ]


@pytest.mark.parametrize(("seconds", "counts"), [(59.999, True), (60, False), (60.001, False)])
def test_a_request_counts_for_as_long_as_was_asked(desk: Desk, seconds: float, *, counts: bool) -> None:
    desk.ledger.attempts.record([], [desk.start(None, at=later(-seconds))], lease=desk.lease)
    assert bool(desk.ledger.attempts.sent_since(60, at=NOW)) is counts


@pytest.mark.parametrize(("seconds", "counts"), [(1, True), (60, True), (60.001, False), (86_400, False)])
def test_a_request_of_a_clock_that_is_ahead_counts_as_new_and_one_of_a_wrong_clock_not_at_all(
    desk: Desk, seconds: float, *, counts: bool
) -> None:
    start = desk.start(None, at=later(seconds))
    desk.ledger.attempts.record([], [start], lease=desk.lease)
    desk.ledger.attempts.record([desk.ended(start, None, YES, at=later(seconds + 1))], [], lease=desk.lease)
    expected = [RecentRequest(started_ago_s=0, ended_ago_s=0)] if counts else []
    assert desk.ledger.attempts.sent_since(60, at=NOW) == expected


def test_a_request_that_ended_within_the_time_counts_though_it_began_before(desk: Desk) -> None:
    start = desk.start(None, at=later(-70))
    desk.ledger.attempts.record([], [start], lease=desk.lease)
    assert desk.ledger.attempts.sent_since(60, at=NOW) == []
    desk.ledger.attempts.record([desk.ended(start, None, YES, at=later(-59))], [], lease=desk.lease)
    assert desk.ledger.attempts.sent_since(60, at=NOW) == [RecentRequest(started_ago_s=70, ended_ago_s=59)]


# --- the end of a month


def test_a_closed_month_has_nothing_open(desk: Desk) -> None:
    desk.plan({state.value: row(2) for state in State})
    for state in State:
        force(desk, state.value, state=state.value, next_attempt_at=NOW)
    desk.plan({"doubtful": row(2)})
    desk.deliver({"doubtful": TIME_OUT})
    closed = desk.ledger.attempts.close_month(MONTH, at=later(60), lease=desk.lease)
    unresolved = {"doubtful", "in_flight"}
    names = sorted({state.value for state in OPEN} | unresolved)
    assert closed == [
        DeliveryStatus(
            key=DeliveryKey(MONTH, HUB_RATING, name),
            state=State.UNRESOLVED if name in unresolved else State.MISSED,
            reason=TIME_OUT.detail if name == "doubtful" else "",
            next_attempt_at=None,
            in_doubt=name in unresolved,
            drift=False,
        )
        for name in names
    ]
    for one in closed:
        found = desk.row(one.key.subject)
        assert (found.state, found.in_doubt, found.next_attempt_at) == (one.state, one.in_doubt, None)
        assert found.updated_at == later(60)
    for state in DONE:
        assert desk.row(state.value).state == state
        assert desk.row(state.value).updated_at == NOW
    assert desk.ledger.attempts.close_month(MONTH, at=later(61), lease=desk.lease) == []


def test_closing_leaves_other_months_and_what_is_not_due_alone_but_ends_every_doubt(desk: Desk) -> None:
    desk.plan({"a": row(2), "undue": row(2), "doubtful": row(2), "in flight": row(2)})
    desk.deliver({"undue": ApiResponse(http_status=404), "doubtful": TIME_OUT})
    desk.send([delivery for delivery in desk.due() if delivery.key.subject == "in flight"])
    undue = ["undue", "doubtful", "in flight"]
    desk.ledger.plans.withdraw(MONTH, HUB_RATING, undue, lease=desk.lease)
    following = Desk(desk.store, month=MONTH.shift(1), name=desk.name)
    following.plan({"a": row(2)})
    [closed] = following.ledger.attempts.close_month(MONTH, at=NOW, lease=following.lease)
    assert closed.key == DeliveryKey(MONTH, HUB_RATING, "a")
    assert following.states() == {"a": State.PENDING}
    assert desk.states() == {
        "a": State.MISSED,
        "undue": State.RETRYING,
        "doubtful": State.UNRESOLVED,
        "in flight": State.UNRESOLVED,
    }


def test_a_window_that_had_not_closed_after_all_is_taken_up_where_it_was(desk: Desk) -> None:
    desk.plan({"pending": row(2), "doubtful": row(2), "no row": GONE})
    desk.deliver({"doubtful": TIME_OUT})
    desk.ledger.attempts.close_month(MONTH, at=NOW, lease=desk.lease)
    assert set(desk.states().values()) == {State.MISSED, State.UNRESOLVED}
    desk.plan({"pending": row(2), "doubtful": row(3), "no row": GONE})
    assert desk.states() == {
        "pending": State.PENDING,
        "doubtful": State.RETRYING,
        "no row": State.AWAITING_DATA,
    }
    desk.deliver({"doubtful": CONFLICT})
    assert desk.row("doubtful").evidence == "inferred"


def test_what_a_closed_window_left_undelivered_comes_with_what_would_have_been_sent(desk: Desk) -> None:
    rows = {"missed": row(2), "mended": row(3), "doubtful": row(4), "no row": GONE, "invalid": row(9)}
    desk.plan({**rows, "accepted": row(2)})
    desk.deliver({"accepted": YES, "doubtful": TIME_OUT})
    desk.plan({**rows, "mended": row(9), "doubtful": row(5)})
    assert desk.ledger.status.undelivered(MONTH) == []
    desk.ledger.attempts.close_month(MONTH, at=NOW, lease=desk.lease)

    def left(name: str, state: State, rating: int | None, reason: str = "") -> Undelivered:
        found = row(rating).payload if rating else None
        return Undelivered(
            key=DeliveryKey(MONTH, HUB_RATING, name),
            state=state,
            reason=reason,
            path="/ratings" if name not in {"no row", "invalid"} else "",
            payload_sha256=found.sha256 if found else None,
            body=found.body if found else None,
        )

    assert desk.ledger.status.undelivered(MONTH) == [
        left("doubtful", State.UNRESOLVED, 4, TIME_OUT.detail),  # what was sent stays what it was
        left("invalid", State.MISSED, None, "rating = 9: must be 1..6"),
        left("mended", State.MISSED, None, "rating = 9: must be 1..6"),  # the source does not say it any more
        left("missed", State.MISSED, 2),
        left("no row", State.MISSED, None, GONE.reason),
    ]


# --- looking


def test_a_tally_counts_what_is_due_by_kind_and_state(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2), "c": GONE, "d": row(3)})
    desk.plan({"": row(2)}, kind=HOTLINE_RATING)
    desk.deliver({"a": YES, "b": TIME_OUT, "d": YES})
    found = desk.ledger.status.month_counts(MONTH)
    assert found.by_kind == {
        HOTLINE_RATING: {State.PENDING: 1},
        NONDISCRIMINATORY_ACCESS: {},
        HUB_RATING: {State.ACCEPTED: 2, State.RETRYING: 1, State.AWAITING_DATA: 1},
        AD_HOC_TARIFF: {},
        POINT_RATING: {},
    }
    assert (found.month, found.expected, found.drifted, found.in_doubt) == (MONTH, 5, 1, 1)
    assert found.by_state == {State.PENDING: 1, State.ACCEPTED: 2, State.RETRYING: 1, State.AWAITING_DATA: 1}
    assert found.count([State.ACCEPTED, State.PENDING]) == 3
    assert not found.complete


def test_a_month_is_complete_when_all_that_is_due_is_done_and_something_is(desk: Desk) -> None:
    assert not desk.ledger.status.month_counts(MONTH).complete
    desk.plan({"accepted": row(2), "theirs": row(2), "waived": GONE, "left": row(2)})
    desk.ledger.waivers.declare(waiver("waived"))
    desk.plan({"waived": GONE})
    desk.deliver({"accepted": YES, "theirs": CONFLICT})
    assert not desk.ledger.status.month_counts(MONTH).complete
    desk.deliver({"left": YES})
    assert desk.ledger.status.month_counts(MONTH).complete


def test_what_is_outstanding_is_listed_in_the_order_of_keys_with_its_reason(desk: Desk) -> None:
    desk.plan({"b": row(2), "a": row(9), "done": row(2), "drifted": row(3)})
    desk.plan({"p": GONE}, kind=POINT_RATING)
    desk.plan({"": row(2)}, kind=HOTLINE_RATING)
    desk.deliver({"b": TIME_OUT, "done": YES, "drifted": YES})
    found = desk.ledger.status.outstanding(MONTH)
    assert [str(one.key) for one in found] == [
        "2026-10/hotline_rating",
        "2026-10/hub_rating/a",
        "2026-10/hub_rating/b",
        "2026-10/hub_rating/drifted",
        "2026-10/point_rating/p",
    ]
    assert found[2] == DeliveryStatus(
        key=DeliveryKey(MONTH, HUB_RATING, "b"),
        state=State.RETRYING,
        reason=TIME_OUT.detail,
        next_attempt_at=later(2),
        in_doubt=True,
        drift=False,
    )
    assert (found[3].state, found[3].drift) == (State.ACCEPTED, True)
    assert desk.ledger.status.outstanding(MONTH, limit=2) == found[:2]


def test_the_months_of_a_ledger_come_in_order(desk: Desk) -> None:
    assert desk.ledger.status.months() == []
    for month in (MONTH, ReportMonth(2027, 1), ReportMonth(2026, 9)):
        Desk(desk.store, month=month, name=desk.name).plan({"a": row(2)})
    assert desk.ledger.status.months() == [ReportMonth(2026, 9), MONTH, ReportMonth(2027, 1)]


def test_the_last_month_that_is_complete_is_found_behind_those_that_are_not(desk: Desk) -> None:
    assert desk.ledger.status.last_completed() is None
    for months_ago, answer in ((3, YES), (2, YES), (1, NO)):
        past = Desk(desk.store, month=MONTH.shift(-months_ago), name=desk.name)
        past.plan({"a": row(2)})
        past.deliver({"a": answer}, at=later(months_ago))
    desk.take()
    desk.plan({"a": row(2)})
    assert desk.ledger.status.last_completed() == (MONTH.shift(-2), later(2))


def test_a_ledger_without_a_complete_month_in_two_years_has_none(desk: Desk) -> None:
    complete = Desk(desk.store, month=MONTH.shift(-24), name=desk.name)
    complete.plan({"a": row(2)})
    complete.deliver({"a": YES})
    for months_ago in range(23):
        Desk(desk.store, month=MONTH.shift(-months_ago), name=desk.name).plan({"a": row(2)})
    assert desk.ledger.status.last_completed() == (MONTH.shift(-24), NOW)
    Desk(desk.store, month=MONTH.shift(-23), name=desk.name).plan({"a": row(2)})
    assert desk.ledger.status.last_completed() is None


def test_the_newest_run_of_a_month_is_the_last_one_and_says_how_it_ended(desk: Desk) -> None:
    assert desk.ledger.runs.last(MONTH) is None
    first = RunRecord(run_id="1", month=MONTH, started_by="run", started_at=NOW)
    second = RunRecord(run_id="2", month=MONTH, started_by="daemon", started_at=later(60))
    for run in (second, first):
        desk.ledger.runs.begin(run, instance="here")
    assert desk.ledger.runs.last(MONTH) == replace(second, instance="here")
    ended = replace(second, ended_at=later(90), result="failed", detail="the API gave no usable answer")
    summary = {"expected": 3, "complete": False}
    desk.ledger.runs.end(ended, summary=summary)
    assert desk.ledger.runs.last(MONTH) == replace(ended, instance="here", summary=summary)
    assert desk.ledger.runs.last(MONTH.shift(1)) is None
    assert [run.run_id for run in desk.ledger.runs.recent(month=None, limit=5)] == ["2", "1"]
    assert [run.run_id for run in desk.ledger.runs.recent(month=MONTH, limit=1)] == ["2"]


def test_the_durations_of_answered_requests_are_kept_newest_first(desk: Desk) -> None:
    desk.plan({"a": row(2), "b": row(2), "c": row(2)})
    for at, delivery in enumerate(desk.due()):
        [start] = desk.send([delivery], at=later(at))
        answer = TIME_OUT if at == 1 else YES
        ended = desk.ended(start, delivery, answer, at=later(at + 0.5 * (at + 1)))
        desk.ledger.attempts.record([ended], [], lease=desk.lease)
    with desk.store.read() as connection:
        assert durations(connection) == [1.5, 0.5]
        assert durations(connection, limit=1) == [1.5]


# --- whose ledger it is


def test_what_the_mock_accepted_is_due_as_soon_as_the_store_is_pointed_at_a_real_endpoint(store: Store) -> None:
    mock = Desk(store)
    mock.plan({"a": row(2)})
    mock.deliver({"a": YES})
    assert mock.ledger.status.month_counts(MONTH).complete
    real = Desk(store, endpoint="https://api.example")
    assert real.ledger.status.month_counts(MONTH).expected == 0
    real.plan({"a": row(2)})
    assert real.subjects() == ["a"]
    real.deliver({"a": NO})
    assert (mock.row("a").state, real.row("a").state) == ("accepted", "rejected")
    assert (mock.row("a").obelis_id, real.row("a").obelis_id) == (OBELIS_ID, None)


LOOKS: list[Callable[[Desk], object]] = [
    lambda desk: desk.ledger.plans.known_deliveries(MONTH, HUB_RATING),
    lambda desk: desk.due(at=later(9999)),
    lambda desk: desk.ledger.attempts.next_attempt(MONTH),
    lambda desk: desk.ledger.status.month_counts(MONTH).expected,
    lambda desk: desk.ledger.status.outstanding(MONTH),
    lambda desk: desk.ledger.status.undelivered(MONTH),
    lambda desk: desk.ledger.status.months(),
    lambda desk: desk.ledger.runs.last(MONTH),
    lambda desk: desk.ledger.status.last_completed(),
    lambda desk: desk.ledger.attempts.recover_in_flight(at=later(60), timeout_s=TIMEOUT_S, lease=desk.lease),
    lambda desk: desk.ledger.attempts.close_month(MONTH, at=later(60), lease=desk.lease),
]


@pytest.mark.parametrize(
    ("endpoint", "cpo_id"), [("https://api.example", "CPO1"), ("mock", "CPO2"), ("https://api.example", "CPO2")]
)
def test_another_operator_or_endpoint_sees_and_touches_nothing_of_ours(
    store: Store, endpoint: str, cpo_id: str
) -> None:
    ours = Desk(store)
    ours.plan({"accepted": row(2), "doubtful": row(2), "in flight": row(2), "pending": row(2), "missed": GONE})
    ours.ledger.runs.begin(RunRecord(run_id="1", month=MONTH, started_by="run", started_at=NOW), instance="here")
    ours.deliver({"accepted": YES, "doubtful": TIME_OUT})
    ours.send([delivery for delivery in ours.due() if delivery.key.subject == "in flight"])
    force(ours, "missed", state="missed")
    done = Desk(store, month=MONTH.shift(-1), name=ours.name)
    done.plan({"a": row(2)})
    done.deliver({"a": YES})
    done.ledger.leases.release(done.lease)
    before = [ours.row(subject) for subject in ours.states()]

    theirs = Desk(store, endpoint=endpoint, cpo_id=cpo_id)
    for look in LOOKS:
        assert not look(theirs)
    theirs.ledger.plans.withdraw(MONTH, HUB_RATING, list(ours.states()), lease=theirs.lease)
    theirs.plan({"pending": row(5)})
    assert [ours.row(subject) for subject in ours.states()] == before

    theirs.ledger.leases.release(theirs.lease)
    ours.take()
    assert all(look(ours) for look in LOOKS)


def test_a_waiver_is_an_operators_word_to_every_endpoint(store: Store) -> None:
    Desk(store).ledger.waivers.declare(waiver())
    assert list(Desk(store, endpoint="https://api.example").ledger.waivers.of(MONTH)) == [waiver().key]
    other = Desk(store, endpoint="https://other.example", cpo_id="CPO2").ledger
    assert other.waivers.of(MONTH) == {}
    assert not other.waivers.withdraw(waiver().key)


def test_an_inventorys_record_is_kept_as_it_was_last(desk: Desk) -> None:
    plans = desk.ledger.plans
    assert plans.inventory_record(MONTH) is None
    for record in (
        InventoryRecord(largest=11),
        InventoryRecord(largest=11, doubt="gone", doubted_at=NOW),
        InventoryRecord(largest=7, accepted_by="somebody", accepted_at=later(60)),
    ):
        plans.keep_inventory_record(MONTH, record, lease=desk.lease)
        assert plans.inventory_record(MONTH) == record
        assert desk.ledger.status.month_counts(MONTH).inventory_doubt == record.doubt
    assert plans.inventory_record(MONTH.shift(1)) is None
    assert Desk(desk.store, endpoint="https://api.example").ledger.plans.inventory_record(MONTH) is None


def test_a_month_whose_inventory_is_in_doubt_is_not_completed(desk: Desk) -> None:
    desk.plan({"a": row(2)})
    desk.deliver({"a": YES})
    assert desk.ledger.status.month_counts(MONTH).complete
    assert desk.ledger.status.last_completed() == (MONTH, NOW)
    doubted = InventoryRecord(largest=2, doubt="gone", doubted_at=NOW)
    desk.ledger.plans.keep_inventory_record(MONTH, doubted, lease=desk.lease)
    assert not desk.ledger.status.month_counts(MONTH).complete
    assert desk.ledger.status.last_completed() is None


def test_the_pace_is_an_endpoints_whoever_sends(store: Store) -> None:
    ours = Desk(store)
    ours.ledger.attempts.record([], [ours.start(None)], lease=ours.lease)
    ours.ledger.leases.release(ours.lease)
    assert len(Desk(store, cpo_id="CPO2").ledger.attempts.sent_since(60, at=later(1))) == 1
    assert Desk(store, endpoint="https://api.example").ledger.attempts.sent_since(60, at=later(1)) == []


def force(desk: Desk, subject: str, **values: object) -> None:
    """Put a row into a state by hand, where the way there is not what is tested."""
    with desk.store.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.subject == subject).values(**values))
