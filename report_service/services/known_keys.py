"""What the ledger knows of reports that a person names."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from report_service.errors import UnknownDelivery

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import KnownDelivery
    from report_service.ports import PlanStore

ALIKE = 0.8
"""From this likeness on a key counts as meant: a few letters of an id are wrong. Two UUIDs have less in common."""


def known_reports(plans: PlanStore, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, KnownDelivery]:
    """Return what is known of due reports, in the order named, each once.

    Raise UnknownDelivery, which names every other key and the due one nearest to it.
    """
    known: dict[tuple[ReportMonth, Kind], dict[str, KnownDelivery]] = {}
    found, unknown = {}, []
    for key in keys:
        group = key.month, key.kind
        if group not in known:
            known[group] = {subject: one for subject, one in plans.known_deliveries(*group).items() if one.due}
        if key.subject in known[group]:
            found[key] = known[group][key.subject]
        else:
            unknown.append(key)
    if unknown:
        raise UnknownDelivery(
            "\n       ".join(_unknown(key, known[key.month, key.kind]) for key in unknown),
            hint=f"`report-service status --month {unknown[0].month} --all` lists the keys of what is "
            "outstanding. A month is planned by its first run.",
        )
    return found


def _unknown(key: DeliveryKey, known: Mapping[str, KnownDelivery]) -> str:
    near = get_close_matches(key.subject, known, n=1, cutoff=ALIKE)
    nearest = "".join(f"; the nearest is {key.month}/{key.kind}/{subject}" for subject in near)
    return f"{key} is not due, as far as the ledger knows{nearest}"
