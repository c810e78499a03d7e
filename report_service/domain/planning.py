"""What the ledger should say of one report, given what the source says now: pure, one report at a time."""

from __future__ import annotations

from dataclasses import dataclass

from report_service.domain.delivery import DONE, State, Step, advance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A report as it goes over the wire."""

    path: str  # on the API's host
    body: bytes  # UTF-8 JSON; the same figures always give the same bytes
    sha256: str  # of the body, hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the source says of one report: a row that can be sent, a row that cannot, or no row."""

    rendered: Rendered | None = None
    reason: str = ""  # why there is nothing to send
    raw: str | None = None  # the row's own values, JSON; None: there is no row

    @property
    def step(self) -> Step:
        """Return what this means for a report of which nothing was sent yet."""
        if self.rendered is not None:
            return Step.ROW_VALID
        return Step.ROW_MISSING if self.raw is None else Step.ROW_INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the ledger says of one report, as far as planning depends on it."""

    row: int | None = None  # the ledger's number; None: the ledger has no row yet
    state: State = State.AWAITING_DATA
    due: bool = True  # False: no longer expected, kept because it was sent
    unsettled: bool = False
    drift: bool = False  # what was delivered differs from what the source says now, or was stored otherwise
    altered: bool = False  # OBELIS stored something else than was sent, by its own echo
    attempts: int = 0
    path: str = ""
    payload_sha256: str | None = None  # of what is to be sent, or was sent
    source_sha256: str | None = None  # of what the source would send now
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row to be written: what it says now, and what it said before."""

    subject: str
    before: Planned
    after: Planned
    found: Found
    restart: bool = False  # what is to be sent is new: earlier tries do not count against it


def decide(subject: str, known: Planned | None, found: Found, *, waived: bool, closed: bool) -> Change | None:
    """Return what must be written for a due report, or None if the ledger is right already.

    `waived`: a person declared that there is nothing to report. `closed`: the month's window is over.
    Bytes under way or delivered are never replaced (law 3); what differs from them shows as drift.
    """
    before = known or Planned()
    state = before.state
    if state is State.WAIVED and not waived:
        state = advance(state, Step.UNWAIVED)
    step = found.step
    differs = found.rendered is not None and (
        found.rendered.sha256 != before.payload_sha256 or found.rendered.path != before.path
    )
    if step is Step.ROW_VALID and differs and before.payload_sha256 is not None:
        step = Step.ROW_CHANGED
    state = advance(state, step, unsettled=before.unsettled)
    if waived and _waivable(state, unsettled=before.unsettled):
        state = advance(state, Step.WAIVED)
    fixed = state in DONE - {State.WAIVED} or state is State.IN_FLIGHT or before.unsettled
    restart = differs and not fixed
    if closed:
        state = advance(state, Step.CLOSED, unsettled=before.unsettled)
    after = Planned(
        row=before.row,
        state=state,
        unsettled=before.unsettled or state is State.UNRESOLVED,
        drift=state is State.ACCEPTED and _drifted(before, found),
        altered=before.altered,
        attempts=before.attempts,
        path=found.rendered.path if restart and found.rendered else before.path,
        payload_sha256=found.rendered.sha256 if restart and found.rendered else before.payload_sha256,
        source_sha256=found.rendered.sha256 if found.rendered else None,
        detail=_detail(before, found, state, restart=restart, fixed=fixed),
    )
    if known == after:
        return None
    return Change(subject=subject, before=before, after=after, found=found, restart=restart)


def _waivable(state: State, *, unsettled: bool) -> bool:
    return state not in DONE and state is not State.IN_FLIGHT and not unsettled


def _drifted(before: Planned, found: Found) -> bool:
    """Say whether what was delivered is not what the source says; a row that is gone says nothing new."""
    if before.altered:
        return True
    if found.rendered is None:
        return before.drift or found.raw is not None
    return found.rendered.sha256 != before.payload_sha256


def _detail(before: Planned, found: Found, state: State, *, restart: bool, fixed: bool) -> str:
    """Return the reason that goes with the state: the source's, or the API's last words as long as they hold."""
    if state is State.ACCEPTED and not before.altered:
        return found.reason if found.raw is not None else ""
    if fixed:
        return before.detail
    if found.rendered is None:
        return found.reason
    ours = {State.AWAITING_DATA, State.INVALID, State.WAIVED}
    if restart or state in {State.PENDING, State.WAIVED} or before.state in ours:
        return ""
    return before.detail
