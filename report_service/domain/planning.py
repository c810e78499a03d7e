"""What the ledger should say of one report, given what the source says now: pure, one report at a time."""

from __future__ import annotations

from dataclasses import dataclass

from report_service.domain.delivery import DONE, State, Trigger, next_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A report as it goes over the wire."""

    path: str  # on the API's host
    body: bytes  # UTF-8 JSON; the same figures always give the same bytes
    sha256: str  # of the body, hex


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFinding:
    """What the source says of one report: a row that can be sent, a row that cannot, no row, or nothing at all."""

    payload: Payload | None = None
    reason: str = ""  # why there is nothing to send
    raw: str | None = None  # the row's own values, JSON; None: there is no row
    unread: bool = False  # the source cannot be read: whether there is a row is not known

    @property
    def trigger(self) -> Trigger | None:
        """Return what this means for a report of which nothing was sent yet; None: nothing."""
        if self.unread:
            return None
        if self.payload is not None:
            return Trigger.ROW_VALID
        return Trigger.ROW_MISSING if self.raw is None else Trigger.ROW_INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDelivery:
    """What the ledger says of one report, as far as planning depends on it."""

    row: int | None = None  # the ledger's number; None: the ledger has no row yet
    state: State = State.AWAITING_DATA
    due: bool = True  # False: no longer expected, kept because it was sent
    in_doubt: bool = False
    drift: bool = False  # what was delivered differs from what the source says now, or was stored otherwise
    echo_differs: bool = False  # OBELIS stored something else than was sent, by its own echo
    attempts: int = 0
    path: str = ""
    payload_sha256: str | None = None  # of what is to be sent, or was sent
    source_sha256: str | None = None  # of what the source would send now
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A row to be written: what it says now, and what it said before."""

    subject: str
    before: KnownDelivery
    after: KnownDelivery
    found: SourceFinding
    restart: bool = False  # what is to be sent is new: earlier tries do not count against it


def plan_delivery(
    subject: str, known: KnownDelivery | None, found: SourceFinding, *, waived: bool, closed: bool
) -> PlannedChange | None:
    """Return what must be written for a due report, or None if the ledger is right already.

    `waived`: a person declared that there is nothing to report. `closed`: the month's window is over.
    Bytes under way or delivered are never replaced (law 3); what differs from them shows as drift. While the
    source cannot be read, what was planned from it before stays.
    """
    before = known or KnownDelivery()
    state = before.state
    if state is State.WAIVED and not waived:
        state = next_state(state, Trigger.UNWAIVED)
    trigger = found.trigger
    differs = found.payload is not None and (
        found.payload.sha256 != before.payload_sha256 or found.payload.path != before.path
    )
    if trigger is Trigger.ROW_VALID and differs and before.payload_sha256 is not None:
        trigger = Trigger.ROW_CHANGED
    if trigger is not None:
        state = next_state(state, trigger, in_doubt=before.in_doubt)
    if waived and _waivable(state, in_doubt=before.in_doubt):
        state = next_state(state, Trigger.WAIVED)
    fixed = state in DONE - {State.WAIVED} or state is State.IN_FLIGHT or before.in_doubt
    restart = differs and not fixed
    if closed:
        state = next_state(state, Trigger.CLOSED, in_doubt=before.in_doubt)
    after = KnownDelivery(
        row=before.row,
        state=state,
        in_doubt=before.in_doubt or state is State.UNRESOLVED,
        drift=state is State.ACCEPTED and _drifted(before, found),
        echo_differs=before.echo_differs,
        attempts=before.attempts,
        path=found.payload.path if restart and found.payload else before.path,
        payload_sha256=found.payload.sha256 if restart and found.payload else before.payload_sha256,
        source_sha256=_source_sha256(before, found),
        detail=_detail(before, found, state, restart=restart, fixed=fixed),
    )
    if known == after:
        return None
    return PlannedChange(subject=subject, before=before, after=after, found=found, restart=restart)


def _source_sha256(before: KnownDelivery, found: SourceFinding) -> str | None:
    if found.unread:
        return before.source_sha256
    return found.payload.sha256 if found.payload else None


def _waivable(state: State, *, in_doubt: bool) -> bool:
    return state not in DONE and state is not State.IN_FLIGHT and not in_doubt


def _drifted(before: KnownDelivery, found: SourceFinding) -> bool:
    """Return True if what was delivered is not what the source says; a row that is gone says nothing new."""
    if before.echo_differs:
        return True
    if found.payload is None:
        return before.drift or found.raw is not None
    return found.payload.sha256 != before.payload_sha256


def _detail(before: KnownDelivery, found: SourceFinding, state: State, *, restart: bool, fixed: bool) -> str:
    """Return the reason that goes with the state: the source's, or the API's last words as long as they hold."""
    if found.unread:
        return found.reason if state is State.AWAITING_DATA else before.detail
    if state is State.ACCEPTED and not before.echo_differs:
        return found.reason if found.raw is not None else ""
    if fixed:
        return before.detail
    if found.payload is None:
        return found.reason
    ours = {State.AWAITING_DATA, State.INVALID, State.WAIVED}
    if restart or state in {State.PENDING, State.WAIVED} or before.state in ours:
        return ""
    return before.detail
