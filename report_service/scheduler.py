"""When the daemon wakes up: the only file that knows APScheduler, which is an alarm clock here and no more.

What is due is decided by `services.watch` from what the ledger says; an alarm merely makes it look. So the job
store is memory, nothing is lost with it, and an alarm that comes late, twice or not at all does no harm. The jobs:

    calendar    at each window's opening and closing, and at each release
    look        every 15 s: what is due again, or was left by a process that died
    heartbeat   in a thread of its own, so that it goes on while reports are sent
    ping        in another, so that a switch elsewhere that hangs holds up nothing
    rehearsal   in a third: it reads every source, however slow, while a month may be under way

Calendar and look share one worker, so that no run overlaps another. Traps of APScheduler 3.11: a late job is
dropped unless `misfire_grace_time` is None; IntervalTrigger goes through every time that a clock set forward has
skipped, a million for a year, so the triggers here give the next time and nothing between; a job waits for a time
of the wall clock, so that a clock set back would silence all of them: `run` notices, and rings; a job that raises
is only logged, so a listener passes it on (nothing can be MISSED without a grace time, and MAX_INSTANCES is a look
during a run, as it should be); `shutdown(wait=True)` has no time-out.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from report_service.ports import Clock, Events
    from report_service.services.daemon.health import WorkerHealth

LOOK_S = 15.0
"""Between two looks. The lease of a dead process ends after 60 s: another one has it within 75."""
TURN_S = 0.5
"""How often a request to end, and the clock, are looked at."""
SET_S = 2.0
"""A wall clock that moves so far from the monotonic one between two turns was set."""
LATE_S = 1.0
"""How long after the grace period a worker may take to record what it did, and to let the lease go."""

_log = logging.getLogger(__name__)


class Next(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Rings at the first instant after now that a function gives; what was skipped is skipped."""

    def __init__(self, instant_after: Callable[[datetime], datetime]) -> None:
        """Take the function; instants are aware."""
        self._instant_after = instant_after

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return the next time."""
        return self._instant_after(now)


class Alarms:
    """Makes the daemon look and its heart beat, until it is to end."""

    def __init__(
        self,
        *,
        look: Callable[[], None],
        beat: Callable[[], None],
        next_instant: Callable[[datetime], datetime],
        beat_s: float,
        ping: Callable[[], None] | None = None,
        rehearse: Callable[[], None] | None = None,
        look_s: float = LOOK_S,
        clock: Clock,
        events: Events,
        worker_health: WorkerHealth,
    ) -> None:
        """Take what to do, and when; nothing rings before `run`."""
        self._clock = clock
        self._events = events
        self._vitals = worker_health
        self._at_work = {name: threading.Lock() for name in ("worker", "heart", "ping", "rehearsal")}
        self._ended = False
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={name: ThreadPoolExecutor(1) for name in self._at_work},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        jobs = [
            ("calendar", look, "worker", Next(next_instant)),
            ("look", look, "worker", Next(lambda now: now + timedelta(seconds=look_s))),
            ("heartbeat", beat, "heart", Next(lambda now: now + timedelta(seconds=beat_s))),
        ]
        if ping is not None:
            jobs.append(("ping", ping, "ping", Next(lambda now: now + timedelta(seconds=beat_s))))
        if rehearse is not None:
            jobs.append(("rehearsal", rehearse, "rehearsal", Next(lambda now: now + timedelta(seconds=look_s))))
        for job, call, executor, trigger in jobs:
            self._scheduler.add_job(self._do, trigger, (call, executor), id=job, executor=executor)
        self._scheduler.add_listener(self._heard, EVENT_JOB_ERROR | EVENT_JOB_EXECUTED)

    def run(self, stop: Callable[[], str | None], *, grace_s: float) -> bool:
        """Ring at once and whenever it is time, until `stop` gives a reason.

        Then let what goes on come to its end, for `grace_s` seconds and a little more; return whether it did.
        """
        with _quiet():
            self._scheduler.start()
            self._ring()
            drift = self._drift()
            while (reason := stop()) is None:
                self._clock.sleep(TURN_S)
                before, drift = drift, self._drift()
                if abs(drift - before) > SET_S:
                    _log.warning("the clock was set %s by %.0f s", *_direction(drift - before))
                    self._ring()
            self._events.emit("service.stopping", reason=reason)
            self._ended = True
            self._scheduler.shutdown(wait=False)
            return self._rest(until=self._clock.monotonic() + grace_s + LATE_S)

    def _ring(self) -> None:
        """Make every job due now; each then finds its next time by the clock as it is."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=self._clock.now())

    def _drift(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def _do(self, call: Callable[[], None], executor: str) -> None:
        with self._at_work[executor]:
            if not self._ended:
                call()

    def _rest(self, *, until: float) -> bool:
        """Wait until nothing goes on; say whether that came about in time."""
        for lock in self._at_work.values():
            if not lock.acquire(timeout=max(until - self._clock.monotonic(), 0.0)):
                return False
            lock.release()
        return True

    def _heard(self, event: JobExecutionEvent) -> None:
        """Pass on what a job raised; it is called again when it is time, and well once it returns."""
        bug, work = event.exception, "look" if event.job_id == "calendar" else event.job_id
        if bug is None:
            self._vitals.crashed.pop(work, None)
            return
        self._vitals.crashes += 1
        self._vitals.crashed[work] = said = f"{type(bug).__name__}: {bug}"
        self._events.emit("service.crashed", detail=f"{said} (in job {event.job_id})", exception=bug)


def _direction(seconds: float) -> tuple[str, float]:
    return ("forward" if seconds > 0 else "back"), abs(seconds)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out that a look was skipped as a run goes on, and a second report of what a job raised."""
    levels = {"apscheduler.scheduler": logging.ERROR, "apscheduler.executors": logging.CRITICAL}
    before = {name: logging.getLogger(name).level for name in levels}
    try:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
