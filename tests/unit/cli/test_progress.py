"""A run on a terminal: what the bar says of each event."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, cast

import pytest

from report_service.cli.progress import ProgressEvents
from report_service.domain.delivery import State
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.ports import MonthCounts
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from datetime import datetime

    from report_service.ports import Ledger

MONTH = ReportMonth(2026, 10)
AT = FakeClock().now()
REPORT = {"kind": "hub_rating", "month": str(MONTH), "attempt": 1}


class Terminal(io.StringIO):
    """A terminal, 120 columns wide, whose last picture can be read."""

    def isatty(self) -> bool:
        return True

    @property
    def seen(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


class SomeLedger:
    """A ledger of which ten reports are to be sent, and one waits."""

    def __init__(self, waiting: datetime | None = None) -> None:
        self._waiting = waiting
        self.attempts = self.status = self

    def month_counts(self, month: ReportMonth) -> MonthCounts:
        states = {State.PENDING: 6, State.IN_FLIGHT: 3, State.ACCEPTED: 5}
        return MonthCounts(month=month, by_kind={HUB_RATING: states}, drifted=0, in_doubt=0)

    def next_attempt(self, _month: ReportMonth) -> datetime | None:
        return self._waiting


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def play(terminal: Terminal, *events: tuple[str, dict[str, object]], waiting: datetime | None = None) -> str:
    """Return everything that a terminal saw of a run with these events."""
    progress = ProgressEvents(terminal)
    with progress.showing(cast("Ledger", SomeLedger(waiting))):
        progress.bind(run_id="1").emit("run.started", month=str(MONTH))
        for event, fields in events:
            progress.emit(event, **fields)
    return terminal.seen


def report(event: str, key: str, **fields: object) -> tuple[str, dict[str, object]]:
    return f"report.{event}", {**REPORT, "key": key, **fields}


def test_the_bar_counts_outcomes_against_what_was_to_be_sent(terminal: Terminal) -> None:
    seen = play(terminal, report("accepted", "a"), report("reconciled", "b"), report("rejected", "c"))

    assert f"planning {MONTH}" in seen or f"delivering {MONTH}" in seen
    assert "3/10" in seen
    assert "1 in, 1 in already, 1 rejected" in seen


def test_what_is_put_off_does_not_count_as_done_and_says_when_it_is_tried_again(terminal: Terminal) -> None:
    first, second = (int(AT.timestamp()) + seconds for seconds in (61, 10))

    seen = play(
        terminal,
        report("deferred", "a", next_attempt_unix=first),
        report("stuck", "b", next_attempt_unix=second),
        report("accepted", "b"),
    )

    assert "1/10" in seen
    assert "2 put off, 1 in, next try 10:01:01" in seen


def test_before_anything_is_sent_it_says_when_an_earlier_runs_reports_are_due_again(terminal: Terminal) -> None:
    assert "next try 10:00:00" in play(terminal, waiting=AT)


def test_it_says_who_is_waited_for(terminal: Terminal) -> None:
    assert "waiting for host:7, which delivers" in play(terminal, ("lease.waiting", {"holder": "host:7"}))


def test_a_warning_is_told_in_words_and_what_the_summary_tells_is_left_out(terminal: Terminal) -> None:
    seen = play(
        terminal,
        ("clock.skewed", {"skew_s": 12.5, "skew_direction": "ahead", "run_id": None}),
        ("report.invalid", {"key": "secret-key", "kind": "hub_rating", "month": str(MONTH), "detail": "x"}),
        ("lease.acquired", {"holder": "host:8"}),
    )

    assert "! The clock and the API's differ. (skew_s 12.5, skew_direction ahead)" in seen
    assert "secret-key" not in seen
    assert "host:8" not in seen


def test_events_before_and_after_the_bar_do_no_harm(terminal: Terminal) -> None:
    progress = ProgressEvents(terminal)
    progress.emit("run.started", month=str(MONTH))
    progress.emit("report.accepted", **REPORT, key="a")

    assert terminal.seen == ""
