"""What has to be reported on: hubs, points and provider groups, and which of them a month is due for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from report_service.domain import parsers, table_schemas
from report_service.domain.descriptors import HUB, POINT, PROVIDER_GROUP
from report_service.domain.field_errors import FieldError, RowError, RowReader, is_absent, shown
from report_service.domain.kinds import KINDS, DeliveryKey, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from report_service.domain.descriptors import Subject
    from report_service.domain.months import ReportMonth
    from report_service.domain.table_schemas import TableSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from `first` to `last`, both inclusive; None is open."""

    first: date | None
    last: date | None

    def touches(self, month: ReportMonth) -> bool:
        """Return True if any day of the month lies within: then a report is due for it."""
        return (self.first is None or self.first <= month.last_day) and (
            self.last is None or self.last >= month.first_day
        )


ALWAYS = Period(first=None, last=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A charging hub; `decommissioned_on` is its last day in operation."""

    hub_id: str
    name: str | None
    operation: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A charging point; `decommissioned_on` is its last day in operation."""

    point_id: str
    hub_id: str | None  # None: the row does not say it readably
    evse_id: str | None
    operation: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderGroup:
    """A provider group that access is granted to; `valid_to` is the last day."""

    provider_group: str
    operation: Period


Entry = TypeVar("Entry", Hub, Point, ProviderGroup)
Rows = Iterable[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything that may be reported on, seen from one month.

    `faults` are for a person to mend. A row whose key can be read is kept in spite of them, and one whose dates
    cannot be read counts as in operation: a report too many is seen, a report too few is not.
    """

    month: ReportMonth
    hubs: Mapping[str, Hub]
    points: Mapping[str, Point]
    provider_groups: Mapping[str, ProviderGroup]
    faults: tuple[RowError, ...]
    unread: Mapping[str, str]  # by name the tables that cannot be read, and why: nothing is known of them

    @classmethod
    def read(
        cls,
        month: ReportMonth,
        *,
        hubs: Rows,
        points: Rows,
        provider_groups: Rows,
        unread: Mapping[str, str] = MappingProxyType({}),
    ) -> Inventory:
        """Read the three tables' raw rows; `unread` says of which there are none to be had, and why."""
        faults: list[RowError] = []
        found = cls(
            month=month,
            hubs=_read(table_schemas.HUBS, hubs, _hub, month, faults),
            points=_read(table_schemas.POINTS, points, _point, month, faults),
            provider_groups=_read(table_schemas.PROVIDER_GROUPS, provider_groups, _provider_group, month, faults),
            faults=(),
            unread=unread,
        )
        return replace(found, faults=(*faults, *found._homeless_points()))

    def subjects(self, kind: Kind) -> tuple[str, ...]:
        """Return what a kind is due for in this month, sorted; ("",) for a kind without subjects."""
        return self.due(kind.subject) if kind.subject else ("",)

    def due(self, about: Subject) -> tuple[str, ...]:
        """Return the hubs, points or provider groups that are in operation on a day of this month, sorted."""
        of: Mapping[Subject, Mapping[str, Hub | Point | ProviderGroup]] = {
            HUB: self.hubs,
            POINT: self.points,
            PROVIDER_GROUP: self.provider_groups,
        }
        return tuple(sorted(key for key, entry in of[about].items() if entry.operation.touches(self.month)))

    def unread_of(self, kind: Kind) -> str | None:
        """Return why it is not known what a kind is due for; None: it is known."""
        of: Mapping[Subject | None, TableSchema] = {
            HUB: table_schemas.HUBS,
            POINT: table_schemas.POINTS,
            PROVIDER_GROUP: table_schemas.PROVIDER_GROUPS,
        }
        return self.unread.get(of[kind.subject].name) if kind.subject else None

    def keys(self) -> Iterator[DeliveryKey]:
        """Yield the key of each report that is due for this month."""
        for kind in KINDS:
            for subject in self.subjects(kind):
                yield DeliveryKey(self.month, kind, subject)

    def hub_of(self, point_id: str) -> str | None:
        """Return the hub of a point; None if the inventory does not say."""
        point = self.points.get(point_id)
        return point.hub_id if point else None

    def missing_hubs(self) -> frozenset[str]:
        """Return the hubs that points in operation are at and the table does not have: they should be due, too."""
        if table_schemas.HUBS.name in self.unread:
            return frozenset()
        at = {self.points[point_id].hub_id for point_id in self.due(POINT)}
        return frozenset(hub_id for hub_id in at if hub_id is not None and hub_id not in self.hubs)

    def points_by_operator(self) -> Counter[str]:
        """Return how many points in operation bear EVSE ids of each operator, `DE*ABC`; others do not count."""
        ids = (self.points[point_id].evse_id for point_id in self.due(POINT))
        operators = (parsers.operator_of(evse_id) for evse_id in ids if evse_id is not None)
        return Counter(operator for operator in operators if operator is not None)

    def _homeless_points(self) -> Iterator[RowError]:
        """Yield a fault for each point that is due while its hub is not: its report stays due."""
        if table_schemas.HUBS.name in self.unread:
            return
        for point_id in self.due(POINT):
            point = self.points[point_id]
            if point.hub_id is None:
                continue  # a fault of its own already
            hub = self.hubs.get(point.hub_id)
            if hub and hub.operation.touches(self.month):
                continue
            rule = f"this hub is not in operation in {self.month}" if hub else "no such hub in the table `hubs`"
            row = f"point_id {point_id}" + (f" ({point.evse_id})" if point.evse_id else "")
            yield RowError(table_schemas.POINTS.name, row, FieldError("hub_id", point.hub_id, rule))


def _read(
    schema: TableSchema,
    rows: Rows,
    make: Callable[[str, RowReader], Entry],
    month: ReportMonth,
    faults: list[RowError],
) -> dict[str, Entry]:
    """Return the rows by their key; of several with one key, one that is due for the month."""
    (key,) = schema.key
    found: dict[str, Entry] = {}
    for number, row in enumerate(rows, start=1):
        reader = RowReader(row)
        subject = reader.required(key, schema.columns[key])
        if isinstance(subject, str):
            entry = make(subject, reader)
            known = found.get(subject)
            if known and schema is not table_schemas.PROVIDER_GROUPS:  # which may be valid in several periods
                reader.refuse(key, "must be there once: it is in several rows")
            if not (known and known.operation.touches(month)):
                found[subject] = entry
        place = f"row {number}" if is_absent(row.get(key)) else f"{key} {shown(row[key])}"
        faults.extend(RowError(schema.name, place, fault) for fault in reader.faults)
    return found


def _hub(hub_id: str, reader: RowReader) -> Hub:
    return Hub(
        hub_id=hub_id,
        name=reader.optional("name", parsers.text),
        operation=_period(reader, "commissioned_on", "decommissioned_on"),
    )


def _point(point_id: str, reader: RowReader) -> Point:
    return Point(
        point_id=point_id,
        hub_id=reader.required("hub_id", parsers.uuid),
        evse_id=reader.optional("evse_id", parsers.evse_id),
        operation=_period(reader, "commissioned_on", "decommissioned_on"),
    )


def _provider_group(provider_group: str, reader: RowReader) -> ProviderGroup:
    operation = _period(reader, "valid_from", "valid_to", open_start=True)
    return ProviderGroup(provider_group=provider_group, operation=operation)


def _period(reader: RowReader, first: str, last: str, *, open_start: bool = False) -> Period:
    known = len(reader.faults)
    period = Period(
        first=(reader.optional if open_start else reader.required)(first, parsers.day),
        last=reader.optional(last, parsers.day),
    )
    if period.first and period.last and period.last < period.first:
        reader.refuse(last, f"must not be before {first} ({period.first})")
    return period if len(reader.faults) == known else ALWAYS
