"""When refusals are about more than the reports that they answer."""

from __future__ import annotations

import pytest

from report_service.domain.refusals import (
    BRAKE_AFTER,
    FIRST_PAUSE_S,
    HALT_AFTER,
    PAUSES,
    SUSPECT_AFTER,
    Brake,
    Cause,
    RefusalStreak,
)
from report_service.domain.responses import Outcome

NEW = RefusalStreak(accepted=False)
ACCEPTED_BEFORE = RefusalStreak(accepted=True)
NOT_PERMITTED = [Outcome.FORBIDDEN, Outcome.MISDIRECTED, Outcome.REFUSED, Outcome.OUT_OF_WINDOW]


def after(
    streak: RefusalStreak, *outcomes: Outcome, at: float = 0.0, again: bool = False
) -> tuple[RefusalStreak, list[Cause | None]]:
    causes = []
    for outcome in outcomes:
        streak, cause = streak.record(outcome, at=at, again=again)
        causes.append(cause)
    return streak, causes


@pytest.mark.parametrize("outcome", NOT_PERMITTED)
def test_refusals_in_a_row_with_nothing_accepted_this_month_are_permission(outcome: Outcome) -> None:
    _, causes = after(NEW, *[outcome] * (HALT_AFTER + 1))
    assert causes == [None] * (HALT_AFTER - 1) + [Cause.HALT] * 2


@pytest.mark.parametrize("outcome", NOT_PERMITTED)
def test_after_an_acceptance_this_month_reports_refused_again_are_about_themselves(outcome: Outcome) -> None:
    _, causes = after(ACCEPTED_BEFORE, *[outcome] * 100, again=True)
    assert set(causes) == {None}


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.CONFLICT, Outcome.NOT_FOUND])
def test_an_answer_that_needed_permission_ends_a_row(outcome: Outcome) -> None:
    nearly, _ = after(NEW, *[Outcome.FORBIDDEN] * (HALT_AFTER - 1))
    _, causes = after(nearly, outcome, Outcome.FORBIDDEN)
    assert causes == [None, None]


@pytest.mark.parametrize("outcome", [Outcome.SERVER_ERROR, Outcome.THROTTLED, Outcome.UNREADABLE])
def test_what_says_nothing_of_permission_neither_counts_nor_ends_a_row(outcome: Outcome) -> None:
    nearly, _ = after(NEW, *[Outcome.FORBIDDEN] * (HALT_AFTER - 1))
    _, causes = after(nearly, outcome, Outcome.FORBIDDEN)
    assert causes == [None, Cause.HALT]


@pytest.mark.parametrize("streak", [ACCEPTED_BEFORE, after(NEW, Outcome.ACCEPTED)[0]])
def test_403s_after_acceptances_are_a_firewall(streak: RefusalStreak) -> None:
    streak, causes = after(streak, *[Outcome.FORBIDDEN] * SUSPECT_AFTER, at=100.0)
    assert causes == [None] * (SUSPECT_AFTER - 1) + [Cause.PAUSE]
    assert streak.throttled
    assert streak.pause_left_s(100.0) == FIRST_PAUSE_S
    assert streak.pause_left_s(100.0 + FIRST_PAUSE_S) == 0


@pytest.mark.parametrize(("late_s", "cause"), [(-0.1, None), (0.0, Cause.PAUSE), (0.1, Cause.PAUSE)])
def test_what_was_under_way_when_a_pause_began_belongs_to_it(late_s: float, cause: Cause | None) -> None:
    streak, _ = after(NEW, Outcome.ACCEPTED, *[Outcome.FORBIDDEN] * SUSPECT_AFTER)
    streak, causes = after(streak, Outcome.FORBIDDEN, at=FIRST_PAUSE_S + late_s)
    assert causes == [cause]
    assert streak.pauses == (2 if cause else 1)


def test_pauses_double_and_after_the_last_it_is_permission() -> None:
    streak, _ = after(NEW, Outcome.ACCEPTED, *[Outcome.FORBIDDEN] * SUSPECT_AFTER)
    lengths, at, cause = [], 0.0, Cause.PAUSE
    while cause is Cause.PAUSE:
        lengths.append(streak.pause_left_s(at))
        at = streak.paused_until
        streak, [cause] = after(streak, Outcome.FORBIDDEN, at=at)  # type: ignore[assignment]
    assert cause is Cause.HALT
    assert lengths == [FIRST_PAUSE_S * 2**pause for pause in range(PAUSES)]


def test_an_acceptance_after_a_pause_ends_the_suspicion() -> None:
    streak, _ = after(NEW, Outcome.ACCEPTED, *[Outcome.FORBIDDEN] * SUSPECT_AFTER)
    streak, _ = after(streak, Outcome.ACCEPTED, at=FIRST_PAUSE_S)
    assert not streak.throttled
    assert after(streak, *[Outcome.FORBIDDEN] * (SUSPECT_AFTER - 1), at=FIRST_PAUSE_S)[1] == [None] * 9


def test_reports_refused_again_neither_prolong_a_row_nor_end_it() -> None:
    nearly, _ = after(ACCEPTED_BEFORE, *[Outcome.FORBIDDEN] * (SUSPECT_AFTER - 1))
    nearly, _ = after(nearly, *[Outcome.FORBIDDEN] * 25, again=True)
    assert after(nearly, Outcome.FORBIDDEN)[1] == [Cause.PAUSE]


def test_other_refusals_after_acceptances_are_no_firewall() -> None:
    _, causes = after(NEW, Outcome.ACCEPTED, *[Outcome.REFUSED] * 100)
    assert set(causes) == {None}


# --- the brake


def refused(brake: Brake, times: int) -> Brake:
    for _ in range(times):
        brake = brake.refused()
    return brake


@pytest.mark.parametrize(
    ("times", "stopped"), [(BRAKE_AFTER - 1, False), (BRAKE_AFTER, True), (BRAKE_AFTER + 1, True)]
)
def test_it_stops_a_kind_of_which_everything_is_refused(times: int, stopped: bool) -> None:
    brake = refused(Brake(), times)
    assert brake.on is brake.stopped is stopped
    assert brake.max_in_flight(16) == (0 if stopped else 16)


def test_one_acceptance_releases_it_for_good() -> None:
    brake = refused(refused(Brake(), BRAKE_AFTER).accepted(), 100)
    assert not brake.on
    assert brake.max_in_flight(16) == 16


@pytest.mark.parametrize(
    ("before", "accepted", "on"),
    [(BRAKE_AFTER - 1, False, False), (BRAKE_AFTER, False, True), (BRAKE_AFTER, True, False)],
)
def test_the_ledger_remembers_it(before: int, accepted: bool, on: bool) -> None:
    assert Brake.restored(refused=before, accepted=accepted).on is on


def test_restored_it_lets_one_probe_through_and_no_second_one() -> None:
    brake = Brake.restored(refused=BRAKE_AFTER, accepted=False)
    assert brake.max_in_flight(16) == 1
    assert brake.refused().max_in_flight(16) == 0
    assert brake.accepted().max_in_flight(16) == 16


def test_what_was_refused_before_counts_with_what_is_refused_now() -> None:
    brake = Brake.restored(refused=BRAKE_AFTER - 1, accepted=False)
    assert brake.refused().stopped
