"""What an event and a field are, and which value a field takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

TEXT_CAP = 500
LONG_TEXT_CAP = 8_000


class Level(StrEnum):
    """How much an event matters."""

    DEBUG = "debug"  # only log.message: other libraries' words, when asked for
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class JsonType(StrEnum):
    """What a field's value is in JSON."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its name, type and meaning are the same in every event."""

    name: str
    type: JsonType
    meaning: str
    values: tuple[str | int, ...] = ()  # when given, the only ones
    pattern: re.Pattern[str] | None = None
    cap: int = TEXT_CAP  # longer strings are cut to this many characters

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, never quoting it; None when it may be logged."""
        if not _is_of(self.type, value):
            return f"{self.name} takes {_WANTED[self.type]}, not {type(value).__name__}"
        if self.values and value not in self.values:
            return f"{self.name} takes one of {', '.join(map(str, self.values))}"
        if self.pattern is not None and not self.pattern.fullmatch(str(value)):
            return f"{self.name} does not match {self.pattern.pattern}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: its level is fixed, and so are the fields that it must and may have."""

    name: str
    level: Level | None  # None: as said by whoever wrote the line
    meaning: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    fields: Mapping[str, Field] = field(repr=False)  # both of these, and run_id


_WANTED = {
    JsonType.STRING: "a string",
    JsonType.INTEGER: "a whole number of zero or more",
    JsonType.NUMBER: "a finite number of zero or more",
    JsonType.BOOLEAN: "true or false",
}


def _is_of(kind: JsonType, value: object) -> bool:
    if kind is JsonType.STRING:
        return isinstance(value, str)
    if isinstance(value, bool) or kind is JsonType.BOOLEAN:
        return isinstance(value, bool) and kind is JsonType.BOOLEAN
    if isinstance(value, int):
        return value >= 0
    return kind is JsonType.NUMBER and isinstance(value, float) and math.isfinite(value) and value >= 0
