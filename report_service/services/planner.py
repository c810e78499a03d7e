"""Compare what is due with what the ledger says, and write the difference.

Each kind is read as a stream, so that memory does not grow with a month's bodies; only what identifies a
report is held.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.delivery import NEEDS_A_PERSON, OVER, State
from report_service.domain.descriptors import HUB, POINT, PROVIDER_GROUP
from report_service.domain.field_errors import FieldError
from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.domain.planning import KnownDelivery, PlannedChange, SourceFinding, plan_delivery
from report_service.domain.reports import read_report, subject_of
from report_service.errors import NothingDue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from report_service.domain.inventory import Inventory
    from report_service.domain.months import ReportMonth
    from report_service.ports import (
        Clock,
        Events,
        Lease,
        PlanStore,
        Renderer,
        ReportSource,
        StatusQueries,
        WaiverStore,
    )

CHUNK = 500
"""How many rows are written in one transaction."""
PROBLEMS_KEPT = 50
SHRUNK_PERCENT = 10
"""So much less than last month's expected reports is not yet an alarm."""
SEVERAL_ROWS = SourceFinding(reason="the source has several rows for it: leave one", raw="[]")
NO_ROW = SourceFinding(reason="the source has no row for it")


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
    blocked: list[tuple[DeliveryKey, State, str]] = field(default_factory=list)  # the first few, and why

    @property
    def shrunk(self) -> bool:
        """Return True if suspiciously little is due: nothing but the hotline, or a tenth less than last month."""
        return self.empty or 100 * self.expected < (100 - SHRUNK_PERCENT) * self.previous_expected

    def note_standing(self, kind: Kind, standing: Mapping[str, KnownDelivery]) -> None:
        """Count how the reports of a kind stand, and keep the first that a person must see to."""
        self.by_state.update(row.state for row in standing.values())
        for subject, row in standing.items():
            lost = row.state in OVER and row.detail
            if (row.state in NEEDS_A_PERSON or lost) and len(self.blocked) < PROBLEMS_KEPT:
                self.blocked.append((DeliveryKey(self.month, kind, subject), row.state, row.detail))

    def note(self, problem: str) -> None:
        """Count a problem, and keep its words if it is among the first."""
        self.problem_count += 1
        if self.problem_count <= PROBLEMS_KEPT:
            self.problems.append(problem)


def _no_breach(_kind: Kind, _body: bytes) -> str:
    """Forbid nothing: there is no description."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans months of one ledger."""

    plans: PlanStore
    waivers: WaiverStore
    status: StatusQueries
    source: ReportSource
    renderer: Renderer
    clock: Clock
    events: Events
    first_month: ReportMonth | None  # nothing is due before it
    breach: Callable[[Kind, bytes], str] = _no_breach  # why the API's description forbids a body; "": it does not

    def plan(self, month: ReportMonth, *, hold: Callable[[], Lease], closed: bool) -> Plan:
        """Bring the ledger in line with the source, and say what changed; idempotent.

        `hold` returns the lease, renewed if need be: a source may take its time.
        `closed`: the window is over, what is not done is missed. Raises NothingDue, SourceUnavailable,
        StoreUnavailable and LeaseLost; what was written until then is right, the rest is written by the next call.
        """
        plan, inventory = self._begin(month)
        for kind in KINDS:
            known = self.plans.known_deliveries(month, kind)
            for changes in self._changes(plan, kind, inventory, known, closed=closed):
                if changes:
                    self.plans.save_plan(month, kind, changes, at=self.clock.now(), lease=hold())
                    self._announce(month, kind, changes)
            due = set(inventory.subjects(kind))
            undue = [subject for subject, row in known.items() if row.due and subject not in due]
            if undue and not closed:  # a closed month keeps the proof of what it owed
                self.plans.withdraw(month, kind, undue, lease=hold())
        self._alarm(plan)
        return plan

    def preview(self, month: ReportMonth, *, closed: bool) -> Plan:
        """Return what `plan` would come to, writing nothing."""
        plan, inventory = self._begin(month)
        for kind in KINDS:
            known = self.plans.known_deliveries(month, kind)
            for _changes in self._changes(plan, kind, inventory, known, closed=closed):
                pass
        return plan

    def _begin(self, month: ReportMonth) -> tuple[Plan, Inventory]:
        if self.first_month is not None and month < self.first_month:
            raise NothingDue(
                f"nothing is due for {month}: the first month to be reported is {self.first_month}",
                hint="That is schedule.first_month in the configuration.",
            )
        plan = Plan(
            month=month,
            previous_expected=self.status.month_counts(month.shift(-1)).expected,
            waived=frozenset(self.waivers.of(month)),
        )
        inventory = self.source.inventory(month)
        for fault in inventory.faults:
            plan.note(str(fault))
        plan.expected = sum(len(inventory.subjects(kind)) for kind in KINDS)
        plan.empty = not any(inventory.due(about) for about in (HUB, POINT, PROVIDER_GROUP))
        return plan, inventory

    def _changes(
        self, plan: Plan, kind: Kind, inventory: Inventory, known: Mapping[str, KnownDelivery], *, closed: bool
    ) -> Iterator[list[PlannedChange]]:
        """Yield what has to be written for one kind, in chunks; then anew what proved to have several rows."""
        standing: dict[str, KnownDelivery] = {}  # how each report is from now on
        several: set[str] = set()
        chunk: list[PlannedChange] = []

        def decided(subject: str, found: SourceFinding) -> list[PlannedChange]:
            waived = DeliveryKey(plan.month, kind, subject) in plan.waived
            change = plan_delivery(subject, known.get(subject), found, waived=waived, closed=closed)
            standing[subject] = change.after if change else known[subject]
            return [change] if change else []

        for subject, found in self._findings(plan, kind, inventory, known, several):
            chunk += decided(subject, found)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        yield chunk
        if several:
            known = self.plans.known_deliveries(plan.month, kind)
            yield [change for subject in sorted(several) for change in decided(subject, SEVERAL_ROWS)]
        plan.note_standing(kind, standing)

    def _findings(
        self,
        plan: Plan,
        kind: Kind,
        inventory: Inventory,
        known: Mapping[str, KnownDelivery],
        several: set[str],
    ) -> Iterator[tuple[str, SourceFinding]]:
        """Yield what the source says of each due subject; put into `several` what is found to have more rows.

        What had several rows before is held back to the end, so that it is not believed for a moment.
        """
        missing = set(inventory.subjects(kind))
        held = {subject for subject in missing & known.keys() if known[subject].detail == SEVERAL_ROWS.reason}
        seen: dict[str, SourceFinding | None] = {}
        for row in self.source.rows(kind, plan.month):
            subject = subject_of(kind, row)
            if isinstance(subject, FieldError):
                plan.note(f"a row of {kind} cannot be attributed: {subject}")
            elif subject not in missing:
                plan.note(f"a row of {kind} is about {subject}, which is not due for {plan.month}")
            elif subject in held:
                twice = subject in seen
                seen[subject] = SEVERAL_ROWS if twice else self._read(kind, plan.month, row, inventory, subject)
            elif subject in seen:
                several.add(subject)
            else:
                seen[subject] = None
                yield subject, self._read(kind, plan.month, row, inventory, subject)
        for subject in sorted(missing):
            if subject not in seen:
                yield subject, NO_ROW
            elif (found := seen[subject]) is not None:
                yield subject, found

    def _read(
        self, kind: Kind, month: ReportMonth, row: Mapping[str, object], inventory: Inventory, subject: str
    ) -> SourceFinding:
        hub_id = inventory.hub_of(subject) if kind.subject is POINT else None
        report = read_report(kind, month, row, hub_id=hub_id)
        if isinstance(report, tuple):
            return SourceFinding(reason="; ".join(map(str, report)), raw=_raw(row))
        payload = self.renderer.create(report)
        if breach := self.breach(kind, payload.body):
            return SourceFinding(reason=breach, raw=_raw(row))
        return SourceFinding(payload=payload, raw=_raw(row))

    def _announce(self, month: ReportMonth, kind: Kind, changes: list[PlannedChange]) -> None:
        """Say what a person has to see to, when it begins."""
        for change in changes:
            fields = {
                "key": str(DeliveryKey(month, kind, change.subject)),
                "kind": kind.name,
                "month": str(month),
            }
            before, after = change.before, change.after
            if after.drift and not before.drift:
                self.events.emit("report.drifted", **fields)
            elif after.state is State.INVALID:
                self.events.emit("report.invalid", **fields, detail=after.detail)
            elif after.state is State.AWAITING_DATA:
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
