"""The operator's OpenAPI file, YAML or JSON: what it describes, and what it says of a body."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import yaml
from openapi_schema_validator import (
    OAS30WriteValidator,
    OAS31Validator,
    oas30_format_checker,
    oas31_format_checker,
)
from referencing import Registry
from referencing.jsonschema import DRAFT4, DRAFT202012

from report_service.domain.contract import Violation, ViolationKind
from report_service.domain.openapi import ApiDescription
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

SIZE_LIMIT = 32 * 2**20
"""Bytes of a file that is read: the live API's has some hundred thousand."""
_URI = "urn:openapi"
_SPECIFICATIONS: Final[dict[str, Any]] = {
    "3.0": (OAS30WriteValidator, oas30_format_checker, DRAFT4),
    "3.1": (OAS31Validator, oas31_format_checker, DRAFT202012),
}


class OpenApiFile:
    """A file that was read: `description` is what it says, `violations` what it forbids."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise BadInput, naming it, for one that is no usable OpenAPI 3.0 or 3.1."""
        self.name = path.name
        try:
            self.description = ApiDescription(_tree(path))
        except BadInput as bad:
            raise BadInput(f"{path}: {bad.message}", hint=bad.hint) from None
        validator, formats, specification = _SPECIFICATIONS[self.description.version]
        registry = Registry().with_resource(_URI, specification.create_resource(self.description.tree))

        @cache
        def validator_at(pointer: str) -> Validator:
            made: Validator = validator({"$ref": _URI + pointer}, registry=registry, format_checker=formats)
            return made

        self._validator_at = validator_at

    def violations(self, schema: str, body: bytes) -> list[Violation]:
        """Return everything in a JSON body that breaks the schema at a pointer of the file."""
        found = dict.fromkeys(
            one for error in self._validator_at(schema).iter_errors(json.loads(body)) for one in _violations(error)
        )
        return list(found)


def _violations(error: ValidationError) -> Iterator[Violation]:
    """Yield what one error of the validator means, in words that hold no value of the operator's."""
    field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    field, rule = field.lstrip("."), error.validator_value
    match str(error.validator):
        case "required":
            missing = [name for name in rule if name not in error.instance]
            yield from (Violation(ViolationKind.MISSING, _below(field, name), "must be given") for name in missing)
        case "additionalProperties" | "unevaluatedProperties":
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            unknown = [name for name in error.instance if name not in known]
            yield from (
                Violation(ViolationKind.UNKNOWN, _below(field, name), "is not a field of it") for name in unknown
            )
        case "enum":
            shown = ", ".join(map(str, rule[:8])) + (f" ... ({len(rule)} in all)" if len(rule) > 8 else "")
            yield Violation(ViolationKind.NARROWED, field, f"must be one of {shown}")
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            yield Violation(ViolationKind.TYPE, field, f"must be of type {' or '.join(map(str, kinds))}")
        case "allOf" | "anyOf" | "oneOf" if error.context:
            yield from _violations(max(error.context, key=lambda one: len(one.absolute_path)))
        case "format" | "pattern" as word:
            yield Violation(ViolationKind.FORM, field, f"must have the {word} {rule}")
        case word:
            yield Violation(ViolationKind.NARROWED, field, f"must keep to {word} {rule}")


def _below(above: str, name: str) -> str:
    return f"{above}.{name}" if above else name


def _tree(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise BadInput(f"it is larger than {SIZE_LIMIT // 2**20} MB", hint="Name the API's OpenAPI file.")
        text = path.read_text("utf-8-sig")
        tree = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Yaml)  # noqa: S506 - a safe one
    except OSError as exc:
        raise BadInput(f"it cannot be read: {exc.strerror}", hint="Name the API's OpenAPI file.") from exc
    except (ValueError, RecursionError, yaml.YAMLError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise BadInput(f"it is neither YAML nor JSON: {reason}", hint="Download the file anew.") from exc
    if not isinstance(tree, dict):
        raise BadInput("it holds no object", hint="Name the API's OpenAPI file, as YAML or JSON.")
    return tree


class _Yaml(yaml.SafeLoader):
    """YAML as JSON's superset has it (1.2): only true and false are truth values, and a date is text."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))
