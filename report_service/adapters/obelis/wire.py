"""Reports as the API takes them: paths, and bodies of compact UTF-8 JSON.

The same figures always make the same bytes, so that their hash tells whether a row has changed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Literal

from report_service.domain.kinds import Kind
from report_service.domain.parsers import grade
from report_service.domain.planning import Payload
from report_service.domain.reports import (
    AdHocTariff,
    HotlineRating,
    HubRating,
    NondiscriminatoryAccess,
    PointRating,
)
from report_service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from report_service.domain.kinds import DeliveryKey
    from report_service.domain.reports import Report
    from report_service.domain.routes import Routes

DatetimeFormat = Literal["seconds", "milliseconds", "microseconds", "0.9"]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_SAID_BY_THE_PATH: Mapping[Kind, frozenset[str]] = {
    Kind.HOTLINE_RATING: frozenset(),
    Kind.NONDISCRIMINATORY_ACCESS: frozenset({"month", "providerGroup"}),
    Kind.HUB_RATING: frozenset({"month"}),
    Kind.AD_HOC_TARIFF: frozenset({"month"}),
    Kind.POINT_RATING: frozenset({"month"}),
}
"""What a correction's body leaves out [0.9]."""


class Wire:
    """Renders reports for one API: its paths, and how it wants its date-times."""

    def __init__(self, routes: Routes, datetime_format: DatetimeFormat = "milliseconds") -> None:
        """Take the path templates, and the form of date-times, which are cut to its fraction [G: milliseconds]."""
        self._routes = routes
        self._datetime_format = datetime_format

    def create(self, report: Report) -> Payload:
        """Return what creates a report (POST)."""
        month = report.month.wire()
        values = {"month": month}
        body: dict[str, object] = {"month": month}
        match report:
            case PointRating():
                values |= {"hub_id": report.hub_id, "point_id": report.point_id}
                body |= {"rating": grade(report.rating), "totalComplaints": report.total_complaints}
            case HubRating():
                values["hub_id"] = report.hub_id
                body["rating"] = grade(report.rating)
            case AdHocTariff():
                values["hub_id"] = report.hub_id
                body |= self._price(report)
            case NondiscriminatoryAccess():
                values["provider_group"] = report.provider_group
                body |= {"providerGroup": report.provider_group, **self._price(report)}
                body["contractualBasis"] = report.contractual_basis
                if report.reasoning_different_costs is not None:
                    body["reasoningDifferentCosts"] = report.reasoning_different_costs
            case HotlineRating():
                body |= {
                    "hotlineCalls": report.hotline_calls,
                    "fcrRate": float(abs(report.fcr_rate)),  # abs: no "-0.0"
                    "asa": float(abs(report.asa_seconds)),
                    "rating": grade(report.rating),
                }
        return _rendered(self._routes.fill(self._routes.create[report.kind], values), body)

    def correction_of(self, key: DeliveryKey, path: str, body: bytes, *, obelis_id: str | None) -> Payload:
        """Return what makes an accepted report say what a create body says (PUT).

        `path` is the one that created it: it says which hub a point belonged to. `obelis_id` is what the API
        answered then. Raise ConfigurationError when the configured paths cannot name the report.
        """
        values = self._routes.match(self._routes.create[key.kind], path)
        if values is None:
            raise ConfigurationError(
                f"{key} was created at {path}, which is not the form of obelis.paths.{key.kind} any more",
                hint="Set obelis.paths as they were then, correct the report, and set them back.",
            )
        values |= {"month": key.month.wire()}
        if key.kind is Kind.NONDISCRIMINATORY_ACCESS:
            values["provider_group"] = key.subject
        if obelis_id is not None:
            values["obelis_id"] = obelis_id
        try:
            corrected = self._routes.fill(self._routes.correct[key.kind], values)
        except KeyError as exc:
            raise ConfigurationError(
                f"obelis.paths.correction needs {{{exc.args[0]}}}, which the ledger does not have for {key}",
                hint="OBELIS may have answered without an id: ask its support for it, or use a path without it.",
            ) from exc
        left_out = _SAID_BY_THE_PATH[key.kind]
        return _rendered(
            corrected, {name: value for name, value in json.loads(body).items() if name not in left_out}
        )

    def _price(self, report: NondiscriminatoryAccess | AdHocTariff) -> dict[str, object]:
        price: dict[str, object] = {"cost": report.cost_ct_per_kwh}
        if report.additional_costs:
            price["additionalCosts"] = [
                {"description": cost.description, "cost": cost.cost_ct} for cost in report.additional_costs
            ]
        return price | {"validFrom": self._instant(report.valid_from), "validTo": self._instant(report.valid_to)}

    def _instant(self, at: datetime) -> str:
        at = at.replace(tzinfo=None)
        if self._datetime_format == "0.9":  # yyyy-MM-dd'T'HH:mm:ss.SS, UTC without saying so
            return at.isoformat(timespec="milliseconds")[:-1]
        return at.isoformat(timespec=self._datetime_format) + "Z"


def _rendered(path: str, body: Mapping[str, object]) -> Payload:
    encoded = _encode(body).encode()
    return Payload(path=path, body=encoded, sha256=hashlib.sha256(encoded).hexdigest())
