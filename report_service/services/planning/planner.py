"""Compare what is due with what the ledger says, and write the difference.

Each kind is planned by itself: what goes wrong with one costs the others nothing. Nothing is ever deleted, and
nothing is taken out of what is expected while the inventory is in doubt (law 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.inventory_check import InventoryCheck
from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.domain.month_plan import KindPlan, Plan
from report_service.domain.plausibility import Figures
from report_service.errors import NothingDue
from report_service.services.planning.findings import SEVERAL_ROWS, Findings
from report_service.services.planning.screening import ScreenedSource, alarm, beside_last_month

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.inventory import Inventory
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import PlannedChange
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

    Save = Callable[[Kind, list[PlannedChange]], None]

CHUNK = 500
"""How many rows are written in one transaction."""


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
    breach: Callable[[Kind, bytes], str]  # why the API's description forbids a body; "": it does not

    def plan(self, month: ReportMonth, *, lease: Callable[[], Lease], closed: bool, accepted_by: str = "") -> Plan:
        """Bring the ledger in line with the source, and say what changed; idempotent.

        `lease` returns the lease to write under. `closed`: the window is over, what is not done is missed.
        `accepted_by` says that the inventory is right as it is. Raises NothingDue, StoreUnavailable and LeaseLost;
        what was written until then is right, the rest is written by the next call.
        """
        plan, inventory = self._begin(month, accepted_by)
        if plan.record != self.plans.inventory_record(month):
            self.plans.keep_inventory_record(month, plan.record, lease=lease())
        if accepted_by:
            self.events.emit(
                "inventory.accepted", month=str(month), expected=plan.found, detail=f"by {accepted_by}"
            )

        def save(kind: Kind, changes: list[PlannedChange]) -> None:
            if not changes:
                return
            self.plans.save_plan(month, kind, changes, at=self.clock.now(), lease=lease())
            self._announce(month, kind, changes)

        for kind in KINDS:
            undue = self._plan_kind(plan, inventory, kind, closed=closed, save=save)
            if undue:
                self.plans.withdraw(month, kind, sorted(undue), lease=lease())
        self._alarm(plan)
        return plan

    def preview(self, month: ReportMonth, *, closed: bool) -> Plan:
        """Return what `plan` would come to, writing nothing."""
        plan, inventory = self._begin(month)
        for kind in KINDS:
            self._plan_kind(plan, inventory, kind, closed=closed, save=lambda _kind, _changes: None)
        return plan

    def _begin(self, month: ReportMonth, accepted_by: str = "") -> tuple[Plan, Inventory]:
        """Read what is due, and judge whether that can be."""
        if self.first_month is not None and month < self.first_month:
            raise NothingDue(
                f"nothing is due for {month}: the first month to be reported is {self.first_month}",
                hint="That is schedule.first_month in the configuration.",
            )
        inventory, at = self.source.inventory(month), self.clock.now()
        check, record = self._check(inventory), self.plans.inventory_record(month)
        plan = Plan(
            month=month,
            waived=frozenset(self.waivers.of(month)),
            record=check.accept(by=accepted_by, at=at) if accepted_by else check.judge(record, at=at),
            found=check.expected,
            measured_by=check.reference(record),
            unread=bool(inventory.unread),
        )
        for why in inventory.unread.values():
            plan.note_down(why)
        for fault in (*inventory.faults, *self.waivers.faults(month)):
            plan.note(str(fault))
        return plan, inventory

    def _check(self, inventory: Inventory) -> InventoryCheck:
        """Return the inventory's size beside what is known; what cannot be read counts as it was."""
        planned = self.status.month_counts(inventory.month).due_by_kind
        return InventoryCheck(
            found={
                kind: planned[kind] if inventory.unread_of(kind) else len(inventory.subjects(kind))
                for kind in KINDS
            },
            planned=planned,
            previous=self.status.month_counts(inventory.month.shift(-1)).due_by_kind,
            unread=tuple(inventory.unread.values()),
            missing_hubs=len(inventory.missing_hubs()),
        )

    def _plan_kind(self, plan: Plan, inventory: Inventory, kind: Kind, *, closed: bool, save: Save) -> set[str]:
        """Plan the reports of one kind; return what is no longer due and may leave what is expected.

        A closed month keeps the proof of what it owed, and an inventory in doubt takes nothing away.
        """
        known = self.plans.known_deliveries(plan.month, kind)
        due = set(inventory.subjects(kind))
        gone = {subject for subject, row in known.items() if row.due} - due
        kept = gone if closed or plan.doubt else set[str]()
        made = KindPlan(
            month=plan.month,
            kind=kind,
            waived=plan.waived,
            closed=closed,
            standing={subject: known[subject] for subject in kept},
        )
        if inventory.unread_of(kind) is None:
            figures = Figures(kind, plan.month)
            findings = Findings(
                source=ScreenedSource(self.source, figures),
                renderer=self.renderer,
                inventory=inventory,
                kind=kind,
                breach=self.breach,
                note=plan.note,
                note_down=plan.note_down,
            )
            held = {subject for subject in due & known.keys() if known[subject].detail == SEVERAL_ROWS.reason}
            stream = findings.of(due, held=held, kept=kept)
            while chunk := list(islice(stream, CHUNK)):
                save(kind, made.changes(chunk, known))
            if findings.several:
                again = [(subject, SEVERAL_ROWS) for subject in sorted(findings.several)]
                save(kind, made.changes(again, self.plans.known_deliveries(plan.month, kind)))
            plan.implausible += beside_last_month(figures, self.plans.planned_rows)
        plan.note_standing(kind, made.standing)
        return gone - kept

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
            elif after.state is State.AWAITING_DATA and not change.found.unread:  # which is said of the source
                self.events.emit("data.missing", **fields)
            elif after.state in {State.MISSED, State.UNRESOLVED} and before.state is not after.state:
                self.events.emit("report.missed", **fields, state=after.state.value)

    def _alarm(self, plan: Plan) -> None:
        for problem in plan.problems:
            self.events.emit("source.faulty", month=str(plan.month), detail=problem)
        if plan.doubt and not plan.unread:
            self.events.emit(
                "inventory.shrunk",
                month=str(plan.month),
                expected=plan.found,
                previous_expected=plan.measured_by,
                detail=plan.doubt,
            )
        alarm(plan.implausible, self.events)
