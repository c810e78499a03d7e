"""How a month stands, in words and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.mock_api.injected_faults import InjectedFault
from report_service.ports import DeliveryStatus
from report_service.services.status import NEXT_STEPS, REASONS, MonthStatus, status_of
from tests.support.simulation import CLOSES, MONTH, OPENED, World, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.simulation import Process

HOTLINE = DeliveryKey(MONTH, HOTLINE_RATING)


def status(process: Process) -> MonthStatus:
    return status_of(process.service.ledger, MONTH, at=process.world.now(), guard_s=60, requests_per_minute=2000)


def test_a_month_in_the_middle_is_told_in_full(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("400@hotline_rating"), InjectedFault.parse("404@hub_rating#1")])
    with site(tmp_path, world).process() as process:
        process.run(patience_s=0)
        found = status(process)
        said = json.loads(json.dumps(found.as_json()))
        assert found.last_run is not None
        assert found.last_run.result == "completed"
    assert said["month"] == "2026-10"
    assert said["endpoint"] == "mock"
    assert said["window"] == {"opens": "2026-11-01T00:00:00Z", "closes": "2026-11-30T23:00:00Z", "open": True}
    assert said["expected"] == 11
    assert {state: count for state, count in said["by_state"].items() if count} == {
        "accepted": 9,
        "rejected": 1,
        "retrying": 1,
    }
    assert set(said["by_state"]) == {state.value for state in State}
    assert said["by_kind"]["hub_rating"]["expected"] == 2
    assert said["by_kind"]["hub_rating"]["retrying"] == 1
    assert said["complete"] is False
    assert said["drifted"] == 0
    rejected, retrying = said["outstanding"]
    assert rejected == {
        "key": "2026-10/hotline_rating",
        "state": "rejected",
        "reason": "An injected 400",
        "next_attempt_at": None,
    }
    assert retrying["next_attempt_at"] == "2026-11-02T09:05:00Z"
    assert said["forecast"] == {"done_at": "2026-11-02T09:05:00Z", "in_time": True}


def test_a_month_that_nobody_planned_is_empty_and_not_complete(tmp_path: Path) -> None:
    with site(tmp_path).process() as process:
        found = status(process)
    said = found.as_json()
    assert (said["expected"], said["complete"], said["outstanding"], said["forecast"]) == (0, False, [], None)
    assert found.last_run is None


def test_what_is_not_sent_yet_is_forecast_at_the_configured_pace(tmp_path: Path) -> None:
    with site(tmp_path, hubs=20, points_per_hub=30).process() as process:
        process.run(send=False)
        found = status(process)
    assert found.outlook is not None
    assert found.outlook.done_at - OPENED == timedelta(minutes=643 / 2000)


def test_the_window_is_open_only_between_its_guards(tmp_path: Path) -> None:
    with site(tmp_path).process() as process:
        seen = []
        for moment in (CLOSES - timedelta(seconds=61), CLOSES - timedelta(seconds=60), CLOSES):
            process.world.turn_to(moment)
            seen.append(status(process).window_open)
    assert seen == [True, False, False]


def test_a_state_speaks_for_itself_where_there_are_no_words(tmp_path: Path) -> None:
    with site(tmp_path).process() as process:
        process.run(send=False)
        found = status(process)
    assert {found.reason(one) for one in found.outstanding} == {"not sent yet"}
    assert set(REASONS) | {
        State.AWAITING_DATA,
        State.INVALID,
        State.REJECTED,
        State.ACCEPTED,
        State.WAIVED,
        State.HANDED_IN,
    } == set(State)
    assert set(NEXT_STEPS) | {State.WAIVED, State.ALREADY_REPORTED, State.HANDED_IN} == set(State)


def test_a_drifted_report_says_that_it_is_one(tmp_path: Path) -> None:
    with site(tmp_path).process() as process:
        found = status(process)

    def reason(words: str) -> str:
        return found.reason(
            DeliveryStatus(
                key=HOTLINE,
                state=State.ACCEPTED,
                reason=words,
                next_attempt_at=None,
                in_doubt=False,
                drift=True,
            )
        )

    assert reason("") == "the store says something else than was delivered"
    assert (
        reason("rating = 9: too high") == "the store says something else than was delivered: rating = 9: too high"
    )
