"""How the operator's hotline did: one report a month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.common_columns import RATING
from report_service.domain.descriptors import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from report_service.domain.months import ReportMonth


def _sample(_month: ReportMonth, _random: Random) -> Mapping[str, object]:
    return {"hotline_calls": 1873, "fcr_rate": "0.87", "asa_seconds": "21.4", "rating": "1.9"}


HOTLINE_RATING = Kind(
    name="hotline_rating",
    rank=10,
    label="hotline rating",
    german="Hotline-Bewertung",
    source="hotline-ratings",
    subject=None,
    columns=(
        Column(
            name="hotline_calls",
            field="hotlineCalls",
            stored=parsers.plain_number,
            parse=parsers.whole,
            zero_means="without calls there is nothing to rate",
        ),
        # First call resolution, and the average speed of answer.
        Column(name="fcr_rate", field="fcrRate", stored=parsers.share, parse=parsers.rate),
        Column(name="asa_seconds", field="asa", stored=parsers.number, parse=parsers.seconds),
        RATING,
    ),
    path="/hotline-ratings",
    correction_omits=frozenset(),
    sample=_sample,
)
