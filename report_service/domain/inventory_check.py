"""Whether a month's inventory is to be believed: pure.

What was planned for a month leaves what is expected only by a small change, or by a person's word (law 7): a table
that was emptied, a join that lost rows or a source that cannot be read look just like hubs that were closed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.wording import agree, counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from report_service.domain.kinds import Kind

    Sizes = Mapping[Kind, int]

SHRUNK_PERCENT = 10
"""So much less than there was is a small change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRecord:
    """What the ledger keeps of a month's inventory from one plan to the next."""

    largest: int = 0  # the most reports that were due at once; after a person's word, since then
    doubt: str = ""  # why it is not to be believed; empty: it is
    doubted_at: datetime | None = None  # since when
    accepted_by: str = ""  # whose word it is that it is right as small as it was then; empty: nobody's
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryCheck:
    """An inventory's size, and what it is measured by."""

    found: Sizes  # how many reports are due of each kind
    planned: Sizes  # how many are in the ledger, due for this month
    previous: Sizes  # how many were due for the month before
    unread: Sequence[str] = ()  # why tables of it cannot be read
    missing_hubs: int = 0  # that points are at, and the table of hubs does not have

    @property
    def expected(self) -> int:
        """Return how many reports are due, as far as the inventory says."""
        return sum(self.found.values())

    def reference(self, record: InventoryRecord | None) -> int:
        """Return what the size is measured by: what was there before, or what a person found right."""
        if record is not None and record.accepted_by:
            return record.largest
        before = sum(self.planned.values()) if record is None else record.largest
        return max(before, sum(self.previous.values()))

    def judge(self, record: InventoryRecord | None, *, at: datetime) -> InventoryRecord:
        """Return what is to be kept of the inventory from now on."""
        doubt = "; ".join(self.unread) or self._shrunk(record)
        before = record or InventoryRecord(largest=sum(self.planned.values()))
        if doubt:
            since = before.doubted_at if before.doubt else at
            return replace(before, doubt=doubt, doubted_at=since)
        return replace(before, largest=max(before.largest, self.expected), doubt="", doubted_at=None)

    def accept(self, *, by: str, at: datetime) -> InventoryRecord:
        """Return what is to be kept after a person said that the inventory is right.

        What cannot be read is in doubt nonetheless.
        """
        doubt = "; ".join(self.unread)
        return InventoryRecord(
            largest=self.expected,
            doubt=doubt,
            doubted_at=at if doubt else None,
            accepted_by=by,
            accepted_at=at,
        )

    def _shrunk(self, record: InventoryRecord | None) -> str:
        """Return why the inventory is smaller than can be; empty: it is not."""
        reference = self.reference(record)
        if 100 * self.expected < (100 - SHRUNK_PERCENT) * reference:
            are = agree(self.expected, "is", "are")
            return f"{counted(self.expected, 'report')} {are} due, {reference:,} were before"
        if record is not None and record.accepted_by:
            return ""
        emptied = [
            kind.label
            for kind, count in self.found.items()
            if not count and (self.planned.get(kind) or self.previous.get(kind))
        ]
        if emptied:
            return f"no {' and no '.join(emptied)} is due any more"
        if self.missing_hubs:
            return f"points are at {counted(self.missing_hubs, 'hub')} that the table `hubs` does not have"
        if not any(count for kind, count in self.found.items() if kind.subject):
            return "no hub, point or provider group was in operation"
        return ""
