from __future__ import annotations

import pytest

from report_service.services.daemon.transitions import DAY_S, TransitionsOnly
from tests.support.fakes import ACCEPTED, FakeClock, RecordingEvents


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


FAULT = {"month": "2026-10", "detail": "sources.hubs cannot be read"}


def run_that_finds(events: TransitionsOnly, *faults: dict[str, str], month: str = "2026-10") -> None:
    in_run = events.bind(run_id="r1")
    for fault in faults:
        in_run.emit("source.faulty", **fault)
    in_run.emit("run.failed", month=month, trigger="sweep", reason="bug", detail="x", duration_s=1.0)


@pytest.mark.parametrize(("seconds", "again"), [(86_399, False), (86_400, True), (86_401, True)])
def test_what_is_still_wrong_with_the_source_is_said_once_a_day(seconds: float, *, again: bool) -> None:
    heard, clock = RecordingEvents(), FakeClock()
    events = TransitionsOnly(heard, clock)
    run_that_finds(events, FAULT)
    clock.sleep(seconds)
    run_that_finds(events, FAULT)
    assert len(heard.of("source.faulty")) == 1 + again


def test_another_fault_is_news_and_so_is_one_that_was_mended_and_comes_back() -> None:
    heard = RecordingEvents()
    events = TransitionsOnly(heard, FakeClock())
    other = FAULT | {"detail": "sources.points cannot be read"}
    for faults in ([FAULT], [FAULT, other], [other], [FAULT, other]):
        run_that_finds(events, *faults)
    assert [said["detail"] for said in heard.of("source.faulty")] == [
        FAULT["detail"],
        other["detail"],
        FAULT["detail"],
    ]


def test_a_run_of_another_month_mends_nothing() -> None:
    heard = RecordingEvents()
    events = TransitionsOnly(heard, FakeClock())
    run_that_finds(events, FAULT)
    run_that_finds(events, month="2026-09")
    run_that_finds(events, FAULT)
    assert len(heard.of("source.faulty")) == 1
