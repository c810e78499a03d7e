"""Screen a month's figures for what can hardly be meant, while they are read or from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.kinds import KINDS
from report_service.domain.plausibility import Figures, implausible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.plausibility import Implausible
    from report_service.ports import Events, ReportSource

    Rows = Callable[[ReportMonth, Kind], Iterable[Mapping[str, object]]]


class ScreenedSource:
    """A source (`ports.ReportSource`) of whose rows the figures are noted as they pass: none is read twice."""

    def __init__(self, source: ReportSource, figures: Figures) -> None:
        self._source = source
        self._figures = figures
        self.inventory = source.inventory

    def rows(self, kind: Kind, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        """Yield the raw rows of one kind and month as they are read."""
        for row in self._source.rows(kind, month):
            self._figures.add(row)
            yield row


def figures_of(kind: Kind, month: ReportMonth, rows: Rows) -> Figures:
    """Return one kind's figures of a month."""
    figures = Figures(kind, month)
    for row in rows(month, kind):
        figures.add(row)
    return figures


def beside_last_month(figures: Figures, rows: Rows) -> list[Implausible]:
    """Return what is odd about figures, beside those of the month before, of which `rows` has the rows.

    Those are the ledger's: a source's query would take its time once more.
    """
    return list(implausible(figures, figures_of(figures.kind, figures.month.shift(-1), rows)))


def screen(month: ReportMonth, rows: Rows) -> list[Implausible]:
    """Return what is odd about a whole month's figures, beside those of the month before."""
    return [found for kind in KINDS for found in beside_last_month(figures_of(kind, month, rows), rows)]


def alarm(found: Iterable[Implausible], events: Events) -> None:
    """Emit one event a kind and month for what is odd."""
    of_kind: dict[Kind, list[Implausible]] = {}
    for one in found:
        of_kind.setdefault(one.kind, []).append(one)
    for kind, several in of_kind.items():
        events.emit(
            "figures.implausible",
            month=str(several[0].month),
            kind=kind.name,
            detail="; ".join(f"{one.column}: {one.words}" for one in several),
        )
