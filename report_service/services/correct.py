"""Make OBELIS say what the source says: a PUT for each report that changed after it was accepted, or is not ours.

Corrections have no window; otherwise they go out as reports do (`services.delivery`). What is done with an answer
is simpler, since a PUT twice has the effect of one (`domain.correction`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from report_service.domain.correction import Correction
from report_service.domain.delivery import State
from report_service.services.delivery.corrections import CorrectionBacklog
from report_service.services.delivery.lease_keeper import acquire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.errors import RunHalted
    from report_service.ports import Background, Events, History, Ledger, Renderer, ReportRecord
    from report_service.services.delivery.service import DeliveryService
    from report_service.services.explain import Explaining, Story


@dataclass(frozen=True, slots=True)
class Difference:
    """A report that differs, field by field: (name, as reported, as the source has it)."""

    correction: Correction
    fields: list[tuple[str, Any, Any]]  # none: OBELIS does not have what was sent
    why: str  # in words, where there are no fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What correcting came to."""

    corrected: Sequence[Correction]
    left: Mapping[str, str]  # why, by key
    error: RunHalted | None  # what ended it before its end


def nothing_forbidden(_kind: Kind, _body: bytes) -> str:
    """Return "": there is no description that forbids a body."""
    return ""


def difference(story: Story, renderer: Renderer, breach: Callable[[Kind, bytes], str]) -> Difference | None:
    """Return what a correction would change of a report; None: there is nothing to send.

    Raise ConfigurationError when the configured paths cannot name the report.
    """
    report, desired = story.report, story.desired
    if desired is None or report.payload_sha256 is None:
        return None
    put = renderer.correction_of(report.key, report.path, desired.body, obelis_id=report.obelis_id)
    correction = Correction(
        row=report.row,
        key=report.key,
        state=report.state,
        reported_sha256=report.payload_sha256,
        desired=desired,
        put=put,
        echo_differed=report.echo_differs,
        breach=breach(report.key.kind, put.body),
    )
    fields = [] if is_foreign(report) else story.differences
    return Difference(correction, fields, story.reason or "nobody knows what OBELIS has")


def to_correct(
    history: History,
    explaining: Explaining,
    renderer: Renderer,
    month: ReportMonth,
    *,
    at: datetime,
    wanted: Callable[[ReportRecord], bool] | None = None,
    breach: Callable[[Kind, bytes], str] = nothing_forbidden,
) -> list[Difference]:
    """Return what corrections of the wanted reports of a month would change, in the order of keys.

    By default those are wanted that were accepted, and are not what the source says. `breach` says why the API's
    description forbids a body.
    """
    wanted = wanted or has_drifted
    found = (
        difference(explaining.of(report, at=at), renderer, breach)
        for report in history.reports(month)
        if wanted(report)
    )
    return [one for one in found if one is not None]


def has_drifted(report: ReportRecord) -> bool:
    """Return True if a report was accepted, and is not what the source says, or not what was sent."""
    return report.state is State.ACCEPTED and report.drift


def is_foreign(report: ReportRecord) -> bool:
    """Return True if OBELIS has the report from someone else: nobody knows its figures."""
    return report.state is State.ALREADY_REPORTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Correcting:
    """Sends corrections of one ledger."""

    ledger: Ledger
    delivery: DeliveryService
    background: Background
    events: Events
    run_id: str  # of the run that planned: what these attempts are filed under
    patience_s: float  # for what is due again, and for another process to let go of the lease

    def run(self, corrections: Sequence[Correction]) -> Corrected:
        """Send them; return what came of it. Raises LeaseHeld before anything is sent, StoreUnavailable."""
        delivery, events = self.delivery, self.events.bind(run_id=self.run_id)
        backlog = CorrectionBacklog.of(corrections, clock=delivery.clock)
        lease = acquire(
            self.ledger.leases,
            endpoint=self.ledger.endpoint,
            holder=self.ledger.instance,
            clock=delivery.clock,
            background=self.background,
            events=events,
            patience_s=self.patience_s,
            stop=delivery.stop,
        )
        with lease.kept(self.background, events):
            dispatcher = delivery.corrector(
                backlog, run_id=self.run_id, lease=lease, events=events, patience_s=self.patience_s
            )
            dispatcher.run()
        done = {one.key for one in backlog.corrected}
        left = {
            str(one.key): backlog.left.get(str(one.key), "it was not sent")
            for one in corrections
            if one.key not in done
        }
        return Corrected(corrected=backlog.corrected, left=left, error=dispatcher.stats.halted)
