"""The alarm clock, on the machine's own clock and with short times."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from report_service.adapters.clock import SystemClock
from report_service.scheduler import LATE_S, Alarms
from report_service.services.daemon.health import WorkerHealth
from tests.support.fakes import RecordingEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S = 20
NEVER = timedelta(days=3)


class Bell:
    """Work that counts its calls; the first ones may raise, each may take its time."""

    def __init__(self, *, raises: int = 0, takes: threading.Event | None = None) -> None:
        self.calls: list[float] = []
        self.most_at_once = 0
        self._raises = raises
        self._takes = takes
        self._going_on = 0
        self._rung = threading.Condition()

    def __call__(self) -> None:
        with self._rung:
            self._going_on += 1
            self.most_at_once = max(self.most_at_once, self._going_on)
            self.calls.append(time.monotonic())
            self._rung.notify_all()
        try:
            if self._takes is not None:
                self._takes.wait(DEADLINE_S)
            if len(self.calls) <= self._raises:
                raise KeyError("a bug")
        finally:
            with self._rung:
                self._going_on -= 1

    def rung(self, times: int) -> bool:
        """Wait until it was called so often."""
        with self._rung:
            return self._rung.wait_for(lambda: len(self.calls) >= times, DEADLINE_S)


class Ringing:
    """Alarms that ring in a thread until they are told to stop."""

    def __init__(
        self, alarms: Alarms, events: RecordingEvents, worker_health: WorkerHealth, grace_s: float
    ) -> None:
        self.events = events
        self.worker_health = worker_health
        self.rested: bool | None = None
        self._alarms = alarms
        self._grace_s = grace_s
        self._reason: str | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> float:
        """Stop; return how long that took."""
        began = time.monotonic()
        self._reason = "SIGTERM"
        self._thread.join(DEADLINE_S)
        return time.monotonic() - began

    def _run(self) -> None:
        self.rested = self._alarms.run(lambda: self._reason, grace_s=self._grace_s)


@contextmanager
def ringing(
    look: Callable[[], None],
    beat: Callable[[], None] = lambda: None,
    *,
    rehearse: Callable[[], None] | None = None,
    look_s: float = 0.05,
    beat_s: float = 0.05,
    grace_s: float = 5,
    next_instant: Callable[[datetime], datetime] = lambda now: now + NEVER,
) -> Iterator[Ringing]:
    clock, events = SystemClock(), RecordingEvents()
    worker_health = WorkerHealth(clock)
    alarms = Alarms(
        look=look,
        beat=beat,
        rehearse=rehearse,
        next_instant=next_instant,
        look_s=look_s,
        beat_s=beat_s,
        clock=clock,
        events=events,
        worker_health=worker_health,
    )
    running = Ringing(alarms, events, worker_health, grace_s)
    try:
        yield running
    finally:
        running.stop()


def eventually(so: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not so() and time.monotonic() < end:
        pause.wait(0.02)
    return so()


def test_it_looks_and_beats_at_once_and_again_until_it_is_stopped() -> None:
    look, beat = Bell(), Bell()
    with ringing(look, beat) as alarms:
        assert look.rung(4)
        assert beat.rung(4)
        alarms.stop()
        seen = len(look.calls), len(beat.calls)

    assert alarms.rested is True
    assert alarms.events.emitted == [("service.stopping", {"reason": "SIGTERM"})]
    assert (len(look.calls), len(beat.calls)) == seen


def test_the_calendar_rings_at_its_own_instants() -> None:
    look = Bell()
    instants = [datetime.now(UTC) + timedelta(seconds=0.6), datetime.now(UTC) + timedelta(seconds=1.2)]
    began = time.monotonic()

    def next_instant(now: datetime) -> datetime:
        return next((instant for instant in instants if instant > now), now + NEVER)

    with ringing(look, look_s=3600, next_instant=next_instant):
        assert look.rung(4)  # calendar and look at the start, and the two instants

    assert [round(call - began, 1) for call in look.calls[2:4]] == [
        pytest.approx(0.6, abs=0.3),
        pytest.approx(1.2, abs=0.3),
    ]


def test_work_never_overlaps_and_the_heart_beats_meanwhile_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = threading.Event()
    look, beat = Bell(takes=done), Bell()
    with ringing(look, beat, next_instant=lambda now: now + timedelta(seconds=0.1)):
        assert look.rung(1)
        beats = len(beat.calls)
        assert beat.rung(beats + 20)
        assert len(look.calls) == 1
        done.set()
        assert look.rung(5)

    assert look.most_at_once == 1
    assert caplog.records == []


def test_a_job_that_raises_is_told_and_counted_and_called_again() -> None:
    look, beat = Bell(raises=2), Bell()
    with ringing(look, beat, look_s=0.3) as alarms:
        assert look.rung(2)
        assert eventually(lambda: alarms.worker_health.crashes == 2)
        assert "KeyError: 'a bug'" in alarms.worker_health.crashed.values()
        assert look.rung(5)
        assert eventually(lambda: alarms.worker_health.crashed == {})

    crashes = alarms.events.of("service.crashed")
    assert len(crashes) == alarms.worker_health.crashes == 2
    assert str(crashes[0]["detail"]).startswith("KeyError: 'a bug' (in job ")
    assert "Traceback" in str(crashes[0]["exception"])
    assert len(beat.calls) > 1


def test_what_goes_on_when_it_is_stopped_may_come_to_its_end() -> None:
    done = threading.Event()
    look = Bell(takes=done)
    with ringing(look) as alarms:
        assert look.rung(1)
        threading.Timer(0.7, done.set).start()
        alarms.stop()
        assert done.is_set()

    assert alarms.rested is True
    assert len(look.calls) == 1  # the calendar's ring was waiting for its turn


@pytest.mark.parametrize("hangs", ["look", "beat"])
def test_what_hangs_is_not_waited_for_longer_than_the_grace_period(hangs: str) -> None:
    done = threading.Event()
    look, beat = Bell(takes=done if hangs == "look" else None), Bell(takes=done if hangs == "beat" else None)
    with ringing(look, beat, grace_s=0.2) as alarms:
        assert look.rung(1)
        assert beat.rung(1)
        took_s = alarms.stop()
        done.set()

    assert alarms.rested is False
    assert took_s < 0.2 + LATE_S + 1.5


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (timedelta(hours=-1), "the clock was set back by 3600 s"),
        (timedelta(days=800), "the clock was set forward"),
    ],
)
def test_a_clock_that_is_set_silences_nothing(by: timedelta, told: str, caplog: pytest.LogCaptureFixture) -> None:
    look, beat = Bell(), Bell()
    with ringing(look, beat, look_s=0.2, beat_s=0.2):
        assert look.rung(3)
        with time_machine.travel(datetime.now(UTC) + by, tick=True):
            seen = len(look.calls), len(beat.calls)
            began = time.monotonic()
            assert look.rung(seen[0] + 5)
            assert beat.rung(seen[1] + 5)
            took_s = time.monotonic() - began
            assert eventually(lambda: any(told in record.getMessage() for record in caplog.records))
    assert took_s < 10


def test_the_words_of_apscheduler_are_heard_again_afterwards() -> None:
    names = ("apscheduler.scheduler", "apscheduler.executors")
    before = [logging.getLogger(name).level for name in names]
    look = Bell()
    with ringing(look):
        assert look.rung(1)
        during = [logging.getLogger(name).level for name in names]

    assert during == [logging.ERROR, logging.CRITICAL]
    assert [logging.getLogger(name).level for name in names] == before


def test_a_rehearsal_that_takes_long_holds_up_neither_looks_nor_heartbeats() -> None:
    done = threading.Event()
    look, beat, rehearsal = Bell(), Bell(), Bell(takes=done)
    with ringing(look, beat, rehearse=rehearsal):
        assert rehearsal.rung(1)
        seen = len(look.calls), len(beat.calls)
        assert look.rung(seen[0] + 5)
        assert beat.rung(seen[1] + 5)
        assert len(rehearsal.calls) == 1
        done.set()
        assert rehearsal.rung(3)
