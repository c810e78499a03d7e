"""The lease: who delivers to an endpoint, and the fencing number that a late writer runs into.

Time is the database's, so that replicas with different clocks agree; SQLite has none of its own, but a file is
shared only by processes of one machine, whose clock is handed in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, cast, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from report_service.adapters.db.tables import UtcDateTime, leases
from report_service.errors import LeaseLost
from report_service.ports import Lease

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from report_service.ports import Clock

TTL_S = 60
"""How long a lease lasts unless it is renewed."""
MARGIN_S = 10
"""How long before that its holder stops, by its own monotonic clock."""


class LeaseTable:
    """The rows of `leases`, inside transactions of the caller's."""

    def __init__(self, endpoint: str, clock: Clock) -> None:
        """Take the endpoint whose lease it is, and the clock that stands in for SQLite's."""
        self._endpoint = endpoint
        self._clock = clock

    def acquire(self, connection: Connection, holder: str, *, at: float) -> Lease | str:
        """Take the lease if it is free, has ended, or is `holder`'s already; else return its holder's name."""
        now = self._now(connection)
        free = or_(leases.c.expires_at <= now, leases.c.holder == holder)
        fence = connection.execute(
            update(leases)
            .where(leases.c.endpoint == self._endpoint, free)
            .values(holder=holder, fence=leases.c.fence + 1, expires_at=self._end(connection))
            .returning(leases.c.fence)
        ).scalar_one_or_none()
        if fence is None:
            current = self.holder(connection)
            if current is not None:
                return current
            first = {"endpoint": self._endpoint, "holder": holder, "fence": 1, "expires_at": self._end(connection)}
            try:
                with connection.begin_nested():
                    connection.execute(insert(leases).values(first))
            except IntegrityError:  # two were the first at the same moment
                return self.acquire(connection, holder, at=at)
            fence = 1
        return Lease(endpoint=self._endpoint, holder=holder, fence=fence, valid_until=at + TTL_S - MARGIN_S)

    def holder(self, connection: Connection) -> str | None:
        """Return who holds it, or held it last; None: nobody did yet."""
        held: str | None = connection.execute(
            select(leases.c.holder).where(leases.c.endpoint == self._endpoint)
        ).scalar_one_or_none()
        return held

    def renew(self, connection: Connection, lease: Lease, *, at: float) -> Lease:
        """Put the end off; raise LeaseLost if a newer holder is there."""
        held = connection.execute(
            update(leases)
            .where(leases.c.endpoint == self._endpoint, leases.c.fence == lease.fence)
            .values(expires_at=self._end(connection))
        )
        if held.rowcount != 1:
            raise LeaseLost(f"another process delivers to {self._endpoint} now")
        return Lease(
            endpoint=lease.endpoint, holder=lease.holder, fence=lease.fence, valid_until=at + TTL_S - MARGIN_S
        )

    def release(self, connection: Connection, lease: Lease) -> None:
        """End it now, if it is still this one."""
        connection.execute(
            update(leases)
            .where(leases.c.endpoint == self._endpoint, leases.c.fence == lease.fence)
            .values(expires_at=self._now(connection))
        )

    def holds(self, connection: Connection, lease: Lease) -> bool:
        """Say whether no newer holder is there, and keep it so until the transaction ends."""
        newest = connection.execute(
            select(leases.c.fence).where(leases.c.endpoint == self._endpoint).with_for_update(read=True)
        ).scalar_one_or_none()
        return newest == lease.fence

    def require(self, connection: Connection, lease: Lease) -> None:
        """Raise LeaseLost unless it holds."""
        if not self.holds(connection, lease):
            raise LeaseLost(f"another process delivers to {self._endpoint} now")

    def _now(self, connection: Connection) -> ColumnElement[datetime]:
        if connection.dialect.name == "sqlite":
            return literal(self._clock.now(), UtcDateTime)
        clock: ColumnElement[Any] = func.clock_timestamp()
        return cast(clock, UtcDateTime)

    def _end(self, connection: Connection) -> ColumnElement[Any]:
        if connection.dialect.name == "sqlite":
            return literal(self._clock.now() + timedelta(seconds=TTL_S), UtcDateTime)
        return func.clock_timestamp() + timedelta(seconds=TTL_S)
