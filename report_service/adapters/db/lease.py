"""The lease: who delivers to an endpoint, and the fencing number that a late writer runs into.

Time is the database's, so that replicas with different clocks agree; SQLite has none of its own, but a file is
shared only by processes of one machine, whose clock is handed in.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, func, literal, or_, select, update

from report_service.adapters.db.tables import UtcDateTime, insert_into, leases
from report_service.errors import LeaseLost
from report_service.ports import Lease

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from report_service.adapters.db.engine import Store
    from report_service.ports import Clock

TTL_S = 60
"""How long a lease lasts unless it is renewed."""
MARGIN_S = 10
"""How long before that its holder stops, by its own monotonic clock."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class SqlLeaseStore:
    """The lease of one endpoint (`ports.LeaseStore`), and what keeps late writers out."""

    def __init__(self, store: Store, endpoint: str, clock: Clock) -> None:
        """Take the endpoint whose lease it is, and the clock that stands in for SQLite's."""
        self._store = store
        self._endpoint = endpoint
        self._clock = clock
        self._row = leases.c.endpoint == endpoint
        self._newest = select(leases.c.fence, leases.c.holder).where(self._row).with_for_update()

    def acquire(self, holder: str, *, at: float) -> Lease | str:
        first = {"endpoint": self._endpoint, "holder": holder, "fence": 0, "expires_at": _LONG_AGO}
        expires_at = leases.c.expires_at
        with self._store.write() as connection:
            connection.execute(insert_into(leases, connection).values(first).on_conflict_do_nothing())
            # One that ends later than any can was taken by a clock that has been put back since: it counts as
            # ended, and its holder, if there still is one, runs into the new fencing number.
            ended = or_(expires_at <= self._in(connection, 0), expires_at > self._in(connection, 2 * TTL_S))
            fence = connection.execute(
                update(leases)
                .where(self._row, or_(ended, leases.c.holder == holder))
                .values(holder=holder, fence=leases.c.fence + 1, expires_at=self._in(connection, TTL_S))
                .returning(leases.c.fence)
            ).scalar_one_or_none()
            if fence is None:
                held: str = connection.execute(select(leases.c.holder).where(self._row)).scalar_one()
                return held
        return Lease(endpoint=self._endpoint, holder=holder, fence=fence, valid_until=at + TTL_S - MARGIN_S)

    def renew(self, lease: Lease, *, at: float) -> Lease:
        with self._store.write() as connection:
            held = connection.execute(
                update(leases).where(self._row, *_is(lease)).values(expires_at=self._in(connection, TTL_S))
            )
        if held.rowcount != 1:
            raise self.lost()
        return replace(lease, valid_until=at + TTL_S - MARGIN_S)

    def release(self, lease: Lease) -> None:
        it = (self._row, *_is(lease))
        with self._store.write() as connection:  # long ago, so that no clock that is put back makes it last
            connection.execute(update(leases).where(*it).values(expires_at=_LONG_AGO))

    def holder(self) -> str | None:
        with self._store.read() as connection:
            held: str | None = connection.execute(select(leases.c.holder).where(self._row)).scalar_one_or_none()
        return held

    def holds(self, connection: Connection, lease: Lease) -> bool:
        """Return True if no newer holder is there, and keep it so until the transaction ends.

        Until then no other transaction comes past here, whoever holds the lease: what is added to the chain of
        evidence is added one after the other.
        """
        found = connection.execute(self._newest).one_or_none()
        return found is not None and tuple(found) == (lease.fence, lease.holder)

    def require(self, connection: Connection, lease: Lease) -> None:
        """Raise LeaseLost unless it holds."""
        if not self.holds(connection, lease):
            raise self.lost()

    def lost(self) -> LeaseLost:
        """Return the error for a lease that another process has by now."""
        return LeaseLost(f"another process delivers to {self._endpoint} now")

    def _in(self, connection: Connection, seconds: float) -> ColumnElement[Any]:
        """Return the moment in so many seconds, by the database's clock."""
        if connection.dialect.name == "sqlite":
            return literal(self._clock.now() + timedelta(seconds=seconds), UtcDateTime)
        return func.clock_timestamp() + timedelta(seconds=seconds)


def _is(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    """Return what tells a lease from every other: in a store restored from a back-up a number may come again."""
    return leases.c.fence == lease.fence, leases.c.holder == lease.holder
