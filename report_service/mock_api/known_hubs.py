"""The hubs and points that the mock knows; without an inventory it knows any."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHubs:
    """Known hub ids (lower case), each with its point ids; None: any are known.

    `visible_after_s` holds hubs back until so many seconds after the start: the guide's about 15 minutes
    until a change can be seen.
    """

    points: Mapping[str, frozenset[str]] | None = None
    visible_after_s: Mapping[str, float] = field(default_factory=dict)

    def knows(self, *, hub_id: str, point_id: str | None, running_s: float) -> bool:
        """Return True if a hub, and a point of it unless None, can be seen so many seconds after the start."""
        if running_s < self.visible_after_s.get(hub_id, 0.0):
            return False
        if self.points is None:
            return True
        known = self.points.get(hub_id)
        return known is not None and (point_id is None or point_id in known)


def read_points(folder: Path) -> dict[str, frozenset[str]]:
    """Read the ids of hubs.csv and points.csv, as `report-service import` takes them; raise BadInput."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in _rows(folder / "hubs.csv", "hub_id"):
        found[row["hub_id"].strip().lower()] = set()
    for row in _rows(folder / "points.csv", "hub_id", "point_id"):
        found[row["hub_id"].strip().lower()].add(row["point_id"].strip().lower())
    return {hub: frozenset(points) for hub, points in found.items()}


def _rows(path: Path, *columns: str) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            separator = ";" if ";" in head else ","
            names = next(csv.reader([head], delimiter=separator), [])
            missing = [name for name in columns if name not in names]
            if missing:
                raise BadInput(f"{path}: column {missing[0]!r} is missing", hint=f"It needs {', '.join(columns)}.")
            yield from csv.DictReader(file, fieldnames=names, delimiter=separator, restval="")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(
            f"{path} cannot be read: {exc}", hint="Name a folder that holds hubs.csv and points.csv in UTF-8."
        ) from exc
