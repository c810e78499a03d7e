"""Stand-ins for what the services need from outside."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from report_service.logs.sink import LogEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from report_service.events import Level

T = TypeVar("T")

ACCEPTED = {
    "key": "2026-10/hotline_rating",
    "kind": "hotline_rating",
    "month": "2026-10",
    "evidence": "confirmed",
    "http_status": 201,
    "attempt": 1,
    "duration_ms": 203,
}
"""The fields of `report.accepted`, of a made-up report."""


class RecordingEvents(LogEvents):
    """Keep what is emitted, in `emitted` as (event, fields); raise ContractViolation as the contract has it.

    Bound sinks record into the same list, with the bound fields among the others.
    """

    def __init__(self) -> None:
        super().__init__(self._record, strict=True)
        self.emitted: list[tuple[str, dict[str, object]]] = []

    def names(self) -> list[str]:
        return [event for event, _ in self.emitted]

    def of(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.emitted if name == event]

    def _record(self, level: Level, event: str, fields: Mapping[str, object], /) -> None:
        self.emitted.append((event, dict(fields)))


class NoBackground:
    """Nothing goes on beside the caller."""

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        return call()

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()


class FakeClock:
    """A clock that only moves when somebody sleeps; `slept` keeps for how long, `moment` starts it elsewhere."""

    def __init__(self, moment: datetime = datetime(2026, 11, 2, 9, tzinfo=UTC)) -> None:
        self._start = moment
        self._elapsed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._elapsed += max(seconds, 0.0)
