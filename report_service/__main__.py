"""The program's entry: `report-service`, and `python -m report_service`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit; what an orchestrator asks every minute is answered without importing it."""
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
