"""How customers rate a charging hub: one report a month and hub."""

from __future__ import annotations

from report_service.domain.common_columns import RATING, sample_rating
from report_service.domain.descriptors import HUB, Kind

HUB_RATING = Kind(
    name="hub_rating",
    rank=30,
    label="hub rating",
    german="Bewertung der Ladehubs",
    source="hub-ratings",
    subject=HUB,
    columns=(RATING,),
    path="/charginghub/{hub_id}/ratings",
    sample=lambda _month, random: {"rating": sample_rating(random)},
)
