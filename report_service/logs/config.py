"""Set up structlog and the standard library's logging, so that every line is one of the contract's."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING, TextIO

import structlog

from report_service.events import Level
from report_service.logs.pipeline import LEVELS, TableSchema, writer
from report_service.logs.redaction import Redactor
from report_service.logs.sink import LogEvents, Say, traceback_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from types import TracebackType

# At info they tell of every request and every job: twice the volume, and nothing that our events do not say. At
# debug they tell headers.
QUIET = ("httpx", "httpcore", "apscheduler", "uvicorn.access", "alembic")


class Logging:
    """The logging as configured: where to emit, and what redacts."""

    def __init__(self, events: LogEvents, redactor: Redactor, undo: ExitStack) -> None:
        self.events = events
        self.redactor = redactor
        self._undo = undo

    def close(self) -> None:
        """Put back the handlers and hooks that stood before."""
        self._undo.close()


def configure_logging(
    *,
    form: TableSchema,
    level: Level,
    stream: TextIO,
    now: Callable[[], datetime],
    secrets: Iterable[str] = (),
    strict: bool = False,
) -> Logging:
    """Write events, other libraries' lines, warnings and uncaught exceptions to `stream`, one line each.

    `json` is for programs, `text` for people, in colour on a terminal. Lines below `level` are left out, and
    monitoring needs those of `info`. `now` gives the time. `secrets` never appear; more can be learnt later.
    `strict` raises where an event breaks the contract.
    """
    redactor = Redactor(secrets)
    say = writer(form=form, level=level, stream=stream, now=now, redactor=redactor)
    undo = ExitStack()
    _take_logging(say, LEVELS[level], undo)
    _take_hooks(say, undo)
    return Logging(LogEvents(say, strict=strict), redactor, undo)


class _Forward(logging.Handler):
    """Write the records of other libraries as `log.message`."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; one that cannot be formatted is named by its template."""
        fields: dict[str, object] = {"logger": record.name}
        try:
            fields["detail"] = record.getMessage()
        except Exception:  # noqa: BLE001 - the arguments are foreign objects: they may raise anything
            fields["detail"] = f"not to be formatted: {record.msg}"
        if record.exc_info and record.exc_info[1]:
            fields["exception"] = traceback_of(record.exc_info[1])
        self._say(_level_of(record.levelno), "log.message", fields)


def _level_of(number: int) -> Level:
    return max((level for level in Level if LEVELS[level] <= number), key=LEVELS.__getitem__, default=Level.DEBUG)


def _take_logging(say: Say, threshold: int, undo: ExitStack) -> None:
    """Make the root logger, structlog's default and warnings end in `say`."""
    root = logging.getLogger()
    undo.callback(_restore, root, root.handlers, root.level)
    _restore(root, [_Forward(say)], threshold)
    for name in QUIET:
        quiet = logging.getLogger(name)
        undo.callback(quiet.setLevel, quiet.level)
        quiet.setLevel(max(threshold, logging.WARNING))
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    undo.callback(structlog.reset_defaults)
    logging.captureWarnings(True)
    undo.callback(logging.captureWarnings, False)


def _restore(logger: logging.Logger, handlers: list[logging.Handler], level: int) -> None:
    logger.handlers = handlers
    logger.setLevel(level)


def _take_hooks(say: Say, undo: ExitStack) -> None:
    """Make what nothing caught a `service.crashed`."""

    def crashed(failure: BaseException, where: str = "") -> None:
        said = traceback.format_exception_only(failure)[0].strip()  # any notes come after it
        fields = {"detail": said + where, "exception": traceback_of(failure)}
        say(Level.CRITICAL, "service.crashed", fields)

    def of_process(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
        if isinstance(failure, KeyboardInterrupt):
            sys.__excepthook__(kind, failure, trace)
        else:
            crashed(failure.with_traceback(trace))

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            crashed(args.exc_value, f" (in thread {args.thread.name if args.thread else 'unknown'})")

    def of_finalizer(args: sys.UnraisableHookArgs) -> None:
        fields: dict[str, object] = {"logger": "python", "detail": args.err_msg or "exception ignored"}
        if args.exc_value is not None:
            fields["exception"] = traceback_of(args.exc_value)
        say(Level.ERROR, "log.message", fields)

    for module, name, hook in (
        (sys, "excepthook", of_process),
        (threading, "excepthook", of_thread),
        (sys, "unraisablehook", of_finalizer),
    ):
        undo.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, hook)
