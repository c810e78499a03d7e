"""A month's status as a person is shown it, in a terminal's colours or as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from report_service.domain.delivery import DONE, OVER, State
from report_service.domain.months import BERLIN
from report_service.services.status import NEXT_STEPS

if TYPE_CHECKING:
    from datetime import datetime
    from typing import TextIO

    from rich.console import RenderableType

    from report_service.domain.kinds import Kind
    from report_service.ports import Standing
    from report_service.services.status import MonthStatus

SHOWN = 40
"""How many outstanding reports are listed; `--all` lists every one."""
WAITING = frozenset({State.PENDING, State.IN_FLIGHT, State.RETRYING})


def console_on(stream: TextIO) -> Console:
    """Return a console; what is no terminal gets plain lines that are never cut."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 160)


def style_of(state: State) -> str:
    """Return the colour of a state: green done, yellow on its way, red needs a person."""
    if state in DONE:
        return "green"
    return "yellow" if state in WAITING else "bold red" if state in OVER else "red"


def month_view(status: MonthStatus, *, limit: int | None = SHOWN) -> RenderableType:
    """Return the whole view: head, kinds against states, what is outstanding, and the verdict."""
    parts: list[RenderableType] = [_head(status), _kinds(status)]
    if status.outstanding:
        parts.append(_outstanding(status, limit))
    return Group(*parts, verdict(status))


def _head(status: MonthStatus) -> Text:
    window = status.window
    text = Text.assemble(("Reports for ", "bold"), (str(status.month), "bold cyan"), f" to {status.endpoint}\n")
    if status.at < window.opens:
        text.append(f"window opens {local(window.opens)}")
    elif status.at >= window.closes:
        text.append(f"window closed {local(window.closes)}", "bold red" if not status.tally.complete else "")
    else:
        left = window.closes - status.at
        text.append(f"window open until {local(window.closes)}, ")
        text.append(f"{left.days} days" if left.days >= 2 else f"{left.total_seconds() / 3600:.0f} hours", "bold")
        text.append(" left")
    if status.outlook is not None:
        late = "" if status.outlook.in_time else ", after the window closes"
        text.append(
            f"; what can be sent is in by {local(status.outlook.done_at)}{late}", "bold red" if late else ""
        )
    return text


def _kinds(status: MonthStatus) -> Table:
    used = [state for state in State if status.tally.count([state])]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("kind")
    table.add_column("due", justify="right")
    for state in used:
        table.add_column(state.value.replace("_", " "), justify="right")
    for kind, states in status.tally.by_kind.items():
        table.add_row(_words(kind), f"{sum(states.values()):,}", *(_count(states.get(s, 0), s) for s in used))
    table.add_section()
    total = [Text(f"{status.tally.count([state]):,}", f"bold {style_of(state)}") for state in used]
    table.add_row(Text("all", "bold"), Text(f"{status.tally.expected:,}", "bold"), *total)
    return table


def _count(count: int, state: State) -> Text:
    return Text(f"{count:,}", style_of(state)) if count else Text("·", "dim")


def _words(kind: Kind) -> str:
    return kind.value.replace("_", " ").replace("ad hoc", "ad-hoc")


def _outstanding(status: MonthStatus, limit: int | None) -> RenderableType:
    shown = status.outstanding[:limit]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), title_justify="left")
    for column in ("outstanding", "state", "why, and what to do"):
        table.add_column(column, overflow="fold")
    for report in shown:
        table.add_row(str(report.key), Text(report.state.value, style_of(report.state)), _why(status, report))
    more = len(status.outstanding) - len(shown)
    note = (
        [Text(f"... and {more:,} more: report-service status --month {status.month} --all", "dim")] if more else []
    )
    return Group(Text(), table, *note)


def _why(status: MonthStatus, report: Standing) -> Text:
    text = Text(status.reason(report))
    step = NEXT_STEPS.get(report.state, "")
    if report.next_attempt_at is not None:
        step = f"tried again {local(report.next_attempt_at)}"
    return text.append(f"\n-> {step.replace('KEY', str(report.key))}", "dim") if step else text


def verdict(status: MonthStatus) -> Text:
    """Return the last line: is the month complete, and if not, what is the matter."""
    tally, done = status.tally, status.tally.count(DONE)
    if tally.complete and not tally.drifted:
        return Text(f"\nComplete: {done:,} of {tally.expected:,} reports are in.", "bold green")
    if not tally.expected:
        return Text(
            "\nNothing is known of this month: no run has planned it yet, or the inventory is empty.", "yellow"
        )
    text = Text(f"\nNot complete: {done:,} of {tally.expected:,} reports are in.", "bold red")
    if tally.complete:
        text = Text(f"\nAll {done:,} reports are in, but not with the figures of today.", "bold yellow")
    on_the_way = tally.count(WAITING)
    if on_the_way:
        text.append(f" {on_the_way:,} are on their way.", "yellow")
    if tally.drifted:
        text.append(f" {tally.drifted:,} changed after they were delivered.", "yellow")
    return text


def local(at: datetime) -> str:
    """Return an instant as Berlin's clocks show it."""
    return f"{at.astimezone(BERLIN):%a %d %b %Y %H:%M}"
