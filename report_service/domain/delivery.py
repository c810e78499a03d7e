"""One report on its way: states, what leads from one to another, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from report_service.domain.responses import Classification, Outcome, echo_differences
from report_service.errors import IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.correction import Correction
    from report_service.domain.kinds import DeliveryKey


class State(StrEnum):
    """Where a report stands."""

    AWAITING_DATA = "awaiting_data"  # due, but the source has no row for it
    INVALID = "invalid"  # the row breaks a rule; the reasons say which
    PENDING = "pending"  # ready to be sent, never refused
    IN_FLIGHT = "in_flight"  # the intent to send is recorded, the answer is not
    RETRYING = "retrying"  # tried, not done; `next_attempt_at` says when again
    ACCEPTED = "accepted"  # delivered, on the grounds that `evidence` names
    ALREADY_REPORTED = "already_reported"  # a report exists that is not known to be ours
    REJECTED = "rejected"  # the API refused the data; waits for other data or for a person
    WAIVED = "waived"  # a person declared that there is nothing to report
    HANDED_IN = "handed_in"  # after the window closed a person handed it in by other means
    MISSED = "missed"  # the window closed and it did not arrive
    UNRESOLVED = "unresolved"  # the window closed; it may have arrived, nobody said so


DONE = frozenset({State.ACCEPTED, State.ALREADY_REPORTED, State.WAIVED, State.HANDED_IN})
"""A month is complete when every due report is in one of these."""
SENDABLE = frozenset({State.PENDING, State.RETRYING})
"""The states from which a report is sent once its next attempt is due."""
ON_THE_WAY = SENDABLE | {State.IN_FLIGHT}
"""What is sent, or sent again, by itself."""
OVER = frozenset({State.MISSED, State.UNRESOLVED})
"""What a closed window makes of the rest."""
OPEN = frozenset(State) - DONE - OVER
"""What still counts on the window."""
NEEDS_A_PERSON = frozenset({State.AWAITING_DATA, State.INVALID, State.REJECTED})
"""The states that do not mend themselves."""


class Evidence(StrEnum):
    """Why an accepted report is believed to be so."""

    CONFIRMED = "confirmed"  # the API said so
    INFERRED = "inferred"  # a 409 after an attempt of ours whose end is unknown


class Trigger(StrEnum):
    """What can happen to a report."""

    ROW_VALID = "row_valid"  # the source has a row that can be sent, unchanged since it was refused, if it was
    ROW_CHANGED = "row_changed"  # the source has a row that can be sent and differs from what was sent
    ROW_INVALID = "row_invalid"  # the source's row breaks a rule
    ROW_MISSING = "row_missing"  # the source has no row
    SENT = "sent"  # the intent was recorded
    ACCEPTED = "accepted"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    DEFERRED = "deferred"  # not done, to be tried again
    WAIVED = "waived"
    UNWAIVED = "unwaived"  # a waiver was taken back
    RETRIED = "retried"  # a person puts it back
    PUT_OFF = "put_off"  # it was refused for another reason than its data
    CLOSED = "closed"  # the window is over
    HANDED_IN = "handed_in"  # a person handed it in by other means
    HAND_IN_WITHDRAWN = "hand_in_withdrawn"  # and took that back
    REPLACED = "replaced"  # a PUT made it say what the source says


_ROWS = (Trigger.ROW_VALID, Trigger.ROW_CHANGED, Trigger.ROW_INVALID, Trigger.ROW_MISSING)
_PLANNED = dict(zip(_ROWS, (State.PENDING, State.PENDING, State.INVALID, State.AWAITING_DATA), strict=True))
_ENDED = {Trigger.WAIVED: State.WAIVED, Trigger.CLOSED: State.MISSED}

_NEXT: dict[State, dict[Trigger, State]] = {
    State.AWAITING_DATA: _PLANNED | _ENDED,
    State.INVALID: _PLANNED | _ENDED,
    State.PENDING: _PLANNED | _ENDED | {Trigger.SENT: State.IN_FLIGHT, Trigger.RETRIED: State.PENDING},
    State.IN_FLIGHT: dict.fromkeys(_ROWS, State.IN_FLIGHT)
    | {
        Trigger.ACCEPTED: State.ACCEPTED,
        Trigger.CONFLICT: State.ALREADY_REPORTED,
        Trigger.REJECTED: State.REJECTED,
        Trigger.DEFERRED: State.RETRYING,
        Trigger.CLOSED: State.UNRESOLVED,
    },
    State.RETRYING: _PLANNED
    | _ENDED
    | {Trigger.ROW_VALID: State.RETRYING, Trigger.SENT: State.IN_FLIGHT, Trigger.RETRIED: State.RETRYING},
    State.REJECTED: _PLANNED
    | _ENDED
    | {Trigger.ROW_VALID: State.REJECTED, Trigger.RETRIED: State.PENDING, Trigger.PUT_OFF: State.RETRYING},
    State.ACCEPTED: dict.fromkeys((*_ROWS, Trigger.CLOSED, Trigger.REPLACED), State.ACCEPTED),
    State.ALREADY_REPORTED: dict.fromkeys((*_ROWS, Trigger.CLOSED), State.ALREADY_REPORTED)
    | {Trigger.REPLACED: State.ACCEPTED},
    State.WAIVED: dict.fromkeys((*_ROWS, Trigger.CLOSED, Trigger.WAIVED), State.WAIVED)
    | {Trigger.UNWAIVED: State.AWAITING_DATA},
    State.HANDED_IN: dict.fromkeys((*_ROWS, Trigger.CLOSED, Trigger.HANDED_IN), State.HANDED_IN)
    | {Trigger.HAND_IN_WITHDRAWN: State.MISSED},
    State.MISSED: _PLANNED | _ENDED | {Trigger.HANDED_IN: State.HANDED_IN},
    State.UNRESOLVED: dict.fromkeys(_ROWS, State.RETRYING)
    | {Trigger.CLOSED: State.UNRESOLVED, Trigger.HANDED_IN: State.HANDED_IN},
}

_NEXT_IN_DOUBT: dict[State, dict[Trigger, State]] = {
    State.IN_FLIGHT: {Trigger.CONFLICT: State.ACCEPTED},
    State.RETRYING: dict.fromkeys(_ROWS, State.RETRYING) | {Trigger.CLOSED: State.UNRESOLVED},
    State.HANDED_IN: {Trigger.HAND_IN_WITHDRAWN: State.UNRESOLVED},
}
"""What is otherwise while an earlier attempt has an unknown end: the same bytes stay on their way."""


def next_state(state: State, trigger: Trigger, *, in_doubt: bool = False) -> State:
    """Return the state after a step; raise IllegalTransition for a step that the state does not allow.

    |from          |valid   |changed |invalid |missing|sent  |accepted|conflict|rejected|deferred|
    |--------------|--------|--------|--------|-------|------|--------|--------|--------|--------|
    |awaiting_data |pending |pending |invalid |awaits |      |        |        |        |        |
    |invalid       |pending |pending |invalid |awaits |      |        |        |        |        |
    |pending       |pending |pending |invalid |awaits |flight|        |        |        |        |
    |in_flight     |=       |=       |=       |=      |      |accepted|already |rejected|retrying|
    |... in_doubt |=       |=       |=       |=      |      |accepted|accepted|rejected|retrying|
    |retrying      |=       |pending |invalid |awaits |flight|        |        |        |        |
    |... in_doubt |=       |=       |=       |=      |flight|        |        |        |        |
    |rejected      |=       |pending |invalid |awaits |      |        |        |        |        |
    |accepted      |=       |=       |=       |=      |      |        |        |        |        |
    |already_report|=       |=       |=       |=      |      |        |        |        |        |
    |waived        |=       |=       |=       |=      |      |        |        |        |        |
    |handed_in     |=       |=       |=       |=      |      |        |        |        |        |
    |missed        |pending |pending |invalid |awaits |      |        |        |        |        |
    |unresolved    |retrying|retrying|retrying|retry  |      |        |        |        |        |

    The columns are steps: what the source's row is (`valid`: as it was when refused), an intent, an outcome;
    `=` leaves the state, nothing forbids the step; `... in_doubt` is the state above with an earlier attempt of
    unknown end. The last two rows are for a clock that ran ahead and was put right: plan sees the window open.
    When the window closes: what is done stays, an attempt with an unknown end makes `unresolved`, the rest
    is `missed`. A person waives what is not done, not in flight and has no unknown end, takes a waiver back
    (`awaiting_data`), and puts back what is pending, retrying or rejected. A rejected report becomes `retrying`
    when it turns out that its whole kind is refused, and so not its data.
    What OBELIS had from someone else is `accepted` once a PUT has put ours in its place.
    What a closed window left is `handed_in` when a person says so, and what it was when that is taken back.
    """
    usual = _NEXT[state].get(trigger)
    found = _NEXT_IN_DOUBT.get(state, {}).get(trigger, usual) if in_doubt else usual
    if found is None or (in_doubt and trigger is Trigger.WAIVED):
        raise IllegalTransition(f"a report that is {state} cannot be {trigger}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One report's row in the ledger, as the deliverer needs it."""

    row: int  # the ledger's own number
    key: DeliveryKey
    state: State
    path: str  # where on the API the report is created
    payload_sha256: str  # of the bytes to send, or sent
    body: bytes
    in_doubt: bool = False  # an attempt has an unknown end
    outdated: bool = False  # the source says something else by now
    attempts: int = 0
    consecutive_failures: int = 0  # tries in a row that were put off for the same sort of reason
    last_outcome: Outcome | None = None
    evidence: Evidence | None = None
    drift: bool = False  # accepted, and not what the source says, or not what OBELIS says that it stored
    echo_differs: bool = False  # OBELIS stored something else than was sent
    obelis_id: str | None = None
    http_status: int | None = None
    detail: str = ""
    next_attempt_at: datetime | None = None
    correction: Correction | None = None  # what the bytes put right; None: they create the report


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait before a report is tried again."""

    base_s: float = 2
    cap_s: float = 900

    def delay_s(
        self,
        outcome: Outcome,
        consecutive_failures: int,
        *,
        remaining_s: float,
        retry_after_s: float | None,
        uniform: Callable[[], float],
    ) -> float:
        """Return the seconds until the next try, after `consecutive_failures` >= 1 tries in a row ended so.

        Refusals (403, 404 and the like) follow REFUSAL_DELAYS_S. An answer that nobody can read is followed by the
        same bytes soon, whose answer settles it, and from the QUICK_SENDS-th on as a refusal is. Anything else
        backs off exponentially with full jitter (`uniform` gives 0..1), and waits for `Retry-After` when that is
        longer. With `remaining_s` left in the window no wait is longer than a quarter of it, so that tries stay
        spread up to its end, closer together near it; a Retry-After past the end is cut to half of what is left.
        """
        unreadable = outcome is Outcome.UNREADABLE
        refused = consecutive_failures - (QUICK_SENDS - 1) * unreadable if outcome.refusal or unreadable else 0
        if refused > 0:
            delay = REFUSAL_DELAYS_S[min(refused, len(REFUSAL_DELAYS_S)) - 1]
        else:
            doubled = 0 if unreadable else min(consecutive_failures - 1, 60)
            delay = uniform() * min(self.cap_s, self.base_s * 2.0**doubled)
        delay = min(delay, max(remaining_s / 4, self.base_s))
        if retry_after_s is not None and retry_after_s > delay:
            delay = retry_after_s if retry_after_s < remaining_s else max(remaining_s / 2, delay)
        return delay


REFUSAL_DELAYS_S = (300.0, 900.0, 1800.0, 86400.0)
"""A hub or point takes about 15 minutes to become visible (guide), or has to be registered first."""

QUICK_SENDS = 3
"""So many sends of the same bytes may be answered in words that nobody can read; then they wait as a refused
one."""

PUT_OFF_S = 3600.0
"""How long what is refused for another reason than its data waits (`refusals.Brake`)."""


def is_stuck(outcome: Outcome | None, consecutive_failures: int) -> bool:
    """Return True if a report refused so often in a row has used up the quick tries of its first hour.

    So has one whose answers nobody can read: whether it was stored, only the authority can say.
    """
    if outcome is Outcome.UNREADABLE:
        return consecutive_failures >= len(REFUSAL_DELAYS_S) + QUICK_SENDS - 1
    return outcome is not None and outcome.refusal and consecutive_failures >= len(REFUSAL_DELAYS_S)


def apply_outcome(
    delivery: Delivery,
    verdict: Classification,
    *,
    http_status: int | None,
    at: datetime,
    last_send: datetime,
    retry: RetryPolicy,
    retry_after_s: float | None,
    uniform: Callable[[], float],
    put_off_s: float = 0.0,
) -> Delivery:
    """Return the delivery after an answer, or the lack of one: pure, the ledger stores what it returns.

    `at` is when the attempt ended, `last_send` the end of the month's window. With `put_off_s` a refusal is not
    about this report (`refusals`): it is not final, settles no doubt, and the next try is no sooner than that.
    """
    outcome = verdict.outcome
    tried = replace(
        delivery,
        attempts=delivery.attempts + 1,
        last_outcome=outcome,
        http_status=http_status,
        detail=verdict.detail,
        consecutive_failures=0,
        next_attempt_at=None,
    )
    if outcome.is_conclusive and not (put_off_s and outcome is Outcome.REJECTED):
        return _settled(tried, verdict)
    before = delivery.last_outcome
    alike = before is not None and _sort(before) == _sort(outcome)
    consecutive_failures = delivery.consecutive_failures + 1 if alike else 1
    in_doubt = delivery.in_doubt or outcome.is_ambiguous
    delay = retry.delay_s(
        outcome,
        consecutive_failures,
        remaining_s=(last_send - at).total_seconds(),
        retry_after_s=retry_after_s,
        uniform=uniform,
    )
    if outcome is Outcome.UNAUTHORIZED and before is not outcome:  # at once, with a new token; but only once
        delay = 0.0
    delay = max(delay, put_off_s)
    return replace(
        tried,
        state=next_state(delivery.state, Trigger.DEFERRED, in_doubt=in_doubt),
        in_doubt=in_doubt,
        consecutive_failures=consecutive_failures,
        next_attempt_at=at + timedelta(seconds=delay),
    )


def _sort(outcome: Outcome) -> tuple[bool, bool]:
    """Return what is counted together as tries in a row that ended alike."""
    return outcome.refusal, outcome is Outcome.UNREADABLE


_SETTLING = {
    Outcome.ACCEPTED: Trigger.ACCEPTED,
    Outcome.CONFLICT: Trigger.CONFLICT,
    Outcome.REJECTED: Trigger.REJECTED,
}


def _settled(tried: Delivery, verdict: Classification) -> Delivery:
    """Return the delivery after an answer that ends all doubt; an acceptance says on what grounds it is one."""
    state = next_state(tried.state, _SETTLING[verdict.outcome], in_doubt=tried.in_doubt)
    settled = replace(tried, state=state, in_doubt=False)
    if state is not State.ACCEPTED:
        return settled
    differs = echo_differences(tried.body, verdict.echo or {})
    return replace(
        settled,
        evidence=Evidence.CONFIRMED if verdict.outcome is Outcome.ACCEPTED else Evidence.INFERRED,
        obelis_id=verdict.obelis_id,
        echo_differs=bool(differs),
        drift=bool(differs) or tried.outdated,
        detail="the API stored otherwise: " + "; ".join(differs) if differs else "",
    )
