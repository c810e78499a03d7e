"""The ledger's plans: what is due, known, waived and sent next, on both databases."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from report_service.adapters.db.tables import deliveries, payloads
from report_service.domain.delivery import State
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.responses import ApiResponse, Outcome
from tests.support.ledger_desk import (
    CONFLICT,
    GONE,
    MONTH,
    NOW,
    TIME_OUT,
    UNKNOWN_HUB,
    YES,
    Desk,
    later,
    row,
    waiver,
)

if TYPE_CHECKING:
    from report_service.domain.planning import SourceFinding


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


def force(desk: Desk, subject: str, **values: object) -> None:
    """Put a row into a state by hand, where the way there is not what is tested."""
    with desk.store.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.subject == subject).values(**values))
