"""The small file that the daemon leaves at each heartbeat, for `health` to read."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from report_service.adapters.whole_file import replace_private
from report_service.errors import BadInput
from report_service.liveness import newest_pulse
from report_service.ports import HealthSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)


class HealthFile:
    """A file that is replaced as a whole, so that no reader sees half of it."""

    def __init__(self, places: Sequence[str | Path]) -> None:
        """Take its places; the first whose folder can be written is used, at each heartbeat anew."""
        self._places = [Path(place) for place in places]
        self._failing = False

    def write(self, pulse: HealthSnapshot) -> None:
        """Replace the file; that this fails is said once, and keeps nothing from being delivered."""
        refusals = []
        for place in self._places:
            try:
                replace_private(place, json.dumps(asdict(pulse)))
            except OSError as exc:
                refusals.append(f"{place} cannot be written ({exc.strerror})")
            else:
                self._failing = False
                return
        if not self._failing:
            _log.warning("`health` will fail: %s; name another by health.file", ", ".join(refusals))
        self._failing = True

    def remove(self) -> None:
        """Remove the file: the daemon ends on purpose."""
        for place in self._places:
            with suppress(OSError):
                place.unlink()


def read_health_file(places: Sequence[str | Path]) -> HealthSnapshot:
    """Return what the daemon left; raise BadInput if there is nothing, or nothing that can be understood."""
    files = tuple(map(str, places))
    try:
        return HealthSnapshot(**newest_pulse(files))
    except (OSError, ValueError) as exc:
        raise BadInput(str(exc)) from exc
    except (KeyError, TypeError) as exc:
        raise BadInput(f"{' or '.join(files)} cannot be read: {exc}") from exc
