"""A command that kills itself, as kill -9 would, at a step of its work: `dying.py 7 before run --patience 30`.

Right before the n-th commit of a transaction that writes, or right after it, or a moment later, when its requests
leave; or when the n-th request has left, or its answer is there and nobody knows of it yet.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
from typing import Any

from sqlalchemy import Connection, Engine, Pool, event

from report_service.cli.main import main

COMMITS = ("before", "after", "soon")
REQUESTS = {"sent": "send_request_body.complete", "answered": "receive_response_body.complete"}
"""Where a request is, and what httpx's transport says then."""
MOMENT_S = 0.02
"""Within so much of a commit the requests that it announced leave."""


def die_at(number: int, where: str) -> None:
    """Arrange for this process to die at its n-th commit, or at its n-th request."""
    if where in REQUESTS:
        transport = logging.getLogger("httpcore.http11")
        transport.addHandler(_AtRequest(number, REQUESTS[where]))
        transport.setLevel(logging.DEBUG)
        return
    commits = 0

    def before(connection: Connection) -> None:
        nonlocal commits
        commits += bool(connection.get_execution_options().get("writes"))
        if commits == number and where == "before":
            _die()

    def after(_connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        if commits >= number:
            _die() if where == "after" else threading.Thread(target=_die_soon, daemon=True).start()

    event.listen(Engine, "commit", before)
    event.listen(Pool, "checkin", after)


class _AtRequest(logging.Handler):
    """Dies when the transport has said so often how far a request is."""

    def __init__(self, number: int, step: str) -> None:
        super().__init__()
        self._left = number
        self._step = step

    def emit(self, record: logging.LogRecord) -> None:
        self._left -= record.getMessage().startswith(self._step)
        if not self._left:
            _die()


def _die_soon() -> None:
    time.sleep(random.uniform(0, MOMENT_S))
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_at(int(sys.argv[1]), sys.argv[2])
    del sys.argv[1:3]
    main()
