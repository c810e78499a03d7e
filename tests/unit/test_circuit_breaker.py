from __future__ import annotations

import pytest

from report_service.domain.circuit_breaker import FAILURES_IN_A_ROW, LONGEST_PROBE_S, Outage
from report_service.domain.responses import Outcome

CAPACITY = 16
DOWN = [outcome for outcome in Outcome if outcome.api_down]
PROVEN = Outage(proven=True)


def failed(outage: Outage, times: int, *, at: float = 100.0, uniform: float = 1.0) -> Outage:
    """Return what is known after so many reports, each another one, failed one after the other."""
    for report in range(times):
        at = max(at, outage.probe_at)
        outage = outage.after(Outcome.NO_ANSWER, about=report, at=at, uniform=lambda: uniform)
    return outage


def test_a_run_begins_with_one_request_at_a_time() -> None:
    assert Outage().allowance(CAPACITY) == 1
    assert not Outage().down


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.api_down])
def test_any_answer_about_a_report_proves_that_the_api_is_there(outcome: Outcome) -> None:
    known = failed(Outage(), 9).after(outcome, about=99, at=0.0, uniform=lambda: 0.0)
    assert known == PROVEN
    assert known.allowance(CAPACITY) == CAPACITY


@pytest.mark.parametrize("outcome", DOWN)
def test_it_is_down_after_five_failures_in_a_row_and_not_before(outcome: Outcome) -> None:
    known = PROVEN
    for report in range(FAILURES_IN_A_ROW - 1):
        known = known.after(outcome, about=report, at=100.0, uniform=lambda: 1.0)
        assert not known.down
        assert known.allowance(CAPACITY) == CAPACITY
        assert known.probe_at <= 100.0
    known = known.after(outcome, about=99, at=100.0, uniform=lambda: 1.0)
    assert known.down
    assert known.allowance(CAPACITY) == 1
    assert known.probe_at == 102.0


def test_an_api_that_was_never_there_is_tried_by_one_at_a_time_from_the_start() -> None:
    assert [failed(Outage(), times).allowance(CAPACITY) for times in range(7)] == [1] * 7


def test_probes_come_further_and_further_apart_up_to_a_minute() -> None:
    pauses, known = [], failed(PROVEN, FAILURES_IN_A_ROW)
    for probe in range(8):
        pauses.append(known.probe_at - 100.0)
        known = known.after(Outcome.NO_ANSWER, about=100 + probe, at=known.probe_at, uniform=lambda: 1.0)
    gaps = [later - earlier for earlier, later in zip([0.0, *pauses], pauses, strict=False)]
    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60]
    assert failed(PROVEN, 5000, uniform=1.0).down  # no overflow


@pytest.mark.parametrize(("uniform", "pause"), [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)])
def test_the_pause_is_jittered_by_half(uniform: float, pause: float) -> None:
    assert failed(PROVEN, FAILURES_IN_A_ROW, uniform=uniform).probe_at == 100.0 + pause


def test_one_report_that_fails_again_and_again_is_no_outage() -> None:
    known = PROVEN
    for _ in range(20):
        known = known.after(Outcome.SERVER_ERROR, about=7, at=100.0, uniform=lambda: 1.0)
    assert not known.down
    assert known.after(Outcome.SERVER_ERROR, about=8, at=100.0, uniform=lambda: 1.0).failures == 2


def test_tokens_that_fail_again_and_again_are_one() -> None:
    known = Outage()
    for _ in range(FAILURES_IN_A_ROW):
        known = known.after(Outcome.NOT_SENT, about=None, at=100.0, uniform=lambda: 1.0)
    assert known.down


def test_what_was_under_way_when_it_went_down_does_not_put_the_probe_off() -> None:
    known = failed(PROVEN, FAILURES_IN_A_ROW)
    stragglers = known
    for report in range(CAPACITY):
        stragglers = stragglers.after(Outcome.NO_ANSWER, about=50 + report, at=101.9, uniform=lambda: 1.0)
    assert stragglers == known
    assert known.after(Outcome.NO_ANSWER, about=50, at=known.probe_at, uniform=lambda: 1.0).probe_at == 106.0
    assert known.after(Outcome.ACCEPTED, about=50, at=101.9, uniform=lambda: 1.0) == PROVEN


def test_no_pause_is_longer_than_a_minute() -> None:
    known = failed(PROVEN, 60)
    later = known.after(Outcome.NO_ANSWER, about=999, at=known.probe_at, uniform=lambda: 1.0)
    assert later.probe_at - known.probe_at == LONGEST_PROBE_S == 60
