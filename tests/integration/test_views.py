"""The read-only views for reporting tools: report_status, report_attempts, report_runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from report_service.ports import RunRecord
from tests.support.ledger_desk import MONTH, NOW, YES, Desk, row

if TYPE_CHECKING:
    from report_service.adapters.db.engine import Store

VIEWS = ("report_status", "report_attempts", "report_runs")


def read(store: Store, view: str) -> list[dict[str, Any]]:
    with store.read() as connection:
        return [dict(one) for one in connection.execute(text(f"SELECT * FROM {view}")).mappings()]


def test_they_say_how_each_report_attempt_and_run_stands(store: Store) -> None:
    desk = Desk(store)
    desk.plan({"a": row(2)})
    (due,) = desk.due()
    (start,) = desk.send([due])
    ended = desk.ended(start, due, YES, at=NOW + timedelta(milliseconds=1500))
    desk.ledger.attempts.record([ended], [desk.start(None)], lease=desk.lease)
    run = RunRecord(run_id="1", month=MONTH, started_by="run", started_at=NOW)
    desk.ledger.runs.begin(run, instance="here")

    (report,), (attempt, token), (begun,) = (read(store, view) for view in VIEWS)

    key = f"{MONTH}/hub_rating/a"
    assert (report["report_key"], report["state"], report["evidence"]) == (key, "accepted", "confirmed")
    assert (report["endpoint"], report["cpo_id"], report["attempts"], bool(report["due"])) == (
        "mock",
        "CPO1",
        1,
        True,
    )
    assert (attempt["report_key"], attempt["outcome"], attempt["http_status"]) == (key, "accepted", 200)
    assert float(attempt["duration_s"]) == 1.5
    assert (token["report_key"], token["duration_s"]) == (None, None)
    assert (begun["run_id"], begun["result"], begun["duration_s"]) == ("1", None, None)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET endpoint = 'x'"])
def test_nothing_can_be_changed_through_them(store: Store, view: str, change: str) -> None:
    with pytest.raises(DBAPIError), store.engine.begin() as connection:
        connection.execute(text(change.format(view)))
