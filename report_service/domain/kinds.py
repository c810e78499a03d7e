"""The five kinds of report, and the key that names one report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from report_service.domain import parsers
from report_service.domain.field_errors import InvalidValue
from report_service.domain.months import ReportMonth
from report_service.errors import BadInput


class Kind(StrEnum):
    """A kind of monthly report, in the order in which they are sent: what the most depends on goes first."""

    HOTLINE_RATING = "hotline_rating"  # one a month
    NONDISCRIMINATORY_ACCESS = "nondiscriminatory_access"  # one a month and provider group
    HUB_RATING = "hub_rating"  # one a month and charging hub
    AD_HOC_TARIFF = "ad_hoc_tariff"  # one a month and charging hub
    POINT_RATING = "point_rating"  # one a month and charging point

    @property
    def rank(self) -> int:
        """Return the place in the order of sending, from 0."""
        return list(Kind).index(self)


@dataclass(frozen=True, slots=True, order=True)
class DeliveryKey:
    """The name of one report: `2026-10/hub_rating/<hub_id>`; the hotline's has no subject."""

    month: ReportMonth
    kind: Kind
    subject: str = ""

    @classmethod
    def parse(cls, text: str) -> DeliveryKey:
        """Read a key, its subject in any spelling that a source may have; raise BadInput for anything else.

        A subject in no form that the kind knows stays as it is: no report has it.
        """
        month, _, rest = text.strip().partition("/")
        kind, _, subject = rest.partition("/")
        if kind not in list(Kind) or (kind == Kind.HOTLINE_RATING) == bool(subject):
            raise BadInput(
                f"{text!r} is not the key of a report",
                hint="Keys look like 2026-10/hotline_rating or 2026-10/hub_rating/<hub_id>; "
                f"the kinds are {', '.join(Kind)}. `report-service status` lists the keys of a month.",
            )
        return cls(ReportMonth.parse(month), Kind(kind), _canonical(Kind(kind), subject))

    def __str__(self) -> str:
        return f"{self.month}/{self.kind}" + (f"/{self.subject}" if self.subject else "")


def _canonical(kind: Kind, subject: str) -> str:
    """Return a subject as the ledger has it: UUIDs in lower case with hyphens, provider groups in upper case."""
    parse = parsers.provider_group if kind is Kind.NONDISCRIMINATORY_ACCESS else parsers.uuid
    try:
        return parse(subject) if subject else subject
    except InvalidValue:
        return subject
