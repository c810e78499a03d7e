"""What a proof's page shows, as numbers: when reports got in, how long answers took, what was late and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, State
from report_service.domain.responses import Outcome
from report_service.services.status import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from report_service.ports import ReportRecord
    from report_service.services.proof.proof import Proof

BINS = 48
LATE = timedelta(days=3)
"""What got in so long after the window opened is worth a word: the first run is on day 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often values fell into bins of one width, from `first` on."""

    first: float
    width: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Histogram:
        """Spread the values over all bins; one value alone has a bin of its own."""
        first = min(values, default=0.0)
        width = (max(values, default=0.0) - first) / BINS or 1.0
        counts = [0] * BINS
        for value in values:
            counts[min(int((value - first) / width), BINS - 1)] += 1
        return cls(first=first, width=width, counts=tuple(counts))

    @property
    def last(self) -> float:
        """Return the end of the last bin."""
        return self.first + self.width * len(self.counts)


def accepted_at(report: ReportRecord) -> datetime | None:
    """Return when the answer came that settled a report; None: none did."""
    settled_by = report.settled_by
    return settled_by.ended_at if settled_by else None


def durations_s(proof: Proof) -> list[float]:
    """Return how long each answered request took, shortest first."""
    return sorted(
        (one.ended_at - one.started_at).total_seconds()
        for report in proof.reports
        for one in report.attempts
        if one.ended_at is not None and one.http_status is not None
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of sorted values; one value is every percentile."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def remarkable(proof: Proof) -> Iterator[tuple[ReportRecord, str]]:
    """Yield what was late, needed a person, or is not in; and why."""
    for report in proof.reports:
        if reasons := list(_reasons(proof, report)):
            yield report, "; ".join(reasons)


def _reasons(proof: Proof, report: ReportRecord) -> Iterator[str]:
    waiver, at = proof.waivers.get(report.key), accepted_at(report)
    hand_in = proof.hand_ins.get(report.key) if report.state is State.HANDED_IN else None
    if report.state is State.WAIVED and waiver is not None:
        yield f"waived by {waiver.declared_by}: {waiver.reason}"
    elif hand_in is not None:
        yield f"handed in by other means, says {hand_in.declared_by}: {hand_in.reference}"
    elif report.state not in DONE or report.state is State.ALREADY_REPORTED:
        yield report.detail or REASONS.get(report.state, report.state)
    if report.drift:
        yield report.detail if report.echo_differs and report.detail else "the source says something else by now"
    if any(one.outcome is Outcome.REJECTED for one in report.attempts) and report.state is not State.REJECTED:
        yield "refused at first"
    if at is not None and at - proof.window.opens > LATE:
        yield f"in on day {(at - proof.window.opens).days + 1} of the window"
