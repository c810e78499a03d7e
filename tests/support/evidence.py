"""What real processes left behind, held against what the mock of the API has on record."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.support.processes import MONTH

if TYPE_CHECKING:
    from tests.support.processes import Cli, Mock

MAY_BE_OPEN = {"in_flight", "retrying", "pending"}


def assert_nothing_false(cli: Cli, mock: Mock) -> None:
    """See that the ledger claims no more than the API has, and counts as open whatever it cannot know."""
    held = set(mock.reports())
    accepted = cli.rows("SELECT kind, subject FROM deliveries WHERE state = 'accepted'")
    assert {f"{MONTH}/{kind}/{subject}".rstrip("/") for kind, subject in accepted} <= held
    assert set(cli.states()) <= {"accepted"} | MAY_BE_OPEN


def assert_delivered_once(cli: Cli, mock: Mock, reports: int) -> None:
    """See that the API took each report once, in the same bytes, and that the ledger explains each conflict."""
    assert cli.states() == {"accepted": reports}
    lines, held = [line for line in mock.lines() if line["key"]], mock.reports()
    assert len(held) == reports
    assert Counter(line["key"] for line in lines if line["ruling"] == "created") == dict.fromkeys(held, 1)
    assert len({(line["key"], line["body_sha256"]) for line in lines}) == reports
    assert {line["ruling"] for line in lines} <= {"created", "duplicate", "fault"}
    explained = set(
        cli.rows(
            "SELECT later.request_id FROM attempts AS later JOIN attempts AS earlier "
            "ON earlier.delivery_id = later.delivery_id AND earlier.started_at < later.started_at "
            "WHERE earlier.ended_at IS NULL OR earlier.ended_at > later.started_at "
            "OR earlier.outcome IN ('no_answer', 'server_error', 'unreadable') "
            # a process that was stopped had the answer, and recorded it when the conflict was settled
            "OR EXISTS (SELECT 1 FROM evidence AS late "
            "JOIN evidence AS settled ON settled.position < late.position "
            "WHERE late.request_id = earlier.request_id AND settled.request_id = later.request_id)"
        )
    )
    conflicts = [line["request_id"] for line in lines if line["ruling"] == "duplicate"]
    assert {(request_id,) for request_id in conflicts} <= explained
    intended = {request_id for (request_id,) in cli.rows("SELECT request_id FROM attempts")}
    assert {line["request_id"] for line in mock.lines()} <= intended
