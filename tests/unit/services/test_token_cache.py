"""What answers teach of the token in use."""

from __future__ import annotations

import pytest

from report_service.domain.responses import Outcome
from report_service.errors import CredentialsRefused
from report_service.ports import Token
from report_service.services.delivery.token_cache import TokenCache


def with_token(value: str = "first") -> TokenCache:
    return TokenCache(token=Token(value=value, refresh_at=100.0))


@pytest.mark.parametrize(("at", "usable"), [(99.9, True), (100.0, False), (100.1, False)])
def test_a_token_is_used_until_its_time(at: float, usable: bool) -> None:
    assert (with_token().valid_at(at) is not None) is usable
    assert TokenCache().valid_at(at) is None


def test_a_refused_token_is_given_up_and_a_refused_successor_ends_it() -> None:
    cache = with_token()
    cache.weigh("first", Outcome.UNAUTHORIZED)
    assert cache.token is None
    cache.token = Token(value="second", refresh_at=100.0)
    with pytest.raises(CredentialsRefused) as refused:
        cache.weigh("second", Outcome.UNAUTHORIZED)
    assert refused.value.hint is not None
    assert cache.token is None


def test_after_a_stop_one_new_token_is_tried_again() -> None:
    cache = with_token()
    cache.weigh("first", Outcome.UNAUTHORIZED)
    cache.token = Token(value="second", refresh_at=100.0)
    with pytest.raises(CredentialsRefused):
        cache.weigh("second", Outcome.UNAUTHORIZED)
    cache.token = Token(value="third", refresh_at=100.0)
    cache.weigh("third", Outcome.UNAUTHORIZED)
    assert cache.token is None


@pytest.mark.parametrize("outcome", [Outcome.UNAUTHORIZED, Outcome.ACCEPTED, Outcome.NO_ANSWER])
def test_an_answer_to_a_token_that_was_given_up_says_nothing(outcome: Outcome) -> None:
    cache = with_token("second")
    cache.weigh("first", outcome)
    assert cache.token is not None
    cache.token = None
    cache.weigh("second", outcome)
    assert cache.token is None


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
    cache = with_token()
    cache.weigh("first", Outcome.UNAUTHORIZED)
    cache.token = Token(value="second", refresh_at=100.0)
    cache.weigh("second", answer)
    if proves:
        cache.weigh("second", Outcome.UNAUTHORIZED)
    else:
        with pytest.raises(CredentialsRefused):
            cache.weigh("second", Outcome.UNAUTHORIZED)


def test_a_token_is_not_printed() -> None:
    assert "first" not in repr(with_token())
