"""What is to be sent: of one month, read from the ledger a page at a time, a queue a kind."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from report_service.domain.kinds import KINDS

if TYPE_CHECKING:
    from report_service.domain.delivery import Delivery
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.ports import AttemptLog, Clock

PAGE = 200
"""How many due reports of a kind are read at once."""
READ_AGAIN_S = 1.0
"""A page is read anew for what has become due since, but not more often than this."""
NEVER = float("inf")


@dataclass(slots=True)
class _Queue:
    """The due reports of one kind. Moments are monotonic seconds."""

    page: deque[Delivery] = field(default_factory=deque)
    more: bool = True  # the ledger has, or may have, more that are due than the page
    read_at: float = -NEVER
    due_at: float = NEVER  # when the first of those that wait is due


class Backlog(Protocol):
    """What a dispatcher sends. Any call raises StoreUnavailable."""

    def has(self, kind: Kind) -> bool:
        """Return True if something of the kind is due."""

    def take(self, kind: Kind) -> Delivery:
        """Return the next of the kind; `has` said that there is one."""

    def take_probe(self, kind: Kind, *, tried: bool) -> Delivery | None:
        """Return one that was tried before, or one that was not; None: none of these is due."""

    def awaits_retry(self, kind: Kind) -> bool:
        """Return True if something of the kind is due later, so that there will be one to probe with."""

    def recorded(self) -> None:
        """Note that the ledger has the start of everything that was taken, and the result of what came back."""

    def ended(self, delivery: Delivery) -> None:
        """Note what became of one that was sent, or was not to be sent after all."""

    def look_again(self) -> None:
        """Forget what was taken and not recorded: the ledger may have it or not."""

    def next_due_at(self) -> float:
        """Return the monotonic moment at which the next is due that is not yet; NEVER if none waits."""


@dataclass(slots=True, kw_only=True)
class ReportBacklog:
    """The reports of one month that may be sent (`Backlog`).

    The ledger is read only when everything taken before has been recorded: it would give the same report twice.
    """

    attempts: AttemptLog
    month: ReportMonth
    clock: Clock
    _queues: dict[Kind, _Queue] = field(default_factory=lambda: {kind: _Queue() for kind in KINDS})
    _taken: bool = False  # something was taken whose start the ledger does not have yet
    _put_off: dict[Kind, float] = field(default_factory=dict)  # what was put off, and the ledger does not know yet

    def has(self, kind: Kind) -> bool:
        queue, now = self._queues[kind], self.clock.monotonic()
        newly_due = now >= queue.due_at and now - queue.read_at >= READ_AGAIN_S
        if not self._taken and (newly_due or (not queue.page and (queue.more or now >= queue.due_at))):
            self._read(kind, queue, now)
        return bool(queue.page)

    def take(self, kind: Kind) -> Delivery:
        self._taken = True
        return self._queues[kind].page.popleft()

    def recorded(self) -> None:
        self._taken = False
        self._put_off.clear()

    def take_probe(self, kind: Kind, *, tried: bool) -> Delivery | None:
        found = self.attempts.due(self.month, kind, at=self.clock.now(), limit=1, tried=tried)
        self._queues[kind] = _Queue()  # it may stand on the page as well
        self._taken = self._taken or bool(found)
        return found[0] if found else None

    def awaits_retry(self, kind: Kind) -> bool:
        return self.attempts.next_attempt(self.month, kind, after=self.clock.now()) is not None

    def ended(self, delivery: Delivery) -> None:
        if delivery.next_attempt_at is None:
            return
        again_s = (delivery.next_attempt_at - self.clock.now()).total_seconds()
        kind, until = delivery.key.kind, self.clock.monotonic() + max(again_s, 0.0)
        queue = self._queues[kind]
        queue.due_at = min(queue.due_at, until)
        self._put_off[kind] = min(self._put_off.get(kind, NEVER), until)

    def look_again(self) -> None:
        self._queues, self._taken = {kind: _Queue() for kind in KINDS}, False

    def next_due_at(self) -> float:
        return min((queue.due_at for queue in self._queues.values() if not queue.page), default=NEVER)

    def _read(self, kind: Kind, queue: _Queue, now: float) -> None:
        at = self.clock.now()
        queue.page = deque(self.attempts.due(self.month, kind, at=at, limit=PAGE))
        waits = self.attempts.next_attempt(self.month, kind, after=at)
        queue.more, queue.read_at = len(queue.page) == PAGE, now
        waits_until = now + (waits - at).total_seconds() if waits else NEVER
        queue.due_at = min(waits_until, self._put_off.get(kind, NEVER))
