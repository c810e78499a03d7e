"""A believable charge point operator: inventory and figures of any size, made up, the same for the same seed."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from report_service.domain.descriptors import HUB, POINT, PROVIDER_GROUP
from report_service.domain.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from report_service.domain.descriptors import Subject
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth

Row = dict[str, object]

_TOWNS = (
    "Coswig", "Bad Hersfeld", "Uelzen", "Prenzlau", "Schwandorf", "Meppen", "Stendal", "Freudenstadt", "Husum",
    "Zwickau", "Landau", "Rosenheim", "Soest", "Eisenach", "Wismar", "Aalen", "Hameln", "Cottbus", "Kempten",
    "Wesel",
)  # fmt: skip
_GROUPS = ("EnBW", "FLE", "MOB", "TCB", "NRG", "VWG", "ION", "CHP", "ELM", "PLU")


def made_up_operator(
    month: ReportMonth, *, hubs: int = 20, points_per_hub: int = 8, provider_groups: int = 30, seed: int = 1
) -> Mapping[str, list[Row]]:
    """Return the rows of each source table, by the table's file name, complete and valid for one month."""
    random = Random(seed)  # noqa: S311 - made-up figures
    hub_rows = list(_hubs(hubs, month, random))
    point_rows = list(_points(hub_rows, points_per_hub, random))
    groups = [_group(number) for number in range(provider_groups)]
    subjects: Mapping[Subject | None, list[object]] = {
        None: [None],
        HUB: [hub["hub_id"] for hub in hub_rows],
        POINT: [point["point_id"] for point in point_rows],
        PROVIDER_GROUP: list(groups),
    }
    return {
        "hubs": hub_rows,
        "points": point_rows,
        "provider-groups": [
            {"provider_group": group, "valid_from": "2024-01-01", "valid_to": None} for group in groups
        ],
        **{kind.source: list(_reports(kind, month, subjects[kind.subject], random)) for kind in KINDS},
    }


def _reports(kind: Kind, month: ReportMonth, subjects: list[object], random: Random) -> Iterator[Row]:
    for subject in subjects:
        about = {kind.subject.column: subject} if kind.subject else {}
        yield {"month": str(month), **about, **kind.sample(month, random)}


def _hubs(count: int, month: ReportMonth, random: Random) -> Iterator[Row]:
    for number in range(count):
        name = _TOWNS[number % len(_TOWNS)] + (f" {number // len(_TOWNS) + 1}" if number >= len(_TOWNS) else "")
        opened = min(date(2024, 1, 1) + timedelta(days=random.randrange(400)), month.first_day)
        yield {
            "hub_id": _id(random),
            "name": f"Ladepark {name}",
            "commissioned_on": opened,
            "decommissioned_on": None,
        }


def _points(hubs: list[Row], per_hub: int, random: Random) -> Iterator[Row]:
    for number, hub in enumerate(hubs):
        for place in range(per_hub):
            yield {
                "point_id": _id(random),
                "hub_id": hub["hub_id"],
                "evse_id": f"DE*ABC*E{number:04d}*{place + 1}",
                "commissioned_on": hub["commissioned_on"],
                "decommissioned_on": None,
            }


def _group(number: int) -> str:
    if number < len(_GROUPS):
        return f"DE{_GROUPS[number][:3].upper()}"
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return f"NL{letters[number // 676 % 26]}{letters[number // 26 % 26]}{letters[number % 26]}"


def _id(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
