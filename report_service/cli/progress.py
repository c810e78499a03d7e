"""A run on a terminal: a bar that grows with each outcome, and what goes wrong above it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from report_service.domain.delivery import ON_THE_WAY
from report_service.domain.months import BERLIN, ReportMonth
from report_service.events import EVENTS, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.ports import Ledger

SETTLING = {"report.accepted": "in", "report.reconciled": "in already", "report.rejected": "rejected"}
"""The events after which a report is not sent again, as they are counted."""
SUMMED_UP = ("report.", "data.", "run.", "source.", "window.", "inventory.", "forecast.", "auth.")
"""What the view of the month tells better, when the run has ended."""


class ProgressEvents:
    """Takes a run's events and draws them; fulfils `ports.Events`."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on a stream that is a terminal."""
        self._console = Console(file=stream, highlight=False)
        self._bar: tuple[Progress, TaskID] | None = None
        self._ledger: Ledger | None = None
        self._month = ""
        self._counts: dict[str, int] = {}
        self._again: dict[object, datetime] = {}  # when each report that was put off is tried again, by key

    @contextmanager
    def showing(self, ledger: Ledger) -> Iterator[None]:
        """Show a bar while runs deliver months of a ledger; what is printed meanwhile appears above it."""
        self._ledger = ledger
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._bar = progress, progress.add_task("", total=None, told="")
            try:
                yield
            finally:
                self._bar = None

    def emit(self, event: str, /, **fields: object) -> None:
        """Draw one event."""
        if event == "run.started":
            self._begin(str(fields["month"]))
        elif event == "lease.waiting":
            self._describe(f"waiting for {fields['holder']}, which delivers")
        elif event.startswith("report.") and "attempt" in fields:
            self._count(event, fields)
        elif EVENTS[event].level in {Level.WARNING, Level.ERROR, Level.CRITICAL}:
            self._warn(event, fields)

    def bind(self, **_fields: object) -> ProgressEvents:
        """Return itself: a terminal shows one run."""
        return self

    def _begin(self, month: str) -> None:
        """Say what is known before anything is sent: an earlier run may have put everything off."""
        self._month, self._counts, self._again = month, {}, {}
        waits = self._ledger and self._ledger.attempts.next_attempt(ReportMonth.parse(month))
        self._describe(f"planning {month}", told=_next_try(waits) if waits else "")

    def _count(self, event: str, fields: dict[str, object]) -> None:
        if not self._counts and self._ledger is not None:
            month_counts = self._ledger.status.month_counts(ReportMonth.parse(self._month))
            due = month_counts.count(ON_THE_WAY)
            self._describe(f"delivering {self._month}", total=due + 1)  # what is told now is recorded already
        word = SETTLING.get(event, "put off")
        self._counts[word] = self._counts.get(word, 0) + 1
        self._again.pop(fields["key"], None)
        if isinstance(unix := fields.get("next_attempt_unix"), int):
            self._again[fields["key"]] = datetime.fromtimestamp(unix, UTC)
        told = [f"{count:,} {word}" for word, count in self._counts.items()]
        told += [_next_try(min(self._again.values()))] if self._again else []
        self._describe(told=", ".join(told), advance=event in SETTLING)

    def _describe(
        self, description: str | None = None, *, total: int | None = None, told: str = "", advance: bool = False
    ) -> None:
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, description=description, total=total, advance=advance, told=told)

    def _warn(self, event: str, fields: dict[str, object]) -> None:
        if not event.startswith(SUMMED_UP):
            words = ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
            said = f"! {EVENTS[event].meaning} ({words})"
            self._console.print(said, style="yellow", markup=False)


def _next_try(at: datetime) -> str:
    return f"next try {at.astimezone(BERLIN):%H:%M:%S}"
