"""The program's entry: `report-service`, and `python -m report_service`."""

from __future__ import annotations

import gc
import os
import sys

SELDOM = (20_000, 20, 20)
"""How many new objects make the collector look for garbage: starting makes many, and none of them is."""


def main() -> None:
    """Run the command line and exit; what an orchestrator asks every minute is answered without importing it."""
    gc.set_threshold(*SELDOM)
    match sys.argv[1:]:
        case ["health", "--live"]:
            sys.exit(_live(None))
        case ["--config", config, "health", "--live"]:
            sys.exit(_live(config))
    from report_service.cli.main import main as whole  # noqa: PLC0415 - see above

    whole()


def _live(config: str | None) -> int:
    from report_service.liveness import check  # noqa: PLC0415 - as above: what is not needed is not imported

    return check(config, os.environ)


if __name__ == "__main__":
    main()
