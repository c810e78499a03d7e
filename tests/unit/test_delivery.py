from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain.delivery import (
    PUT_OFF_S,
    QUICK_SENDS,
    Delivery,
    Evidence,
    RetryPolicy,
    State,
    Trigger,
    apply_outcome,
    is_stuck,
    next_state,
)
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.responses import Classification, Outcome
from report_service.errors import IllegalTransition

# --- what an answer makes of a report

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
END = datetime(2026, 11, 30, 22, 59, tzinfo=UTC)
SENT = Delivery(
    row=7,
    key=DeliveryKey(ReportMonth(2026, 10), HUB_RATING, "191e7db7-1bea-44db-9e52-2ddab118d699"),
    state=State.IN_FLIGHT,
    path="/x",
    payload_sha256="0" * 64,
    body=b'{"month":"10-2026","rating":2}',
    next_attempt_at=NOW,
)
REFUSALS = [Outcome.FORBIDDEN, Outcome.NOT_FOUND, Outcome.MISDIRECTED, Outcome.REFUSED]
TRANSIENT = [Outcome.THROTTLED, Outcome.SERVER_ERROR, Outcome.NOT_SENT, Outcome.NO_ANSWER]
DEFERRED = [*REFUSALS, *TRANSIENT, Outcome.UNREADABLE, Outcome.UNAUTHORIZED]


def ended(
    delivery: Delivery,
    outcome: Outcome,
    *,
    at: datetime = NOW,
    retry_after_s: float | None = None,
    uniform: float = 1.0,
    obelis_id: str | None = None,
    echo: dict[str, object] | None = None,
    put_off_s: float = 0.0,
) -> Delivery:
    return apply_outcome(
        delivery,
        Classification(outcome=outcome, detail="so they said", obelis_id=obelis_id, echo=echo),
        http_status=418,
        at=at,
        last_send=END,
        retry=RetryPolicy(base_s=2, cap_s=900),
        retry_after_s=retry_after_s,
        uniform=lambda: uniform,
        put_off_s=put_off_s,
    )


def again(delivery: Delivery) -> Delivery:
    """Return it as it is when it has been sent once more."""
    return replace(delivery, state=next_state(delivery.state, Trigger.SENT, in_doubt=delivery.in_doubt))


@pytest.mark.parametrize(
    ("outcome", "in_doubt", "state", "evidence", "still_in_doubt"),
    [
        (Outcome.ACCEPTED, False, State.ACCEPTED, Evidence.CONFIRMED, False),
        (Outcome.ACCEPTED, True, State.ACCEPTED, Evidence.CONFIRMED, False),
        (Outcome.CONFLICT, False, State.ALREADY_REPORTED, None, False),
        (Outcome.CONFLICT, True, State.ACCEPTED, Evidence.INFERRED, False),
        (Outcome.REJECTED, False, State.REJECTED, None, False),
        (Outcome.REJECTED, True, State.REJECTED, None, False),
        (Outcome.SERVER_ERROR, False, State.RETRYING, None, True),
        (Outcome.UNREADABLE, False, State.RETRYING, None, True),
        (Outcome.NO_ANSWER, False, State.RETRYING, None, True),
        (Outcome.NOT_SENT, False, State.RETRYING, None, False),
        (Outcome.THROTTLED, False, State.RETRYING, None, False),
        (Outcome.UNAUTHORIZED, False, State.RETRYING, None, False),
        (Outcome.FORBIDDEN, False, State.RETRYING, None, False),
        (Outcome.NOT_FOUND, False, State.RETRYING, None, False),
        (Outcome.MISDIRECTED, False, State.RETRYING, None, False),
        (Outcome.REFUSED, False, State.RETRYING, None, False),
    ],
)
def test_an_outcome_makes_of_a_report(
    outcome: Outcome, *, in_doubt: bool, state: State, evidence: Evidence | None, still_in_doubt: bool
) -> None:
    then = ended(replace(SENT, in_doubt=in_doubt, attempts=2), outcome)
    assert (then.state, then.evidence, then.in_doubt) == (state, evidence, still_in_doubt)
    assert (then.attempts, then.last_outcome, then.http_status) == (3, outcome, 418)
    assert (then.next_attempt_at is None) is (state is not State.RETRYING)
    assert (then.row, then.key, then.body, then.payload_sha256) == (
        SENT.row,
        SENT.key,
        SENT.body,
        SENT.payload_sha256,
    )


@pytest.mark.parametrize("outcome", DEFERRED)
def test_an_unknown_end_is_not_forgotten_until_the_api_settles_it(outcome: Outcome) -> None:
    doubtful = again(ended(again(ended(SENT, Outcome.NO_ANSWER)), outcome))
    assert doubtful.in_doubt
    assert ended(doubtful, Outcome.CONFLICT).evidence is Evidence.INFERRED
    assert not ended(doubtful, Outcome.REJECTED).in_doubt


def test_a_conflict_after_nothing_but_failures_to_send_is_someone_elses() -> None:
    delivery = SENT
    for outcome in (Outcome.NOT_SENT, Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.NOT_FOUND):
        delivery = again(ended(delivery, outcome))
    assert ended(delivery, Outcome.CONFLICT).state is State.ALREADY_REPORTED


@pytest.mark.parametrize("outcome", [*DEFERRED, Outcome.REJECTED, Outcome.CONFLICT])
def test_what_is_not_accepted_keeps_the_words_of_the_api(outcome: Outcome) -> None:
    assert ended(SENT, outcome).detail == "so they said"


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.CONFLICT])
def test_what_is_accepted_needs_no_words(outcome: Outcome) -> None:
    assert ended(replace(SENT, in_doubt=True, detail="they hung up"), outcome).detail == ""


@pytest.mark.parametrize("echo", [None, {}, {"rating": 2}, {"id": "r-1", "month": "10-2026", "rating": 2.0}])
def test_an_echo_of_what_was_sent_confirms_it(echo: dict[str, object] | None) -> None:
    then = ended(SENT, Outcome.ACCEPTED, echo=echo)
    assert (then.echo_differs, then.drift, then.detail) == (False, False, "")


def test_an_echo_of_something_else_is_an_acceptance_that_drifts_and_says_why() -> None:
    then = ended(SENT, Outcome.ACCEPTED, echo={"rating": 3})
    assert (then.state, then.evidence) == (State.ACCEPTED, Evidence.CONFIRMED)
    assert (then.echo_differs, then.drift) == (True, True)
    assert then.detail == "the API stored otherwise: rating: sent 2, stored 3"


def test_an_acceptance_keeps_the_id_of_obelis() -> None:
    assert ended(SENT, Outcome.ACCEPTED, obelis_id="r-1").obelis_id == "r-1"


@pytest.mark.parametrize(
    ("outcome", "in_doubt", "drift"),
    [
        (Outcome.ACCEPTED, False, True),
        (Outcome.ACCEPTED, True, True),
        (Outcome.CONFLICT, True, True),
        (Outcome.CONFLICT, False, False),  # what was reported is not known to be ours
        (Outcome.REJECTED, True, False),
        (Outcome.NO_ANSWER, True, False),
    ],
)
def test_a_row_that_changed_while_its_bytes_were_on_their_way_shows_as_drift(
    outcome: Outcome, *, in_doubt: bool, drift: bool
) -> None:
    assert ended(replace(SENT, in_doubt=in_doubt, outdated=True), outcome).drift is drift
    assert ended(replace(SENT, in_doubt=in_doubt, outdated=False), outcome).drift is False


@pytest.mark.parametrize("state", [state for state in State if state is not State.IN_FLIGHT])
@pytest.mark.parametrize("outcome", Outcome)
def test_an_answer_for_a_report_that_was_not_sent_is_a_bug(state: State, outcome: Outcome) -> None:
    with pytest.raises(IllegalTransition):
        ended(replace(SENT, state=state), outcome)


# --- when it is tried again


def waits(delivery: Delivery, at: datetime = NOW) -> float:
    assert delivery.next_attempt_at is not None
    return (delivery.next_attempt_at - at).total_seconds()


@pytest.mark.parametrize("outcome", REFUSALS)
def test_a_refusal_is_tried_after_5_15_and_30_minutes_and_then_daily(outcome: Outcome) -> None:
    delays, delivery = [], SENT
    for _ in range(6):
        delivery = ended(delivery, outcome, uniform=0.0)
        delays.append(waits(delivery))
        delivery = again(delivery)
    assert delays == [300, 900, 1800, 86400, 86400, 86400]


@pytest.mark.parametrize("outcome", TRANSIENT)
def test_a_transient_failure_backs_off_exponentially_up_to_the_cap(outcome: Outcome) -> None:
    delays, delivery = [], SENT
    for _ in range(12):
        delivery = ended(delivery, outcome)
        delays.append(waits(delivery))
        delivery = again(delivery)
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_what_nobody_can_read_is_sent_again_soon_and_then_waits_as_a_refused_one() -> None:
    delays, delivery = [], SENT
    for _ in range(7):
        delivery = ended(delivery, Outcome.UNREADABLE)
        delays.append(waits(delivery))
        delivery = again(delivery)
    assert delays == [2, 2, 300, 900, 1800, 86400, 86400]


@pytest.mark.parametrize(("before", "delays"), [(Outcome.SERVER_ERROR, [2]), (Outcome.UNREADABLE, [300])])
def test_only_answers_of_one_sort_count_as_tries_in_a_row(before: Outcome, delays: list[float]) -> None:
    delivery = SENT
    for _ in range(QUICK_SENDS - 1):
        delivery = again(ended(delivery, before))
    assert [waits(ended(delivery, Outcome.UNREADABLE))] == delays


@pytest.mark.parametrize("in_doubt", [False, True])
def test_what_is_refused_for_its_kind_is_put_off_and_settles_nothing(in_doubt: bool) -> None:
    delivery = ended(replace(SENT, in_doubt=in_doubt), Outcome.REJECTED, put_off_s=PUT_OFF_S)
    assert (delivery.state, delivery.in_doubt) == (State.RETRYING, in_doubt)
    assert waits(delivery) == PUT_OFF_S


@pytest.mark.parametrize(("uniform", "delay"), [(0.0, 0), (0.25, 8), (0.5, 16), (1.0, 32)])
def test_the_jitter_is_full(uniform: float, delay: float) -> None:
    assert waits(
        ended(
            replace(SENT, consecutive_failures=4, last_outcome=Outcome.THROTTLED),
            Outcome.THROTTLED,
            uniform=uniform,
        )
    ) == (delay)


def test_a_very_long_streak_is_no_overflow() -> None:
    delivery = replace(SENT, consecutive_failures=100_000, last_outcome=Outcome.NO_ANSWER)
    assert waits(ended(delivery, Outcome.NO_ANSWER)) == 900


def test_failures_of_another_sort_begin_a_new_streak() -> None:
    busy = replace(SENT, consecutive_failures=6, last_outcome=Outcome.SERVER_ERROR)
    assert ended(busy, Outcome.NO_ANSWER).consecutive_failures == 7
    refused = ended(busy, Outcome.NOT_FOUND)
    assert (refused.consecutive_failures, waits(refused)) == (1, 300)
    assert ended(again(refused), Outcome.FORBIDDEN).consecutive_failures == 2
    assert ended(again(refused), Outcome.THROTTLED).consecutive_failures == 1


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.CONFLICT, Outcome.REJECTED])
def test_an_end_ends_the_streak(outcome: Outcome) -> None:
    assert (
        ended(replace(SENT, consecutive_failures=6, last_outcome=Outcome.NO_ANSWER), outcome).consecutive_failures
        == 0
    )


def test_after_a_refused_token_it_is_tried_at_once() -> None:
    delivery = replace(SENT, consecutive_failures=9, last_outcome=Outcome.THROTTLED)
    assert waits(ended(delivery, Outcome.UNAUTHORIZED, retry_after_s=60)) == 0


def test_a_report_whose_token_is_refused_again_and_again_backs_off() -> None:
    delivery = replace(SENT, consecutive_failures=1, last_outcome=Outcome.UNAUTHORIZED)
    assert waits(ended(delivery, Outcome.UNAUTHORIZED)) > 0


@pytest.mark.parametrize(
    ("outcome", "retry_after_s", "delay"),
    [
        (Outcome.THROTTLED, 1, 2),  # the back-off is longer
        (Outcome.THROTTLED, 120, 120),
        (Outcome.SERVER_ERROR, 7200, 7200),  # longer than the cap
        (Outcome.NOT_FOUND, 60, 300),
        (Outcome.NOT_FOUND, 600, 600),
        (Outcome.THROTTLED, None, 2),
        (Outcome.THROTTLED, 0, 2),
    ],
)
def test_retry_after_wins_when_it_is_longer(outcome: Outcome, retry_after_s: float | None, delay: float) -> None:
    assert waits(ended(SENT, outcome, retry_after_s=retry_after_s)) == delay


@pytest.mark.parametrize(
    ("left_s", "retry_after_s", "delay"),
    [
        (100.0, 99.0, 99.0),
        (100.0, 100.0, 50.0),  # at the end nothing goes out any more
        (100.0, 1e18, 50.0),
        (1.0, 60.0, 2.0),
        (-5.0, 60.0, 2.0),  # it ended while the request was under way
    ],
)
def test_a_retry_after_past_the_end_is_cut_to_half_of_what_is_left(
    left_s: float, retry_after_s: float, delay: float
) -> None:
    at = END - timedelta(seconds=left_s)
    assert waits(ended(SENT, Outcome.THROTTLED, at=at, retry_after_s=retry_after_s), at) == delay


@pytest.mark.parametrize(
    ("left_s", "delay"),
    [
        (400_000, 86_400),
        (345_600, 86_400),
        (345_599, 345_599 / 4),
        (86_400, 21_600),
        (40, 10),
        (8, 2),
        (4, 2),
        (0, 2),
    ],
)
def test_near_the_end_of_the_window_tries_come_closer_together(left_s: float, delay: float) -> None:
    at = END - timedelta(seconds=left_s)
    assert (
        waits(
            ended(replace(SENT, consecutive_failures=8, last_outcome=Outcome.NOT_FOUND), Outcome.NOT_FOUND, at=at),
            at,
        )
        == delay
    )


@given(
    outcome=st.sampled_from(DEFERRED),
    consecutive_failures=st.integers(0, 50),
    left_s=st.floats(0, 3e6),
    retry_after_s=st.one_of(st.none(), st.floats(0, 1e9)),
    uniform=st.floats(0, 1),
)
def test_no_wait_is_so_long_that_the_window_closes_without_another_try(
    outcome: Outcome, consecutive_failures: int, left_s: float, retry_after_s: float | None, uniform: float
) -> None:
    delay = RetryPolicy(base_s=2, cap_s=900).delay_s(
        outcome, consecutive_failures + 1, remaining_s=left_s, retry_after_s=retry_after_s, uniform=lambda: uniform
    )
    assert delay >= 0
    assert delay < left_s or left_s <= 8
    if retry_after_s is None:
        assert delay <= max(left_s / 4, 2)


def test_tries_go_on_until_the_window_closes() -> None:
    at, gaps, delivery = END - timedelta(days=1), [], SENT
    while at < END:
        delivery = ended(delivery, Outcome.NO_ANSWER, at=at)
        gaps.append(waits(delivery, at))
        at += timedelta(seconds=gaps[-1])
        delivery = again(delivery)
    assert max(gaps) == 900
    assert gaps[-1] <= 2
    assert sum(gap < 60 for gap in gaps[-20:]) >= 10


# --- when a person is needed


@pytest.mark.parametrize(
    ("outcome", "consecutive_failures", "stuck"),
    [
        (None, 9, False),
        (Outcome.NOT_FOUND, 3, False),
        (Outcome.NOT_FOUND, 4, True),
        (Outcome.FORBIDDEN, 4, True),
        (Outcome.MISDIRECTED, 5, True),
        (Outcome.REFUSED, 4, True),
        (Outcome.NO_ANSWER, 40, False),
        (Outcome.THROTTLED, 40, False),
    ],
)
def test_a_refusal_that_outlives_its_quick_tries_needs_a_person(
    outcome: Outcome | None, consecutive_failures: int, *, stuck: bool
) -> None:
    assert is_stuck(outcome, consecutive_failures) is stuck


def test_it_takes_the_better_part_of_an_hour_to_be_stuck() -> None:
    at, delivery = NOW, ended(SENT, Outcome.NOT_FOUND)
    while not is_stuck(delivery.last_outcome, delivery.consecutive_failures):
        at += timedelta(seconds=waits(delivery, at))
        delivery = ended(again(delivery), Outcome.NOT_FOUND, at=at)
    assert at - NOW == timedelta(minutes=50)
