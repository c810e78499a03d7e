"""The forms to fill in: a row for each report that awaits data, with what identifies it, without figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.descriptors import HUB, POINT
from report_service.domain.forms import Form
from report_service.domain.kinds import KINDS
from report_service.domain.reports import subject_of
from report_service.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from report_service.domain.inventory import Inventory
    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth
    from report_service.ports import ReportSource


def forms_for(
    source: ReportSource, month: ReportMonth, *, waived: Collection[DeliveryKey], everything: bool
) -> Iterator[Form]:
    """Yield a form for each kind that has reports without a row, or with `everything` for each that is due.

    Raise SourceUnavailable, StoreUnavailable.
    """
    inventory = source.inventory(month)
    if inventory.unread:
        raise SourceUnavailable("; ".join(inventory.unread.values()))
    for kind in KINDS:
        there: set[object] = set()
        if not everything:
            there = {subject_of(kind, row) for row in source.rows(kind, month)}
            there |= {key.subject for key in waived if key.kind is kind}
        subjects = [subject for subject in inventory.subjects(kind) if subject not in there]
        if subjects:
            rows = [(str(month), *_identity(kind, subject, inventory)) for subject in subjects]
            yield Form(
                kind=kind, given=("month", *_identifying(kind)), rows=sorted(rows, key=lambda row: row[::-1])
            )


def _identifying(kind: Kind) -> tuple[str, ...]:
    if kind.subject is None:
        return ()
    return (kind.subject.column, *{HUB: ("hub_name",), POINT: ("evse_id", "hub_name")}.get(kind.subject, ()))


def _identity(kind: Kind, subject: str, inventory: Inventory) -> tuple[str, ...]:
    """Return a subject's id, and the names by which people know it."""
    if kind.subject is None:
        return ()
    if kind.subject is POINT:
        point = inventory.points[subject]
        return (subject, point.evse_id or "", _hub_name(point.hub_id, inventory))
    return (subject, _hub_name(subject, inventory)) if kind.subject is HUB else (subject,)


def _hub_name(hub_id: str | None, inventory: Inventory) -> str:
    hub = inventory.hubs.get(hub_id or "")
    return hub.name or "" if hub else ""
