"""Hold an OpenAPI file against what the service sends.

What it sends is not declared a second time: reports at the edges of what may be reported are rendered.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from report_service.domain.contract import Comparison, Finding, FindingKind, ViolationKind
from report_service.domain.kinds import KINDS, Kind
from report_service.domain.samples import sample_reports
from report_service.services.contract.paths import (
    Found,
    adapted,
    correction_suffix,
    find,
    find_renamed,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from report_service.domain.openapi import ApiDescription, DescribedOperation
    from report_service.domain.routes import Routes
    from report_service.ports import BodySchemas, Renderer

_NUMBER = re.compile(r"\[\d+\]")
_UNDEFINED = "must be given, and is described nowhere"
_OPERATORS_OWN = frozenset({"providerGroup"})
"""Fields whose values are the operator's: a list of those taken [0.9: 1,070] says nothing of the form."""
_BY_VIOLATION = {
    ViolationKind.MISSING: FindingKind.FIELD_MISSING,
    ViolationKind.UNKNOWN: FindingKind.FIELD_GONE,
    ViolationKind.NARROWED: FindingKind.FIELD_NARROWED,
    ViolationKind.TYPE: FindingKind.FIELD_TYPE,
    ViolationKind.FORM: FindingKind.FIELD_FORM,
}
_HINTS: Mapping[FindingKind, str] = {
    FindingKind.PATH_RENAMED: "Set the paths as below.",
    FindingKind.PATH_MISSING: "Ask the authority where these reports go; then set obelis.paths.",
    FindingKind.CORRECTION_MISSING: "What changes after delivery cannot be corrected by the service: "
    "drift stays, and is told to the authority by other means.",
    FindingKind.BODY_MISSING: "Ask the authority whether the file is whole.",
    FindingKind.FIELD_MISSING: "The service has no such figure: ask the authority what is meant by it.",
    FindingKind.COLUMN_WANTED: "Fill that column; with obelis.openapi set, a row without it is invalid early, not "
    "refused late.",
    FindingKind.FIELD_UNDEFINED: "The file is at odds with itself: ask the authority whether it is wanted.",
    FindingKind.FIELD_GONE: "The API may refuse it, or pass it over: ask the authority.",
    FindingKind.FIELD_NARROWED: "Set obelis.openapi: then what lies outside is invalid early, not refused late.",
    FindingKind.FIELD_TYPE: "The service cannot be set to send it so: it needs a new version.",
    FindingKind.FIELD_NEW: "Nothing has to be done: it may be left out.",
    FindingKind.QUERY_MISSING: "The service sends no query parameters: it needs a new version.",
    FindingKind.HEADER_MISSING: "Set it as below.",
    FindingKind.SERVER_DIFFERS: "See that the file is that of the system which obelis.base_url names.",
}


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """What the service sends for one kind with one verb."""

    kind: Kind
    verb: str
    bodies: list[bytes] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.verb} {self.kind}"

    @cached_property
    def fields(self) -> set[str]:
        return {name for body in self.bodies for name in _fields(json.loads(body))}

    @cached_property
    def omissible(self) -> dict[str, str]:
        """Return by field the columns that only some operators give."""
        return {column.field: column.name for column in self.kind.columns if column.omissible}

    def without(self, fields: Collection[str]) -> _Sent:
        """Return what is sent where none of these fields is given."""
        bodies = [body for body in self.bodies if json.loads(body).keys().isdisjoint(fields)]
        return _Sent(kind=self.kind, verb=self.verb, bodies=bodies)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCheck:
    """Compares a description with the service as it is configured."""

    description: ApiDescription
    schemas: BodySchemas
    renderers: Mapping[str, Renderer]  # by how they write date-times; the first is the configured one
    routes: Routes
    prefix: str  # obelis.paths.prefix
    headers: Collection[str]  # those sent with every request, lower case
    base_url: str | None  # None: the mock's, which is nowhere

    def compare(self) -> Comparison:
        """Return every difference; pure but for the parts."""
        creates, corrections = self._sent(next(iter(self.renderers.values())))
        found = self._creates(creates)
        puts = {kind: self._correction(kind, one) for kind, one in found.items()}
        notes = _Notes()
        self._note_paths(notes, creates, found, puts)
        for kind, one in found.items():
            self._note_operation(notes, creates[kind], one.operation, known=set())
            if put := puts[kind]:
                self._note_operation(notes, corrections[kind], put.operation, known=creates[kind].fields)
        self._note_server(notes)
        findings = notes.findings()
        return Comparison(
            findings=findings,
            settings=self._settings(findings, found, puts),
            operations=len(found) + sum(put is not None for put in puts.values()),
        )

    def _sent(self, renderer: Renderer) -> tuple[dict[Kind, _Sent], dict[Kind, _Sent]]:
        """Return by kind what creates a report, and what corrects one."""
        creates, corrections = ({kind: _Sent(kind=kind, verb=verb) for kind in KINDS} for verb in ("POST", "PUT"))
        for report in sample_reports():
            created = renderer.create(report)
            kind = report.key.kind
            corrected = renderer.correction_of(report.key, created.path, created.body, obelis_id="1")
            creates[kind].bodies.append(created.body)
            corrections[kind].bodies.append(corrected.body)
        return creates, corrections

    def _creates(self, creates: Mapping[Kind, _Sent]) -> dict[Kind, Found]:
        exact = {kind: find(self.description, "POST", self.routes.create[kind]) for kind in KINDS}
        lost = {kind: (self.routes.create[kind], creates[kind].fields) for kind in KINDS if exact[kind] is None}
        taken = {one.operation.path for one in exact.values() if one}
        renamed = find_renamed(self.description, lost, taken)
        return {kind: one for kind in KINDS if (one := exact[kind] or renamed.get(kind))}

    def _correction(self, kind: Kind, created: Found) -> Found | None:
        end = self.routes.correct[kind].removeprefix(self.routes.create[kind])
        return find(self.description, "PUT", created.path + end)

    def _note_paths(
        self,
        notes: _Notes,
        creates: Mapping[Kind, _Sent],
        found: Mapping[Kind, Found],
        puts: Mapping[Kind, Found | None],
    ) -> None:
        for kind, sent in creates.items():
            path = self.routes.create[kind]
            if kind not in found:
                notes.add(FindingKind.PATH_MISSING, "paths", f"POST {path} is not there", sent)
            elif found[kind].renamed:
                detail = f"POST {path} is not there; the nearest is {found[kind].operation}"
                notes.add(FindingKind.PATH_RENAMED, "paths", detail, sent)
            if kind in found and puts[kind] is None:
                end = self.routes.correct[kind].removeprefix(path)
                put = f"PUT {found[kind].path + end}"
                notes.add(FindingKind.CORRECTION_MISSING, "corrections", f"{put} is not there", f"PUT {kind}")

    def _note_operation(
        self, notes: _Notes, sent: _Sent, operation: DescribedOperation, *, known: Collection[str]
    ) -> None:
        """Note what is otherwise in one operation; `known` are fields that are sent elsewhere."""
        for header in operation.required_headers:
            if header.lower() not in self.headers:
                notes.add(FindingKind.HEADER_MISSING, header, "must be sent, and is not", sent)
        for query in operation.required_queries:
            notes.add(FindingKind.QUERY_MISSING, query, "must be sent as a query parameter, and is not", sent)
        if operation.schema is None:
            notes.add(FindingKind.BODY_MISSING, str(operation), "takes no JSON body", sent)
            return
        sent = sent.without(sent.omissible.keys() - operation.fields.keys() - operation.undefined)
        for body in sent.bodies:
            for violation in self.schemas.violations(operation.schema, body):
                name = _NUMBER.sub("[]", violation.field)
                undefined = name in operation.undefined
                if violation.kind is ViolationKind.MISSING and name in sent.omissible:
                    column = f"{sent.omissible[name]} of {sent.kind.source}"
                    rule = _UNDEFINED if undefined else violation.rule
                    notes.add(FindingKind.COLUMN_WANTED, name, f"{rule}: the optional column {column}", sent)
                elif violation.kind is ViolationKind.MISSING and undefined:
                    notes.add(FindingKind.FIELD_UNDEFINED, name, _UNDEFINED, sent)
                elif violation.kind is not ViolationKind.NARROWED or name not in _OPERATORS_OWN:
                    notes.add(_BY_VIOLATION[violation.kind], name, violation.rule, sent)
        self._note_fields(notes, sent, operation, known=known)

    def _note_fields(
        self, notes: _Notes, sent: _Sent, operation: DescribedOperation, *, known: Collection[str]
    ) -> None:
        """Note what only the names of fields tell, where a schema takes more than it describes."""
        names = sent.fields
        for name in operation.undefined & names - sent.omissible.keys():
            notes.add(FindingKind.FIELD_UNDEFINED, name, _UNDEFINED, sent)
        for name in names - operation.fields.keys() if operation.fields else ():
            notes.add(FindingKind.FIELD_GONE, name, "is not a field of it", sent)
        for name in operation.fields.keys() - names - operation.undefined - set(known):
            above = name.rpartition(".")[0].removesuffix("[]")
            if not operation.fields[name] and (not above or above in names):
                notes.add(FindingKind.FIELD_NEW, name, "may be given, and is not known to the service", sent)

    def _note_server(self, notes: _Notes) -> None:
        hosts = {urlsplit(server).hostname for server in self.description.servers} - {None}
        if self.base_url and hosts and urlsplit(self.base_url).hostname not in hosts:
            shown = ", ".join(sorted(map(str, hosts)))
            notes.add(FindingKind.SERVER_DIFFERS, "servers", f"it is about {shown}, not {self.base_url}")

    def _settings(
        self, findings: Collection[Finding], found: Mapping[Kind, Found], puts: Mapping[Kind, Found | None]
    ) -> str:
        """Return lines of TOML that adapt the service, as far as settings can."""
        headers = [one.subject for one in findings if one.kind is FindingKind.HEADER_MISSING]
        renamed = any(one.renamed for one in found.values())
        paths = adapted(found, self.prefix) if renamed else []
        if found and not any(puts.values()) and (end := correction_suffix(self.description, found)):
            paths.append(f'correction = "{end}"')
        sections = [
            ("[obelis]", self._datetime_format(findings, found)),
            ("[obelis.paths]", paths),
            ("[obelis.headers]", [f'{header} = "..."' for header in headers]),
        ]
        return "\n\n".join("\n".join([name, *lines]) for name, lines in sections if lines)

    def _datetime_format(self, findings: Collection[Finding], found: Mapping[Kind, Found]) -> list[str]:
        """Return the setting that writes date-times as the file wants them, if they are what is otherwise."""
        if not any(one.kind is FindingKind.FIELD_FORM and one.subject.startswith("valid") for one in findings):
            return []
        for name, renderer in self.renderers.items():
            creates, _ = self._sent(renderer)
            wrong = (
                violation
                for kind, one in found.items()
                for body in creates[kind].bodies
                for violation in (
                    self.schemas.violations(one.operation.schema, body) if one.operation.schema else ()
                )
                if violation.kind is ViolationKind.FORM
            )
            if next(wrong, None) is None:
                return [f'datetime_format = "{name}"']
        return []


class _Notes:
    """Findings as they are made: what is the same for several operations is one."""

    def __init__(self) -> None:
        self._found: dict[tuple[FindingKind, str], tuple[list[str], list[str]]] = {}

    def add(self, kind: FindingKind, subject: str, detail: str, sent: _Sent | str | None = None) -> None:
        """Note a difference of one operation."""
        details, operations = self._found.setdefault((kind, subject), ([], []))
        if detail not in details:
            details.append(detail)
        if sent is not None and str(sent) not in operations:
            operations.append(str(sent))

    def findings(self) -> tuple[Finding, ...]:
        """Return them in the order of their kinds."""
        order = list(FindingKind)
        return tuple(
            Finding(
                kind=kind,
                subject=subject,
                detail="; ".join(details),
                operations=tuple(operations),
                hint=_HINTS.get(kind, ""),
            )
            for (kind, subject), (details, operations) in sorted(
                self._found.items(), key=lambda item: order.index(item[0][0])
            )
        )


def _fields(value: object, above: str = "") -> Iterator[str]:
    """Yield the names in a JSON value: `cost`, `additionalCosts`, `additionalCosts[].cost`."""
    if isinstance(value, list):
        for entry in value:
            yield from _fields(entry, f"{above.removesuffix('.')}[].")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield above + name
            yield from _fields(inner, f"{above}{name}.")
