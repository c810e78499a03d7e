"""A ledger, and hands that plan, send and record with the service's own rules."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from report_service.adapters.db.tables import attempts, deliveries
from report_service.bootstrap.stores import ledger_in
from report_service.domain.delivery import Delivery, RetryPolicy, State, apply_outcome
from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.planning import Payload, SourceFinding, plan_delivery
from report_service.domain.responses import ApiResponse, classify, excerpt
from report_service.ports import AttemptResult, AttemptStart, Lease, Request, Waiver
from tests.support.fakes import FakeClock
from tests.support.obelis_answers import STORED, guide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row

    from report_service.adapters.db.engine import Store

MONTH = ReportMonth(2026, 10)
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
END = datetime(2026, 11, 30, 22, 59, tzinfo=UTC)
TIMEOUT_S = 25.0

YES = ApiResponse(http_status=200, body=guide(200, data=STORED))
NO = ApiResponse(http_status=400, body=guide(400, message="rating too bad"))
CONFLICT = ApiResponse(http_status=409, body=guide(409))
TIME_OUT = ApiResponse(detail="no whole answer within 25 s")
UNKNOWN_HUB = ApiResponse(http_status=404, body=guide(404, message="no such hub"))
GONE = SourceFinding(reason="the source has no row for it")


def row(rating: object = 2) -> SourceFinding:
    """Return what a source says that has a row with this rating; one above 6 cannot be sent."""
    raw = json.dumps({"rating": rating})
    if isinstance(rating, int) and rating > 6:
        return SourceFinding(reason=f"rating = {rating}: must be 1..6", raw=raw)
    body = json.dumps({"month": "10-2026", "rating": rating}).encode()
    return SourceFinding(
        payload=Payload(path="/ratings", body=body, sha256=hashlib.sha256(body).hexdigest()), raw=raw
    )


@dataclass
class Desk:
    """One process at one ledger, which has the lease."""

    store: Store
    endpoint: str = "mock"
    cpo_id: str = "CPO1"
    month: ReportMonth = MONTH
    kind: Kind = HUB_RATING
    at: datetime = NOW
    name: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self.ledger = ledger_in(
            self.store, endpoint=self.endpoint, cpo_id=self.cpo_id, instance=self.name, clock=FakeClock(self.at)
        )
        self.lease = self.take()

    def take(self) -> Lease:
        found = self.ledger.leases.acquire(self.name, at=0)
        assert isinstance(found, Lease)
        self.lease = found
        return found

    def plan(self, rows: Mapping[str, SourceFinding], *, kind: Kind | None = None, closed: bool = False) -> None:
        kind = kind or self.kind
        known = self.ledger.plans.known_deliveries(self.month, kind)
        waived = self.ledger.waivers.of(self.month)
        decided = [
            plan_delivery(
                subject,
                known.get(subject),
                found,
                waived=DeliveryKey(self.month, kind, subject) in waived,
                closed=closed,
            )
            for subject, found in rows.items()
        ]
        changes = [change for change in decided if change is not None]
        self.ledger.plans.save_plan(self.month, kind, changes, at=self.at, lease=self.lease)

    def due(self, *, at: datetime | None = None, limit: int = 100) -> list[Delivery]:
        """Return what is due, kind by kind, in the order of sending."""
        found = [
            delivery
            for kind in KINDS
            for delivery in self.ledger.attempts.due(self.month, kind, at=at or self.at, limit=limit)
        ]
        return found[:limit]

    def subjects(self, *, at: datetime | None = None, limit: int = 100) -> list[str]:
        return [delivery.key.subject for delivery in self.due(at=at, limit=limit)]

    def start(self, delivery: Delivery | None, *, at: datetime | None = None) -> AttemptStart:
        request = Request(
            request_id=str(uuid.uuid4()),
            verb="POST",
            path=delivery.path if delivery else "/token",
            body=delivery.body if delivery else b"",
        )
        return AttemptStart(
            request=request,
            delivery=delivery.row if delivery else None,
            payload_sha256=delivery.payload_sha256 if delivery else None,
            run_id="run-1",
            started_at=at or self.at,
        )

    def send(self, deliveries_: Iterable[Delivery], *, at: datetime | None = None) -> list[AttemptStart]:
        starts = [self.start(delivery, at=at) for delivery in deliveries_]
        self.ledger.attempts.record([], starts, lease=self.lease)
        return starts

    def ended(
        self, start: AttemptStart, delivery: Delivery | None, answer: ApiResponse, *, at: datetime | None = None
    ) -> AttemptResult:
        """Return what the deliverer tells of an answer."""
        at, verdict = at or self.at, classify(answer)
        return AttemptResult(
            request_id=start.request.request_id,
            ended_at=at,
            duration_s=(at - start.started_at).total_seconds(),
            http_status=answer.http_status,
            outcome=verdict.outcome,
            answer=excerpt(answer),
            delivery=delivery
            and apply_outcome(
                sent(delivery),
                verdict,
                http_status=answer.http_status,
                at=at,
                last_send=END,
                retry=RetryPolicy(base_s=2, cap_s=900),
                retry_after_s=answer.retry_after_s,
                uniform=lambda: 1.0,
            ),
        )

    def deliver(self, answers: Mapping[str, ApiResponse], *, at: datetime | None = None) -> None:
        """Send what is due of these subjects, and record an answer to each."""
        chosen = [one for one in self.due(at=at, limit=10_000) if one.key.subject in answers]
        assert len(chosen) == len(answers), "not all of them are due"
        starts = self.send(chosen, at=at)
        self.ledger.attempts.record(
            [
                self.ended(start, delivery, answers[delivery.key.subject], at=at)
                for start, delivery in zip(starts, chosen, strict=True)
            ],
            [],
            lease=self.lease,
        )

    def row(self, subject: str) -> Row[Any]:
        """Return the ledger's row, with whatever columns it has."""
        columns = deliveries.c
        with self.store.read() as connection:
            return connection.execute(
                select(deliveries).where(
                    columns.endpoint == self.endpoint,
                    columns.cpo_id == self.cpo_id,
                    columns.month == str(self.month),
                    columns.subject == subject,
                )
            ).one()

    def states(self) -> dict[str, State]:
        return {
            subject: one.state
            for kind in KINDS
            for subject, one in self.ledger.plans.known_deliveries(self.month, kind).items()
        }

    def attempts(self) -> list[Row[Any]]:
        with self.store.read() as connection:
            return list(connection.execute(select(attempts).order_by(attempts.c.started_at)))


def sent(delivery: Delivery) -> Delivery:
    """Return a delivery as the deliverer keeps it while its request is under way."""
    return replace(delivery, state=State.IN_FLIGHT)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def waiver(subject: str = "a", month: ReportMonth = MONTH, reason: str = "never opened") -> Waiver:
    berlin = timezone(timedelta(hours=1))
    return Waiver(
        key=DeliveryKey(month, HUB_RATING, subject),
        reason=reason,
        declared_by="Jo",
        declared_at=datetime(2026, 11, 2, 10, tzinfo=berlin),
    )
