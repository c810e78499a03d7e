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
    """What a description says of the bodies that create reports at the configured paths."""

    name: str  # the file's, as a person knows it
    description: ApiDescription
    schemas: BodySchemas
    routes: Routes
    _schema_of: Mapping[Kind, str | None] = field(init=False)

    def __post_init__(self) -> None:
        """Look the kinds up once."""
        found = {kind: find(self.description, "POST", self.routes.create[kind]) for kind in KINDS}
        schema_of = {kind: one and one.operation.schema for kind, one in found.items()}
        object.__setattr__(self, "_schema_of", schema_of)

    def breach(self, kind: Kind, body: bytes) -> str:
        """Return why the description forbids a body; "" if it does not."""
        schema = self._schema_of[kind]
        if schema is None:
            return (
                f"{self.name} describes no POST {self.routes.create[kind]} that takes JSON: "
                f"`report-service contract {self.name}` says what is there instead"
            )
        violations = self.schemas.violations(schema, body)
        return (violations and f"against {self.name}: {'; '.join(map(str, violations))}") or ""
