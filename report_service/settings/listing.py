"""Every setting as data: key, default and description, read off the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr

from report_service.settings.model import Settings
from report_service.settings.rules import PasswordUrl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

ENV_PREFIX = "REPORT_SERVICE_"
ANY_NAME = "<name>"
"""Stands in a key for a name that the operator chooses: a header's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be set; a default of None means that it is unset, or must be given."""

    path: tuple[str, ...]
    default: object
    description: str
    kind: object
    """The type it has in the model."""

    @property
    def key(self) -> str:
        """Return the dotted key, such as `obelis.timeout_s`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """Return the environment variable, such as REPORT_SERVICE_OBELIS__TIMEOUT_S."""
        return ENV_PREFIX + "__".join(self.path).upper().replace("-", "_")

    @property
    def secret(self) -> bool:
        """Return True if the value may be secret, wholly or in part."""
        return any(part in (SecretStr, PasswordUrl) for part in _parts(self.kind))


def _parts(kind: object) -> Iterator[object]:
    yield kind
    for part in get_args(kind):
        yield from _parts(part)


def all_settings() -> tuple[Setting, ...]:
    """Return every setting, in the order of the sections."""
    return tuple(_of_section(Settings, ()))


def _of_section(section: type[BaseModel], above: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in section.model_fields.items():
        path = (*above, name)
        if get_origin(field.annotation) is dict:
            names, kind = get_args(field.annotation)
            for entry in get_args(names) if get_origin(names) is Literal else (ANY_NAME,):
                yield from _of_type(kind, (*path, entry), field)
        else:
            yield from _of_type(field.annotation, path, field)


def _of_type(kind: object, path: tuple[str, ...], field: FieldInfo) -> Iterator[Setting]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _of_section(kind, path)
    else:
        # A header's own default is "none", whatever the default of the dictionary that holds it.
        default = None if field.is_required() or path[-1] == ANY_NAME else field.default
        yield Setting(path=path, default=default, description=field.description or "", kind=kind)
