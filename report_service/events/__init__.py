"""The log contract as data: every event that the service may log, with its level, meaning and fields.

Others watch the service through these lines alone, so this package is an interface. A field has one type and one
meaning in whatever event it stands. `config/monitoring/log-events.schema.json` and `config/monitoring/EVENTS.md`
are generated from here (`make events`). To add an event: an entry in the module of its area, and one in
`fields.py` for each new field; then generate, and emit it in a test.

Levels: info is normal; a warning heals by itself or comes nearer; an error needs a person; critical means that the
service cannot do its job, or that a window closed with something undelivered. `log.message` alone takes the level
of the line that it stands for. Numbers are zero or more: log readers such as mtail do not match a minus sign.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from report_service.events import api, process, report, run, source, store, window
from report_service.events.fields import COMMON, FIELDS, SCHEMA, SERVICE
from report_service.events.shapes import TEXT_CAP, Event, Field, JsonType, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "COMMON",
    "EVENTS",
    "FIELDS",
    "SCHEMA",
    "SERVICE",
    "TEXT_CAP",
    "Event",
    "Field",
    "JsonType",
    "Level",
    "sift",
]

EVENTS: Mapping[str, Event] = {
    event.name: event for area in (process, run, report, source, api, window, store) for event in area.EVENTS
}


def sift(name: str, fields: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return the fields that may be logged with an event, and what is wrong, worded for a programmer.

    A field that is None is left out. A problem names events, fields and types, never a value: it may be secret.
    """
    event = EVENTS.get(name)
    if event is None:
        near = get_close_matches(name, EVENTS, n=1)
        return {}, [f"{name} is not a declared event" + (f"; did you mean {near[0]}?" if near else "")]
    good: dict[str, object] = {}
    wrong: list[str] = []
    for each, value in fields.items():
        if value is None:
            continue
        allowed = event.fields.get(each)
        problem = allowed.problem(value) if allowed else f"{each} is not declared"
        if problem:
            wrong.append(f"{name}: {problem}")
        else:
            good[each] = value
    wrong += [f"{name} lacks {each}" for each in event.required if fields.get(each) is None]
    return good, wrong
