"""Columns that several kinds of report have, the rule between them, and made-up figures for them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.descriptors import Column

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from report_service.domain.field_errors import RowReader
    from report_service.domain.months import ReportMonth

RATING = Column(name="rating", field="rating", stored=parsers.number, parse=parsers.grade, waivable=True)
"""An average of school grades, of which the grade is sent."""

CONTRACTUAL_BASIS = Column(
    name="contractual_basis", field="contractualBasis", stored=parsers.text, parse=parsers.contractual_basis
)

PRICE = (
    Column(name="cost_ct_per_kwh", field="cost", stored=parsers.plain_number, parse=parsers.money_ct),
    Column(
        name="additional_costs",
        field="additionalCosts",
        stored=parsers.json_text,
        parse=parsers.additional_costs,
        required=False,
    ),
    Column(name="valid_from", field="validFrom", stored=parsers.valid_from, parse=parsers.valid_from),
    Column(name="valid_to", field="validTo", stored=parsers.valid_to, parse=parsers.valid_to),
)
"""A price and when it holds, from before `valid_to`: `valid_for_a_time` keeps it."""


def valid_for_a_time(reader: RowReader, figures: Mapping[str, object]) -> None:
    """Refuse a price that ends before it begins."""
    start, end = figures["valid_from"], figures["valid_to"]
    if isinstance(start, datetime) and isinstance(end, datetime) and start >= end:
        reader.refuse("valid_to", f"must be after valid_from ({start:%Y-%m-%dT%H:%M:%SZ})")


def sample_rating(random: Random) -> str:
    """Return an average as customers give it."""
    return f"{min(6.0, max(1.0, random.gauss(2.2, 0.6))):.1f}"


def sample_validity(month: ReportMonth) -> dict[str, object]:
    """Return the whole month."""
    return {"valid_from": f"{month.first_day}T00:00:00Z", "valid_to": f"{month.last_day}T23:59:59Z"}
