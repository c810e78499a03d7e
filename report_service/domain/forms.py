"""The tables that an operator fills: their columns, and what form each value must have.

CSV files, the canonical tables and the operator's own queries all have these. The form is what a column can
hold; whether a row can be reported is for `reports` to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain import columns
from report_service.domain.faults import BadValue, Faults, Reading
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


SUBJECTS: Mapping[Kind, tuple[str, Callable[[object], str]]] = {
    Kind.NONDISCRIMINATORY_ACCESS: ("provider_group", columns.provider_group),
    Kind.HUB_RATING: ("hub_id", columns.uuid),
    Kind.AD_HOC_TARIFF: ("hub_id", columns.uuid),
    Kind.POINT_RATING: ("point_id", columns.uuid),
}
"""By kind the column that says what a row is about, and its parser; the hotline needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One table's form. `key` are the columns that name a row; `required` those that cannot be empty."""

    name: str  # of the source, and of the file `<name>.csv`
    columns: Mapping[str, Callable[[object], object]]  # in the order of the design
    key: tuple[str, ...]
    required: frozenset[str]

    @property
    def table(self) -> str:
        """Return the name of the canonical table."""
        return self.name.replace("-", "_")

    def read(self, row: Mapping[str, object]) -> dict[str, object] | Faults:
        """Return the row's values, None where empty, or every reason why it cannot be stored."""
        reading = Reading(row)
        values = {
            column: (reading.required if column in self.required else reading.optional)(column, parse)
            for column, parse in self.columns.items()
        }
        return tuple(reading.faults) or values


def _month(raw: object) -> str:
    return str(columns.month(raw))


def _json_list(raw: object) -> str:
    columns.json_list(raw)
    return columns.text(raw)


def _delivery_key(raw: object) -> str:
    try:
        key = DeliveryKey.parse(columns.text(raw))
    except BadInput as bad:
        raise BadValue(f"must be the key of a report: {bad.hint}") from None
    if key.kind is not Kind.HOTLINE_RATING:
        key = replace(key, subject=SUBJECTS[key.kind][1](key.subject))
    return str(key)


_TARIFF: Mapping[str, Callable[[object], object]] = {
    "cost_ct_per_kwh": columns.plain_number,
    "additional_costs": _json_list,
    "valid_from": columns.instant,
    "valid_to": columns.instant,
}

HUBS = Form(
    name="hubs",
    columns={
        "hub_id": columns.uuid,
        "name": columns.text,
        "commissioned_on": columns.day,
        "decommissioned_on": columns.day,
    },
    key=("hub_id",),
    required=frozenset({"hub_id", "commissioned_on"}),
)
POINTS = Form(
    name="points",
    columns={
        "point_id": columns.uuid,
        "hub_id": columns.uuid,
        "evse_id": columns.evse_id,
        "commissioned_on": columns.day,
        "decommissioned_on": columns.day,
    },
    key=("point_id",),
    required=frozenset({"point_id", "hub_id", "commissioned_on"}),
)
PROVIDER_GROUPS = Form(
    name="provider-groups",
    columns={"provider_group": columns.provider_group, "valid_from": columns.day, "valid_to": columns.day},
    key=("provider_group",),
    required=frozenset({"provider_group"}),
)
INVENTORY_FORMS = (HUBS, POINTS, PROVIDER_GROUPS)

REPORT_FORMS: Mapping[Kind, Form] = {
    Kind.HOTLINE_RATING: Form(
        name="hotline-ratings",
        columns={
            "month": _month,
            "hotline_calls": columns.plain_number,
            "fcr_rate": columns.number,
            "asa_seconds": columns.number,
            "rating": columns.number,
        },
        key=("month",),
        required=frozenset({"month"}),
    ),
    Kind.NONDISCRIMINATORY_ACCESS: Form(
        name="nondiscriminatory-access",
        columns={
            "month": _month,
            "provider_group": columns.provider_group,
            **_TARIFF,
            "contractual_basis": columns.text,
            "reasoning_different_costs": columns.text,
        },
        key=("month", "provider_group"),
        required=frozenset({"month", "provider_group"}),
    ),
    Kind.HUB_RATING: Form(
        name="hub-ratings",
        columns={"month": _month, "hub_id": columns.uuid, "rating": columns.number},
        key=("month", "hub_id"),
        required=frozenset({"month", "hub_id"}),
    ),
    Kind.AD_HOC_TARIFF: Form(
        name="ad-hoc-tariffs",
        columns={"month": _month, "hub_id": columns.uuid, **_TARIFF},
        key=("month", "hub_id"),
        required=frozenset({"month", "hub_id"}),
    ),
    Kind.POINT_RATING: Form(
        name="point-ratings",
        columns={
            "month": _month,
            "point_id": columns.uuid,
            "rating": columns.number,
            "total_complaints": columns.plain_number,
        },
        key=("month", "point_id"),
        required=frozenset({"month", "point_id"}),
    ),
}

WAIVERS = Form(
    name="waivers",
    columns={"key": _delivery_key, "reason": columns.text, "declared_by": columns.text},
    key=("key",),
    required=frozenset({"key", "reason", "declared_by"}),
)

FORMS: Mapping[str, Form] = {form.name: form for form in (*INVENTORY_FORMS, *REPORT_FORMS.values(), WAIVERS)}
"""Every form by its name, in the order in which files are taken in."""
