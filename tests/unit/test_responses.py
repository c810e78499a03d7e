from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain.responses import (
    DETAIL_LIMIT,
    ApiResponse,
    Outcome,
    classify,
    echo_differences,
    excerpt,
)
from tests.support.obelis_answers import CASES, HTML, OBELIS_ID, STORED, Case, guide, ocpi

if TYPE_CHECKING:
    from collections.abc import Iterator

YES = guide(200, data=STORED)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),  # surrogates, NUL and control characters too
    st.sampled_from([0, 1, 200, 201, 299, 302, 400, 404, 409, 500, 600, 1000, 2001, 2003, 2900, 3000, 10**30]),
    st.sampled_from(["200", "1000", "2900", "0200", " 200", "²⁰⁰", "9" * 5000, "true", "2026-11-02T09:00:00Z"]),
)
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=8,
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(leaves, documents)
        for name in ("statusCode", "status_code", "data", "message", "status_message", "timestamp")
    },
)
bodies = st.one_of(envelopes, documents).map(lambda document: json.dumps(document).encode())


# --- the table


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_answer_means_what_the_table_says(case: Case) -> None:
    assert classify(case.answer).outcome is case.outcome


@pytest.mark.parametrize(
    ("outcome", "is_ambiguous", "is_conclusive", "is_failure", "refusal"),
    [
        (Outcome.ACCEPTED, False, True, False, False),
        (Outcome.REJECTED, False, True, False, False),
        (Outcome.CONFLICT, False, True, False, False),
        (Outcome.UNAUTHORIZED, False, False, False, False),
        (Outcome.THROTTLED, False, False, False, False),
        (Outcome.FORBIDDEN, False, False, False, True),
        (Outcome.NOT_FOUND, False, False, False, True),
        (Outcome.MISDIRECTED, False, False, False, True),
        (Outcome.REFUSED, False, False, False, True),
        (Outcome.SERVER_ERROR, True, False, True, False),
        (Outcome.UNREADABLE, True, False, False, False),
        (Outcome.OUT_OF_WINDOW, False, False, False, True),
        (Outcome.NO_ANSWER, True, False, True, False),
        (Outcome.NOT_SENT, False, False, True, False),
    ],
)
def test_an_outcome_says_what_follows_from_it(
    outcome: Outcome, *, is_ambiguous: bool, is_conclusive: bool, is_failure: bool, refusal: bool
) -> None:
    assert outcome.is_ambiguous is is_ambiguous
    assert outcome.is_conclusive is is_conclusive
    assert outcome.is_failure is is_failure
    assert outcome.refusal is refusal


def test_the_table_has_every_outcome() -> None:
    assert {case.outcome for case in CASES} == set(Outcome)


# --- law 4


def says_yes(document: object) -> bool:
    """Say in other words what a yes is: every code that is given says so, or there is none but data."""
    if not isinstance(document, dict):
        return False
    hundreds = [str(code) for code in range(200, 300)]
    yes = {"status_code": ["1000"], "statusCode": hundreds}
    given_codes = {name: document[name] for name in yes if document.get(name) is not None}
    if not given_codes:
        return isinstance(document.get("data"), dict) and document["data"] != {}
    return all(
        isinstance(code, int | str) and not isinstance(code, bool) and str(code) in yes[name]
        for name, code in given_codes.items()
    )


@given(bodies, st.sampled_from([200, 201, 202, 204, 299]))
def test_a_2xx_is_accepted_when_its_envelope_says_yes_and_only_then(body: bytes, status: int) -> None:
    accepted = classify(ApiResponse(http_status=status, body=body)).outcome is Outcome.ACCEPTED
    assert accepted == says_yes(json.loads(body))


@given(bodies, st.integers(100, 999).filter(lambda status: status // 100 != 2))
def test_no_body_makes_another_status_an_acceptance(body: bytes, status: int) -> None:
    assert classify(ApiResponse(http_status=status, body=body)).outcome is not Outcome.ACCEPTED


@given(bodies, st.sampled_from([200, 400]))
def test_an_answer_that_was_cut_off_is_never_an_acceptance(body: bytes, status: int) -> None:
    answer = ApiResponse(http_status=status, body=body, complete=False)
    assert classify(answer).outcome is (Outcome.UNREADABLE if status == 200 else Outcome.REJECTED)


@given(st.integers(0, len(YES) - 1))
def test_the_first_part_of_a_yes_is_no_yes(length: int) -> None:
    assert classify(ApiResponse(http_status=200, body=YES[:length])).outcome is Outcome.UNREADABLE


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ({"statusCode": 200, "status_code": 2001}, Outcome.REJECTED),
        ({"statusCode": 404, "status_code": 1000}, Outcome.NOT_FOUND),
        ({"statusCode": 200, "status_code": 0}, Outcome.UNREADABLE),
        ({"statusCode": 200, "status_code": 1000}, Outcome.ACCEPTED),
    ],
)
def test_of_two_codes_that_differ_the_no_wins(codes: dict[str, int], outcome: Outcome) -> None:
    body = json.dumps({**codes, "data": STORED}).encode()
    assert classify(ApiResponse(http_status=200, body=body)).outcome is outcome


@pytest.mark.parametrize("absent", ["statusCode", "status_code"])
def test_a_code_that_is_null_is_none(absent: str) -> None:
    body = json.dumps({absent: None, "data": STORED}).encode()
    assert classify(ApiResponse(http_status=200, body=body)).outcome is Outcome.ACCEPTED


# --- whatever they send


@given(st.one_of(st.binary(), bodies), st.one_of(st.none(), st.integers(100, 999)), st.booleans(), st.text())
def test_any_answer_has_a_meaning_that_fits_on_a_line_and_into_a_store(
    body: bytes, status: int | None, complete: bool, detail: str
) -> None:
    answer = ApiResponse(http_status=status, body=body, complete=complete, detail=detail)
    verdict = classify(answer)
    for text in (verdict.detail, excerpt(answer), verdict.obelis_id or "-"):
        assert len(text) <= DETAIL_LIMIT
        assert text.isprintable()  # so there is no NUL, no half surrogate pair, no escape for the terminal
        text.encode()


@pytest.mark.parametrize("depth", [20, 100, 400, 900, 100_000])
@pytest.mark.parametrize("field", ["data", "message", "statusCode", "id"])
def test_an_answer_nested_too_deep_is_unreadable_and_does_no_harm(field: str, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    body = b'{"statusCode": 200, "%s": %s}' % (field.encode(), nested)
    assert classify(ApiResponse(http_status=200, body=body)).outcome is Outcome.UNREADABLE
    assert classify(ApiResponse(http_status=400, body=body)).outcome is Outcome.REJECTED


def test_an_answer_nested_as_deep_as_reports_are_is_read() -> None:
    body = guide(200, data={"id": "1", "additionalCosts": [{"description": "x", "more": {"a": [1]}}]})
    assert classify(ApiResponse(http_status=200, body=body)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "code", [b"1e999", b"-1", b"200.0", b"true", b'"' + b"2" * 5000 + b'"', b"2" * 5000, b"NaN"]
)
def test_a_code_that_is_no_code_says_nothing(code: bytes) -> None:
    for name in (b"statusCode", b"status_code"):
        assert (
            classify(ApiResponse(http_status=200, body=b'{"%s": %s}' % (name, code))).outcome is Outcome.UNREADABLE
        )


@pytest.mark.parametrize(("code", "outcome"), [("200", Outcome.ACCEPTED), ("409", Outcome.CONFLICT)])
def test_a_code_in_digits_is_one(code: str, outcome: Outcome) -> None:
    assert (
        classify(ApiResponse(http_status=200, body=json.dumps({"statusCode": code}).encode())).outcome is outcome
    )


def test_a_byte_order_mark_is_no_fault() -> None:
    assert classify(ApiResponse(http_status=200, body=b"\xef\xbb\xbf" + YES)).outcome is Outcome.ACCEPTED


# --- what is kept of it


def test_an_acceptance_keeps_the_id_and_what_was_stored() -> None:
    verdict = classify(ApiResponse(http_status=201, body=YES))
    assert verdict.obelis_id == OBELIS_ID
    assert verdict.echo == STORED
    assert verdict.detail == ""


@pytest.mark.parametrize(("given_id", "kept"), [("r-1", "r-1"), (4711, "4711"), (0, "0"), ("x" * 200, "x" * 200)])
def test_the_id_is_kept_as_text(given_id: object, kept: str) -> None:
    assert classify(ApiResponse(http_status=200, body=guide(200, data={"id": given_id}))).obelis_id == kept


@pytest.mark.parametrize("given_id", [None, "", True, 1.5, ["r-1"], {"id": "r-1"}, "x" * 201, "r\x00", "\ud800"])
def test_what_cannot_be_an_id_is_not_kept_as_one(given_id: object) -> None:
    verdict = classify(ApiResponse(http_status=200, body=guide(200, data={"id": given_id})))
    assert (verdict.outcome, verdict.obelis_id) == (Outcome.ACCEPTED, None)


@pytest.mark.parametrize("data", [None, [], "x", 1, [STORED]])
def test_an_acceptance_without_data_has_nothing_to_keep(data: object) -> None:
    verdict = classify(ApiResponse(http_status=200, body=guide(200, data=data)))
    assert (verdict.outcome, verdict.obelis_id, verdict.echo) == (Outcome.ACCEPTED, None, None)
    assert verdict.detail == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ApiResponse(http_status=400, body=guide(400, message="rating must\n be 1..6")), "rating must be 1..6"),
        (ApiResponse(http_status=200, body=ocpi(2900, message="reported already")), "reported already"),
        (
            ApiResponse(
                http_status=200,
                body=ocpi(
                    2001,
                    message="invalid",
                    data=[
                        {"fieldName": "rating", "invalidValue": 7, "message": "at most 6"},
                        "not a fault",
                        {"fieldName": "month", "invalidValue": "10/2026", "message": "MM-yyyy"},
                    ],
                ),
            ),
            "invalid; rating = 7: at most 6; month = '10/2026': MM-yyyy",
        ),
        (ApiResponse(http_status=502, body=HTML), HTML.decode()),
        (ApiResponse(http_status=400, body=b'{"statusCode": 400}'), '{"statusCode": 400}'),
        (
            ApiResponse(http_status=200, body=YES[:30], complete=False, detail="the answer was cut off"),
            "the answer was cut off",
        ),
        (ApiResponse(http_status=503), ""),
        (ApiResponse(detail="no whole answer within 25 s"), "no whole answer within 25 s"),
        (ApiResponse(sent=False, detail="ConnectError"), "ConnectError"),
    ],
)
def test_the_reason_is_the_apis_own_words(answer: ApiResponse, words: str) -> None:
    assert classify(answer).detail == words


def test_a_long_reason_is_cut_where_it_shows() -> None:
    exact, over = "x" * DETAIL_LIMIT, "x" * (DETAIL_LIMIT + 1)
    assert classify(ApiResponse(http_status=400, body=guide(400, message=exact))).detail == exact
    assert classify(ApiResponse(http_status=400, body=guide(400, message=over))).detail == exact[:-1] + "…"
    padded = "x" + " " * 2 * DETAIL_LIMIT + "y"
    assert classify(ApiResponse(http_status=400, body=guide(400, message=padded))).detail == "x…"


def test_control_characters_and_half_surrogates_do_not_get_through() -> None:
    answer = ApiResponse(http_status=400, body=rb'{"message": "a\u0000b\ud800c\u001b[31md"}')
    assert classify(answer).detail == "a�b�c�[31md"


def test_an_excerpt_is_the_body_or_why_there_is_none() -> None:
    assert excerpt(ApiResponse(http_status=502, body=b"<h1>\n\xff</h1>", detail="unused")) == "<h1> �</h1>"
    assert excerpt(ApiResponse(detail="no whole answer within 25 s")) == "no whole answer within 25 s"


# --- the echo

SENT: dict[str, Any] = {
    "month": "10-2026",
    "cost": 45,
    "rating": 1,
    "fcrRate": 0.93,
    "validFrom": "2026-10-01T00:00:00.000Z",
    "additionalCosts": [{"description": "blocking", "cost": 10}, {"description": "session", "cost": 35}],
}


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def differences(**stored: object) -> list[str]:
    return echo_differences(json.dumps(SENT).encode(), stored)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        SENT,
        {"id": OBELIS_ID, "lastUpdated": "2026-11-02T09:00:00Z"},
        {"cost": 45.0},
        {"validFrom": "2026-10-01T00:00:00Z"},
        {"validFrom": "2026-10-01T02:00:00+02:00"},
        {"additionalCosts": SENT["additionalCosts"][::-1]},
        {"additionalCosts": [{"id": at, **cost} for at, cost in enumerate(SENT["additionalCosts"])]},
    ],
)
def test_an_echo_that_says_the_same_differs_in_nothing(stored: dict[str, object]) -> None:
    assert differences(**stored) == []


@pytest.mark.parametrize(
    "stored",
    [
        {"cost": 46},
        {"cost": "45"},
        {"cost": None},
        {"rating": True},
        {"month": "09-2026"},
        {"fcrRate": 0.9},
        {"validFrom": "2026-10-01T00:00:01Z"},
        {"validFrom": "2026-10-01T00:00:00+02:00"},
        {"validFrom": "T"},
        {"validFrom": 1790812800},
        {"additionalCosts": None},
        {"additionalCosts": []},
        {"additionalCosts": SENT["additionalCosts"][:1]},
        {"additionalCosts": [*SENT["additionalCosts"], {"description": "third", "cost": 1}]},
        {"additionalCosts": [SENT["additionalCosts"][0]] * 2},
        {"additionalCosts": [{"description": "blocking", "cost": 10}, {"description": "session", "cost": 36}]},
    ],
)
def test_an_echo_that_says_something_else_names_the_field(stored: dict[str, object]) -> None:
    [difference] = differences(**stored)
    [name] = stored
    assert difference.startswith(f"{name}: sent ")


def test_a_time_without_a_zone_is_utc_whatever_the_zone_of_this_machine(berlin: None) -> None:
    assert differences(validFrom="2026-10-01T00:00:00") == []
    assert differences(validFrom="2026-10-01T02:00:00") != []


def test_a_difference_shows_both_values() -> None:
    assert differences(cost=46) == ["cost: sent 45, stored 46"]
    assert differences(month="09-2026") == ["month: sent '10-2026', stored '09-2026'"]


def test_a_difference_is_short_whatever_the_api_stored() -> None:
    [difference] = differences(month="\ud800\x00" * 10_000)
    assert len(difference) < 150
    assert difference.isprintable()


@given(st.dictionaries(st.sampled_from([*SENT, "id"]), documents))
def test_any_echo_can_be_compared(stored: dict[str, object]) -> None:
    for difference in echo_differences(json.dumps(SENT).encode(), json.loads(json.dumps(stored))):
        assert difference.isprintable()
