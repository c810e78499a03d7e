"""How customers rate a charging point: one report a month and point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.common_columns import RATING, sample_rating
from report_service.domain.descriptors import POINT, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from report_service.domain.months import ReportMonth


def _sample(_month: ReportMonth, random: Random) -> Mapping[str, object]:
    return {"rating": sample_rating(random), "total_complaints": max(0, round(random.gauss(0.5, 1.2)))}


POINT_RATING = Kind(
    name="point_rating",
    rank=50,
    label="point rating",
    german="Bewertung der Ladepunkte",
    source="point-ratings",
    subject=POINT,
    columns=(
        RATING,
        Column(
            name="total_complaints",
            field="totalComplaints",
            stored=parsers.plain_number,
            parse=parsers.whole,
        ),
    ),
    path="/charginghub/{hub_id}/chargingpoint/{point_id}/ratings",
    sample=_sample,
)
