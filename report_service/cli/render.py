"""A month's status as a person is shown it, in a terminal's colours or as plain text."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from report_service.domain.delivery import DONE, OVER, State
from report_service.domain.months import BERLIN
from report_service.domain.wording import agree, counted, share
from report_service.services.overview import duration_s
from report_service.services.status import NEXT_STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import TextIO

    from rich.console import RenderableType

    from report_service.ports import DeliveryStatus, RunRecord
    from report_service.services.overview import MonthGlance
    from report_service.services.status import MonthStatus

KEYS = 5
"""How many keys of one reason are listed; `--all` lists every one."""
REASONS = 8
"""How many reasons of one state are listed, in the same way."""
WAITING = (State.PENDING, State.IN_FLIGHT, State.RETRYING)
"""What needs nobody, as long as the window is open."""
ORDER = (
    State.REJECTED,
    State.INVALID,
    State.AWAITING_DATA,
    State.UNRESOLVED,
    State.MISSED,
    State.ACCEPTED,
    State.ALREADY_REPORTED,
    State.WAIVED,
    State.HANDED_IN,
    *WAITING,
)
"""What is outstanding, most urgent first: what needs a person, then what only needs time."""


def console_on(stream: TextIO) -> Console:
    """Return a console; what is no terminal gets plain lines that are never cut."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 160)


def style_of(state: State) -> str:
    """Return the colour of a state: green done, yellow on its way, red needs a person."""
    if state in DONE:
        return "green"
    return "yellow" if state in WAITING else "bold red" if state in OVER else "red"


def state_text(subject: str, state: State) -> Text:
    """Return the headline of one report: what it is, and its state in the state's colour."""
    return Text.assemble((subject, "bold"), " is ", (_words(state), style_of(state)))


def month_view(status: MonthStatus, *, command: str = "status", everything: bool = False) -> RenderableType:
    """Return the whole view: head, kinds against states, what is outstanding by reason, and the verdict.

    Unless it shows `everything`, it ends with the command that does.
    """
    parts: list[RenderableType] = [_head(status)]
    if status.month_counts.expected:
        parts.append(_kinds(status))
    if status.outstanding:
        parts.append(_outstanding(status, command, everything=everything))
    if status.implausible:
        parts.append(_implausible(status))
    parts.append(verdict(status))
    return Group(*parts)


def _implausible(status: MonthStatus) -> Group:
    """Return the figures that can hardly be meant, though nothing keeps them from being sent."""
    head = Text(f"\nimplausible ({len(status.implausible):,}); sent all the same", "yellow")
    return Group(head, *(Padding.indent(Text(str(one)), 2) for one in status.implausible))


def _head(status: MonthStatus) -> Text:
    window = status.window
    text = Text.assemble(("Reports for ", "bold"), (str(status.month), "bold cyan"), f" to {status.endpoint}\n")
    if status.at < window.opens:
        text.append(f"window opens {local(window.opens)}\n")
    elif status.at >= window.closes:
        text.append(f"window closed {local(window.closes)}\n", "" if status.month_counts.complete else "bold red")
    else:
        left = window.closes - status.at
        text.append(f"window open until {local(window.closes)}, ")
        text.append(f"{left.days} days" if left.days >= 2 else f"{left.total_seconds() / 3600:.0f} hours", "bold")
        text.append(" left\n")
    if status.outlook is not None:
        late = "" if status.outlook.in_time else ", after the window closes"
        style = "bold red" if late else ""
        text.append(f"what can be sent is in by {local(status.outlook.done_at)}{late}\n", style)
    return text


def _kinds(status: MonthStatus) -> Table:
    """Return states against kinds: however many states there are, it fits a terminal of 80 columns."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for kind in status.month_counts.by_kind:
        table.add_column(kind.label.replace(" ", "\n"), justify="right", no_wrap=True)
    table.add_column("\nall", justify="right", no_wrap=True)
    kinds = status.month_counts.by_kind.values()
    table.add_row("due", *(f"{sum(states.values()):,}" for states in kinds), f"{status.month_counts.expected:,}")
    for state in State:
        if total := status.month_counts.count([state]):
            counts = [*(states.get(state, 0) for states in kinds), total]
            table.add_row(
                _words(state), *(f"{count:,}" if count else "·" for count in counts), style=style_of(state)
            )
    return table


def _words(state: State) -> str:
    return state.value.replace("_", " ")


def _outstanding(status: MonthStatus, command: str, *, everything: bool) -> Group:
    """Return what is outstanding, by state and by reason: many alike are one thing to do."""
    by_state: dict[State, dict[str, list[DeliveryStatus]]] = defaultdict(lambda: defaultdict(list))
    for report in status.outstanding:
        by_state[report.state][status.reason(report)].append(report)
    lines: list[RenderableType] = []
    hidden = 0
    for state in sorted(by_state, key=ORDER.index):
        reasons = sorted(by_state[state].items(), key=lambda item: -len(item[1]))
        reports = [report for _, alike in reasons for report in alike]
        name, style = ("changed since delivery", "yellow") if state in DONE else (_words(state), style_of(state))
        lines += [
            Text(f"\n{name} ({len(reports):,})", style),
            Padding.indent(Text(f"-> {_next_step(state, reports)}"), 2),
        ]
        for reason, alike in reasons if everything else reasons[:REASONS]:
            shown = alike if everything else alike[:KEYS]
            hidden += len(alike) - len(shown)
            more = [f"... and {len(alike) - len(shown):,} more"] if len(alike) > len(shown) else []
            keys = Text("\n".join([*(str(report.key) for report in shown), *more]), "dim", no_wrap=True)
            keys.overflow = "ignore"  # a key is copied whole
            lines += [Padding.indent(Text(reason), 2), Padding.indent(keys, 4)]
        if not everything and len(reasons) > REASONS:
            hidden += 1
            lines.append(Padding.indent(Text(f"... and {len(reasons) - REASONS:,} more reasons", "dim"), 2))
    if hidden:
        lines.append(Text(f"\nTo see each: report-service {command} --month {status.month} --all"))
    return Group(*lines)


def _next_step(state: State, reports: Sequence[DeliveryStatus]) -> str:
    """Return what is to be done about reports in a state, or when the service does it."""
    times = [report.next_attempt_at for report in reports if report.next_attempt_at is not None]
    if not times:
        return NEXT_STEPS[State.ACCEPTED if state in DONE else state]
    first, last = local(min(times)), local(max(times))
    return f"tried again {first}" if first == last else f"tried again from {first} to {last}"


def verdict(status: MonthStatus) -> Text:
    """Return the last line: is the month complete, and if not, what is the matter."""
    month_counts, done = status.month_counts, status.month_counts.count(DONE)
    are_in = share(done, month_counts.expected, "report")
    if month_counts.complete and not month_counts.drifted:
        return Text(f"\nComplete: {are_in} in.", "bold green")
    if not month_counts.expected and not month_counts.inventory_doubt:
        return Text(
            "\nNothing is known of this month: no run has planned it yet, or the inventory is empty."
            f"\n  -> report-service run --month {status.month} --dry-run tells which.",
            "yellow",
        )
    text = Text(f"\nNot complete: {are_in} in.", "bold red")
    if month_counts.inventory_doubt:
        text.append(f" The inventory is in doubt: {month_counts.inventory_doubt}.", "red")
        text.append(
            "\n  -> See that hubs, points and provider groups are all there. If so few are right: "
            f"report-service run --month {status.month} --accept-inventory\n "
            if month_counts.expected > 1
            else "\n  -> report-service import hubs.csv points.csv provider-groups.csv\n "
        )
    elif month_counts.complete:
        all_in = f"{agree(done, 'The', 'All')} {counted(done, 'report')} {agree(done, 'is', 'are')} in"
        text = Text(f"\n{all_in}, but not with the figures of today.", "bold yellow")
    waiting = month_counts.count(WAITING)
    blocked = month_counts.expected - done - waiting
    if blocked:
        text.append(f" {blocked:,} {agree(blocked, 'needs', 'need')} a person.", "red")
    if waiting:
        text.append(f" {waiting:,} {agree(waiting, 'is', 'are')} on the way.", "yellow")
    if month_counts.drifted:
        text.append(f" {month_counts.drifted:,} changed after delivery.", "yellow")
    return text


def months_view(months: Sequence[MonthGlance]) -> Table:
    """Return a line a month: it fits 80 columns."""
    table = _plain_table("month", "due", "done", "on the way", "a person", "changed", "")
    for one in months:
        counts, way = one.counts, one.counts.count(WAITING)
        verdict_, style = ("complete", "green") if one.settled else ("not complete", "red")
        if not counts.expected:
            verdict_, style = "nothing known", "dim"
        elif counts.complete and not one.settled:
            verdict_, style = "changed since delivery", "yellow"
        numbers = (counts.expected, one.done, way, counts.expected - one.done - way, counts.drifted)
        table.add_row(
            str(counts.month), *(f"{number:,}" if number else "·" for number in numbers), Text(verdict_, style)
        )
    return table


def runs_view(runs: Sequence[RunRecord]) -> RenderableType:
    """Return a line a run, newest first, and what stopped it below."""
    if not runs:
        return Text("No run is known.", "yellow")
    table = _plain_table("started", "month", "by", "took", "sent", "result", left=("by", "result"))
    for run in runs:
        took = duration_s(run)
        result = Text(run.result or "no end is known", "green" if run.result == "completed" else "red")
        if run.detail:
            result.append(f": {run.detail}", "dim")
        table.add_row(
            local(run.started_at),
            str(run.month),
            run.started_by,
            "" if took is None else f"{took:,.1f} s",
            str(run.summary.get("sent", "")),
            result,
        )
    return table


def _plain_table(*heads: str, left: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        right = 0 < number < len(heads) - 1 and head not in left
        table.add_column(head, justify="right" if right else "left", no_wrap=number < len(heads) - 1)
    return table


def local(at: datetime) -> str:
    """Return an instant as Berlin's clocks show it."""
    return f"{at.astimezone(BERLIN):%a %d %b %Y %H:%M}"
