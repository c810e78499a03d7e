"""Compare what is due with what the ledger says, and write the difference.

Each kind is read as a stream, so that memory does not grow with a month's bodies; only what identifies a
report is held.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.faults import Fault
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.planning import Change, Found, Planned, decide
from report_service.domain.reports import read_report, subject_of
from report_service.errors import NothingDue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from report_service.domain.inventory import Inventory
    from report_service.domain.months import ReportMonth
    from report_service.ports import Clock, Events, Lease, Ledger, Renderer, ReportSource

CHUNK = 500
"""How many rows are written in one transaction."""
PROBLEMS_KEPT = 50
SHRUNK_BELOW = 0.9
"""Less than this share of last month's expected reports is an alarm."""
SEVERAL_ROWS = "the source has several rows for it: leave one"
NO_ROW = "the source has no row for it"


@dataclass(slots=True, kw_only=True)
class Plan:
    """What planning a month came to."""

    month: ReportMonth
    waived: frozenset[DeliveryKey] = frozenset()
    expected: int = 0
    by_state: Counter[State] = field(default_factory=Counter)  # of the due reports, as they are now
    previous_expected: int = 0  # last month's; 0: the ledger has none
    empty: bool = False  # the inventory has no hub, no point and no provider group
    problems: list[str] = field(default_factory=list)  # what is wrong and belongs to no report; the first few
    problem_count: int = 0
    blocked: list[tuple[DeliveryKey, State, str]] = field(default_factory=list)  # the first few that need a person

    @property
    def shrunk(self) -> bool:
        """Say whether suspiciously little is due: nothing but the hotline, or a tenth less than last month."""
        return self.empty or self.expected < SHRUNK_BELOW * self.previous_expected

    def note(self, problem: str) -> None:
        """Count a problem, and keep its words if it is among the first."""
        self.problem_count += 1
        if self.problem_count <= PROBLEMS_KEPT:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans months of one ledger."""

    ledger: Ledger
    source: ReportSource
    renderer: Renderer
    clock: Clock
    events: Events
    first_month: ReportMonth | None  # nothing is due before it

    def plan(self, month: ReportMonth, *, lease: Lease, closed: bool) -> Plan:
        """Bring the ledger in line with the source, and say what changed; idempotent.

        `closed`: the window is over, what is not done is missed. Raises NothingDue, SourceUnavailable,
        StoreUnavailable and LeaseLost; what was written until then is right, the rest is written by the next call.
        """
        plan, inventory = self._begin(month)
        for kind in Kind:
            known = self.ledger.planned(month, kind)
            for changes in self._changes(plan, kind, inventory, known, closed=closed):
                self.ledger.save_plan(month, kind, changes, at=self.clock.now(), lease=lease)
                self._announce(month, kind, changes)
            due = set(inventory.subjects(kind))
            undue = [subject for subject, row in known.items() if row.due and subject not in due]
            if undue:
                self.ledger.drop_undue(month, kind, undue, lease=lease)
        self._alarm(plan)
        return plan

    def preview(self, month: ReportMonth, *, closed: bool) -> Plan:
        """Return what `plan` would come to, writing nothing."""
        plan, inventory = self._begin(month)
        for kind in Kind:
            known = self.ledger.planned(month, kind)
            for changes in self._changes(plan, kind, inventory, known, closed=closed):
                for change in changes:
                    if change.found.rendered is None and len(plan.blocked) < PROBLEMS_KEPT:
                        key = DeliveryKey(month, kind, change.subject)
                        plan.blocked.append((key, change.after.state, change.after.detail))
        return plan

    def _begin(self, month: ReportMonth) -> tuple[Plan, Inventory]:
        if self.first_month is not None and month < self.first_month:
            raise NothingDue(
                f"nothing is due for {month}: the first month to be reported is {self.first_month}",
                hint="That is schedule.first_month in the configuration.",
            )
        plan = Plan(
            month=month,
            previous_expected=self.ledger.tally(month.shift(-1)).expected,
            waived=frozenset(self.ledger.waivers(month)),
        )
        inventory = self.source.inventory(month)
        for fault in inventory.faults:
            plan.note(str(fault))
        plan.expected = sum(len(inventory.subjects(kind)) for kind in Kind)
        plan.empty = plan.expected == len(inventory.subjects(Kind.HOTLINE_RATING))
        return plan, inventory

    def _changes(
        self, plan: Plan, kind: Kind, inventory: Inventory, known: Mapping[str, Planned], *, closed: bool
    ) -> Iterator[list[Change]]:
        """Yield what has to be written for one kind, in chunks; then, anew, what has several rows."""
        states: dict[str, State] = {}
        several: set[str] = set()
        chunk: list[Change] = []
        for subject, found in self._findings(plan, kind, inventory, several):
            change = self._decide(plan, kind, subject, known.get(subject), found, closed=closed)
            states[subject] = change.after.state if change else known[subject].state
            if change is not None:
                chunk.append(change)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        yield chunk
        if several:
            written = self.ledger.planned(plan.month, kind)
            again = Found(reason=SEVERAL_ROWS, raw="[]")
            changes = [
                self._decide(plan, kind, subject, written.get(subject), again, closed=closed)
                for subject in sorted(several)
            ]
            yield [change for change in changes if change is not None]
            states |= {change.subject: change.after.state for change in changes if change is not None}
        plan.by_state.update(states.values())

    def _decide(
        self, plan: Plan, kind: Kind, subject: str, before: Planned | None, found: Found, *, closed: bool
    ) -> Change | None:
        waived = DeliveryKey(plan.month, kind, subject) in plan.waived
        return decide(subject, before, found, waived=waived, closed=closed)

    def _findings(
        self, plan: Plan, kind: Kind, inventory: Inventory, several: set[str]
    ) -> Iterator[tuple[str, Found]]:
        """Yield what the source says of each due subject; note in `several` those with more than one row."""
        missing = set(inventory.subjects(kind))
        seen: set[str] = set()
        for row in self.source.rows(kind, plan.month):
            subject = subject_of(kind, row)
            if isinstance(subject, Fault):
                plan.note(f"a row of {kind} cannot be attributed: {subject}")
            elif subject in missing:
                missing.remove(subject)
                seen.add(subject)
                yield subject, self._read(kind, plan.month, row, inventory, subject)
            elif subject in seen:
                several.add(subject)
            else:
                plan.note(f"a row of {kind} is about {subject}, which is not due for {plan.month}")
        for subject in sorted(missing):
            yield subject, Found(reason=NO_ROW)

    def _read(
        self, kind: Kind, month: ReportMonth, row: Mapping[str, object], inventory: Inventory, subject: str
    ) -> Found:
        hub_id = inventory.hub_of(subject) if kind is Kind.POINT_RATING else None
        report = read_report(kind, month, row, hub_id=hub_id)
        if isinstance(report, tuple):
            return Found(reason="; ".join(map(str, report)), raw=_raw(row))
        return Found(rendered=self.renderer.create(report), raw=_raw(row))

    def _announce(self, month: ReportMonth, kind: Kind, changes: list[Change]) -> None:
        """Say what a person has to see to, when it begins."""
        for change in changes:
            fields = {
                "key": str(DeliveryKey(month, kind, change.subject)),
                "kind": kind.value,
                "month": str(month),
            }
            before, after = change.before, change.after
            if after.drift and not before.drift:
                self.events.emit("report.drifted", **fields)
            elif after.state is State.INVALID:
                self.events.emit("report.invalid", **fields, detail=after.detail)
            elif after.state is State.AWAITING_DATA and (before.row is None or before.state is not after.state):
                self.events.emit("data.missing", **fields)
            elif after.state in {State.MISSED, State.UNRESOLVED} and before.state is not after.state:
                self.events.emit("report.missed", **fields, state=after.state.value)

    def _alarm(self, plan: Plan) -> None:
        for problem in plan.problems:
            self.events.emit("source.faulty", month=str(plan.month), detail=problem)
        if plan.shrunk:
            self.events.emit(
                "inventory.shrunk",
                month=str(plan.month),
                expected=plan.expected,
                previous_expected=plan.previous_expected,
            )


def _raw(row: Mapping[str, object]) -> str:
    """Return a row's own values, as the ledger keeps them."""
    return json.dumps(dict(row), default=str, ensure_ascii=False)
