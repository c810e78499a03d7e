"""A person puts refused reports back; a daemon may be at work at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.planning import plan_delivery
from report_service.errors import BadInput, IllegalTransition, UnknownDelivery, WindowClosed
from report_service.services.retry import Retrying
from tests.support.fakes import FakeClock
from tests.support.ledger_desk import (
    END,
    GONE,
    MONTH,
    NO,
    NOW,
    TIME_OUT,
    UNKNOWN_HUB,
    YES,
    Desk,
    later,
    row,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from report_service.adapters.db.engine import Store
    from report_service.domain.planning import KnownDelivery
    from report_service.services.retry import PutBack

HUBS = [f"{number}91e7db7-1bea-44db-9e52-2ddab118d699" for number in range(7)]
REFUSED, DEFERRED, DOUBTED, DONE, FLYING, INVALID, LACKING = HUBS
ALL = {**dict.fromkeys(HUBS, row(2)), INVALID: row(9), LACKING: GONE}


@pytest.fixture
def desk(store: Store) -> Desk:
    """Return a ledger with a report in each state that a run can leave, and one under way."""
    desk = Desk(store)
    desk.plan(ALL)
    desk.deliver({REFUSED: NO, DEFERRED: UNKNOWN_HUB, DOUBTED: TIME_OUT, DONE: YES})
    desk.send([one for one in desk.due() if one.key.subject == FLYING])
    return desk


def retrying(desk: Desk, *, at: datetime = NOW) -> Retrying:
    return Retrying(plans=desk.ledger.plans, clock=FakeClock(at), window_guard_s=60)


def key(subject: str) -> str:
    return f"{MONTH}/hub_rating/{subject}"


def named(desk: Desk, *subjects: str, at: datetime = NOW) -> list[PutBack]:
    return retrying(desk, at=at).named([key(subject) for subject in subjects])


def test_a_rejected_report_is_sent_again_by_the_next_run(desk: Desk) -> None:
    [put_back] = named(desk, REFUSED)

    assert (str(put_back.key), put_back.reason) == (key(REFUSED), "rating too bad")
    assert (put_back.before, put_back.after) == (State.REJECTED, State.PENDING)
    assert desk.subjects() == [REFUSED]
    desk.plan(ALL)  # as the next run does first
    assert desk.subjects() == [REFUSED]
    desk.deliver({REFUSED: YES})
    assert desk.states()[REFUSED] is State.ACCEPTED


@pytest.mark.parametrize("subject", [DEFERRED, DOUBTED])
def test_what_was_put_off_is_due_at_once_and_tried_as_often_as_a_new_one(desk: Desk, subject: str) -> None:
    assert desk.subjects() == []

    named(desk, subject)

    assert desk.subjects() == [subject]
    assert desk.row(subject).consecutive_failures == 0
    assert desk.row(subject).in_doubt == (subject == DOUBTED)
    assert desk.states()[subject] is State.RETRYING


def test_every_rejected_report_of_a_month_or_kind_is_put_back_at_once(desk: Desk) -> None:
    assert retrying(desk).chosen(MONTH, kind=AD_HOC_TARIFF, state=State.REJECTED) == []
    before = desk.states()

    [put_back] = retrying(desk).chosen(MONTH, kind=None, state=State.REJECTED)

    assert put_back.key.subject == REFUSED
    assert desk.states() == before | {REFUSED: State.PENDING}


def test_what_waits_can_be_chosen_instead(desk: Desk) -> None:
    found = retrying(desk).chosen(MONTH, kind=HUB_RATING, state=State.RETRYING)

    assert [one.key.subject for one in found] == sorted([DEFERRED, DOUBTED])
    assert desk.states()[REFUSED] is State.REJECTED


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (INVALID, "is invalid (rating = 9: must be 1..6): mend the row"),
        (LACKING, "is awaiting_data (the source has no row for it): deliver the row, or: report-service waive"),
        (FLYING, "is in_flight: the next run asks the API again"),
        (DONE, "is accepted: there is nothing to retry"),
    ],
)
def test_what_cannot_be_put_back_is_named_with_what_to_do_and_nothing_is_put_back(
    desk: Desk, subject: str, says: str
) -> None:
    with pytest.raises(BadInput) as refused:
        named(desk, REFUSED, subject)

    assert f"{key(subject)} {says}" in refused.value.message
    assert REFUSED not in refused.value.message
    assert "Nothing was put back" in str(refused.value.hint)
    assert desk.states()[REFUSED] is State.REJECTED


def test_keys_that_are_not_known_are_all_named_each_with_the_nearest(desk: Desk) -> None:
    typo = REFUSED[:-1] + "0"
    other = "5f0c1f0e-2222-4333-8444-555566667777"

    with pytest.raises(UnknownDelivery) as refused:
        named(desk, typo, DEFERRED, other)

    assert f"{key(typo)} is not due, as far as the ledger knows; the nearest is {key(REFUSED)}" in str(
        refused.value
    )
    assert str(refused.value).endswith(f"{key(other)} is not due, as far as the ledger knows")
    assert desk.subjects() == []


def test_a_key_named_twice_counts_once(desk: Desk) -> None:
    assert len(named(desk, REFUSED, REFUSED.upper())) == 1


@pytest.mark.parametrize(("seconds", "closed"), [(-1, False), (0, True), (1, True)])
def test_nothing_is_put_back_once_nothing_can_be_sent(desk: Desk, seconds: float, closed: bool) -> None:
    at = later((END - NOW).total_seconds() + seconds)
    if not closed:
        assert named(desk, REFUSED, at=at)
        return
    with pytest.raises(WindowClosed, match="could be sent until"):
        named(desk, REFUSED, at=at)
    with pytest.raises(WindowClosed, match="could be sent until"):
        retrying(desk, at=at).chosen(MONTH, kind=None, state=State.REJECTED)
    assert desk.states()[REFUSED] is State.REJECTED


# --- others at the same time


def known(desk: Desk, *subjects: str) -> list[KnownDelivery]:
    found = desk.ledger.plans.known_deliveries(MONTH, HUB_RATING)
    return [found[subject] for subject in subjects]


def test_what_a_run_has_taken_since_it_was_looked_at_stays_untouched_with_all_beside_it(desk: Desk) -> None:
    seen = known(desk, REFUSED, DEFERRED)
    soon = desk.due(at=later(86400))
    desk.send([one for one in soon if one.key.subject == DEFERRED], at=later(86400))

    assert not desk.ledger.plans.put_back(seen, at=later(86401))

    assert desk.states()[DEFERRED] is State.IN_FLIGHT
    assert desk.states()[REFUSED] is State.REJECTED


def test_what_is_no_longer_due_since_it_was_looked_at_stays_untouched(desk: Desk) -> None:
    seen = known(desk, REFUSED)
    desk.ledger.plans.withdraw(MONTH, desk.kind, [REFUSED], lease=desk.lease)

    assert not desk.ledger.plans.put_back(seen, at=NOW)
    assert desk.row(REFUSED).state == "rejected"


def test_of_two_people_at_once_the_second_finds_it_done(desk: Desk) -> None:
    seen = known(desk, REFUSED)

    assert desk.ledger.plans.put_back(seen, at=NOW)
    assert not desk.ledger.plans.put_back(seen, at=NOW)

    [again] = named(desk, REFUSED)
    assert (again.before, again.after) == (State.PENDING, State.PENDING)


def test_a_plan_made_before_a_report_was_put_back_does_not_undo_it(desk: Desk) -> None:
    seen = known(desk, REFUSED)[0]
    stale = plan_delivery(REFUSED, seen, row(9), waived=False, closed=False)
    assert stale is not None
    named(desk, REFUSED)

    desk.ledger.plans.save_plan(MONTH, HUB_RATING, [stale], at=NOW, lease=desk.lease)

    assert desk.states()[REFUSED] is State.PENDING
    desk.plan({**ALL, REFUSED: row(9)})  # the next plan sees it as it is
    assert desk.states()[REFUSED] is State.INVALID


def test_what_no_step_leads_back_from_is_a_bug_of_the_caller(desk: Desk) -> None:
    with pytest.raises(IllegalTransition):
        desk.ledger.plans.put_back(known(desk, DONE), at=NOW)


def test_a_report_that_runs_take_again_and_again_is_told_to_wait_for(desk: Desk) -> None:
    class Overtaken:
        def known_deliveries(self, *_which: object) -> dict[str, KnownDelivery]:
            return desk.ledger.plans.known_deliveries(MONTH, HUB_RATING)

        def put_back(self, _reports: Sequence[KnownDelivery], *, at: datetime) -> bool:
            return False

    busy = Retrying(plans=Overtaken(), clock=FakeClock(NOW), window_guard_s=60)  # type: ignore[arg-type]

    with pytest.raises(BadInput, match="a run is sending these reports right now"):
        busy.named([key(REFUSED)])
