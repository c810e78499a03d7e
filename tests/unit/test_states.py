"""The states of a report: which step leads where."""

import inspect

import pytest

from report_service.domain.delivery import (
    DONE,
    NEEDS_A_PERSON,
    OPEN,
    OVER,
    SENDABLE,
    State,
    Trigger,
    next_state,
)
from report_service.errors import IllegalTransition

# Without and with an earlier attempt of unknown end; `=` stays, `-` is forbidden.
SETTLED = """
from  valid changed invalid missing sent accepted conflict rejected deferred waived unwaived retried closed put_off
wait  pend  pend    bad     =       -    -        -        -        -        waiv   -        -       miss   -
bad   pend  pend    =       wait    -    -        -        -        -        waiv   -        -       miss   -
pend  =     =       bad     wait    fly  -        -        -        -        waiv   -        =       miss   -
fly   =     =       =       =       -    acc      taken    rej      retry    -      -        -       unres  -
retry =     pend    bad     wait    fly  -        -        -        -        waiv   -        =       miss   -
acc   =     =       =       =       -    -        -        -        -        -      -        -       =      -
taken =     =       =       =       -    -        -        -        -        -      -        -       =      -
rej   =     pend    bad     wait    -    -        -        -        -        waiv   -        pend    miss   retry
waiv  =     =       =       =       -    -        -        -        -        =      wait     -       =      -
hand  =     =       =       =       -    -        -        -        -        -      -        -       =      -
miss  pend  pend    bad     wait    -    -        -        -        -        waiv   -        -       =      -
unres retry retry   retry   retry   -    -        -        -        -        -      -        -       =      -
"""
IN_DOUBT = """
from  valid changed invalid missing sent accepted conflict rejected deferred waived unwaived retried closed put_off
wait  pend  pend    bad     =       -    -        -        -        -        -      -        -       miss   -
bad   pend  pend    =       wait    -    -        -        -        -        -      -        -       miss   -
pend  =     =       bad     wait    fly  -        -        -        -        -      -        =       miss   -
fly   =     =       =       =       -    acc      acc      rej      retry    -      -        -       unres  -
retry =     =       =       =       fly  -        -        -        -        -      -        =       unres  -
acc   =     =       =       =       -    -        -        -        -        -      -        -       =      -
taken =     =       =       =       -    -        -        -        -        -      -        -       =      -
rej   =     pend    bad     wait    -    -        -        -        -        -      -        pend    miss   retry
waiv  =     =       =       =       -    -        -        -        -        -      wait     -       =      -
hand  =     =       =       =       -    -        -        -        -        -      -        -       =      -
miss  pend  pend    bad     wait    -    -        -        -        -        -      -        -       =      -
unres retry retry   retry   retry   -    -        -        -        -        -      -        -       =      -
"""
ALREADY = State.ALREADY_REPORTED
WORDS = {
    "wait": State.AWAITING_DATA,
    "bad": State.INVALID,
    "pend": State.PENDING,
    "fly": State.IN_FLIGHT,
    "retry": State.RETRYING,
    "acc": State.ACCEPTED,
    "taken": State.ALREADY_REPORTED,
    "rej": State.REJECTED,
    "waiv": State.WAIVED,
    "hand": State.HANDED_IN,
    "miss": State.MISSED,
    "unres": State.UNRESOLVED,
}


def table(text: str, *, in_doubt: bool) -> list[tuple[State, Trigger, bool, State | None]]:
    header, *lines = text.strip().splitlines()
    steps = [_step(name) for name in header.split()[1:]]
    return [
        (WORDS[name], trigger, in_doubt, WORDS[name] if word == "=" else WORDS.get(word))
        for name, *words in map(str.split, lines)
        for trigger, word in zip(steps, words, strict=True)
    ]


def _step(name: str) -> Trigger:
    return Trigger(f"row_{name}" if name in {"valid", "changed", "invalid", "missing"} else name)


BY_HAND = {  # by what was, the step, and whether an attempt has an unknown end; from nowhere else
    **{
        (state, Trigger.REPLACED, in_doubt): State.ACCEPTED
        for state in (State.ACCEPTED, State.ALREADY_REPORTED)
        for in_doubt in (False, True)
    },
    **{
        (state, Trigger.HANDED_IN, in_doubt): State.HANDED_IN
        for state in (State.MISSED, State.UNRESOLVED, State.HANDED_IN)
        for in_doubt in (False, True)
    },
    (State.HANDED_IN, Trigger.HAND_IN_WITHDRAWN, False): State.MISSED,
    (State.HANDED_IN, Trigger.HAND_IN_WITHDRAWN, True): State.UNRESOLVED,
}
TRANSITIONS = [
    *table(SETTLED, in_doubt=False),
    *table(IN_DOUBT, in_doubt=True),
    *(
        (state, trigger, in_doubt, BY_HAND.get((state, trigger, in_doubt)))
        for state in State
        for trigger in (Trigger.HANDED_IN, Trigger.HAND_IN_WITHDRAWN, Trigger.REPLACED)
        for in_doubt in (False, True)
    ),
]


def after(state: State, trigger: Trigger, *, in_doubt: bool) -> State | None:
    try:
        return next_state(state, trigger, in_doubt=in_doubt)
    except IllegalTransition:
        return None


@pytest.mark.parametrize(("state", "trigger", "in_doubt", "then"), TRANSITIONS)
def test_a_step_leads_where_the_table_says(
    state: State, trigger: Trigger, *, in_doubt: bool, then: State | None
) -> None:
    assert after(state, trigger, in_doubt=in_doubt) is then


def test_the_table_has_every_state_with_every_step() -> None:
    assert len({row[:3] for row in TRANSITIONS}) == len(TRANSITIONS) == len(State) * len(Trigger) * 2


def test_a_step_that_is_not_allowed_is_an_error_that_names_both() -> None:
    with pytest.raises(IllegalTransition, match="a report that is accepted cannot be sent"):
        next_state(State.ACCEPTED, Trigger.SENT)


def test_the_table_in_the_docstring_is_true() -> None:
    """Read it as a person does: a blank forbids, `=` stays, `...` goes on with the state above."""
    lines = [line.strip(" |") for line in inspect.getdoc(next_state).splitlines() if line.startswith("|")]  # type: ignore[union-attr]
    header, _rule, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    steps = [_step(name) for name in header[1:]]
    words = {**WORDS, "awaits": State.AWAITING_DATA, "flight": State.IN_FLIGHT, "already": ALREADY, "": None}
    state, seen = State.AWAITING_DATA, set()
    for name, *cells in rows:
        in_doubt = name.startswith("...")
        state = state if in_doubt else next(one for one in State if one.startswith(name))
        seen.add(state)
        padded = cells + [""] * (len(steps) - len(cells))
        for trigger, word in zip(steps, padded, strict=True):
            said = state if word == "=" else words[word] if word in words else State(word)
            assert after(state, trigger, in_doubt=in_doubt) is said, (name, trigger)
    assert seen == set(State)
    assert len(steps) == 9


def test_sets_of_states_leave_none_out() -> None:
    assert {State.ACCEPTED, State.ALREADY_REPORTED, State.WAIVED, State.HANDED_IN} == DONE
    assert {State.MISSED, State.UNRESOLVED} == OVER
    assert set(State) == DONE | OVER | OPEN
    assert not DONE & OPEN
    assert not OVER & OPEN
    assert (
        {State.PENDING, State.RETRYING}
        == SENDABLE
        == {state for state in State if after(state, Trigger.SENT, in_doubt=False)}
    )
    assert {State.AWAITING_DATA, State.INVALID, State.REJECTED} == NEEDS_A_PERSON


def test_a_closed_window_leaves_nothing_open() -> None:
    closed = {
        next_state(state, Trigger.CLOSED, in_doubt=in_doubt) for state in State for in_doubt in (True, False)
    }
    assert closed == DONE | OVER
