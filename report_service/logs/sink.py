"""Hold what is emitted to the contract."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Protocol

from report_service.errors import ContractViolation
from report_service.events import EVENTS, FIELDS, Level, sift

if TYPE_CHECKING:
    from collections.abc import Mapping


class Say(Protocol):
    """Write one line of the contract."""

    def __call__(self, level: Level, event: str, fields: Mapping[str, object], /) -> None:
        """Write it; never raise."""


class LogEvents:
    """The sink that services emit to (`ports.Events`).

    An event or a field that is not declared, a wrong type or a missing field is a bug. `strict` raises
    ContractViolation for it, as in tests. Otherwise the line keeps the fields that are right, or is left out when
    a required one is wrong, and a `log.message` at level error names the bug: no delivery stops for it.
    """

    def __init__(self, say: Say, *, strict: bool = False, bound: Mapping[str, object] | None = None) -> None:
        self._say = say
        self._strict = strict
        self._bound = bound or {}

    def emit(self, event: str, /, **fields: object) -> None:
        """Say one declared event; a field that is None is left out, an exception is written as its traceback."""
        declared = EVENTS.get(event)
        if declared is not None and self._bound:
            fields = {name: self._bound[name] for name in self._bound if name in declared.fields} | fields
        failure = fields.get("exception")
        if isinstance(failure, BaseException):
            fields["exception"] = traceback_of(failure)
        good, wrong = sift(event, fields)
        if declared is not None and declared.level is None:
            wrong.append(f"{event} is for the lines of other libraries")
        if wrong:
            self._object("; ".join(wrong))
        if declared is not None and declared.level is not None and all(name in good for name in declared.required):
            self._say(declared.level, event, good)

    def bind(self, **fields: object) -> LogEvents:
        """Return a sink that adds these fields to each event that declares them."""
        unknown = ", ".join(name for name in fields if name not in FIELDS)
        if unknown:
            self._object(f"bound, but not declared for any event: {unknown}")
        return LogEvents(self._say, strict=self._strict, bound={**self._bound, **fields})

    def _object(self, problem: str) -> None:
        if self._strict:
            raise ContractViolation(problem)
        self._say(Level.ERROR, "log.message", {"logger": __name__, "detail": problem})


def traceback_of(failure: BaseException) -> str:
    """Return an exception as Python prints it, without local variables: they may hold anything."""
    return "".join(traceback.format_exception(failure)).rstrip()
