"""What commands have in common: settings, logging, and the way to stop."""

from __future__ import annotations

import getpass
import signal
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import typer

from report_service.errors import BadInput, ReportServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from report_service.bootstrap.service import Service
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.logs.config import Logging
    from report_service.ports import Clock, Events, Ledger
    from report_service.settings import Settings


class ShutdownSignal:
    """SIGINT and SIGTERM, as what the services ask: whether this process is to end."""

    def __init__(self) -> None:
        self._reason: str | None = None

    def __call__(self) -> str | None:
        """Return why the process is to end, or None."""
        return self._reason

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch the signals; a second SIGINT ends the process at once."""
        before = {number: signal.signal(number, self._raise) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        if self._reason is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._reason = signal.Signals(number).name


def settings_of(ctx: typer.Context, *, warn: Callable[[str], None] | None = None) -> Settings:
    """Return the settings that the command line names; raise ConfigurationError.

    `warn` is told what looks like a setting and is none; without it standard error is.
    """
    from report_service.settings import load_settings

    path: Path | None = ctx.obj
    return load_settings(path, warn=warn or _warn)


def _warn(warning: str) -> None:
    print(f"Warning: {warning}", file=sys.stderr)


@contextmanager
def logging_to(stream: TextIO, settings: Settings | None = None, *, least: str | None = None) -> Iterator[Logging]:
    """Write the log to a stream as the settings ask for, or from the level `least` on.

    What is a bug ends here, as `service.crashed` and exit code 1: later nobody would take the secrets out.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.events import Level
    from report_service.logs.config import configure_logging
    from report_service.settings.rotation import secrets_of

    wanted = settings.log.format if settings else "auto"
    as_text = wanted == "console" or (wanted == "auto" and stream.isatty())
    logging = configure_logging(
        form="text" if as_text else "json",
        level=Level(least or (settings.log.level if settings else "info")),
        stream=stream,
        now=SystemClock().now,
        secrets=secrets_of(settings) if settings else (),
    )
    try:
        yield logging
    except (ReportServiceError, typer.Exit, typer.Abort):
        raise
    except Exception as bug:
        sys.excepthook(type(bug), bug, bug.__traceback__)
        raise typer.Exit(1) from bug
    finally:
        logging.close()


@contextmanager
def service_of(
    settings: Settings,
    logging: Logging,
    *,
    events: Events | None = None,
    **parts: Any,  # noqa: ANN401 - of `build`
) -> Iterator[Service]:
    """Build the service, and close it afterwards."""
    from report_service.bootstrap.service import build

    service = build(
        settings, events=events or logging.events, redact=logging.redactor, learn=logging.redactor.learn, **parts
    )
    try:
        yield service
    finally:
        service.close()


@contextmanager
def ledger_of(ctx: typer.Context) -> Iterator[tuple[Settings, Ledger, Clock]]:
    """Open only the ledger, its warnings on standard error: nothing that sends is started."""
    from report_service.adapters.clock import SystemClock
    from report_service.bootstrap.stores import open_ledger, open_store

    settings, clock = settings_of(ctx), SystemClock()
    with logging_to(sys.stderr, settings, least="warning"), closing(open_store(settings)) as store:
        yield settings, open_ledger(settings, store, clock), clock


def month_of(text: str | None, clock: Clock) -> ReportMonth:
    """Return the month that an option names; by default the previous one in Berlin."""
    from report_service.domain.months import ReportMonth

    return ReportMonth.parse(text) if text else ReportMonth.previous(clock.now())


def kind_of(text: str | None) -> Kind | None:
    """Return the kind of report that an option names; raise BadInput that names the kinds."""
    from report_service.domain.kinds import KIND_BY_NAME

    if text is not None and text not in KIND_BY_NAME:
        raise BadInput(f"{text!r} is not a kind of report", hint=f"The kinds are {', '.join(KIND_BY_NAME)}.")
    return None if text is None else KIND_BY_NAME[text]


def is_terminal() -> bool:
    """Return True if a person reads standard output."""
    return sys.stdout.isatty()


def user() -> str:
    """Return the user that runs the command; raise BadInput where it has no name, as in a container."""
    from report_service.domain import parsers
    from report_service.domain.field_errors import InvalidValue

    try:
        return parsers.text(getpass.getuser())
    except (KeyError, OSError, InvalidValue) as exc:
        raise BadInput(
            "the user that runs the command has no name here", hint="Say who declares it: --by NAME."
        ) from exc
