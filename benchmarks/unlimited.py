"""A pacer that never waits: to see what everything else costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from report_service.domain.rate_limiter import RecentRequest


class Unlimited:
    """Fulfils `ports.RateLimiter`, and lets everything go at once."""

    def restore(self, sent: Iterable[RecentRequest], *, at: float) -> None:
        """Count nothing."""

    def wait_s(self, at: float) -> float:  # noqa: ARG002 - the port's signature
        """Return 0: now."""
        return 0.0

    def acquired(self, request_id: str, at: float) -> None:
        """Count nothing."""

    def completed(self, request_id: str, at: float) -> None:
        """Count nothing."""

    def throttled(
        self,
        at: float,
        *,
        retry_after_s: float | None = None,
        started: float | None = None,
    ) -> None:
        """Never slow down."""

    def slow_down(self, at: float, *, hold_s: float) -> float:  # noqa: ARG002 - as above
        """Never slow down."""
        return 1e6

    def rate_per_minute(self, at: float) -> float:  # noqa: ARG002 - as above
        """Return a pace for the forecast."""
        return 1e6
