"""A dead man's switch elsewhere, pinged as healthchecks.io has it: for those who run no monitoring of their own.

Two checks, each with an address of its own, and silence is the alarm of both:

    alive   /start when the daemon starts; success every five minutes while all is well; /fail when it is not
    month   success when the month whose window is open is complete; /fail when it closed incomplete; /start when a
            new one opens

Their texts are few and fixed: who runs the switch learns no key, no secret and no word of an answer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.liveness import ailment
from report_service.ports import Signal

if TYPE_CHECKING:
    from report_service.ports import Clock, DeadMansSwitch, HealthSnapshot

EVERY_S = 300.0
"""While nothing changes; a change is told at once."""
_SLACK_S = 30.0


@dataclass(slots=True, kw_only=True)
class Pings:
    """What the switches are to hear, and have heard. `note` and `send` may be called by different threads."""

    clock: Clock
    alive: DeadMansSwitch | None
    month: DeadMansSwitch | None
    _pulse: HealthSnapshot | None = None
    _alive_heard: tuple[float, Signal] | None = None  # monotonic, and what
    _month_before: HealthSnapshot | None = None
    _month_owed: deque[tuple[Signal, str]] = field(default_factory=deque)

    def note(self, pulse: HealthSnapshot) -> None:
        """Take in how things stand."""
        self._pulse = pulse

    def send(self) -> None:
        """Send what is due; what does not get through is sent again next time."""
        pulse = self._pulse
        if pulse is None:
            return
        if self.alive is not None:
            self._send_alive(self.alive, pulse)
        if self.month is not None:
            self._send_month(self.month, pulse)

    def _send_alive(self, switch: DeadMansSwitch, pulse: HealthSnapshot) -> None:
        at = self.clock.monotonic()
        why = trouble_in(pulse, at=at)
        signal = Signal.FAIL if why else Signal.SUCCESS
        if self._alive_heard is None:
            switch.send(Signal.START, "started")
        elif self._alive_heard[1] is signal and at - self._alive_heard[0] < EVERY_S - _SLACK_S:
            return
        if switch.send(signal, why or "well"):
            self._alive_heard = (at, signal)

    def _send_month(self, switch: DeadMansSwitch, pulse: HealthSnapshot) -> None:
        if pulse.complete is not None:  # else nothing is known, for the store is away
            self._month_owed.extend(news_between(self._month_before, pulse))
            self._month_before = pulse
        while self._month_owed and switch.send(*self._month_owed[0]):
            self._month_owed.popleft()


def trouble_in(pulse: HealthSnapshot, *, at: float) -> str | None:
    """Return what is wrong, in words that tell nothing of reports or answers; None: all is well."""
    dead = ailment(beat_at=pulse.beat_at, stale_after_s=pulse.stale_after_s, moved_at=pulse.moved_at, at=at)
    troubles = {
        "a part of it raises an error": pulse.crashed is not None,
        "its database cannot be reached": pulse.store is not None,
        "the last run failed": pulse.failing is not None,
    }
    return dead or next((why for why, so in troubles.items() if so), None)


def news_between(before: HealthSnapshot | None, now: HealthSnapshot) -> list[tuple[Signal, str]]:
    """Return what the month's switch is to hear, when it has heard all up to `before`."""
    news = []
    turned = before is not None and before.month != now.month
    if before is not None and turned:
        if before.outstanding:
            news.append((Signal.FAIL, f"{before.month} closed with {before.outstanding} reports undelivered"))
        news.append((Signal.START, f"{now.month} is open"))
    if now.complete and (before is None or turned or not before.complete):
        news.append((Signal.SUCCESS, f"{now.month} is complete"))
    return news
