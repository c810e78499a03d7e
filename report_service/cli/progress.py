"""A run on a terminal: a bar that grows with each outcome, and what goes wrong above it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from report_service.domain.delivery import SENDABLE, State
from report_service.events import EVENTS, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.domain.months import ReportMonth
    from report_service.ports import Ledger

SETTLING = {"report.accepted": "in", "report.reconciled": "in already", "report.rejected": "rejected"}
"""The events after which a report is not sent again, as they are counted."""


class ProgressEvents:
    """Takes a run's events and draws them; fulfils `ports.Events`."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on a stream that is a terminal."""
        self._console = Console(file=stream, highlight=False)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._ledger: Ledger | None = None
        self._month: ReportMonth | None = None
        self._counts: dict[str, int] = {}

    @contextmanager
    def showing(self, ledger: Ledger, month: ReportMonth) -> Iterator[None]:
        """Show the bar while a run delivers a month of a ledger."""
        self._ledger, self._month = ledger, month
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as self._progress:
            self._task = self._progress.add_task(f"planning {month}", total=None, counts="")
            yield

    def emit(self, event: str, /, **fields: object) -> None:
        """Draw one event."""
        if event.startswith("report.") and "attempt" in fields:
            self._count(event)
        elif EVENTS[event].level in {Level.WARNING, Level.ERROR, Level.CRITICAL} and not event.startswith(
            ("report.", "data.", "run.", "source.")  # the summary tells of these
        ):
            words = ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
            self._console.print(f"! {event}: {words}", style="yellow", markup=False)

    def bind(self, **_fields: object) -> ProgressEvents:
        """Return itself: a terminal shows one run."""
        return self

    def _count(self, event: str) -> None:
        if self._progress is None or self._task is None or self._ledger is None or self._month is None:
            return
        if not self._counts:
            tally = self._ledger.tally(self._month)
            total = tally.count(SENDABLE | {State.IN_FLIGHT}) + 1
            self._progress.update(self._task, description=f"delivering {self._month}", total=total)
        word = SETTLING.get(event, "put off")
        self._counts[word] = self._counts.get(word, 0) + 1
        counts = ", ".join(f"{count:,} {word}" for word, count in self._counts.items())
        self._progress.update(self._task, advance=event in SETTLING, counts=counts)
