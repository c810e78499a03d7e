"""What the source says of each due report of one kind, row by row.

Rows are read as a stream, so that memory does not grow with a month's bodies; only what identifies a report is
held. Whatever a row does stays with its report, whatever the source does with its kind (law 8).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.descriptors import POINT
from report_service.domain.field_errors import FieldError
from report_service.domain.planning import SourceFinding
from report_service.domain.reports import read_report, subject_of
from report_service.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from report_service.domain.inventory import Inventory
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.ports import Renderer, ReportSource

SEVERAL_ROWS = SourceFinding(reason="the source has several rows for it: leave one", raw="[]")
NO_ROW = SourceFinding(reason="the source has no row for it")


@dataclass(slots=True, kw_only=True)
class Findings:
    """One reading of the rows of a kind and month."""

    source: ReportSource
    renderer: Renderer
    inventory: Inventory
    kind: Kind
    breach: Callable[[Kind, bytes], str]  # why the API's description forbids a body; "": it does not
    note: Callable[[str], None]  # is told what is wrong with a row and belongs to no report
    note_down: Callable[[str], None]  # is told why the source cannot be read
    several: set[str] = field(default_factory=set)  # what proved to have more rows after it was yielded

    @property
    def month(self) -> ReportMonth:
        """Return the month that is read."""
        return self.inventory.month

    def of(
        self, due: AbstractSet[str], *, held: AbstractSet[str], kept: AbstractSet[str]
    ) -> Iterator[tuple[str, SourceFinding]]:
        """Yield what the source says of each due subject; put into `several` what is found to have more rows.

        `held` had several rows before: it waits for the end, so that it is not believed for a moment. `kept` is
        what is due in spite of the inventory: nothing is wrong with rows about it.
        """
        seen: dict[str, SourceFinding | None] = {}
        absent = NO_ROW
        try:
            for row in self.source.rows(self.kind, self.month):
                subject = self._subject(row, due | kept)
                if subject is None or subject in kept:
                    continue
                if subject in held:
                    seen[subject] = SEVERAL_ROWS if subject in seen else self._read(row, subject)
                elif subject in seen:
                    self.several.add(subject)
                else:
                    seen[subject] = None
                    yield subject, self._read(row, subject)
        except SourceUnavailable as exc:
            self.note_down(str(exc) if exc.hint is None else f"{exc}. {exc.hint}")
            absent = SourceFinding(reason=str(exc), unread=True)
            seen = {subject: found and absent for subject, found in seen.items()}
        for subject in sorted(due):
            found = seen.get(subject, absent)
            if found is not None:
                yield subject, found

    def _subject(self, row: Mapping[str, object], known: AbstractSet[str]) -> str | None:
        """Return what a row is about; note what is wrong if nothing is."""
        subject = subject_of(self.kind, row)
        if isinstance(subject, FieldError):
            self.note(f"a row of {self.kind} cannot be attributed: {subject}")
            return None
        if subject not in known:
            self.note(f"a row of {self.kind} is about {subject}, which is not due for {self.month}")
            return None
        return subject

    def _read(self, row: Mapping[str, object], subject: str) -> SourceFinding:
        hub_id = self.inventory.hub_of(subject) if self.kind.subject is POINT else None
        raw = as_kept(row)
        try:
            report = read_report(self.kind, self.month, row, hub_id=hub_id)
            if isinstance(report, tuple):
                return SourceFinding(reason="; ".join(map(str, report)), raw=raw)
            payload = self.renderer.create(report)
            if breach := self.breach(self.kind, payload.body):
                return SourceFinding(reason=breach, raw=raw)
            return SourceFinding(payload=payload, raw=raw)
        except Exception as odd:  # noqa: BLE001 - whatever it is, the other reports go out
            return SourceFinding(reason=f"the row cannot be read: {type(odd).__name__}: {odd}", raw=raw)


def as_kept(row: Mapping[str, object]) -> str:
    """Return a row's own values as the ledger keeps them: JSON, which any database takes."""
    return json.dumps(dict(row), default=str, ensure_ascii=False).encode(errors="backslashreplace").decode()
