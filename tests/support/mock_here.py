"""The API's mock in a thread of the tests: real connections, without the cost of a process."""

from __future__ import annotations

import argparse
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from report_service.adapters.clock import SystemClock
from report_service.mock_api.answers import Dialect
from report_service.mock_api.app import MockObelis
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import parse_latency
from report_service.mock_api.server import MockServer
from tests.support.processes import DEADLINE_S, Mock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
"""Those of `mock-api` that the tests use; by default it sets no limit."""
OPTIONS.add_argument("--client-secret")
OPTIONS.add_argument("--dialect", type=Dialect, default=Dialect.GUIDE)
OPTIONS.add_argument("--fault", type=InjectedFault.parse, action="append", default=[])
OPTIONS.add_argument("--latency", type=parse_latency, default="none")
OPTIONS.add_argument("--limit", type=int, default=0)
OPTIONS.add_argument("--seed", type=int)


@contextmanager
def served(app: MockObelis) -> Iterator[str]:
    """Serve a mock in a thread, and yield its URL."""
    server = MockServer(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(timeout=DEADLINE_S)
        assert not thread.is_alive()


@contextmanager
def mock_here(*options: object, log: Path) -> Iterator[Mock]:
    """Serve a mock with options of `mock-api` in a thread."""
    chosen = OPTIONS.parse_args([str(option) for option in options])
    with log.open("a", encoding="utf-8", buffering=1) as lines:
        app = MockObelis(
            clock=SystemClock(),
            dialect=chosen.dialect,
            credentials={"client_secret": chosen.client_secret} if chosen.client_secret else {},
            requests_per_minute=chosen.limit,
            latency=chosen.latency,
            faults=chosen.fault,
            seed=chosen.seed,
            log=lines.write,
        )
        with served(app) as url:
            yield Mock(url=url, log=log)
