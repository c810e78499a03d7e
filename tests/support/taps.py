"""What stands before the ports of a simulated process: it dies at a call, or its store goes away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from report_service.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.ports import (
        AttemptLog,
        LeaseStore,
        Ledger,
        PlanStore,
        RequestExecutor,
        RunLog,
        StatusQueries,
        WaiverStore,
    )
    from report_service.services.reconcile import Reconciler
    from tests.support.simulation import World


class ProcessDied(BaseException):
    """The process was killed: nothing of it runs any more, no handler and no `finally` has any effect."""


class Tapped:
    """Stands before a port and tells of each call: before it `ledger.record`, after it `ledger.record.done`."""

    def __init__(self, target: object, name: str, tap: Callable[[str], None]) -> None:
        self._target, self._name, self._tap = target, name, tap

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: object, **named: object) -> object:
            self._tap(f"{self._name}.{name}")
            result = found(*args, **named)
            self._tap(f"{self._name}.{name}.done")
            return result

        return call


@dataclass(slots=True)
class Kill:
    """A tap that kills the process at its n-th call; `steps` are the calls that it saw."""

    at: int | None = None
    steps: list[str] = field(default_factory=list)

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if self.at is not None and len(self.steps) >= self.at:
            raise ProcessDied(step)


class StoreAway:
    """A tap that makes the ledger fail for a while from a step on: before a call has an effect, or after it."""

    def __init__(self, world: World, step: int | str = "", *, for_s: float = 30) -> None:
        self._world, self._step, self._for_s = world, step, for_s
        self._until = 0.0
        self.began: float | None = None
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if self._step in (step, len(self.steps)) and self.began is None:
            self.began = self._world.monotonic()
            self._until = self.began + self._for_s
        if step.startswith("ledger.") and self._world.monotonic() < self._until:
            raise StoreUnavailable("the store cannot be used: gone")


def tapped(reconciler: Reconciler, tap: Callable[[str], None]) -> Reconciler:
    """Return a reconciler that tells of each call to its ledger and to its executor."""
    ledger = _tapped_ledger(reconciler.ledger, tap)
    executor = cast("RequestExecutor", Tapped(reconciler.delivery.executor, "executor", tap))
    planner = reconciler.planner
    return replace(
        reconciler,
        ledger=ledger,
        planner=lambda events: replace(
            planner(events), plans=ledger.plans, waivers=ledger.waivers, status=ledger.status
        ),
        delivery=replace(reconciler.delivery, attempts=ledger.attempts, status=ledger.status, executor=executor),
    )


def _tapped_ledger(ledger: Ledger, tap: Callable[[str], None]) -> Ledger:
    """Return a ledger that tells of each call to any of its ports."""
    return replace(
        ledger,
        plans=cast("PlanStore", Tapped(ledger.plans, "ledger", tap)),
        waivers=cast("WaiverStore", Tapped(ledger.waivers, "ledger", tap)),
        attempts=cast("AttemptLog", Tapped(ledger.attempts, "ledger", tap)),
        leases=cast("LeaseStore", Tapped(ledger.leases, "ledger", tap)),
        status=cast("StatusQueries", Tapped(ledger.status, "ledger", tap)),
        runs=cast("RunLog", Tapped(ledger.runs, "ledger", tap)),
    )
