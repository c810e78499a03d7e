"""The months of a simulated daemon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.support.simulation import MONTH, Site, operator

if TYPE_CHECKING:
    from report_service.domain.months import ReportMonth


DUE = 11  # reports of the made-up operator, each month
BEFORE, AFTER = MONTH.shift(-1), MONTH.shift(1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def posts(site: Site, month: ReportMonth) -> list[datetime]:
    """Return when the API got reports for a month, by its own clock."""
    return [
        datetime.fromtimestamp(call["unix"], UTC)
        for call in site.world.calls
        if call["key"] and call["key"].startswith(f"{month}/")
    ]


def months_of(place: Site, *months: ReportMonth) -> None:
    for month in months:
        place.store(operator(month))
