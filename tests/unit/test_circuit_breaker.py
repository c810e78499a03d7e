"""When an endpoint counts as down, and what is tried meanwhile."""

from __future__ import annotations

import pytest

from report_service.domain.circuit_breaker import (
    FIRST_PAUSE_S,
    HOST_THRESHOLD,
    KIND_THRESHOLD,
    LONGEST_PAUSE_S,
    LONGEST_RETRY_AFTER_S,
    TOKEN_THRESHOLD,
    UNTRIED_PROBES,
    CircuitBreaker,
)
from report_service.domain.kinds import KINDS, Kind
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.services.delivery.circuits import API, Circuits

CAPACITY = 16


def after(times: int, *, threshold: int = KIND_THRESHOLD, uniform: float = 1.0) -> CircuitBreaker:
    """Return the breaker after so many failures in a row, each about another report and when a probe was due."""
    breaker, at = CircuitBreaker(threshold=threshold), 100.0
    for report in range(times):
        at = max(at, breaker.half_open_at)
        breaker = breaker.failed(about=report, at=at, uniform=lambda: uniform)
    return breaker


@pytest.mark.parametrize(("failures", "is_open"), [(4, False), (5, True), (6, True)])
def test_it_opens_after_so_many_failures_in_a_row(failures: int, is_open: bool) -> None:
    breaker = after(failures)
    assert breaker.open is is_open is not breaker.closed
    assert breaker.max_in_flight(CAPACITY) == (1 if is_open else CAPACITY)


@pytest.mark.parametrize("threshold", [TOKEN_THRESHOLD, HOST_THRESHOLD, KIND_THRESHOLD])
def test_an_answer_closes_it(threshold: int) -> None:
    breaker = after(threshold + 3, threshold=threshold).answered()
    assert breaker == CircuitBreaker(threshold=threshold)
    assert breaker.closed


def test_one_bad_report_does_not_open_it() -> None:
    breaker = CircuitBreaker()
    for at in range(100):
        breaker = breaker.failed(about="the same", at=float(at), uniform=lambda: 1.0)
    assert breaker.failures == 1


def test_failures_about_nothing_in_particular_all_count() -> None:
    breaker = CircuitBreaker(threshold=2).failed(about=None, at=0.0, uniform=lambda: 1.0)
    assert breaker.failed(about=None, at=0.0, uniform=lambda: 1.0).open


@pytest.mark.parametrize(("at", "counts"), [(101.9, False), (102.0, True), (102.1, True)])
def test_what_was_under_way_when_it_opened_says_nothing_new(at: float, counts: bool) -> None:
    opened = after(KIND_THRESHOLD)
    assert opened.half_open_at == 100.0 + FIRST_PAUSE_S
    assert (opened.failed(about="another", at=at, uniform=lambda: 1.0) != opened) is counts


def test_a_failed_probe_of_the_same_report_opens_it_for_longer() -> None:
    opened = after(KIND_THRESHOLD)
    again = opened.failed(about=opened.about, at=opened.half_open_at, uniform=lambda: 1.0)
    assert again.half_open_at == opened.half_open_at + 2 * FIRST_PAUSE_S


@pytest.mark.parametrize(("uniform", "share"), [(0.0, 0.5), (1.0, 1.0)])
def test_pauses_grow_with_jitter_up_to_the_longest(uniform: float, share: float) -> None:
    pauses = []
    for probes in range(9):
        before, breaker = (
            after(KIND_THRESHOLD + probes - 1, uniform=uniform),
            after(KIND_THRESHOLD + probes, uniform=uniform),
        )
        pauses.append(breaker.half_open_at - max(100.0, before.half_open_at))
    assert pauses == [share * pause for pause in (2, 4, 8, 16, 32, 60, 60, 60, 60)]
    assert LONGEST_PAUSE_S == 60


@pytest.mark.parametrize(
    ("retry_after_s", "pause"), [(1.9, 2.0), (2.1, 2.1), (599.0, 599.0), (LONGEST_RETRY_AFTER_S + 1, 600.0)]
)
def test_retry_after_keeps_it_open_within_a_bound(retry_after_s: float, pause: float) -> None:
    breaker = after(KIND_THRESHOLD - 1)
    opened = breaker.failed(about="x", at=100.0, uniform=lambda: 1.0, retry_after_s=retry_after_s)
    assert opened.half_open_at == pytest.approx(100.0 + pause)


def test_probes_alternate_and_only_so_many_are_of_untried_reports() -> None:
    probes = [after(KIND_THRESHOLD + number).probes_with_tried for number in range(14)]
    assert probes == [True, False] * UNTRIED_PROBES + [True] * 4


# --- the circuits of an API


def fails(circuits: Circuits, kind: Kind, about: int, at: float = 100.0) -> list[str]:
    return circuits.failed(kind, about=about, at=at, retry_after_s=None, uniform=lambda: 1.0)


def test_nothing_is_proven_until_an_answer_can_be_read() -> None:
    circuits = Circuits()
    assert circuits.max_in_flight(CAPACITY) == 1
    circuits.answered(HUB_RATING, readable=False)
    assert circuits.max_in_flight(CAPACITY) == 1
    circuits.answered(HUB_RATING, readable=True)
    assert circuits.max_in_flight(CAPACITY) == CAPACITY


def test_one_kinds_circuit_opens_and_leaves_the_others_alone() -> None:
    circuits = Circuits(proven=True)
    opened = [fails(circuits, HUB_RATING, about) for about in range(5)]
    assert opened == [[], [], [], [], [HUB_RATING.name]]
    assert circuits.blocked_until(HUB_RATING) == 102.0
    assert circuits.blocked_until(POINT_RATING) < 0
    assert not circuits.proven, "whether the others answer is tried with one request"


def test_kinds_that_fail_one_after_the_other_are_the_host() -> None:
    circuits = Circuits()
    opened = [fails(circuits, kind, 0) for kind in (HOTLINE_RATING, HUB_RATING, POINT_RATING)]
    assert opened == [[], [], [API]]
    assert circuits.blocked_until(AD_HOC_TARIFF) == 102.0
    assert circuits.answered(AD_HOC_TARIFF, readable=True) == [API]
    assert circuits.blocked_until(POINT_RATING) < 0


def test_an_answer_closes_the_kinds_circuit() -> None:
    circuits = Circuits()
    for about in range(5):
        fails(circuits, HUB_RATING, about)
    assert circuits.answered(POINT_RATING, readable=True) == []
    assert circuits.of(HUB_RATING).open
    assert circuits.answered(HUB_RATING, readable=True) == [HUB_RATING.name]
    assert circuits.of(HUB_RATING).closed


def test_while_nothing_is_proven_the_kinds_take_turns() -> None:
    kinds = KINDS
    circuits = Circuits()
    assert circuits.order(kinds, None) == kinds
    assert circuits.order(kinds, kinds[1]) == [*kinds[2:], *kinds[:2]]
    circuits.answered(kinds[1], readable=True)
    assert circuits.order(kinds, kinds[1]) == kinds
