"""What planning a month comes to: pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, NEEDS_A_PERSON, OVER, State
from report_service.domain.inventory_check import InventoryRecord
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.planning import KnownDelivery, PlannedChange, SourceFinding, plan_delivery

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from report_service.domain.months import ReportMonth
    from report_service.domain.plausibility import Implausible

PROBLEMS_KEPT = 50


@dataclass(slots=True, kw_only=True)
class Plan:
    """What planning a month came to."""

    month: ReportMonth
    waived: frozenset[DeliveryKey] = frozenset()
    by_state: Counter[State] = field(default_factory=Counter)  # of the due reports, as they are now
    record: InventoryRecord = field(default_factory=InventoryRecord)  # what is kept of the inventory from now on
    found: int = 0  # due reports, as far as the inventory says
    measured_by: int = 0  # how many there should be, more or less
    unread: bool = False  # tables of the inventory cannot be read
    down: list[str] = field(default_factory=list)  # why tables cannot be read; each is a problem, too
    problems: list[str] = field(default_factory=list)  # what is wrong and belongs to no report; the first few
    problem_count: int = 0
    implausible: list[Implausible] = field(default_factory=list)  # figures that can hardly be meant
    blocked: list[tuple[DeliveryKey, State, str]] = field(default_factory=list)  # the first few, and why

    @property
    def expected(self) -> int:
        """Return how many reports are due, those included that an inventory in doubt leaves out."""
        return self.by_state.total()

    @property
    def doubt(self) -> str:
        """Return why the inventory is not to be believed; empty: it is."""
        return self.record.doubt

    @property
    def complete(self) -> bool:
        """Return True if the month is complete, as `MonthCounts.complete` has it."""
        return (
            self.expected > 0 and sum(self.by_state[state] for state in DONE) == self.expected and not self.doubt
        )

    def note_standing(self, kind: Kind, standing: Mapping[str, KnownDelivery]) -> None:
        """Count how the reports of a kind stand, and keep the first that a person must see to."""
        self.by_state.update(row.state for row in standing.values())
        for subject, row in standing.items():
            lost = row.state in OVER and row.detail
            if (row.state in NEEDS_A_PERSON or lost) and len(self.blocked) < PROBLEMS_KEPT:
                self.blocked.append((DeliveryKey(self.month, kind, subject), row.state, row.detail))

    def note_down(self, why: str) -> None:
        """Keep why a table cannot be read."""
        self.down.append(why)
        self.note(why)

    def note(self, problem: str) -> None:
        """Count a problem, and keep its words if it is among the first."""
        self.problem_count += 1
        if self.problem_count <= PROBLEMS_KEPT:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPlan:
    """The reports of one kind, as they are planned."""

    month: ReportMonth
    kind: Kind
    waived: frozenset[DeliveryKey]
    closed: bool
    standing: dict[str, KnownDelivery]  # by subject, how each due report is from now on

    def changes(
        self, found: Iterable[tuple[str, SourceFinding]], known: Mapping[str, KnownDelivery]
    ) -> list[PlannedChange]:
        """Return what has to be written, given what the source says and what the ledger does."""
        changes = []
        for subject, finding in found:
            waived = DeliveryKey(self.month, self.kind, subject) in self.waived
            change = plan_delivery(subject, known.get(subject), finding, waived=waived, closed=self.closed)
            self.standing[subject] = change.after if change else known[subject]
            if change is not None:
                changes.append(change)
        return changes
