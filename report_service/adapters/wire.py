"""Reports as the API takes them: paths, and bodies of compact UTF-8 JSON.

The same figures always make the same bytes, so that their hash tells whether a row has changed.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from report_service.domain.planning import Payload
from report_service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.domain.kinds import DeliveryKey
    from report_service.domain.reports import Report
    from report_service.domain.routes import Routes

DatetimeFormat = Literal["seconds", "milliseconds", "microseconds", "0.9"]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Wire:
    """Renders reports for one API: its paths, and how it wants its date-times."""

    def __init__(self, routes: Routes, datetime_format: DatetimeFormat = "milliseconds") -> None:
        """Take the path templates, and the form of date-times, which are cut to its fraction [G: milliseconds]."""
        self._routes = routes
        self._datetime_format = datetime_format

    def create(self, report: Report) -> Payload:
        """Return what creates a report (POST)."""
        kind, month = report.key.kind, report.key.month.wire()
        body: dict[str, object] = {"month": month}
        if kind.subject and kind.subject.field:
            body[kind.subject.field] = report.key.subject
        for column in kind.columns:
            value = report.figures[column.name]
            if value is not None and value != ():
                body[column.field] = self._json(value)
        return _rendered(self._routes.fill(self._routes.create[kind], report.place | {"month": month}), body)

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
        if key.kind.subject:
            values[key.kind.subject.column] = key.subject
        if obelis_id is not None:
            values["obelis_id"] = obelis_id
        try:
            corrected = self._routes.fill(self._routes.correct[key.kind], values)
        except KeyError as exc:
            raise ConfigurationError(
                f"obelis.paths.correction needs {{{exc.args[0]}}}, which the ledger does not have for {key}",
                hint="OBELIS may have answered without an id: ask its support for it, or use a path without it.",
            ) from exc
        omitted = key.kind.correction_omits
        return _rendered(
            corrected, {name: value for name, value in json.loads(body).items() if name not in omitted}
        )

    def _json(self, value: object) -> object:
        """Return a figure as JSON has it; text and whole numbers are themselves."""
        match value:
            case datetime():
                return self._instant(value.replace(tzinfo=None))
            case Decimal():
                return float(abs(value))  # abs: no "-0.0"
            case tuple():
                return [{"description": cost.description, "cost": cost.cost_ct} for cost in value]
            case _:
                return value

    def _instant(self, at: datetime) -> str:
        if self._datetime_format == "0.9":  # yyyy-MM-dd'T'HH:mm:ss.SS, UTC without saying so
            return at.isoformat(timespec="milliseconds")[:-1]
        return at.isoformat(timespec=self._datetime_format) + "Z"


def _rendered(path: str, body: Mapping[str, object]) -> Payload:
    encoded = _encode(body).encode()
    return Payload(path=path, body=encoded, sha256=hashlib.sha256(encoded).hexdigest())
