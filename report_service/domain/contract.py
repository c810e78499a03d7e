"""What can be otherwise between what the service sends and what an OpenAPI file describes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ViolationKind(StrEnum):
    """How a body breaks its schema."""

    MISSING = "missing"  # a field that must be there is not
    UNKNOWN = "unknown"  # a field that may not be there is
    NARROWED = "narrowed"  # the value is not among those that are taken
    TYPE = "type"  # the value has another type
    FORM = "form"  # the value is written otherwise


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason why a body breaks its schema; `rule` reads on after the field's name."""

    kind: ViolationKind
    field: str  # `cost`, `additionalCosts[0].cost`
    rule: str

    def __str__(self) -> str:
        return f"{self.field or 'the body'} {self.rule}"


class FindingKind(StrEnum):
    """What is otherwise."""

    PATH_RENAMED = "path_renamed"  # the path is not there, another that takes such a report is
    PATH_MISSING = "path_missing"  # neither is there
    CORRECTION_MISSING = "correction_missing"  # no PUT
    BODY_MISSING = "body_missing"  # the operation takes no JSON
    FIELD_MISSING = "field_missing"  # must be there, is not sent
    COLUMN_WANTED = "column_wanted"  # must be there, and is where the operator fills a column that is optional
    FIELD_UNDEFINED = "field_undefined"  # must be there, and is described nowhere
    FIELD_GONE = "field_gone"  # is sent, is not in the file
    FIELD_NARROWED = "field_narrowed"  # values that are sent would be refused
    FIELD_TYPE = "field_type"  # is sent as another type
    FIELD_FORM = "field_form"  # is sent in another form: a pattern, a format
    FIELD_NEW = "field_new"  # may be there, is not known
    HEADER_MISSING = "header_missing"  # must be there, is not sent
    QUERY_MISSING = "query_missing"  # a query parameter must be there, none is ever sent
    SERVER_DIFFERS = "server_differs"  # the file is about another host

    @property
    def breaks(self) -> bool:
        """Return True if the API would refuse something; False if it is only worth knowing."""
        return self not in {FindingKind.COLUMN_WANTED, FindingKind.FIELD_NEW, FindingKind.SERVER_DIFFERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference, with all operations that it is about."""

    kind: FindingKind
    subject: str  # a field's, header's or path's name
    detail: str
    operations: tuple[str, ...] = ()  # as the service makes them: `POST hub_rating`
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What comparing came to."""

    findings: tuple[Finding, ...]
    settings: str  # lines of TOML that would adapt the service; "": none would
    operations: int  # how many of the file's were found and compared

    @property
    def fits(self) -> bool:
        """Return True if the API would refuse nothing."""
        return not any(finding.kind.breaks for finding in self.findings)
