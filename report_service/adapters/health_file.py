"""The small file that the daemon leaves at each heartbeat, for `health` to read."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from report_service.errors import BadInput
from report_service.ports import HealthSnapshot

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)


class HealthFile:
    """A file that is replaced as a whole, so that no reader sees half of it."""

    def __init__(self, path: Path) -> None:
        """Take its place; the folder must be there."""
        self._path = path
        self._failing = False

    def write(self, pulse: HealthSnapshot) -> None:
        """Replace the file; that this fails is said once, and keeps nothing from being delivered."""
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            fresh.unlink(missing_ok=True)
            with fresh.open("x", encoding="utf-8") as file:
                json.dump(asdict(pulse), file)
            fresh.replace(self._path)
            self._failing = False
        except OSError as exc:
            if not self._failing:
                _log.warning("%s cannot be written, so `health` will fail: %s", self._path, exc.strerror)
            self._failing = True

    def remove(self) -> None:
        """Remove the file: the daemon ends on purpose."""
        with suppress(OSError):
            self._path.unlink()


def read_health_file(path: Path) -> HealthSnapshot:
    """Return what the daemon left; raise BadInput if there is nothing, or nothing that can be understood."""
    try:
        return HealthSnapshot(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError as exc:
        raise BadInput(f"no daemon runs here with this configuration: {path} does not exist") from exc
    except (OSError, ValueError, TypeError) as exc:
        raise BadInput(f"{path} cannot be read: {exc}") from exc
