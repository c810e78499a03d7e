"""One deliverer per endpoint: whoever has the lease, by the database's clock; a late writer changes nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from report_service.adapters.db.engine import Store
from report_service.adapters.db.lease import MARGIN_S, TTL_S, SqlLeaseStore
from report_service.adapters.db.tables import leases
from report_service.bootstrap.stores import ledger_in
from report_service.domain.inventory_check import InventoryRecord
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.errors import LeaseLost
from report_service.ports import Lease, Ledger
from tests.support.fakes import FakeClock
from tests.support.stores import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MONTH = ReportMonth(2026, 10)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(store: Store, clock: FakeClock) -> Ledger:
    return ledger_on(store, clock)


def ledger_on(store: Store, clock: FakeClock, *, endpoint: str = "mock", cpo_id: str = "CPO1") -> Ledger:
    return ledger_in(store, endpoint=endpoint, cpo_id=cpo_id, instance="here", clock=clock)


def taken(found: Lease | str) -> Lease:
    assert isinstance(found, Lease), f"{found} has it"
    return found


def let_pass(store: Store, seconds: float) -> None:
    """Let so much time go by for the lease, whoever's clock it goes by."""
    with store.write() as connection:
        ends = connection.scalar(select(leases.c.expires_at))
        assert ends is not None
        connection.execute(update(leases).values(expires_at=ends - timedelta(seconds=seconds)))


def holds(ledger: Ledger, lease: Lease) -> bool:
    try:
        ledger.plans.save_plan(MONTH, HUB_RATING, [], at=datetime(2026, 11, 2, tzinfo=UTC), lease=lease)
    except LeaseLost:
        return False
    return True


# --- taking it


def test_the_first_to_ask_has_it_until_ten_seconds_before_another_may(ledger: Ledger) -> None:
    assert ledger.leases.holder() is None
    lease = taken(ledger.leases.acquire("one", at=1000.0))
    assert lease == Lease(endpoint="mock", holder="one", fence=1, valid_until=1000.0 + TTL_S - MARGIN_S)
    assert (TTL_S, MARGIN_S) == (60, 10)
    assert ledger.leases.holder() == "one"
    assert holds(ledger, lease)


def test_another_is_told_who_has_it_and_changes_nothing(ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    assert ledger.leases.acquire("two", at=0) == "one"
    assert ledger.leases.acquire("three", at=0) == "one"
    assert holds(ledger, lease)


def test_its_holder_may_take_it_anew_which_ends_the_one_before(ledger: Ledger) -> None:
    before, lease = taken(ledger.leases.acquire("one", at=0)), taken(ledger.leases.acquire("one", at=5))
    assert (lease.fence, lease.valid_until) == (2, 55)
    assert not holds(ledger, before)
    assert holds(ledger, lease)


@pytest.mark.parametrize(("seconds", "free"), [(57, False), (60, True), (3600, True)])
def test_it_is_free_when_it_has_ended(store: Store, ledger: Ledger, *, seconds: float, free: bool) -> None:
    first = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, seconds)
    found = ledger.leases.acquire("two", at=7)
    assert isinstance(found, Lease) is free
    if free:
        assert taken(found) == Lease(endpoint="mock", holder="two", fence=2, valid_until=57)
        assert ledger.leases.holder() == "two"
    assert holds(ledger, first) is not free


@pytest.mark.parametrize(("seconds", "free"), [(59.9, False), (60, True), (60.1, True)])
def test_on_a_file_it_ends_by_the_clock_of_the_machine(tmp_path: Path, *, seconds: float, free: bool) -> None:
    store, clock = Store(sqlite_url(tmp_path)), FakeClock()
    ledger = ledger_on(store, clock)
    ledger.leases.acquire("one", at=0)
    clock.sleep(seconds)
    assert isinstance(ledger.leases.acquire("two", at=0), Lease) is free
    store.close()


@pytest.mark.postgres
def test_on_postgresql_the_clocks_of_the_processes_do_not_matter(postgres_url: str) -> None:
    store = Store(postgres_url)
    behind = ledger_on(store, FakeClock(datetime(2020, 1, 1, tzinfo=UTC)))
    ahead = ledger_on(store, FakeClock(datetime(2040, 1, 1, tzinfo=UTC)))
    lease = taken(behind.leases.acquire("behind", at=0))
    assert ahead.leases.acquire("ahead", at=0) == "behind"
    lease = behind.leases.renew(lease, at=30)
    assert ahead.leases.acquire("ahead", at=0) == "behind"
    let_pass(store, 60)
    assert taken(ahead.leases.acquire("ahead", at=0)).fence == 2
    assert behind.leases.acquire("behind", at=0) == "ahead"
    assert not holds(behind, lease)
    store.close()


# --- keeping it, and letting go


def test_a_renewed_lease_lasts_for_another_minute(store: Store, ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, 50)
    renewed = ledger.leases.renew(lease, at=50)
    assert renewed == Lease(endpoint="mock", holder="one", fence=1, valid_until=100)
    let_pass(store, 50)
    assert ledger.leases.acquire("two", at=0) == "one"
    assert holds(ledger, lease)


def test_a_released_lease_is_free_at_once(ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    ledger.leases.release(lease)
    assert taken(ledger.leases.acquire("two", at=0)).fence == 2


def test_releasing_what_is_lost_does_not_end_anothers(ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    ledger.leases.release(lease)
    other = taken(ledger.leases.acquire("two", at=0))
    ledger.leases.release(lease)
    assert ledger.leases.acquire("three", at=0) == "two"
    assert holds(ledger, other)


# --- a holder that was paused


def test_a_holder_that_was_paused_and_not_replaced_goes_on(store: Store, ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, 3600)
    assert holds(ledger, lease)
    assert ledger.leases.renew(lease, at=3600).valid_until == 3650
    assert ledger.leases.acquire("two", at=0) == "one"


def test_a_holder_that_was_paused_and_replaced_can_write_nothing_more(store: Store, ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, 60)
    other = taken(ledger.leases.acquire("two", at=0))
    at = datetime(2026, 11, 2, tzinfo=UTC)
    late: list[Callable[[], object]] = [
        lambda: ledger.leases.renew(lease, at=0),
        lambda: ledger.plans.save_plan(MONTH, HUB_RATING, [], at=at, lease=lease),
        lambda: ledger.plans.withdraw(MONTH, HUB_RATING, [], lease=lease),
        lambda: ledger.plans.keep_inventory_record(MONTH, InventoryRecord(), lease=lease),
        lambda: ledger.attempts.record([], [], lease=lease),
        lambda: ledger.attempts.recover_in_flight(at=at, timeout_s=25, lease=lease),
        lambda: ledger.attempts.close_month(MONTH, at=at, lease=lease),
    ]
    for write in late:
        with pytest.raises(LeaseLost, match="another process delivers to mock now"):
            write()
    assert ledger.leases.acquire("one", at=0) == "two"
    assert holds(ledger, other)


def test_even_when_its_successor_has_let_go(store: Store, ledger: Ledger) -> None:
    lease = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, 60)
    ledger.leases.release(taken(ledger.leases.acquire("two", at=0)))
    assert not holds(ledger, lease)
    with pytest.raises(LeaseLost):
        ledger.leases.renew(lease, at=0)


# --- a clock that is put back


@pytest.mark.parametrize("by", [timedelta(seconds=1), timedelta(seconds=90), timedelta(days=365)], ids=str)
def test_what_was_released_stays_free_when_the_clock_is_put_back(store: Store, by: timedelta) -> None:
    now = datetime(2026, 11, 2, tzinfo=UTC)
    ahead, right = ledger_on(store, FakeClock(now + by)), ledger_on(store, FakeClock(now))
    ahead.leases.release(taken(ahead.leases.acquire("one", at=0)))
    assert isinstance(right.leases.acquire("two", at=0), Lease)


@pytest.mark.parametrize(("ahead_s", "free"), [(50, False), (70, True), (86_400, True)])
def test_a_lease_that_ends_later_than_any_can_was_taken_by_a_wrong_clock(
    store: Store, ledger: Ledger, *, ahead_s: float, free: bool
) -> None:
    killed = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, -ahead_s)
    assert isinstance(ledger.leases.acquire("two", at=0), Lease) is free
    assert holds(ledger, killed) is not free


# --- whose it is


def test_each_endpoint_has_its_own(store: Store, clock: FakeClock) -> None:
    mock, real = (ledger_on(store, clock, endpoint=endpoint) for endpoint in ("mock", "https://api"))
    lease = taken(mock.leases.acquire("one", at=0))
    other = taken(real.leases.acquire("two", at=0))
    assert (other.endpoint, other.fence) == ("https://api", 1)
    assert holds(mock, lease)
    assert real.leases.holder() == "two"


def test_operators_that_share_an_endpoint_share_it_because_its_limit_is_one(
    store: Store, clock: FakeClock
) -> None:
    one, two = (ledger_on(store, clock, cpo_id=cpo_id) for cpo_id in ("CPO1", "CPO2"))
    one.leases.acquire("one", at=0)
    assert two.leases.acquire("two", at=0) == "one"


# --- at the same moment


def test_of_several_that_are_the_first_at_once_one_has_it(store: Store) -> None:
    names = ["one", "two", "three"]
    stores = [Store(store.engine.url.render_as_string(hide_password=False)) for _ in names]
    for turn in range(5):
        found: dict[str, Lease | str] = {}
        together = threading.Barrier(len(names))

        def acquire(name: str, own: Store, endpoint: str = f"https://{turn}") -> None:
            ledger = ledger_on(own, FakeClock(), endpoint=endpoint)
            together.wait()  # noqa: B023 - joined within the turn
            found[name] = ledger.leases.acquire(name, at=0)  # noqa: B023

        threads = [threading.Thread(target=acquire, args=pair) for pair in zip(names, stores, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        [lease] = [one for one in found.values() if isinstance(one, Lease)]
        assert lease.fence == 1
        assert sorted(found) == sorted(names)
        assert [one for one in found.values() if isinstance(one, str)] == [lease.holder] * 2
    for own in stores:
        own.close()


@pytest.mark.postgres
def test_nobody_takes_over_within_a_transaction_of_the_holder(postgres_url: str) -> None:
    """What the holder checked when a transaction began is so until it ends: the successor waits."""
    store = Store(postgres_url)
    ledger, found = ledger_on(store, FakeClock()), list[Lease | str]()
    lease = taken(ledger.leases.acquire("one", at=0))
    let_pass(store, 60)
    successor = threading.Thread(target=lambda: found.append(ledger.leases.acquire("two", at=0)))
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with store.write() as connection:
        SqlLeaseStore(store, "mock", FakeClock()).require(connection, lease)
        successor.start()
        deadline = threading.Event()
        for _ in range(500):
            with store.engine.connect() as other:
                if other.scalar(waits):
                    break
            deadline.wait(0.01)
        else:
            pytest.fail("the successor did not wait")
        assert found == []
    successor.join(timeout=30)
    assert taken(found[0]).holder == "two"
    assert not holds(ledger, lease)
    store.close()
