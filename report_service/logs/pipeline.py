"""Turn what is said into one line of text: framed, redacted, capped, rendered, written."""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

import structlog

from report_service import __version__
from report_service.events import FIELDS, SCHEMA, SERVICE, TEXT_CAP, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from structlog.typing import EventDict, Processor, WrappedLogger

    from report_service.logs.redaction import Redactor
    from report_service.logs.sink import Say

TableSchema: TypeAlias = Literal["json", "text"]

LEVELS = MappingProxyType({level: logging.getLevelNamesMapping()[level.upper()] for level in Level})
CUT = "[...]"
LINE_CAP = 16_000
"""No JSON line has more bytes: container runtimes break one in two at 16 KB, and half a line is no JSON."""
_CAPS = {field.name: field.cap for field in FIELDS.values()}
# ASCII only: no reader's encoding, and no exotic line separator, can break a line.
_encode = json.JSONEncoder(separators=(",", ":")).encode
# A terminal obeys control characters, and the text may be an answer's.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def writer(
    *, form: TableSchema, level: Level, stream: TextIO, now: Callable[[], datetime], redactor: Redactor
) -> Say:
    """Return what writes lines of `level` and above to `stream`."""
    logger = structlog.wrap_logger(
        _Lines(stream),
        processors=[_Frame(now), _Clean(redactor), *_renderers(form, stream)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
    ).bind()

    def say(level: Level, event: str, fields: Mapping[str, object], /) -> None:
        logger.log(LEVELS[level], event, **fields)

    return say


class _Frame:
    """Put the fields of every line in front."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, _: WrappedLogger, level: str, said: EventDict) -> EventDict:
        at = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        return {
            "timestamp": at.replace("+00:00", "Z"),
            "level": level,
            "event": said.pop("event"),
            "service": SERVICE,
            "version": __version__,
            "schema": SCHEMA,
            **said,
        }


class _Clean:
    """Redact, then cap: the other way round would leave the first half of a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _: WrappedLogger, __: str, said: EventDict) -> EventDict:
        texts = {name: value for name, value in said.items() if isinstance(value, str)}
        together = "\n".join(texts.values())
        suspect = self._redactor.finds(together)
        if not suspect and together.isascii() and len(together) <= TEXT_CAP:
            return said  # nearly every line: no text of it is above its own cap
        for name, text in texts.items():
            clean = self._redactor(text) if suspect else text
            if not clean.isascii():  # a lone surrogate is no character to other readers
                clean = clean.encode("utf-8", "backslashreplace").decode()
            said[name] = _cut(name, clean, _CAPS.get(name, TEXT_CAP))
        return said


def _cut(name: str, text: str, cap: int) -> str:
    """Return a text with at most `cap` characters; of an exception the end is kept."""
    if len(text) <= cap:
        return text
    keep = cap - len(CUT)
    return CUT + text[-keep:] if name == "exception" else text[:keep] + CUT


def _json_line(_: WrappedLogger, __: str, said: EventDict) -> str:
    """Return the line; where escapes make it too long (a letter can take 12 bytes) its longest text is halved."""
    line = _encode(said)
    while len(line) > LINE_CAP:
        texts = {name: value for name, value in said.items() if isinstance(value, str)}
        longest = max(texts, key=lambda name: len(_encode(texts[name])))
        said[longest] = _cut(longest, texts[longest], len(texts[longest]) // 2)
        line = _encode(said)
    return line


def _renderers(form: TableSchema, stream: TextIO) -> tuple[Processor, ...]:
    if form == "json":
        return (_json_line,)
    console = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    return (_for_people, console)


def _for_people(_: WrappedLogger, __: str, said: EventDict) -> EventDict:
    """Leave out what a person knows, and disarm control characters."""
    for name in ("service", "version", "schema"):
        del said[name]
    return {name: value.translate(_CONTROLS) if isinstance(value, str) else value for name, value in said.items()}


class _Lines:
    """Write a line in one go; a reader that went away stops no delivery."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()  # a signal handler may log while its own thread writes

    def msg(self, line: str) -> None:
        """Write a line; drop it when it cannot be written."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        if not line.isascii():
            line = line.encode(encoding, "backslashreplace").decode(encoding)
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                self._close_for_good()
            except (OSError, ValueError):
                pass  # a full disk may have room for the next line; a closed stream takes none

    debug = info = warning = error = critical = msg

    def _close_for_good(self) -> None:
        """Let the rest go nowhere: else the flush at the interpreter's end fails, and with it the exit code."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
