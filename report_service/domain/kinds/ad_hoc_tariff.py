"""What charging without a contract costs at a hub: one report a month and hub."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from report_service.domain.common_columns import CONTRACTUAL_BASIS, PRICE, sample_validity, valid_for_a_time
from report_service.domain.descriptors import HUB, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from report_service.domain.months import ReportMonth


def _sample(month: ReportMonth, random: Random) -> Mapping[str, object]:
    return {
        "cost_ct_per_kwh": random.choice((56, 59, 61)),
        "additional_costs": '[{"description": "blocking fee per minute after 4 h", "cost": 10}]',
        **sample_validity(month),
    }


AD_HOC_TARIFF = Kind(
    name="ad_hoc_tariff",
    rank=40,
    label="ad-hoc tariff",
    german="Ad-hoc-Tarif",
    source="ad-hoc-tariffs",
    subject=HUB,
    # Version 0.9 requires the basis without defining it: it is sent where the operator gives it.
    columns=(*PRICE, replace(CONTRACTUAL_BASIS, required=False, omissible=True)),
    path="/charginghub/{hub_id}/ad-hoc-tariff",
    check=valid_for_a_time,
    sample=_sample,
)
