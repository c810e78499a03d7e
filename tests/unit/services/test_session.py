"""What answers teach of the token in use and of the API's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from report_service.domain.responses import Outcome
from report_service.errors import CredentialsRefused
from report_service.ports import Token
from report_service.services.delivery.session import Session

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def with_token(value: str = "first") -> Session:
    return Session(token=Token(value=value, refresh_at=100.0))


@pytest.mark.parametrize(("at", "usable"), [(99.9, True), (100.0, False), (100.1, False)])
def test_a_token_is_used_until_its_time(at: float, usable: bool) -> None:
    assert (with_token().token_at(at) is not None) is usable
    assert Session().token_at(at) is None


def test_a_refused_token_is_given_up_and_a_refused_successor_ends_it() -> None:
    session = with_token()
    session.weigh("first", Outcome.UNAUTHORIZED)
    assert session.token is None
    session.token = Token(value="second", refresh_at=100.0)
    with pytest.raises(CredentialsRefused) as refused:
        session.weigh("second", Outcome.UNAUTHORIZED)
    assert refused.value.hint is not None
    assert session.token is None


def test_after_a_stop_one_new_token_is_tried_again() -> None:
    session = with_token()
    session.weigh("first", Outcome.UNAUTHORIZED)
    session.token = Token(value="second", refresh_at=100.0)
    with pytest.raises(CredentialsRefused):
        session.weigh("second", Outcome.UNAUTHORIZED)
    session.token = Token(value="third", refresh_at=100.0)
    session.weigh("third", Outcome.UNAUTHORIZED)
    assert session.token is None


@pytest.mark.parametrize("outcome", [Outcome.UNAUTHORIZED, Outcome.ACCEPTED, Outcome.NO_ANSWER])
def test_an_answer_to_a_token_that_was_given_up_says_nothing(outcome: Outcome) -> None:
    session = with_token("second")
    session.weigh("first", outcome)
    assert session.token is not None
    session.token = None
    session.weigh("second", outcome)
    assert session.token is None


@pytest.mark.parametrize(
    ("answer", "proves"),
    [
        (Outcome.ACCEPTED, True),
        (Outcome.REJECTED, True),
        (Outcome.CONFLICT, True),
        (Outcome.NOT_FOUND, True),
        (Outcome.FORBIDDEN, True),
        (Outcome.SERVER_ERROR, False),
        (Outcome.NO_ANSWER, False),
        (Outcome.THROTTLED, False),
    ],
)
def test_a_new_token_is_proven_by_answers_that_looked_at_it(answer: Outcome, proves: bool) -> None:
    session = with_token()
    session.weigh("first", Outcome.UNAUTHORIZED)
    session.token = Token(value="second", refresh_at=100.0)
    session.weigh("second", answer)
    if proves:
        session.weigh("second", Outcome.UNAUTHORIZED)
    else:
        with pytest.raises(CredentialsRefused):
            session.weigh("second", Outcome.UNAUTHORIZED)


def heard(session: Session, skew_s: float, *, took_s: float = 0.0) -> float:
    """Let an answer come whose Date, cut to the second, was written half-way."""
    written = NOW + timedelta(seconds=skew_s - took_s / 2)
    session.compare_clocks(written.replace(microsecond=0), at=NOW, took_s=took_s)
    return session.skew_s


@pytest.mark.parametrize("skew_s", [0.0, 0.4, -0.9])
def test_clocks_that_differ_by_less_than_a_date_can_say_agree(skew_s: float) -> None:
    assert heard(Session(), skew_s) == 0.0


@pytest.mark.parametrize("skew_s", [120.4, -120.4])
def test_a_difference_is_known_to_a_second(skew_s: float) -> None:
    assert heard(Session(), skew_s) == pytest.approx(skew_s, abs=1.0)
    assert abs(heard(Session(), skew_s)) <= abs(skew_s)


def test_a_slow_answer_does_not_overrule_a_quick_one() -> None:
    session = Session()
    known = heard(session, 30.0)
    assert heard(session, 20.0, took_s=25.0) == known


def test_a_clock_that_was_put_right_is_believed() -> None:
    session = Session()
    heard(session, 300.0)
    assert heard(session, 0.2) == 0.0


def test_a_token_is_not_printed() -> None:
    assert "first" not in repr(with_token())
