"""The kinds of report, and the key that names one report.

Each module of this package describes one kind, in a constant named like the module: `hub_rating.HUB_RATING`. What
is there is found, so that a further kind is a further module (and a migration that creates its source table).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from report_service.domain.descriptors import Kind
from report_service.domain.months import ReportMonth
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["KINDS", "KIND_BY_NAME", "DeliveryKey", "Kind"]


def _described() -> Iterator[Kind]:
    for module in iter_modules(__path__, f"{__name__}."):
        name = module.name.rpartition(".")[2]
        yield getattr(import_module(module.name), name.upper())


KINDS: tuple[Kind, ...] = tuple(sorted(_described(), key=lambda kind: kind.rank))
"""Every kind, in the order in which they are sent."""

KIND_BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class DeliveryKey:
    """The name of one report: `2026-10/hub_rating/<hub_id>`; without a subject for a kind that has one a month."""

    month: ReportMonth
    kind: Kind
    subject: str = ""

    @classmethod
    def parse(cls, text: str) -> DeliveryKey:
        """Read a key, its subject in any spelling that a source may have; raise BadInput for anything else.

        A subject in no form that the kind knows stays as it is: no report has it.
        """
        month, _, rest = text.strip().partition("/")
        name, _, subject = rest.partition("/")
        kind = KIND_BY_NAME.get(name)
        if kind is None or (kind.subject is None) == bool(subject):
            raise BadInput(
                f"{text!r} is not the key of a report",
                hint="Keys look like 2026-10/hotline_rating or 2026-10/hub_rating/<hub_id>; "
                f"the kinds are {', '.join(KIND_BY_NAME)}. `report-service status` lists the keys of a month.",
            )
        return cls(ReportMonth.parse(month), kind, kind.subject.canonical(subject) if kind.subject else "")

    def __str__(self) -> str:
        return f"{self.month}/{self.kind}" + (f"/{self.subject}" if self.subject else "")
