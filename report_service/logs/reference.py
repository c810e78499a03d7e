"""Generate what is published of the log contract: `python -m report_service.logs.reference [FOLDER]`.

Writes `log-events.schema.json` (JSON Schema 2020-12, for one line) and `EVENTS.md` (for people) into the folder,
`config/monitoring` unless another is given.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from report_service.events import COMMON, EVENTS, FIELDS, SCHEMA, Event, Field, JsonType, Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path("config/monitoring")
_ALL = {**COMMON, **FIELDS}
_ALWAYS = [name for name in COMMON if name != "run_id"]
_SEVERITIES = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}

# Ours; Elastic Common Schema; OpenTelemetry's logs data model and semantic conventions; Google Cloud's LogEntry
# and the special fields of its structured logging.
_ELSEWHERE = (
    ("timestamp", "@timestamp", "Timestamp", "timestamp (special field `time`)"),
    ("level", "log.level", "SeverityText, SeverityNumber (below)", "severity (the same words in capitals)"),
    ("event", "event.action", "EventName", "jsonPayload.event"),
    ("service", "service.name", "resource: service.name", "jsonPayload.serviceContext.service"),
    ("version", "service.version", "resource: service.version", "jsonPayload.serviceContext.version"),
    ("schema", "labels.schema", "attribute", "jsonPayload.schema"),
    ("run_id", "labels.run_id", "attribute", "operation.id (`logging.googleapis.com/operation`)"),
    ("instance", "service.node.name", "resource: service.instance.id", "labels (`logging.googleapis.com/labels`)"),
    ("detail", "message", "Body", "jsonPayload.message"),
    ("reason", "event.reason", "error.type", "jsonPayload.reason"),
    ("exception", "error.stack_trace", "exception.stacktrace", "jsonPayload.stack_trace"),
    ("logger", "log.logger", "InstrumentationScope", "jsonPayload.logger"),
    ("http_status", "http.response.status_code", "http.response.status_code", "httpRequest.status"),
    ("duration_ms", "event.duration (nanoseconds)", "attribute", "httpRequest.latency (`0.203s`)"),
    ("endpoint", "server.address", "server.address", "jsonPayload.endpoint"),
    ("all others", "labels.*, numeric ones in fields of your own", "attributes", "jsonPayload"),
)

_INTRODUCTION = f"""# The log contract

Generated from `report_service/events/` by `python -m report_service.logs.reference`; do not edit.

Each line on standard output is one flat JSON object. What it says is one of the events below, with that event's
fields and no others; `log-events.schema.json` says the same for programs. A field has one type and one meaning in
whatever event it stands. A field without a value is left out, never `null`. Numbers are zero or more. Strings are
cut to 500 characters, and end in `[...]` then; a traceback keeps its end. Secrets are replaced by `[redacted]`.

Fields and events may be added at any time. Whatever else changes raises `schema`, now {SCHEMA}.

| level | means | someone should |
|---|---|---|
| info | all is as it should be | do nothing |
| warning | it heals by itself, or comes nearer | look when it stays |
| error | it needs a person | act before the window closes |
| critical | the service cannot do its job, or a window closed with something undelivered | act now |

The log level of the configuration must be `info` (or `debug`) for monitoring: a heartbeat is an info line.
"""

_MAPPING = """There is one format and no switch. A collector whose store wants other names renames on the way:
"""


def schema() -> dict[str, object]:
    """Return the JSON Schema of one line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One log line of report-service",
        "type": "object",
        "required": _ALWAYS,
        "properties": {"event": {"enum": list(EVENTS)}},
        # Not oneOf: a validator would try every event on every line, and name none in its complaint.
        "allOf": [
            {"if": {"properties": {"event": {"const": event.name}}}, "then": _line(event)}
            for event in EVENTS.values()
        ],
        "$defs": {field.name: _definition(field) for field in _ALL.values()},
    }


def _line(event: Event) -> dict[str, object]:
    level: dict[str, object] = {"const": event.level.value} if event.level else {"$ref": "#/$defs/level"}
    properties = {name: {"$ref": f"#/$defs/{name}"} for name in (*COMMON, *event.fields)}
    return {
        "title": event.name,
        "description": event.meaning,
        "properties": properties | {"level": level},
        "required": list(event.required),
        "additionalProperties": False,
    }


def _definition(field: Field) -> dict[str, object]:
    definition: dict[str, object] = {"description": field.meaning, "type": field.type.value}
    if field.values:
        definition["enum"] = list(field.values)
    elif field.pattern:
        definition["pattern"] = f"^{field.pattern.pattern}$"
    elif field.type is JsonType.STRING:
        definition["maxLength"] = field.cap
    elif field.type is not JsonType.BOOLEAN:
        definition["minimum"] = 0
    return definition


def page() -> str:
    """Return the reference for people, in Markdown."""
    severities = ", ".join(f"{level} {_SEVERITIES[level]}" for level in Level)
    return "\n".join(
        (
            _INTRODUCTION,
            "## On every line\n",
            _table(("field", "type", "meaning"), map(_described, COMMON.values())),
            "`run_id` is there on lines written inside a run only.\n",
            "## Events\n",
            "Optional fields are in parentheses.\n",
            _table(("event", "level", "meaning", "fields"), map(_listed, EVENTS.values())),
            "## Fields\n",
            _table(("field", "type", "meaning"), (_described(f) for f in FIELDS.values() if f.name not in COMMON)),
            "## In other systems\n",
            _MAPPING,
            _table(("ours", "Elastic Common Schema", "OpenTelemetry", "Google Cloud"), map(_renamed, _ELSEWHERE)),
            f"OpenTelemetry's SeverityNumber: {severities}.\n",
        )
    )


def _described(field: Field) -> tuple[str, str, str]:
    of = f": {', '.join(f'`{value}`' for value in field.values)}" if field.values else ""
    return f"`{field.name}`", field.type + of, field.meaning


def _listed(event: Event) -> tuple[str, str, str, str]:
    fields = [f"`{name}`" for name in event.required] + [f"(`{name}`)" for name in event.optional]
    return f"`{event.name}`", event.level or "as the line's", event.meaning, " ".join(fields)


def _renamed(names: Sequence[str]) -> tuple[str, ...]:
    return (f"`{names[0]}`" if names[0] in _ALL else names[0], *names[1:])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def write(folder: Path) -> None:
    """Write both files into the folder, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log-events.schema.json").write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
    (folder / "EVENTS.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
