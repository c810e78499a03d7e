"""A believable charge point operator: inventory and figures of any size, made up, the same for the same seed."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    said = {"month": str(month)}
    validity = {"valid_from": f"{month.first_day}T00:00:00Z", "valid_to": f"{month.last_day}T23:59:59Z"}
    return {
        "hubs": hub_rows,
        "points": point_rows,
        "provider-groups": [
            {"provider_group": group, "valid_from": "2024-01-01", "valid_to": None} for group in groups
        ],
        "hotline-ratings": [
            said | {"hotline_calls": 1873, "fcr_rate": "0.87", "asa_seconds": "21.4", "rating": "1.9"}
        ],
        "nondiscriminatory-access": [
            said
            | validity
            | {
                "provider_group": group,
                "cost_ct_per_kwh": random.randint(39, 55),
                "additional_costs": None,
                "contractual_basis": random.choice(("ROAMING_CONTRACT", "BILATERAL_CONTRACT")),
                "reasoning_different_costs": None,
            }
            for group in groups
        ],
        "hub-ratings": [said | {"hub_id": hub["hub_id"], "rating": _rating(random)} for hub in hub_rows],
        "ad-hoc-tariffs": [
            said
            | validity
            | {
                "hub_id": hub["hub_id"],
                "cost_ct_per_kwh": random.choice((56, 59, 61)),
                "additional_costs": '[{"description": "blocking fee per minute after 4 h", "cost": 10}]',
            }
            for hub in hub_rows
        ],
        "point-ratings": [
            said
            | {
                "point_id": point["point_id"],
                "rating": _rating(random),
                "total_complaints": max(0, round(random.gauss(0.5, 1.2))),
            }
            for point in point_rows
        ],
    }


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


def _rating(random: Random) -> str:
    return f"{min(6.0, max(1.0, random.gauss(2.2, 0.6))):.1f}"


def _id(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
