from __future__ import annotations

import pytest

from report_service.services.transitions import DAY_S, TransitionsOnly
from tests.support.fakes import FakeClock, RecordingEvents

ACCEPTED = {
    "key": "2026-10/hotline_rating",
    "kind": "hotline_rating",
    "month": "2026-10",
    "evidence": "confirmed",
    "http_status": 201,
    "attempt": 1,
    "duration_ms": 203,
}


def test_a_lost_store_and_its_recovery_are_said_once_each_by_whoever_notices() -> None:
    heard = RecordingEvents()
    events = TransitionsOnly(heard, FakeClock())
    in_run = events.bind(run_id="r1")

    events.emit("store.recovered")
    in_run.emit("store.lost", detail="gone")
    events.emit("store.lost", detail="gone, others say")
    events.emit("store.recovered", duration_s=3.0)
    in_run.emit("store.recovered", duration_s=3.1)
    events.emit("store.lost", detail="gone again")

    assert heard.emitted == [
        ("store.lost", {"run_id": "r1", "detail": "gone"}),
        ("store.recovered", {"duration_s": 3.0}),
        ("store.lost", {"detail": "gone again"}),
    ]


def test_the_lease_is_spoken_of_when_its_holder_changes() -> None:
    heard = RecordingEvents()
    events = TransitionsOnly(heard, FakeClock())

    for event, holder in (
        ("lease.waiting", "b"),
        ("lease.waiting", "b"),
        ("lease.waiting", "c"),
        ("lease.acquired", "a"),
        ("lease.acquired", "a"),
        ("lease.lost", "a"),
        ("lease.acquired", "a"),
    ):
        events.emit(event, holder=holder, **({"detail": "slow"} if event == "lease.lost" else {}))

    assert [(event, fields["holder"]) for event, fields in heard.emitted] == [
        ("lease.waiting", "b"),
        ("lease.waiting", "c"),
        ("lease.acquired", "a"),
        ("lease.lost", "a"),
        ("lease.acquired", "a"),
    ]


def test_everything_else_is_said_each_time() -> None:
    heard = RecordingEvents()
    events = TransitionsOnly(heard, FakeClock())
    events.emit("report.accepted", **ACCEPTED)
    events.emit("report.accepted", **ACCEPTED)

    assert heard.names() == ["report.accepted", "report.accepted"]


@pytest.mark.parametrize(("later_s", "times"), [(DAY_S - 0.1, 1), (DAY_S, 2), (DAY_S + 0.1, 2)])
def test_what_stays_wrong_is_told_once_a_day(later_s: float, times: int) -> None:
    heard, clock = RecordingEvents(), FakeClock()
    events = TransitionsOnly(heard, clock)
    events.emit("contract.drifted", detail="what is this?")
    clock.sleep(later_s)
    events.bind(run_id="r2").emit("contract.drifted", detail="what is this?")
    assert len(heard.emitted) == times


def test_another_kind_is_another_story() -> None:
    heard = RecordingEvents()
    events = TransitionsOnly(heard, FakeClock())
    for kind in ("hub_rating", "point_rating", "hub_rating"):
        events.emit("kind.paused", kind=kind, month="2026-10", detail="400", hint="ask")
    assert [fields["kind"] for _, fields in heard.emitted] == ["hub_rating", "point_rating"]
