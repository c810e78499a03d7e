"""The tables that an operator fills: their columns, and what form each value must have.

CSV files, the canonical tables and the operator's own queries all have these. The form is what a column can
hold; whether a row can be reported is for `reports` to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from sys import intern
from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.field_errors import FieldErrors, InvalidValue, RowReader
from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_LOCAL = (parsers.number, parsers.share, parsers.valid_from, parsers.valid_to)

CONFLICT = "conflict"
"""Beside the columns of a canonical table of figures: why none of a file's several rows for it can be right."""

INFORMATION_COLUMNS = ("hub_name", "evse_id")
"""What may stand beside the ids in a file of figures, so that people know what they fill in: it is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table's form.

    `key` are the columns that name a row; `required` those that cannot be empty; `omissible` those that a file or
    a query may do without, as if each of their cells were empty.
    """

    name: str  # of the source, and of the file `<name>.csv`
    columns: Mapping[str, Callable[[object], object]]  # in the order of the design
    key: tuple[str, ...]
    required: frozenset[str]
    omissible: frozenset[str] = frozenset()

    @property
    def table(self) -> str:
        """Return the name of the canonical table."""
        return self.name.replace("-", "_")

    @property
    def needed(self) -> tuple[str, ...]:
        """Return the columns that a file or a query must have."""
        return tuple(column for column in self.columns if column not in self.omissible)

    @property
    def local_columns(self) -> tuple[str, ...]:
        """Return the columns whose values mean what the conventions of their place say (`written`)."""
        return tuple(column for column, parse in self.columns.items() if parse in _LOCAL)

    def read(self, row: Mapping[str, object]) -> dict[str, object] | FieldErrors:
        """Return the row's values, None where empty, or every reason why it cannot be stored."""
        reader = RowReader(row)
        values = {
            column: (reader.required if column in self.required else reader.optional)(column, parse)
            for column, parse in self.columns.items()
        }
        return tuple(reader.faults) or values


def _month(raw: object) -> str:
    return intern(str(parsers.month(raw)))  # one string for the many rows of a month


def _delivery_key(raw: object) -> str:
    try:
        key = DeliveryKey.parse(parsers.text(raw))
    except BadInput as bad:
        raise InvalidValue(f"must be the key of a report: {bad.hint}") from None
    if key.kind.subject:
        key = replace(key, subject=key.kind.subject.parse(key.subject))
    return str(key)


HUBS = TableSchema(
    name="hubs",
    columns={
        "hub_id": parsers.uuid,
        "name": parsers.text,
        "commissioned_on": parsers.day,
        "decommissioned_on": parsers.day,
    },
    key=("hub_id",),
    required=frozenset({"hub_id", "commissioned_on"}),
)
POINTS = TableSchema(
    name="points",
    columns={
        "point_id": parsers.uuid,
        "hub_id": parsers.uuid,
        "evse_id": parsers.evse_id,
        "commissioned_on": parsers.day,
        "decommissioned_on": parsers.day,
    },
    key=("point_id",),
    required=frozenset({"point_id", "hub_id", "commissioned_on"}),
)
PROVIDER_GROUPS = TableSchema(
    name="provider-groups",
    columns={"provider_group": parsers.provider_group, "valid_from": parsers.day, "valid_to": parsers.day},
    key=("provider_group",),
    required=frozenset({"provider_group"}),
)
INVENTORY_SCHEMAS = (HUBS, POINTS, PROVIDER_GROUPS)


def _of_reports(kind: Kind) -> TableSchema:
    """Return the form of a kind's source table: month, subject, figures."""
    key = {"month": _month, **({kind.subject.column: kind.subject.parse} if kind.subject else {})}
    return TableSchema(
        name=kind.source,
        columns={**key, **{column.name: column.stored for column in kind.columns}},
        key=tuple(key),
        required=frozenset(key),
        omissible=frozenset(column.name for column in kind.columns if column.omissible),
    )


REPORT_SCHEMAS: Mapping[Kind, TableSchema] = {kind: _of_reports(kind) for kind in KINDS}

WAIVERS = TableSchema(
    name="waivers",
    columns={"key": _delivery_key, "reason": parsers.text, "declared_by": parsers.text},
    key=("key",),
    required=frozenset({"key", "reason", "declared_by"}),
)

TABLE_SCHEMAS: Mapping[str, TableSchema] = {
    schema.name: schema for schema in (*INVENTORY_SCHEMAS, *REPORT_SCHEMAS.values(), WAIVERS)
}
"""Every form by its name, in the order in which files are taken in."""
