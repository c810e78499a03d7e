"""Proof of delivery: what was due for a month, what was sent, every answer, and the chain that binds them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from report_service import __version__
from report_service.domain.delivery import State
from report_service.domain.months import SubmissionWindow
from report_service.errors import UsageError
from report_service.services.status import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from report_service.domain.evidence import EvidenceLink
    from report_service.domain.kinds import DeliveryKey
    from report_service.domain.months import ReportMonth
    from report_service.ports import AttemptRecord, HandIn, Ledger, MonthCounts, ReportRecord, Waiver

FORMAT = "report-service proof of delivery, 1"
_COLUMNS = (
    *("key", "kind", "subject", "state", "evidence", "obelis_id", "first_sent_at", "ended_at", "attempts"),
    *("http_status", "outcome", "request_id", "answer", "sha256", "body", "position", "link"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Everything that proves what became of a month, as it was at `at`."""

    endpoint: str
    cpo_id: str
    month: ReportMonth
    window: SubmissionWindow
    at: datetime
    counts: MonthCounts
    reports: list[ReportRecord]
    links: dict[str, EvidenceLink]  # by request id, in the order of the chain
    waivers: Mapping[DeliveryKey, Waiver]
    hand_ins: Mapping[DeliveryKey, HandIn]

    @property
    def head(self) -> str | None:
        """Return the hash of the chain's last link; None: nothing was ever answered."""
        return next(reversed(self.links.values())).digest if self.links else None


def gather(ledger: Ledger, month: ReportMonth, *, cpo_id: str, at: datetime, guard_s: float) -> Proof:
    """Return the proof of a month; raise UsageError for one of which the ledger knows nothing."""
    reports = ledger.history.reports(month)
    if not reports:
        raise UsageError(
            f"the ledger knows nothing of {month}",
            hint="`report-service status --from YYYY-MM` shows what it knows.",
        )
    return Proof(
        endpoint=ledger.endpoint,
        cpo_id=cpo_id,
        month=month,
        window=SubmissionWindow.of(month, guard_s=guard_s),
        at=at,
        counts=ledger.status.month_counts(month),
        reports=reports,
        links={link.entry.request_id: link for link in ledger.evidence.links(month)},
        waivers=ledger.waivers.of(month),
        hand_ins=ledger.hand_ins.of(month),
    )


def as_json(proof: Proof) -> str:
    """Return it as one JSON object, a line a report; the last field of each, and of all, is the others' digest."""
    counts = proof.counts
    head: dict[str, object] = {
        "format": FORMAT,
        "version": __version__,
        "endpoint": proof.endpoint,
        "cpo_id": proof.cpo_id,
        "month": str(proof.month),
        "exported_at": iso(proof.at),
        "window": {"opens": iso(proof.window.opens), "closes": iso(proof.window.closes)},
        "expected": counts.expected,
        "complete": counts.complete,
        "by_state": {state.value: counts.count([state]) for state in State},
        "head": proof.head,
    }
    reports = [_report(proof, report) for report in proof.reports]
    for report in reports:
        report["digest"] = digest_of(report)
    lines = ",\n".join(map(_compact, reports))
    digest = digest_of(head | {"reports": reports})
    return f'{_compact(head)[:-1]},"reports":[\n{lines}\n],"digest":"{digest}"}}\n'


def digest_of(tree: Mapping[str, object]) -> str:
    """Return the hash of everything in an exported object, however it is laid out."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _report(proof: Proof, report: ReportRecord) -> dict[str, object]:
    waiver = proof.waivers.get(report.key) if report.state is State.WAIVED else None
    hand_in = proof.hand_ins.get(report.key) if report.state is State.HANDED_IN else None
    return {
        **report.standing(),
        "body": report.body.decode() if report.body is not None and report.attempts else None,
        "sha256": report.payload_sha256 if report.attempts else None,
        "obelis_id": report.obelis_id,
        "detail": report.detail,
        "waiver": waiver
        and {"reason": waiver.reason, "declared_by": waiver.declared_by, "declared_at": iso(waiver.declared_at)},
        "handed_in": hand_in
        and {
            "reference": hand_in.reference,
            "declared_by": hand_in.declared_by,
            "declared_at": iso(hand_in.declared_at),
        },
        "attempts": [_attempt(one, proof.links.get(one.request_id)) for one in report.attempts],
    }


def _attempt(one: AttemptRecord, link: EvidenceLink | None) -> dict[str, object]:
    """Return one attempt; from `position` on it is a link of the chain, if there is an answer.

    `body` is what was sent, if it is not what the report stands for now: before a correction, and that itself.
    """
    micro = "microseconds"
    return {
        "request_id": one.request_id,
        "verb": one.verb,
        "path": one.path,
        "sha256": link.entry.sha256 if link else one.payload_sha256,
        "body": one.body and one.body.decode(),
        "started_at": iso(one.started_at, timespec=micro),
        "ended_at": iso(link.entry.at if link else one.ended_at, timespec=micro),
        "http_status": one.http_status,
        "outcome": one.outcome and one.outcome.value,
        "answer": link.entry.answer if link else one.answer,
        "position": link and link.entry.position,
        "link": link and link.digest,
    }


def as_csv(proof: Proof) -> str:
    """Return it as a table, a row a report, with the attempt that brought it in; else its last one."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(proof, report) for report in proof.reports)
    return out.getvalue()


def _row(proof: Proof, report: ReportRecord) -> dict[str, Any]:
    tries = report.attempts
    told = report.settled_by or next(reversed(tries), None)
    shown = _attempt(told, proof.links.get(told.request_id)) if told else {}
    row: dict[str, Any] = {
        "key": str(report.key),
        "kind": report.key.kind.name,
        "subject": report.key.subject,
        "state": report.state.value,
        "evidence": report.evidence and report.evidence.value,
        "obelis_id": report.obelis_id,
        "first_sent_at": iso(tries[0].started_at) if tries else None,
        "ended_at": iso(told.ended_at) if told else None,
        "attempts": len(tries),
        "sha256": report.payload_sha256 if tries else None,
        "body": report.body.decode() if report.body is not None and tries else None,
        **{
            name: shown.get(name)
            for name in ("http_status", "outcome", "request_id", "answer", "position", "link")
        },
    }
    return dict(_harmless(row))


def _harmless(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield cells that no spreadsheet takes for a formula: an answer's first character is the API's."""
    for name, value in row.items():
        yield (
            name,
            f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value,
        )
