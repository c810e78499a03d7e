"""Every body held against the operator's OpenAPI file before it may be sent (`obelis.openapi`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.kinds import KINDS
from report_service.services.contract.paths import find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.openapi import ApiDescription
    from report_service.domain.routes import Routes
    from report_service.ports import BodySchemas


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedBodies:
    """What a description says of the bodies that create and correct reports at the configured paths."""

    name: str  # the file's, as a person knows it
    description: ApiDescription
    schemas: BodySchemas
    routes: Routes
    _schema_of: Mapping[tuple[str, Kind], str | None] = field(init=False)

    def __post_init__(self) -> None:
        """Look the kinds up once."""
        paths = {"POST": self.routes.create, "PUT": self.routes.correct}
        found = {
            (verb, kind): find(self.description, verb, of_kind[kind])
            for verb, of_kind in paths.items()
            for kind in KINDS
        }
        schema_of = {which: one and one.operation.schema for which, one in found.items()}
        object.__setattr__(self, "_schema_of", schema_of)

    def breach(self, kind: Kind, body: bytes) -> str:
        """Return why the description forbids a body that creates a report; "" if it does not."""
        return self._breach("POST", kind, self.routes.create[kind], body)

    def correction_breach(self, kind: Kind, body: bytes) -> str:
        """Return the same of a body that corrects one."""
        return self._breach("PUT", kind, self.routes.correct[kind], body)

    def _breach(self, verb: str, kind: Kind, path: str, body: bytes) -> str:
        schema = self._schema_of[verb, kind]
        if schema is None:
            return (
                f"{self.name} describes no {verb} {path} that takes JSON: "
                f"`report-service contract {self.name}` says what is there instead"
            )
        violations = self.schemas.violations(schema, body)
        return (violations and f"against {self.name}: {'; '.join(map(str, violations))}") or ""
