"""One line of the log for each outcome that the ledger has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from report_service.domain.delivery import Delivery, Evidence, State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.responses import Outcome
from report_service.ports import AttemptResult
from report_service.services.delivery.announce import announce
from tests.support.fakes import RecordingEvents

KEY = DeliveryKey.parse("2026-10/hotline_rating")
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def said(
    outcome: Outcome,
    state: State,
    *,
    http_status: int | None = 200,
    evidence: Evidence | None = None,
    next_attempt_at: datetime | None = None,
    consecutive_failures: int = 1,
    drift: bool = False,
) -> dict[str, dict[str, object]]:
    delivery = Delivery(
        row=1,
        key=KEY,
        state=state,
        path="/x",
        payload_sha256="",
        body=b"{}",
        attempts=3,
        consecutive_failures=consecutive_failures,
        last_outcome=outcome,
        evidence=evidence,
        drift=drift,
        obelis_id="an id",
        http_status=http_status,
        detail="why",
        next_attempt_at=next_attempt_at,
    )
    ended = AttemptResult(
        request_id="r",
        ended_at=AT,
        duration_s=0.1234,
        http_status=http_status,
        outcome=outcome,
        answer="",
        delivery=delivery,
    )
    events = RecordingEvents()
    announce(events, ended, delivery)
    return dict(events.emitted)


def test_an_acceptance_says_on_what_grounds() -> None:
    line = said(Outcome.ACCEPTED, State.ACCEPTED, evidence=Evidence.CONFIRMED)["report.accepted"]
    assert line == {
        "key": "2026-10/hotline_rating",
        "kind": "hotline_rating",
        "month": "2026-10",
        "http_status": 200,
        "attempt": 3,
        "evidence": "confirmed",
        "duration_ms": 123,
        "obelis_id": "an id",
    }


@pytest.mark.parametrize(
    ("state", "evidence"), [(State.ACCEPTED, Evidence.INFERRED), (State.ALREADY_REPORTED, None)]
)
def test_a_conflict_says_whose_report_it_is(state: State, evidence: Evidence | None) -> None:
    line = said(Outcome.CONFLICT, state, http_status=409, evidence=evidence)["report.reconciled"]
    assert line["state"] == state.value
    assert line.get("evidence") == (evidence and evidence.value)


@pytest.mark.parametrize(
    ("outcome", "evidence"), [(Outcome.ACCEPTED, Evidence.CONFIRMED), (Outcome.CONFLICT, Evidence.INFERRED)]
)
def test_a_report_that_is_accepted_and_differs_is_told_as_drifted(outcome: Outcome, evidence: Evidence) -> None:
    lines = said(outcome, State.ACCEPTED, evidence=evidence, drift=True)
    assert lines["report.drifted"]["key"] == str(KEY)


def test_a_rejection_says_why() -> None:
    line = said(Outcome.REJECTED, State.REJECTED, http_status=400)["report.rejected"]
    assert (line["detail"], line["http_status"]) == ("why", 400)


@pytest.mark.parametrize("http_status", [503, None])
def test_what_is_put_off_says_until_when(http_status: int | None) -> None:
    lines = said(Outcome.SERVER_ERROR, State.RETRYING, http_status=http_status, next_attempt_at=AT)
    line = lines["report.deferred"]
    assert line["reason"] == "server_error"
    assert line["next_attempt_unix"] == int(AT.timestamp())
    assert line.get("http_status") == http_status


@pytest.mark.parametrize(
    ("consecutive_failures", "event"), [(3, "report.deferred"), (4, "report.stuck"), (5, "report.stuck")]
)
def test_what_is_refused_for_an_hour_needs_a_person(consecutive_failures: int, event: str) -> None:
    lines = said(
        Outcome.NOT_FOUND,
        State.RETRYING,
        http_status=404,
        next_attempt_at=AT,
        consecutive_failures=consecutive_failures,
    )
    assert list(lines) == [event]
