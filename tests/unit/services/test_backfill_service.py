"""What backfill makes of months: which ones, what it would do, in which order, and when it stops."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.month_plan import Plan
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.errors import ApiUnavailable, BadInput
from report_service.ports import Undelivered
from report_service.services.backfill import Backfill, Fate
from report_service.services.run_result import RunResult
from tests.support.fakes import FakeClock, RecordingEvents

if TYPE_CHECKING:
    from report_service.errors import ReportServiceError
    from report_service.ports import StatusQueries
    from report_service.services.reconcile import Reconciler

AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (ReportMonth(2026, number) for number in (8, 9, 10, 11))
CLOSES = SubmissionWindow.of(OCTOBER).closes
LOST = Undelivered(
    key=DeliveryKey(SEPTEMBER, HOTLINE_RATING),
    state=State.MISSED,
    reason="",
    path="/hotline-ratings",
    payload_sha256="00",
    body=b"{}",
)


@dataclass
class Office:
    """Stands in for a ledger and for what reconciles its months."""

    clock: FakeClock = field(default_factory=FakeClock)
    known: list[ReportMonth] = field(default_factory=list)
    plans: dict[ReportMonth, dict[State, int]] = field(default_factory=dict)
    errors: dict[ReportMonth, ReportServiceError] = field(default_factory=dict)
    stop_after: int = 99
    done: list[tuple[ReportMonth, str, float]] = field(default_factory=list)
    previewed: list[tuple[ReportMonth, bool]] = field(default_factory=list)

    # of the ledger
    def months(self) -> list[ReportMonth]:
        return self.known

    def undelivered(self, month: ReportMonth) -> list[Undelivered]:
        return [LOST] if month in (AUGUST, SEPTEMBER) else []

    # of the reconciler and its means
    @property
    def means(self) -> Office:
        return self

    def stop(self) -> str | None:
        return "SIGTERM" if len(self.done) >= self.stop_after else None

    def planner(self, _events: object) -> Office:
        return self

    def preview(self, month: ReportMonth, *, closed: bool) -> Plan:
        self.previewed.append((month, closed))
        states = Counter(self.plans[month])
        return Plan(month=month, by_state=states)

    def reconcile(self, month: ReportMonth, *, trigger: str, patience_s: float) -> RunResult:
        self.done.append((month, trigger, patience_s))
        window = SubmissionWindow.of(month)
        return RunResult(run_id="1", month=month, window=window, started=0, error=self.errors.get(month))


def backfill(office: Office, first_month: ReportMonth | None = None) -> Backfill:
    return Backfill(
        status=cast("StatusQueries", office),
        reconciler=cast("Reconciler", office),
        clock=office.clock,
        events=RecordingEvents(),
        window_guard_s=60,
        first_month=first_month,
    )


@pytest.mark.parametrize(
    ("known", "first_month", "first", "last", "months"),
    [
        ([], None, None, None, [OCTOBER]),
        ([AUGUST, OCTOBER], None, None, None, [AUGUST, SEPTEMBER, OCTOBER]),
        ([AUGUST], SEPTEMBER, None, None, [SEPTEMBER, OCTOBER]),
        ([OCTOBER], AUGUST, None, None, [AUGUST, SEPTEMBER, OCTOBER]),
        ([], None, AUGUST, SEPTEMBER, [AUGUST, SEPTEMBER]),
        ([], SEPTEMBER, AUGUST, None, [SEPTEMBER, OCTOBER]),
        ([], None, None, AUGUST, [AUGUST]),
    ],
)
def test_the_months_begin_with_the_first_that_is_due_or_known_and_end_with_the_previous_one(
    known: list[ReportMonth],
    first_month: ReportMonth | None,
    first: ReportMonth | None,
    last: ReportMonth | None,
    months: list[ReportMonth],
) -> None:
    assert backfill(Office(known=known), first_month).months(first, last) == months


def test_months_across_a_new_year_are_all_there() -> None:
    office = Office(clock=FakeClock(datetime(2027, 1, 5, tzinfo=UTC)))

    months = backfill(office).months(OCTOBER, None)

    assert [str(month) for month in months] == ["2026-10", "2026-11", "2026-12"]


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (None, NOVEMBER, "2026-11 is not over"),
        (OCTOBER, SEPTEMBER, "there is no month from 2026-10 to 2026-09"),
        (AUGUST, SEPTEMBER, "there is no month from 2026-10 to 2026-09"),
    ],
    ids=["not over", "the wrong way round", "before the first"],
)
def test_a_range_without_a_month_that_can_be_reported_is_refused(
    first: ReportMonth | None, last: ReportMonth, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        backfill(Office(), OCTOBER).months(first, last)

    assert refused.value.hint


def test_the_preview_says_for_each_month_what_can_still_be_done() -> None:
    office = Office(
        known=[AUGUST, OCTOBER],
        plans={
            AUGUST: {State.ACCEPTED: 7, State.ALREADY_REPORTED: 1, State.WAIVED: 1},
            SEPTEMBER: {State.ACCEPTED: 1, State.MISSED: 5, State.UNRESOLVED: 2},
            OCTOBER: {
                State.ACCEPTED: 3,
                State.PENDING: 2,
                State.RETRYING: 1,
                State.IN_FLIGHT: 1,
                State.INVALID: 1,
                State.AWAITING_DATA: 1,
                State.REJECTED: 1,
            },
        },
    )

    august, september, october = backfill(office).preview([AUGUST, SEPTEMBER, OCTOBER])

    assert (august.fate, september.fate, october.fate) == (Fate.COMPLETE, Fate.HAND_OVER, Fate.DELIVER)
    assert (august.known, september.known, october.known) == (True, False, True)
    assert (august.delivered, august.sendable, august.blocked, august.lost) == (9, 0, 0, 0)
    assert (september.delivered, september.sendable, september.blocked, september.lost) == (1, 0, 0, 7)
    assert (october.delivered, october.sendable, october.blocked, october.lost) == (3, 4, 3, 0)
    assert office.previewed == [(AUGUST, True), (SEPTEMBER, True), (OCTOBER, False)]
    assert office.done == []


@pytest.mark.parametrize(
    ("before_s", "fate"),
    [(1, Fate.DELIVER), (0, Fate.HAND_OVER), (-1, Fate.HAND_OVER)],
    ids=["before", "at", "after"],
)
def test_a_month_is_handed_over_from_the_moment_its_window_closes(before_s: float, fate: Fate) -> None:
    office = Office(clock=FakeClock(CLOSES - timedelta(seconds=before_s)), plans={OCTOBER: {State.PENDING: 1}})

    (plan,) = backfill(office).preview([OCTOBER])

    assert plan.fate is fate


def test_the_month_whose_window_is_open_comes_first_and_only_the_others_are_handed_over() -> None:
    office = Office()

    done = list(backfill(office).carry_out([AUGUST, SEPTEMBER, OCTOBER], patience_s=5))

    assert office.done == [(month, "backfill", 5) for month in (OCTOBER, AUGUST, SEPTEMBER)]
    assert [(each.month, list(each.undelivered)) for each in done] == [
        (OCTOBER, []),
        (AUGUST, [LOST]),
        (SEPTEMBER, [LOST]),
    ]


def test_a_run_that_was_stopped_is_the_last_one() -> None:
    why = ApiUnavailable()
    halted = Office(errors={OCTOBER: why})
    asked_to_end = Office(stop_after=2)

    (only,) = backfill(halted).carry_out([SEPTEMBER, OCTOBER], patience_s=5)
    two = list(backfill(asked_to_end).carry_out([AUGUST, SEPTEMBER, OCTOBER], patience_s=5))

    assert (only.month, only.result.error) == (OCTOBER, why)
    assert [each.month for each in two] == [OCTOBER, AUGUST]
