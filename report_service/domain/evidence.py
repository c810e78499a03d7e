"""Proof of delivery: every answer to a report, each chained by its hash to the one before it.

Whoever changes, adds or takes away one of them has to change all hashes after it; the last one, the head, is in
the log of each run, where other hands keep it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
ANSWER_LIMIT = 64 * 1024
"""The most bytes of an answer that are kept as evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEntry:
    """What became of one request for a report."""

    position: int  # in the chain of its month, from 1
    report_key: str
    request_id: str
    verb: str
    path: str
    sha256: str | None  # of the body that was sent
    at: datetime  # when the answer, or the lack of one, was there: UTC
    http_status: int | None
    outcome: str
    answer: str  # in the API's own words, secrets out; or why there was none

    def digest(self, previous: str) -> str:
        """Return its hash, in which that of the entry before it is contained."""
        said = [
            *(previous, self.position, self.report_key, self.request_id, self.verb, self.path, self.sha256),
            *(self.at.isoformat(timespec="microseconds"), self.http_status, self.outcome, self.answer),
        ]
        return hashlib.sha256(_encode(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class EvidenceLink:
    """An entry, and the hash that it was written with."""

    entry: EvidenceEntry
    digest: str


def genesis(endpoint: str, cpo_id: str, month: str) -> str:
    """Return what stands before the first entry of a month: no chain passes for another."""
    return hashlib.sha256(json.dumps([endpoint, cpo_id, month]).encode()).hexdigest()


def head_of(links: Iterable[EvidenceLink], begins: str) -> str:
    """Return the hash of the last entry; `begins`, the genesis, if there is none."""
    head = begins
    for link in links:
        head = link.digest
    return head


def first_misfit(links: Iterable[EvidenceLink], begins: str) -> str | None:
    """Return what is wrong with the first link that does not fit, None if all do."""
    previous = begins
    for number, link in enumerate(links, 1):
        entry = link.entry
        named = f"link {number} ({entry.report_key}, request {entry.request_id})"
        if entry.position != number:
            return f"{named} says that it is number {entry.position}: links were taken out, or put in"
        if entry.digest(previous) != link.digest:
            return f"{named} does not fit: it, or what stands before it, is not what was written"
        previous = link.digest
    return None
