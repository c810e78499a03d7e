"""What a plan makes of one report: each rule of the design, one report at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain.delivery import DONE, OVER, State
from report_service.domain.planning import KnownDelivery, Payload, PlannedChange, SourceFinding, plan_delivery

A = Payload(path="/hubs/1/ratings", body=b'{"rating":2}', sha256="a" * 64)
B = Payload(path="/hubs/1/ratings", body=b'{"rating":3}', sha256="b" * 64)
A_MOVED = replace(A, path="/hubs/2/ratings")

ROW_A = SourceFinding(payload=A, raw='{"rating": "2"}')
ROW_B = SourceFinding(payload=B, raw='{"rating": "3"}')
ROW_MOVED = SourceFinding(payload=A_MOVED, raw='{"rating": "2"}')
BAD = SourceFinding(reason="rating = 9: must be 1..6", raw='{"rating": "9"}')
GONE = SourceFinding(reason="the source has no row for it")
FOUND = {"A": ROW_A, "B": ROW_B, "moved": ROW_MOVED, "bad": BAD, "gone": GONE}


def known_delivery(state: State, **fields: object) -> KnownDelivery:
    """Return a report whose bytes are A's, as the ledger has it after a plan that found row A."""
    known = KnownDelivery(row=1, state=state, path=A.path, payload_sha256=A.sha256, source_sha256=A.sha256)
    return replace(known, **fields)  # type: ignore[arg-type]


def decided(
    known: KnownDelivery | None, found: SourceFinding, *, waived: bool = False, closed: bool = False
) -> KnownDelivery:
    """Return what the ledger says afterwards, whether or not that had to be written."""
    change = plan_delivery("1", known, found, waived=waived, closed=closed)
    if change is None:
        assert known is not None
        return known
    assert (change.subject, change.before, change.found) == ("1", known or KnownDelivery(), found)
    return change.after


def change_of(
    known: KnownDelivery | None, found: SourceFinding, *, waived: bool = False, closed: bool = False
) -> PlannedChange:
    change = plan_delivery("1", known, found, waived=waived, closed=closed)
    assert change is not None
    return change


# --- a report that the ledger does not know yet


@pytest.mark.parametrize(
    ("found", "waived", "closed", "state"),
    [
        (ROW_A, False, False, State.PENDING),
        (BAD, False, False, State.INVALID),
        (GONE, False, False, State.AWAITING_DATA),
        (ROW_A, True, False, State.WAIVED),
        (BAD, True, False, State.WAIVED),
        (GONE, True, False, State.WAIVED),
        (ROW_A, False, True, State.MISSED),
        (BAD, False, True, State.MISSED),
        (GONE, False, True, State.MISSED),
        (GONE, True, True, State.WAIVED),
    ],
)
def test_a_new_report_begins_as_its_row_has_it(
    found: SourceFinding, *, waived: bool, closed: bool, state: State
) -> None:
    after = decided(None, found, waived=waived, closed=closed)
    assert after.state is state
    assert after.row is None
    assert after.due
    assert after.detail == found.reason
    assert not after.drift
    body = found.payload and found.payload.sha256
    assert (after.payload_sha256, after.source_sha256, after.path) == (body, body, A.path if body else "")


# --- a row that changes before its report is delivered


@pytest.mark.parametrize(
    ("state", "found", "then"),
    [
        *((state, ROW_A, State.PENDING) for state in (State.AWAITING_DATA, State.INVALID, State.PENDING)),
        *((state, ROW_B, State.PENDING) for state in (State.AWAITING_DATA, State.INVALID, State.PENDING)),
        (State.REJECTED, ROW_A, State.REJECTED),  # the same bytes would be refused again
        (State.REJECTED, ROW_B, State.PENDING),
        (State.REJECTED, ROW_MOVED, State.PENDING),
        (State.RETRYING, ROW_A, State.RETRYING),
        (State.RETRYING, ROW_B, State.PENDING),
        (State.RETRYING, ROW_MOVED, State.PENDING),
        *(
            (state, BAD, State.INVALID)
            for state in (State.AWAITING_DATA, State.INVALID, State.PENDING, State.RETRYING, State.REJECTED)
        ),
        *(
            (state, GONE, State.AWAITING_DATA)
            for state in (State.AWAITING_DATA, State.INVALID, State.PENDING, State.RETRYING, State.REJECTED)
        ),
    ],
)
def test_an_undelivered_report_follows_its_row(state: State, found: SourceFinding, then: State) -> None:
    after = decided(known_delivery(state, detail="words of before", attempts=3), found)
    assert after.state is then
    assert after.attempts == 3
    sent = found.payload or A  # what cannot be sent leaves what could
    assert (after.payload_sha256, after.path) == (sent.sha256, sent.path)
    assert after.source_sha256 == (found.payload and found.payload.sha256)


def test_what_is_new_to_send_starts_afresh() -> None:
    assert change_of(known_delivery(State.RETRYING), ROW_B).restart
    assert change_of(known_delivery(State.REJECTED), ROW_MOVED).restart
    assert change_of(None, ROW_A).restart
    assert not change_of(known_delivery(State.INVALID), ROW_A).restart
    assert not change_of(known_delivery(State.PENDING), BAD).restart


@pytest.mark.parametrize(
    ("known", "found", "detail"),
    [
        (known_delivery(State.REJECTED, detail="the API's words"), ROW_A, "the API's words"),
        (known_delivery(State.RETRYING, detail="the API's words"), ROW_A, "the API's words"),
        (known_delivery(State.REJECTED, detail="the API's words"), ROW_B, ""),
        (known_delivery(State.REJECTED, detail="the API's words"), BAD, BAD.reason),
        (known_delivery(State.INVALID, detail=BAD.reason), ROW_A, ""),
        (known_delivery(State.AWAITING_DATA, detail=GONE.reason), ROW_A, ""),
        (known_delivery(State.PENDING), GONE, GONE.reason),
        (known_delivery(State.WAIVED, detail=GONE.reason), ROW_A, ""),
    ],
)
def test_the_reason_is_the_sources_or_the_apis_as_long_as_it_holds(
    known: KnownDelivery, found: SourceFinding, detail: str
) -> None:
    assert decided(known, found).detail == detail


# --- law 3: bytes on their way, or delivered, are never replaced


@pytest.mark.parametrize(
    "known",
    [
        known_delivery(State.IN_FLIGHT),
        known_delivery(State.IN_FLIGHT, in_doubt=True),
        known_delivery(State.RETRYING, in_doubt=True),
        known_delivery(State.UNRESOLVED, in_doubt=True),
        known_delivery(State.ACCEPTED),
        known_delivery(State.ALREADY_REPORTED),
    ],
)
@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("waived", [False, True])
def test_bytes_under_way_or_delivered_stay(
    known: KnownDelivery, found: SourceFinding, *, closed: bool, waived: bool
) -> None:
    change = plan_delivery("1", known, found, waived=waived, closed=closed)
    if change is None:
        return
    assert (change.after.payload_sha256, change.after.path) == (A.sha256, A.path)
    assert change.after.in_doubt is (known.in_doubt or change.after.state is State.UNRESOLVED)
    assert change.after.state is not State.WAIVED
    assert not change.restart


@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
def test_an_unknown_end_is_settled_with_the_same_bytes_whatever_the_row_says(found: SourceFinding) -> None:
    known = known_delivery(State.RETRYING, in_doubt=True, detail="no whole answer within 25 s")
    after = decided(known, found)
    assert (after.state, after.payload_sha256, after.detail) == (State.RETRYING, A.sha256, known.detail)
    assert after.source_sha256 == (found.payload and found.payload.sha256)  # shows as drift once it is accepted
    assert not after.drift


# --- drift


@pytest.mark.parametrize(
    ("rows", "drift"),
    [
        ("A", False),
        ("B", True),
        ("bad", True),
        ("gone", False),  # a row that is gone says nothing
        ("B A", False),
        ("bad A", False),
        ("gone A", False),
        ("gone B", True),
        ("B gone", True),
        ("B gone A", False),
        ("B bad A", False),
        ("bad gone", True),
        ("bad gone A", False),
    ],
)
def test_a_delivered_report_drifts_while_its_row_says_something_else(rows: str, *, drift: bool) -> None:
    known = known_delivery(State.ACCEPTED)
    for row in rows.split():
        known = decided(known, FOUND[row])
        assert known.state is State.ACCEPTED
    assert known.drift is drift


@pytest.mark.parametrize("rows", ["A", "B", "bad", "gone", "B A", "bad A", "gone A", "B gone A"])
def test_what_obelis_stored_otherwise_drifts_whatever_the_row_says(rows: str) -> None:
    known = known_delivery(
        State.ACCEPTED, drift=True, echo_differs=True, detail="the API stored otherwise: rating"
    )
    for row in rows.split():
        known = decided(known, FOUND[row])
    assert known.drift
    assert known.echo_differs
    assert known.detail == "the API stored otherwise: rating"


def test_someone_elses_report_does_not_drift() -> None:
    assert not decided(known_delivery(State.ALREADY_REPORTED), ROW_B).drift


def test_a_drift_to_a_row_that_cannot_be_sent_says_why_as_long_as_that_is_so() -> None:
    drifted = decided(known_delivery(State.ACCEPTED), BAD)
    assert drifted.detail == BAD.reason
    assert decided(drifted, ROW_B).detail == ""
    assert decided(drifted, ROW_A).detail == ""
    assert decided(known_delivery(State.ACCEPTED), GONE).detail == ""


# --- waivers


@pytest.mark.parametrize(
    "state", [State.AWAITING_DATA, State.INVALID, State.PENDING, State.RETRYING, State.REJECTED, State.MISSED]
)
@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
@pytest.mark.parametrize("closed", [False, True])
def test_what_is_not_delivered_can_be_waived_and_the_waiver_be_taken_back(
    state: State, found: SourceFinding, *, closed: bool
) -> None:
    known = known_delivery(state)
    waived = decided(known, found, waived=True, closed=closed)
    assert waived.state is State.WAIVED
    assert decided(waived, found, waived=True, closed=closed) == waived
    back = decided(waived, found, closed=closed)
    expected = State.MISSED if closed else decided(known_delivery(State.AWAITING_DATA), found).state
    assert back.state is expected


def test_a_waiver_ends_what_the_api_had_to_say() -> None:
    rejected = known_delivery(State.REJECTED, detail="rating too bad")
    assert decided(rejected, ROW_A, waived=True).detail == ""


@pytest.mark.parametrize("known", [known_delivery(State.ACCEPTED), known_delivery(State.ALREADY_REPORTED)])
def test_a_waiver_changes_nothing_about_what_is_delivered(known: KnownDelivery) -> None:
    assert plan_delivery("1", known, ROW_A, waived=True, closed=False) is None


# --- the end of the window, and a clock that was put right


@pytest.mark.parametrize(
    ("known", "then"),
    [
        (known_delivery(State.AWAITING_DATA), State.MISSED),
        (known_delivery(State.INVALID), State.MISSED),
        (known_delivery(State.PENDING), State.MISSED),
        (known_delivery(State.RETRYING), State.MISSED),
        (known_delivery(State.REJECTED), State.MISSED),
        (known_delivery(State.MISSED), State.MISSED),
        (known_delivery(State.IN_FLIGHT), State.UNRESOLVED),
        (known_delivery(State.RETRYING, in_doubt=True), State.UNRESOLVED),
        (known_delivery(State.UNRESOLVED, in_doubt=True), State.UNRESOLVED),
        (known_delivery(State.ACCEPTED), State.ACCEPTED),
        (known_delivery(State.ALREADY_REPORTED), State.ALREADY_REPORTED),
    ],
)
@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
def test_a_closed_window_decides_what_is_open(known: KnownDelivery, then: State, found: SourceFinding) -> None:
    after = decided(known, found, closed=True)
    assert after.state is then
    assert after.in_doubt is (then is State.UNRESOLVED)
    assert decided(after, found, closed=True) == after


def test_a_missed_report_keeps_the_reason_why() -> None:
    assert (
        decided(known_delivery(State.REJECTED, detail="rating too bad"), ROW_A, closed=True).detail
        == "rating too bad"
    )
    assert decided(None, GONE, closed=True).detail == GONE.reason


@pytest.mark.parametrize(
    ("known", "found", "then"),
    [
        (known_delivery(State.MISSED), ROW_A, State.PENDING),
        (known_delivery(State.MISSED), ROW_B, State.PENDING),
        (known_delivery(State.MISSED), BAD, State.INVALID),
        (known_delivery(State.MISSED), GONE, State.AWAITING_DATA),
        (known_delivery(State.UNRESOLVED, in_doubt=True), ROW_A, State.RETRYING),
        (known_delivery(State.UNRESOLVED, in_doubt=True), ROW_B, State.RETRYING),
        (known_delivery(State.UNRESOLVED, in_doubt=True), GONE, State.RETRYING),
    ],
)
def test_a_window_that_had_not_closed_after_all_is_open_again(
    known: KnownDelivery, found: SourceFinding, then: State
) -> None:
    assert decided(known, found).state is then


# --- due or not


def test_a_report_that_is_due_again_is_written_as_due() -> None:
    assert change_of(known_delivery(State.ACCEPTED, due=False), ROW_A).after.due


def test_a_ledger_that_is_right_is_left_alone() -> None:
    for state in State:
        known = known_delivery(state, in_doubt=state is State.UNRESOLVED)
        after = decided(known, ROW_A)
        assert plan_delivery("1", after, ROW_A, waived=False, closed=False) is None, state


IN_DOUBT = {State.IN_FLIGHT, State.RETRYING, State.UNRESOLVED}
"""The states that an attempt with an unknown end can leave a report in; the last one only that can."""


@given(
    known=st.one_of(
        st.builds(known_delivery, st.sampled_from(sorted(set(State) - {State.UNRESOLVED}))),
        st.builds(known_delivery, st.sampled_from(sorted(IN_DOUBT)), in_doubt=st.just(True)),
        st.builds(known_delivery, st.just(State.ACCEPTED), echo_differs=st.booleans(), drift=st.just(True)),
    ),
    source=st.sampled_from([None, A.sha256, B.sha256]),
    steps=st.lists(st.tuples(st.sampled_from(sorted(FOUND)), st.booleans(), st.booleans()), min_size=1),
)
def test_planning_twice_is_planning_once(
    known: KnownDelivery, source: str | None, steps: list[tuple[str, bool, bool]]
) -> None:
    known = replace(known, source_sha256=source)
    for row, waived, closed in steps:
        known = decided(known, FOUND[row], waived=waived, closed=closed)
        assert plan_delivery("1", known, FOUND[row], waived=waived, closed=closed) is None
        assert not closed or known.state in DONE | OVER
        assert not known.drift or known.state is State.ACCEPTED
        assert not known.in_doubt or known.state in IN_DOUBT


# --- a source that cannot be read

UNREAD = SourceFinding(reason="sources.hub-ratings cannot be read", unread=True)


def test_a_report_of_an_unread_source_awaits_data_and_names_it() -> None:
    fresh = decided(None, UNREAD)
    assert (fresh.state, fresh.detail) == (State.AWAITING_DATA, UNREAD.reason)
    awaited = decided(KnownDelivery(row=1, detail=GONE.reason), UNREAD)
    assert (awaited.state, awaited.detail) == (State.AWAITING_DATA, UNREAD.reason)


@pytest.mark.parametrize("state", [state for state in State if state not in {State.AWAITING_DATA, State.WAIVED}])
@pytest.mark.parametrize("in_doubt", [False, True])
def test_what_was_planned_from_a_source_stays_while_it_cannot_be_read(state: State, *, in_doubt: bool) -> None:
    known = known_delivery(state, detail="its words", drift=state is State.ACCEPTED, in_doubt=in_doubt)
    assert decided(known, UNREAD) == replace(known, in_doubt=in_doubt or state is State.UNRESOLVED)


def test_waivers_and_the_end_of_the_window_count_whatever_the_source_does() -> None:
    assert decided(None, UNREAD, waived=True).state is State.WAIVED
    assert decided(known_delivery(State.PENDING), UNREAD, waived=True).state is State.WAIVED
    unwaived = decided(known_delivery(State.WAIVED), UNREAD)
    assert (unwaived.state, unwaived.detail) == (State.AWAITING_DATA, UNREAD.reason)
    assert decided(None, UNREAD, closed=True).state is State.MISSED
    assert decided(known_delivery(State.RETRYING, in_doubt=True), UNREAD, closed=True).state is State.UNRESOLVED


def test_a_source_that_is_back_says_again_what_is_so() -> None:
    unread = decided(known_delivery(State.PENDING), UNREAD)
    assert decided(unread, ROW_A) == unread
    assert decided(decided(None, UNREAD), GONE).detail == GONE.reason
