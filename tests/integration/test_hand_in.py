"""What was handed in by other means, after the window closed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.errors import BadInput, UnknownDelivery
from report_service.mock_api.injected_faults import InjectedFault
from report_service.ports import HandIn
from report_service.services.hand_in import HandingIn
from tests.support.fakes import FakeClock
from tests.support.ledger_desk import MONTH, TIME_OUT, YES, Desk, row
from tests.support.simulation import CLOSES, World, site

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.adapters.db.engine import Store

SAID = {"reference": " e-mail of 3 December ", "declared_by": "A. Person"}


@pytest.fixture
def desk(store: Store) -> Desk:
    """Return a month whose window has closed over one in, one never sent, and one of which nobody knows."""
    desk = Desk(store)
    desk.plan({"in": row(1), "missed": row(2), "unresolved": row(3)})
    desk.deliver({"in": YES, "unresolved": TIME_OUT})
    desk.ledger.attempts.close_month(MONTH, at=desk.at, lease=desk.lease)
    return desk


def handing(desk: Desk) -> HandingIn:
    return HandingIn(plans=desk.ledger.plans, hand_ins=desk.ledger.hand_ins, clock=FakeClock(desk.at))


def key(subject: str) -> str:
    return f"{MONTH}/hub_rating/{subject}"


def test_what_a_closed_window_left_can_be_closed_and_the_month_is_complete(desk: Desk) -> None:
    assert desk.states() == {"in": State.ACCEPTED, "missed": State.MISSED, "unresolved": State.UNRESOLVED}

    found = handing(desk).left_of(MONTH, **SAID)

    assert list(map(str, found)) == [key("missed"), key("unresolved")]
    assert desk.states() == {"in": State.ACCEPTED, "missed": State.HANDED_IN, "unresolved": State.HANDED_IN}
    assert desk.ledger.status.month_counts(MONTH).complete
    assert desk.ledger.status.undelivered(MONTH) == []
    (one, _other) = desk.ledger.hand_ins.of(MONTH).values()
    assert (str(one.key), one.reference, one.declared_by) == (key("missed"), "e-mail of 3 December", "A. Person")
    assert one.declared_at == desk.at


def test_taken_back_each_is_what_it_was(desk: Desk) -> None:
    handing(desk).left_of(MONTH, **SAID)

    handing(desk).withdraw([key("missed")], MONTH)
    assert desk.states()["missed"] is State.MISSED
    handing(desk).withdraw([], MONTH)

    assert desk.states() == {"in": State.ACCEPTED, "missed": State.MISSED, "unresolved": State.UNRESOLVED}
    assert desk.row("unresolved").in_doubt
    assert desk.ledger.hand_ins.of(MONTH) == {}


def test_a_newer_reference_replaces_the_older(desk: Desk) -> None:
    handing(desk).named([key("missed")], **SAID)
    handing(desk).named([key("missed")], reference="letter", declared_by="B")

    (one,) = desk.ledger.hand_ins.of(MONTH).values()
    assert (one.reference, one.declared_by) == ("letter", "B")


def test_a_later_plan_leaves_it_as_it_is(desk: Desk) -> None:
    handing(desk).left_of(MONTH, **SAID)

    desk.plan({"missed": row(5), "unresolved": row(3)}, closed=True)

    assert desk.states()["missed"] is State.HANDED_IN
    assert desk.ledger.status.month_counts(MONTH).complete


@pytest.mark.parametrize(
    ("keys", "reference", "says"),
    [
        (["in"], "x", "is accepted: only what a closed window left undelivered is handed in by other means"),
        (["missed", "in"], "x", "/in is accepted"),
        (["missed"], "  ", "what was handed in needs a reference"),
    ],
)
def test_what_cannot_be_recorded_is_refused_as_a_whole(
    desk: Desk, keys: list[str], reference: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        handing(desk).named([key(subject) for subject in keys], reference=reference, declared_by="A")

    assert refused.value.hint
    assert desk.states()["missed"] is State.MISSED


def test_a_key_that_is_not_due_and_what_is_not_handed_in_are_refused(desk: Desk) -> None:
    with pytest.raises(UnknownDelivery):
        handing(desk).named([key("other")], **SAID)
    with pytest.raises(BadInput, match="is missed"):
        handing(desk).withdraw([key("missed")], MONTH)


def test_what_a_run_changed_meanwhile_is_not_overwritten(desk: Desk) -> None:
    known = desk.ledger.plans.known_deliveries(MONTH, desk.kind)
    desk.plan({"missed": row(2)})  # the clock was put right: the window is open

    hand_in = HandIn(
        key=DeliveryKey(MONTH, desk.kind, "missed"), reference="x", declared_by="A", declared_at=desk.at
    )
    assert not desk.ledger.hand_ins.declare([(known["missed"], hand_in)])
    assert desk.states()["missed"] is State.PENDING
    assert desk.ledger.hand_ins.of(MONTH) == {}


def test_a_month_handed_in_is_told_as_complete_by_the_next_run(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("404@hotline_rating")])
    with site(tmp_path, world).process() as process:
        process.run(patience_s=0)
        world.turn_to(CLOSES + timedelta(days=1))
        process.run()
        ledger = process.service.ledger
        HandingIn(plans=ledger.plans, hand_ins=ledger.hand_ins, clock=world).left_of(MONTH, **SAID)
        result = process.run()

    assert result.complete
    assert process.events.of("run.completed")[-1]["handed_in"] == 1
    assert process.events.of("run.completed")[-1]["delivered"] == 11
