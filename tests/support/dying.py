"""A command that kills itself, as kill -9 would, at a commit: `dying.py 7 before run --patience 30`.

Before the n-th commit of a transaction that writes, right after it, or a moment later, when its requests leave.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from typing import Any

from sqlalchemy import Connection, Engine, Pool, event

from report_service.cli.main import main

MOMENT_S = 0.02
"""Within so much of a commit the requests that it announced leave."""


def die_at(number: int, where: str) -> None:
    """Arrange for this process to die before, after or soon after its n-th commit."""
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


def _die_soon() -> None:
    time.sleep(random.uniform(0, MOMENT_S))
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_at(int(sys.argv[1]), sys.argv[2])
    del sys.argv[1:3]
    main()
