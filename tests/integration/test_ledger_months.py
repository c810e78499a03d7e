"""The ledger's months: their end, how they stand, and whose they are, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from report_service.adapters.db.status_queries import durations
from report_service.adapters.db.tables import deliveries
from report_service.domain.delivery import DONE, OPEN, State
from report_service.domain.inventory_check import InventoryRecord
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.responses import ApiResponse
from report_service.ports import DeliveryStatus, RunRecord, Undelivered
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
    waiver,
)
from tests.support.obelis_answers import OBELIS_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.adapters.db.engine import Store


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
