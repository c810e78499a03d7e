"""The mock's memory of reports: what may be created, what may be corrected, what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.months import ReportMonth
from report_service.mock_api.answers import Decision, Reply
from report_service.mock_api.rules import BrokenRule, parse_month, parse_object, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from random import Random
    from zoneinfo import ZoneInfo

    from report_service.mock_api.known_hubs import KnownHubs


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request to create (POST) or to correct (PUT) one report."""

    kind: Kind
    create: bool
    values: Mapping[str, str]  # what the path says; ids in lower case
    body: bytes
    payload: Mapping[str, object] | None  # None: no JSON object
    key: DeliveryKey | None  # None: path and body do not name a report

    @property
    def subject(self) -> str:
        """Return what the report is about, as far as the request says so."""
        return self.key.subject if self.key else ""


class ReportStore:
    """The reports of one operator, one for each key."""

    def __init__(self, *, inventory: KnownHubs, zone: ZoneInfo, any_month: bool, random: Random) -> None:
        """Take what is known, where the previous month is counted, and whether that rule is off."""
        self._inventory = inventory
        self._zone = zone
        self._any_month = any_month
        self._random = random
        self._stored: dict[DeliveryKey, tuple[str, bytes]] = {}
        self._keys: dict[str, DeliveryKey] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def bodies(self) -> dict[DeliveryKey, bytes]:
        """Return what is stored: the bytes last accepted for each report."""
        return {key: body for key, (_, body) in self._stored.items()}

    def read(self, kind: Kind, *, create: bool, values: Mapping[str, str], body: bytes) -> Submission:
        """Understand a request as far as it can be; `values` are those of its path."""
        values = {name: value.lower() if name.endswith("_id") else value for name, value in values.items()}
        payload = parse_object(body)
        by_id = "obelis_id" in values
        key = self._keys.get(values["obelis_id"]) if by_id else _key(kind, values, payload or {})
        return Submission(kind=kind, create=create, values=values, body=body, payload=payload, key=key)

    def decide(self, submission: Submission, *, now: datetime, running_s: float) -> Reply:
        """Store a report or say why not: its shape, then whether the path is known, then month and duplicate."""
        payload = submission.payload
        if payload is None:
            return Reply(ruling=Decision.INVALID, text="The body is not a JSON object")
        violations = shape_of(submission.kind.name, create=submission.create).violations(payload)
        if violations:
            return _invalid(*violations)
        hub_id, point_id = (submission.values.get(name) for name in ("hub_id", "point_id"))
        if hub_id and not self._inventory.knows(hub_id=hub_id, point_id=point_id, running_s=running_s):
            return Reply(ruling=Decision.UNKNOWN, text="No such charging hub or charging point")
        if submission.key is None:
            return Reply(ruling=Decision.UNKNOWN, text="Nothing to correct")
        if submission.create:
            return self._create(submission.key, payload, submission.body, now)
        return self._correct(submission.key, payload, submission.body)

    def _create(self, key: DeliveryKey, payload: Mapping[str, object], body: bytes, now: datetime) -> Reply:
        due = ReportMonth.of(now.astimezone(self._zone)).shift(-1)
        if key.month != due and not self._any_month:
            return _invalid(BrokenRule("month", key.month.wire(), f"must be the previous month, {due.wire()}"))
        if key in self._stored:
            return Reply(ruling=Decision.DUPLICATE, text=f"A report for {key.month.wire()} already exists")
        identity = str(UUID(int=self._random.getrandbits(128), version=4))
        self._stored[key] = (identity, body)
        self._keys[identity] = key
        return Reply(ruling=Decision.CREATED, data={"id": identity, **payload})

    def _correct(self, key: DeliveryKey, payload: Mapping[str, object], body: bytes) -> Reply:
        if key not in self._stored:
            return Reply(ruling=Decision.UNKNOWN, text="Nothing to correct")
        if "month" in payload and parse_month(payload["month"]) != key.month:
            return _invalid(BrokenRule("month", payload["month"], f"must be that of the path, {key.month.wire()}"))
        identity, _ = self._stored[key]
        self._stored[key] = (identity, body)
        return Reply(ruling=Decision.CORRECTED, data={"id": identity, **payload})


def _key(kind: Kind, values: Mapping[str, str], payload: Mapping[str, object]) -> DeliveryKey | None:
    month = parse_month(values.get("month", payload.get("month")))
    about = kind.subject
    subject = values.get(about.column, payload.get(about.field)) if about else ""
    return DeliveryKey(month, kind, subject) if month and isinstance(subject, str) else None


def _invalid(*violations: BrokenRule) -> Reply:
    return Reply(ruling=Decision.INVALID, text="Invalid request", violations=violations)
