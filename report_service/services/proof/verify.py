"""Hold an exported proof against itself, against a head from the log, and against the ledger."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from report_service.domain.evidence import EvidenceEntry, EvidenceLink, first_misfit, genesis
from report_service.domain.months import ReportMonth
from report_service.errors import BadInput
from report_service.services.proof.proof import FORMAT, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.ports import Ledger

_HASH = re.compile(r"[0-9a-f]{64}")
_NO_PROOF = "it is no proof as `report-service export --format json` writes it"
_NAME_ONE = "Name a file that was exported so, and is whole."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedProof:
    """A proof as it was read from a file."""

    endpoint: str
    cpo_id: str
    month: ReportMonth
    head: str | None
    links: list[EvidenceLink]
    tree: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> ExportedProof:
        """Read what `export --format json` wrote; raise BadInput for anything else."""
        tree = _tree(text)
        try:
            links = [link for number, report in enumerate(tree["reports"], 1) for link in _links(number, report)]
            return cls(
                endpoint=str(tree["endpoint"]),
                cpo_id=str(tree["cpo_id"]),
                month=ReportMonth.parse(tree["month"]),
                head=tree["head"],
                links=sorted(links, key=lambda link: link.entry.position),
                tree=tree | {"digest": tree["digest"]},
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise BadInput(f"{_NO_PROOF}: {exc!r}", hint=_NAME_ONE) from exc

    def misfits(self, *, head: str | None) -> list[str]:
        """Return what does not fit within the file, the first broken link before all else; raise BadInput."""
        if head is not None and not _HASH.fullmatch(head):
            raise BadInput(f"{head!r} is no head of a chain", hint="A head is 64 hex digits, as a run logs it.")
        found = [first_misfit(self.links, genesis(self.endpoint, self.cpo_id, str(self.month)))]
        last = self.links[-1].digest if self.links else None
        if self.head != last:
            found.append(f"the head {self.head} is not the hash of the last link, {last}")
        if head is not None and head not in {link.digest for link in self.links}:
            found.append(f"no link has the hash {head}: what was written before that head was noted is not this")
        found += map(_body_misfit, self.tree["reports"])
        if not any(found):
            changed = [report["key"] for report in self.tree["reports"] if not _has_its_digest(report)]
            found += [f"what is told of {key} is not what was exported" for key in changed]
        if not any(found) and not _has_its_digest(self.tree):
            found.append("something beside the reports is not what was exported")
        return [one for one in found if one]

    def misfits_with(self, ledger: Ledger) -> list[str]:
        """Return what does not fit between the file and the ledger, or within the ledger."""
        written = ledger.evidence.links(self.month)
        found = [first_misfit(written, genesis(self.endpoint, self.cpo_id, str(self.month)))]
        if found[0]:
            found[0] = f"in the ledger, {found[0]}"
        if self.links and not written:
            return [f"the ledger has no answer of {self.month} any more: retention.attempts_years, or a loss"]
        for link in self.links:
            number, entry = link.entry.position, link.entry
            if number > len(written):
                found.append(
                    f"link {number} ({entry.report_key}, request {entry.request_id}) is not in the ledger"
                )
                break
            if written[number - 1] != link:
                found.append(
                    f"link {number} ({entry.report_key}, request {entry.request_id}) is otherwise in the ledger"
                )
                break
        if not any(found) and len(written) == len(self.links):
            found += self._altered(ledger)
        return [one for one in found if one]

    def _altered(self, ledger: Ledger) -> list[str]:
        """Return which delivered reports the ledger knows otherwise, though nothing was answered since."""
        known = {str(report.key): report for report in ledger.history.reports(self.month)}
        found = []
        for report in self.tree["reports"]:
            now = known.get(report["key"])
            if not report["evidence"]:
                continue
            body = now.body.decode() if now and now.body is not None else None
            told = (report["evidence"], report["obelis_id"], report["sha256"], report["body"])
            if now is None or told != (now.evidence, now.obelis_id, now.payload_sha256, body):
                found.append(f"{report['key']} is otherwise in the ledger")
        return found


def _tree(text: str) -> dict[str, Any]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadInput(f"{_NO_PROOF}: {exc}", hint=_NAME_ONE) from exc
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise BadInput(_NO_PROOF, hint=_NAME_ONE)
    return tree


def knows(ledger: Ledger, proof: ExportedProof) -> bool:
    """Return True if the ledger can say anything of the proof's month."""
    counts = ledger.status.month_counts(proof.month)
    return counts.expected > 0 or ledger.evidence.head(proof.month) is not None


def _links(number: int, report: Mapping[str, Any]) -> list[EvidenceLink]:
    """Return the links of one report; raise BadInput, which names it, unless it has all that an export writes."""
    key = "without a key"
    try:
        key = report["key"]
        for name in ("body", "sha256", "evidence", "obelis_id", "digest"):
            report[name]
        return [_link(key, one) for one in report["attempts"] if one["link"] is not None]
    except (KeyError, TypeError, ValueError) as exc:
        what = f"it has no {exc}" if isinstance(exc, KeyError) else str(exc)
        raise BadInput(f"report {number} ({key}) is not as it was exported: {what}", hint=_NAME_ONE) from exc


def _link(key: str, attempt: Mapping[str, Any]) -> EvidenceLink:
    return EvidenceLink(
        EvidenceEntry(
            position=int(attempt["position"]),
            report_key=key,
            request_id=attempt["request_id"],
            verb=attempt["verb"],
            path=attempt["path"],
            sha256=attempt["sha256"],
            at=datetime.fromisoformat(attempt["ended_at"]),
            http_status=attempt["http_status"],
            outcome=attempt["outcome"],
            answer=attempt["answer"],
        ),
        attempt["link"],
    )


def _has_its_digest(told: Mapping[str, Any]) -> bool:
    others = {name: value for name, value in told.items() if name != "digest"}
    return bool(digest_of(others) == told["digest"])


def _body_misfit(report: Mapping[str, Any]) -> str | None:
    for told in (report, *report["attempts"]):
        body = told.get("body")
        if body is not None and hashlib.sha256(str(body).encode()).hexdigest() != told["sha256"]:
            return f"the body of {report['key']} is not the one with the hash {told['sha256']}"
    return None
