"""What one provider group is charged: one report a month and provider group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.common_columns import CONTRACTUAL_BASIS, PRICE, sample_validity, valid_for_a_time
from report_service.domain.descriptors import PROVIDER_GROUP, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from report_service.domain.months import ReportMonth


def _sample(month: ReportMonth, random: Random) -> Mapping[str, object]:
    return {
        "cost_ct_per_kwh": random.randint(39, 55),
        "additional_costs": None,
        **sample_validity(month),
        "contractual_basis": random.choice(tuple(parsers.ContractualBasis)).value,
        "reasoning_different_costs": None,
    }


NONDISCRIMINATORY_ACCESS = Kind(
    name="nondiscriminatory_access",
    rank=20,
    label="nondiscriminatory access",
    german="Diskriminierungsfreier Zugang",
    source="nondiscriminatory-access",
    subject=PROVIDER_GROUP,
    columns=(
        *PRICE,
        CONTRACTUAL_BASIS,
        Column(
            name="reasoning_different_costs",
            field="reasoningDifferentCosts",
            stored=parsers.text,
            parse=parsers.text,
            required=False,
        ),
    ),
    path="/nondiscriminatory-access",
    correction_path="/{provider_group}",
    correction_omits=frozenset({"month", "providerGroup"}),
    check=valid_for_a_time,
    sample=_sample,
)
