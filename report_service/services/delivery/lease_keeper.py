"""The lease as a run holds it: renewed beside whatever the run is doing, and over as soon as another may have it.

LOOK_S    the keeper looks, in a thread of its own, and renews what has less than RENEW_BEFORE_S left: every 20 s
60 s      the store lets another have it, by the database's clock
50 s      after its last renewal the holder stops by its own monotonic clock, so that no request is under way
when another begins: a request takes less than half of the lease
IDLE_S    without a sign of life from its run the keeper lets go: a run that hangs holds nobody up for longer
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.errors import LeaseHeld, LeaseLost, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from report_service.ports import Background, Clock, Events, Lease, LeaseStore

LOOK_S = 5.0
RENEW_BEFORE_S = 30.0
IDLE_S = 900.0
ASK_AGAIN_S = 3.0
"""Between two looks whether a lease is free: each is a transaction, and waiting is to cost next to nothing."""
SLICE_S = 0.5
"""The longest wait in one piece: a request to stop is noticed within it."""


@dataclass(slots=True, kw_only=True)
class LeaseKeeper:
    """One run's right to deliver. `expired` may be asked by any thread."""

    leases: LeaseStore
    clock: Clock
    lease: Lease
    lock: AbstractContextManager[object] = field(default_factory=threading.Lock)  # between the run and its keeper
    _lost: LeaseLost | None = None
    _alive_at: float = field(init=False)  # monotonic: the run's last sign of life

    def __post_init__(self) -> None:
        """Begin."""
        self.run_lives()

    def keep(self, background: Background) -> Callable[[], None]:
        """Renew the lease from time to time, until what is returned is called."""
        return background.every(LOOK_S, self.renew_if_due)

    def run_lives(self) -> None:
        """Note a sign of life of the run: it may wait for longer than IDLE_S, and asks for nothing meanwhile."""
        self._alive_at = self.clock.monotonic()

    @contextmanager
    def kept(self, background: Background, events: Events) -> Iterator[None]:
        """Keep the lease within this, and then let another have it; if the store is away, it ends by itself."""
        end_keeping = self.keep(background)
        try:
            yield
        finally:
            end_keeping()
            try:
                self.release()
            except StoreUnavailable as exc:  # what went wrong before this matters more
                events.emit("store.lost", detail=exc.message)

    def renew_if_due(self) -> None:
        """Renew the lease if it has little time left; if the store is away, the next look tries again."""
        now = self.clock.monotonic()
        if self.lease.valid_until - now >= RENEW_BEFORE_S or now - self._alive_at > IDLE_S:
            return
        try:
            self.renew()
        except (LeaseLost, StoreUnavailable):
            return

    def ensure_held(self) -> Lease:
        """Return the lease; raise LeaseLost, or StoreUnavailable if it ended and whose it is cannot be known."""
        self.run_lives()
        return self.renew() if self.expired else self.lease

    def renew(self) -> Lease:
        """Return the lease with its whole time before it; raises what `ensure_held` does."""
        with self.lock:
            if self._lost is not None:
                raise self._lost
            try:
                self.lease = self.leases.renew(self.lease, at=self.clock.monotonic())
            except LeaseLost as lost:
                self._lost = lost
                raise
            return self.lease

    @property
    def expired(self) -> bool:
        """Return True if nothing may go out any more."""
        return self._lost is not None or self.clock.monotonic() >= self.lease.valid_until

    def revoke(self, why: LeaseLost | None = None) -> None:
        """Give up the right to deliver for good: another process has it, or the run is over."""
        with self.lock:
            self._lost = self._lost or why or LeaseLost("this run is over")

    def release(self) -> None:
        """Let another have the lease at once; first the right to send ends. Raises StoreUnavailable."""
        self.revoke()
        self.leases.release(self.lease)


def acquire(
    leases: LeaseStore,
    *,
    endpoint: str,
    holder: str,
    clock: Clock,
    background: Background,
    events: Events,
    patience_s: float,
    stop: Callable[[], str | None],
) -> LeaseKeeper:
    """Take the lease, waiting at most `patience_s` for another process to let go of it; raise LeaseHeld."""
    began, waiting = clock.monotonic(), False
    while True:
        taken = leases.acquire(holder, at=clock.monotonic())
        if not isinstance(taken, str):
            events.emit("lease.acquired", holder=holder)
            return LeaseKeeper(leases=leases, clock=clock, lease=taken, lock=background.lock())
        if not waiting:
            events.emit("lease.waiting", holder=taken)
            waiting = True
        if clock.monotonic() - began >= patience_s or stop():
            raise LeaseHeld(
                f"{taken} delivers to {endpoint} at present",
                hint="One process delivers at a time. Try again when it is done, or with more --patience; "
                "the lease of a dead process ends by itself within a minute.",
            )
        ask_again_at = min(clock.monotonic() + ASK_AGAIN_S, began + patience_s)
        while clock.monotonic() < ask_again_at and not stop():
            clock.sleep(min(SLICE_S, ask_again_at - clock.monotonic()))
