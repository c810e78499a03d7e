"""Find what the service sends among an OpenAPI file's operations: as configured, or the nearest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import TYPE_CHECKING

from report_service.domain.routes import GUIDE_PATHS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.openapi import ApiDescription, DescribedOperation

NEAR = 0.6
"""How alike an operation must be, 0..1, to be taken for the one that was renamed."""
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Found:
    """An operation of the file, and the whole path that it is at."""

    operation: DescribedOperation
    path: str
    renamed: bool = False


def shape(path: str) -> str:
    """Return a path without the names of its placeholders: files name them as they like."""
    return _PLACEHOLDER.sub("{}", path).rstrip("/")


def find(description: ApiDescription, verb: str, template: str) -> Found | None:
    """Return the operation at a path; a file that names no server may leave out what all paths begin with."""
    wanted = shape(template)
    for operation in description.operations:
        for base in description.base_paths if operation.verb == verb else ():
            path = base + operation.path
            if shape(path) == wanted or (not description.servers and wanted.endswith(shape(path)) and shape(path)):
                return Found(operation, template if shape(path) != wanted else path)
    return None


def find_renamed(
    description: ApiDescription, wanted: Mapping[Kind, tuple[str, Collection[str]]], taken: Collection[str]
) -> dict[Kind, Found]:
    """Return by kind the operation that most likely is it under another path, each for one kind only.

    `wanted` are paths and the fields sent, `taken` the paths of the file that other kinds have.
    """
    scored = sorted(
        (
            (_likeness(template, fields, base + operation.path, operation), kind, base, operation)
            for kind, (template, fields) in wanted.items()
            for operation in description.operations
            if operation.verb == "POST" and operation.path not in taken
            for base in description.base_paths
        ),
        key=lambda one: (-one[0], one[1].rank),
    )
    found: dict[Kind, Found] = {}
    for score, kind, base, operation in scored:
        if score >= NEAR and kind not in found and operation not in [other.operation for other in found.values()]:
            found[kind] = Found(operation, base + operation.path, renamed=True)
    return found


def _likeness(template: str, fields: Collection[str], path: str, operation: DescribedOperation) -> float:
    """Return how alike they are, 0..1: half by their paths, half by the fields of their bodies."""
    described = {name for name in operation.fields if "." not in name}
    sent = {name for name in fields if "." not in name}
    bodies = len(sent & described) / (len(sent | described) or 1)
    return (SequenceMatcher(None, shape(template), shape(path)).ratio() + bodies) / 2


def adapted(found: Mapping[Kind, Found], prefix: str) -> list[str]:
    """Return the lines of `[obelis.paths]` that name the paths as they are in the file.

    A path whose placeholders the service could not fill is left out.
    """
    paths = {kind: one.path for kind, one in found.items()}
    if all(path.startswith(prefix + "/") for path in paths.values()):
        lines = []
    else:
        literal = [list(takewhile(lambda step: "{" not in step, path.split("/")[:-1])) for path in paths.values()]
        common = takewhile(lambda steps: len(set(steps)) == 1, zip(*literal, strict=False))
        prefix = "/".join(steps[0] for steps in common)
        lines = [f'prefix = "{prefix}"']
    for kind, one in found.items():
        if (one.renamed or lines) and (path := _fillable(kind, one.path)):
            lines.append(f'{kind} = "{path.removeprefix(prefix)}"')
    return lines


def _fillable(kind: Kind, path: str) -> str | None:
    """Return a path with the service's placeholders, in the order in which the API nests them."""
    names, wanted = _PLACEHOLDER.findall(GUIDE_PATHS[kind]), len(_PLACEHOLDER.findall(path))
    if wanted > len(names) or bool(wanted) != bool(names):
        return None
    fill = iter(names[len(names) - wanted :])
    return _PLACEHOLDER.sub(lambda _found: next(fill), path)


def correction_suffix(description: ApiDescription, found: Mapping[Kind, Found]) -> str | None:
    """Return what `obelis.paths.correction` would have to be, if one value fits all PUTs below these paths."""
    ends = set()
    for kind, one in found.items():
        if not kind.correction_path:  # else it has more than the configured end
            ends |= {
                shape(base + put.path).removeprefix(shape(one.path))
                for put in description.operations
                for base in description.base_paths
                if put.verb == "PUT" and shape(base + put.path).startswith(shape(one.path) + "/")
            }
    if len(ends) == 1 and (end := ends.pop()).count("{}") == 1:
        return end.replace("{}", "{month}")
    return None
