"""The lease as a run holds it: renewed beside the run, and over as soon as another may have it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from report_service.errors import LeaseLost, StoreUnavailable
from report_service.ports import Lease
from report_service.services.delivery.lease_keeper import IDLE_S, LOOK_S, LeaseKeeper
from report_service.settings.model import SourceSettings
from tests.support.fakes import FakeClock, NoBackground

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.ports import LeaseStore


@dataclass
class Leases:
    """A store of one lease, which may be away, or have a newer holder."""

    clock: FakeClock = field(default_factory=FakeClock)
    fails: Exception | None = None
    renewals: int = 0
    on_release: Callable[[], None] = lambda: None

    def renew(self, lease: Lease, *, at: float) -> Lease:
        if self.fails:
            raise self.fails
        self.renewals += 1
        return replace(lease, valid_until=at + 50)

    def release(self, lease: Lease) -> None:
        self.on_release()

    def keeper(self) -> LeaseKeeper:
        lease = Lease(endpoint="mock", holder="us", fence=1, valid_until=self.clock.monotonic() + 50)
        return LeaseKeeper(leases=cast("LeaseStore", self), clock=self.clock, lease=lease)


@dataclass
class Beside(NoBackground):
    """Keeps what is to be called, and how often."""

    seconds: float = 0.0
    call: Callable[[], None] = lambda: None
    ended: bool = False

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        self.seconds, self.call = seconds, call
        return lambda: setattr(self, "ended", True)


@pytest.mark.parametrize(("after_s", "renewals"), [(20.0, 0), (20.1, 1)])
def test_it_is_renewed_when_little_time_is_left(after_s: float, renewals: int) -> None:
    leases = Leases()
    keeper = leases.keeper()
    leases.clock.sleep(after_s)
    keeper.renew_if_due()
    assert leases.renewals == renewals


def test_it_is_looked_at_beside_the_run_until_the_run_ends() -> None:
    leases, beside = Leases(), Beside()
    keeper = leases.keeper()
    end = keeper.keep(beside)
    assert beside.seconds == LOOK_S
    leases.clock.sleep(30)
    beside.call()
    assert leases.renewals == 1
    end()
    assert beside.ended


def test_a_store_that_is_away_is_asked_again_at_the_next_look() -> None:
    leases = Leases(fails=StoreUnavailable())
    keeper = leases.keeper()
    leases.clock.sleep(30)
    keeper.renew_if_due()
    assert not keeper.expired
    leases.fails = None
    keeper.renew_if_due()
    assert leases.renewals == 1


@pytest.mark.parametrize(("after_s", "expired"), [(49.9, False), (50.0, True), (50.1, True)])
def test_it_is_over_before_another_may_have_it(after_s: float, expired: bool) -> None:
    leases = Leases()
    keeper = leases.keeper()
    leases.clock.sleep(after_s)
    assert keeper.expired is expired


def test_one_that_ended_is_held_again_if_nobody_took_it() -> None:
    leases = Leases()
    keeper = leases.keeper()
    leases.clock.sleep(100)
    assert keeper.ensure_held().valid_until == leases.clock.monotonic() + 50
    assert not keeper.expired


def test_once_lost_it_is_lost_for_good() -> None:
    leases = Leases(fails=LeaseLost("another has it"))
    keeper = leases.keeper()
    leases.clock.sleep(100)
    with pytest.raises(LeaseLost):
        keeper.ensure_held()
    leases.fails = None
    with pytest.raises(LeaseLost, match="another has it"):
        keeper.renew()
    assert keeper.expired


def test_a_source_that_takes_as_long_as_it_may_costs_nobody_the_lease() -> None:
    assert SourceSettings.model_json_schema()["properties"]["timeout_s"]["maximum"] == IDLE_S


@pytest.mark.parametrize(("idle_s", "renews"), [(IDLE_S - 1, True), (IDLE_S, True), (IDLE_S + 1, False)])
def test_a_run_that_hangs_is_not_held_up_for(idle_s: float, renews: bool) -> None:
    leases = Leases()
    keeper = leases.keeper()
    leases.clock.sleep(idle_s)
    keeper.renew_if_due()
    assert bool(leases.renewals) is renews


def test_a_sign_of_life_keeps_it_going() -> None:
    leases = Leases()
    keeper = leases.keeper()
    leases.clock.sleep(IDLE_S)
    keeper.ensure_held()
    leases.clock.sleep(40)
    before = leases.renewals
    keeper.renew_if_due()
    assert leases.renewals == before + 1


def test_the_right_to_send_ends_before_the_lease_is_let_go() -> None:
    leases = Leases()
    keeper = leases.keeper()
    seen: list[bool] = []
    leases.on_release = lambda: seen.append(keeper.expired)
    keeper.release()
    assert seen == [True]
