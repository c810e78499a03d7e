"""Builds a rehearsal: the service as it is set, but with the mock, made-up time and a throw-away ledger."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import SecretStr

from report_service.adapters.clock import SystemClock
from report_service.adapters.db import schema
from report_service.adapters.db.engine import Store
from report_service.bootstrap.service import Unheard, build
from report_service.bootstrap.stores import open_ledger, open_store, source_of
from report_service.errors import ConfigurationError
from report_service.services.rehearsal import (
    InlineExecutor,
    NoBackground,
    Rehearsal,
    RehearsalClock,
    moment_for,
)
from report_service.settings.obelis import MOCK_API

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from report_service.domain.months import ReportMonth
    from report_service.settings import Settings


@contextmanager
def rehearsing(
    settings: Settings,
    month: ReportMonth,
    *,
    at: datetime,
    redact: Callable[[str], str],
    store: Store | None = None,
) -> Iterator[Rehearsal]:
    """Yield the rehearsal of a month: the real sources and waivers, the mock, and a ledger that is thrown away.

    `store` is the real one, where it is open already.
    """
    obelis = settings.obelis
    clock = RehearsalClock(moment_for(month, at=at, guard_s=obelis.window_guard_s))
    with ExitStack() as after:
        real = store or after.enter_context(closing(open_store(settings)))
        folder = after.enter_context(_scratch_folder())
        ledger = open_ledger(settings, real, clock)
        scratch = Store(f"sqlite:///{folder}/ledger.sqlite3")
        scratch.do_not_wait_for_the_disk()
        schema.upgrade(scratch)
        mocked = settings.model_copy(update={"obelis": obelis.model_copy(update=_as_mock())})
        service = build(
            mocked,
            events=Unheard(),
            redact=redact,
            clock=clock,
            background=NoBackground(),
            store=scratch,
            source=source_of(settings, real, SystemClock()),
            executor=lambda api: InlineExecutor(api, clock, capacity=obelis.max_in_flight),
        )
        after.enter_context(closing(service))
        yield Rehearsal(
            ledger=service.ledger,
            reconciler=service.reconciler,
            clock=clock,
            waivers=ledger.waivers.of(month),
            expected_before=ledger.status.month_counts(month.shift(-1)).expected,
            guard_s=obelis.window_guard_s,
            requests_per_minute=obelis.requests_per_minute,
        )


@contextmanager
def _scratch_folder() -> Iterator[str]:
    """Yield a folder that is removed afterwards; raise ConfigurationError where none can be made."""
    try:
        folder = TemporaryDirectory(prefix="report-service-rehearsal-")
    except OSError as exc:
        raise ConfigurationError(
            f"a rehearsal needs a folder for temporary files: {exc.strerror}",
            hint="Let TMPDIR name one that can be written, or give the container a /tmp (--tmpfs /tmp).",
        ) from exc
    with folder as path:
        yield path


def _as_mock() -> dict[str, object]:
    """Return what makes the settings of the API those of mock mode; the CPO stays."""
    places = {name: value for name, value in MOCK_API.items() if name not in {"client_secret", "cpo_id"}}
    return {"mode": "mock", "client_secret": SecretStr(MOCK_API["client_secret"]), "headers": {}, **places}
