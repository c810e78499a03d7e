"""What an answer's Date proves of the API's clock, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from report_service.domain.api_clock import EVIDENCE_S, ApiClock

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def observed(*skews_s: float, took_s: float = 0.2, every_s: float = 1.0) -> tuple[ApiClock, datetime, float]:
    """Return a clock that saw answers with Dates so far ahead, one after another, and the time after the last."""
    clock, at = ApiClock(), 0.0
    for skew_s in skews_s:
        at += every_s
        written = NOW + timedelta(seconds=at + skew_s)
        clock.observe(written.replace(microsecond=0), started=at - took_s, ended=at)
    return clock, NOW + timedelta(seconds=at), at


def test_without_an_answer_the_clocks_agree() -> None:
    assert ApiClock().skew_s(NOW, at=5.0) == 0.0


@pytest.mark.parametrize("skew_s", [-3600.0, -2.0, 40 * 86_400.0])
def test_a_difference_is_known_as_far_as_it_is_proven(skew_s: float) -> None:
    clock, now, at = observed(skew_s)
    assert skew_s - 1.3 <= clock.skew_s(now, at=at) <= skew_s + 1.3
    assert clock.skew_s(now, at=at) != 0


@pytest.mark.parametrize("skew_s", [-0.9, 0.0, 0.9])
def test_what_a_whole_second_cannot_tell_is_no_difference(skew_s: float) -> None:
    clock, now, at = observed(skew_s)
    assert abs(clock.skew_s(now, at=at)) <= 0.9


def test_an_answer_that_took_long_does_not_overrule_what_another_proved() -> None:
    clock, now, at = observed(10.0, every_s=30.0)
    before = clock.skew_s(now, at=at)
    clock.observe(now + timedelta(seconds=1), started=at - 25.0, ended=at + 1.0)
    assert clock.skew_s(now + timedelta(seconds=1), at=at + 1.0) == pytest.approx(before)


def test_an_answer_that_disagrees_replaces_what_was_known() -> None:
    clock, now, at = observed(40 * 86_400.0, 0.0)
    assert clock.skew_s(now, at=at) == 0.0


@pytest.mark.parametrize(("age_s", "known"), [(-0.1, True), (0.0, False), (0.1, False)])
def test_evidence_ages(age_s: float, known: bool) -> None:
    clock, now, at = observed(3600.0)
    later = EVIDENCE_S + age_s
    assert clock.is_known(at + later) is known
    assert (clock.skew_s(now + timedelta(seconds=later), at=at + later) != 0.0) is known
    assert clock.known_until == at + EVIDENCE_S


def test_our_own_clock_being_put_right_costs_nothing() -> None:
    clock, now, at = observed(-7200.0)  # ours is two hours ahead
    assert clock.skew_s(now - timedelta(hours=2), at=at) == pytest.approx(0.0, abs=1.3)
