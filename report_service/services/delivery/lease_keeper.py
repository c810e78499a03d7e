"""The lease as a run holds it: renewed in time, and over as soon as another may have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report_service.ports import Clock, Lease, LeaseStore

RENEW_BEFORE_S = 30.0
"""A lease is renewed when it has less than this left."""


@dataclass(slots=True, kw_only=True)
class LeaseKeeper:
    """One run's right to deliver."""

    leases: LeaseStore
    clock: Clock
    lease: Lease

    def keep(self, *, within_s: float = RENEW_BEFORE_S) -> Lease:
        """Return the lease, renewed if less than so much of it is left; raise LeaseLost, StoreUnavailable."""
        now = self.clock.monotonic()
        if self.lease.valid_until - now < within_s:
            self.lease = self.leases.renew(self.lease, at=now)
        return self.lease

    def end(self) -> None:
        """Give it up for good: another process has it."""
        self.lease = replace(self.lease, valid_until=float("-inf"))

    @property
    def over(self) -> bool:
        """Return True if nothing may go out any more; asked by the workers, too."""
        return self.clock.monotonic() >= self.lease.valid_until
