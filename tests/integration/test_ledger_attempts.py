"""The ledger's attempts: intents, outcomes and the pace, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from report_service.adapters.db.tables import deliveries, payloads
from report_service.domain.delivery import Evidence, State
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.rate_limiter import RecentRequest
from report_service.domain.responses import ApiResponse, Outcome
from report_service.errors import IllegalTransition, LeaseLost
from tests.support.ledger_desk import (
    CONFLICT,
    GONE,
    MONTH,
    NO,
    NOW,
    TIME_OUT,
    TIMEOUT_S,
    YES,
    Desk,
    later,
    row,
)
from tests.support.obelis_answers import CASES, OBELIS_ID

if TYPE_CHECKING:
    from report_service.adapters.db.engine import Store


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


def force(desk: Desk, subject: str, **values: object) -> None:
    """Put a row into a state by hand, where the way there is not what is tested."""
    with desk.store.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.subject == subject).values(**values))
