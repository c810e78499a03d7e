"""`report-service contract`: the operator's OpenAPI file against what the service sends."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import settings_of
from report_service.cli.parameters import AsJson
from report_service.domain.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.domain.contract import Comparison


def contract(
    ctx: typer.Context,
    openapi: Annotated[
        Path, typer.Argument(metavar="OPENAPI", help="The API's OpenAPI file: YAML or JSON, 3.0 or 3.1.")
    ],
    json: AsJson = False,
) -> int:
    """Compare the API's OpenAPI file with what the service sends, and print the settings that adapt it.

    Paths, verbs, fields, their types and ranges, headers, servers, corrections:
    sample reports at the edges of what may be sent are rendered as they would be
    sent, and held against the file. Nothing is sent. Exits with 3 when the API
    would refuse something.
    """
    from report_service.bootstrap.commands import compare_contract

    found = compare_contract(settings_of(ctx), openapi)
    print(_as_json(openapi, found) if json else "\n".join(_lines(openapi, found)))
    return 0 if found.fits else 3


def _lines(openapi: Path, found: Comparison) -> Iterator[str]:
    for finding in found.findings:
        yield f"{'!' if finding.kind.breaks else 'i'} {finding.kind.replace('_', ' ')}: {finding.subject}"
        yield from (f"    {detail}" for detail in finding.detail.split("; "))
        if finding.operations:
            yield f"    in {', '.join(finding.operations)}"
        yield f"    -> {finding.hint}"
    if found.settings:
        yield f"\nSettings that adapt the service:\n\n{found.settings}\n"
    breaking = sum(finding.kind.breaks for finding in found.findings)
    compared = f"{openapi.name}: {found.operations} of 10 operations found and compared"
    if not found.findings:
        yield f"{compared}; they take what the service sends."
    else:
        yield f"{compared}; {counted(breaking, 'finding')} would make the API refuse something."


def _as_json(openapi: Path, found: Comparison) -> str:
    findings = [
        {
            "kind": finding.kind.value,
            "breaks": finding.kind.breaks,
            "subject": finding.subject,
            "detail": finding.detail,
            "operations": list(finding.operations),
            "hint": finding.hint,
        }
        for finding in found.findings
    ]
    return json_.dumps(
        {"file": str(openapi), "operations": found.operations, "findings": findings, "settings": found.settings},
        indent=2,
        ensure_ascii=False,
    )
