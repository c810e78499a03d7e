"""What a dead man's switch elsewhere is to hear, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from report_service.ports import HealthSnapshot, Signal
from report_service.services.daemon.pings import Pings, trouble_in
from tests.support.fakes import FakeClock

START, SUCCESS, FAIL = Signal.START, Signal.SUCCESS, Signal.FAIL


class FakeSwitch:
    """Remembers what it heard; while `deaf` nothing gets through."""

    def __init__(self) -> None:
        self.heard: list[tuple[Signal, str]] = []
        self.deaf = False

    def send(self, signal: Signal, text: str) -> bool:
        if not self.deaf:
            self.heard.append((signal, text))
        return not self.deaf


class Life:
    """A daemon whose pulse a test sets, its switches, and the time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.alive, self.month = FakeSwitch(), FakeSwitch()
        self.pings = Pings(clock=self.clock, alive=self.alive, month=self.month)
        self.pulse = HealthSnapshot(
            instance="host:1:abc",
            beat_at=0.0,
            stale_after_s=150.0,
            moved_at=0.0,
            store=None,
            failing=None,
            crashed=None,
            crashes=0,
            month="2026-10",
            complete=False,
            outstanding=3,
        )

    def after(self, seconds: float, **changes: object) -> Life:
        """Let time go by, the heart beat with these changes, and the pings be sent."""
        self.clock.sleep(seconds)
        now = self.clock.monotonic()
        self.pulse = replace(self.pulse, **{"beat_at": now, "moved_at": now, **changes})  # type: ignore[arg-type]
        self.pings.note(self.pulse)
        self.pings.send()
        return self


@pytest.fixture
def life() -> Life:
    return Life()


def test_before_the_first_heartbeat_nothing_is_said(life: Life) -> None:
    life.pings.send()

    assert life.alive.heard == life.month.heard == []


def test_alive_is_said_at_the_start_and_every_five_minutes(life: Life) -> None:
    life.after(60)
    assert life.alive.heard == [(START, "started"), (SUCCESS, "well")]
    for seconds, count in ((200, 2), (69, 2), (1, 3), (269, 3), (1, 4)):
        assert len(life.after(seconds).alive.heard) == count


def test_that_it_is_not_well_is_said_at_once_and_so_is_its_recovery(life: Life) -> None:
    life.after(60)
    life.after(60, failing="no token for 2026-10/hub_rating/secret")
    life.after(60)
    life.after(60, failing=None)

    assert life.alive.heard[2:] == [(FAIL, "the last run failed"), (SUCCESS, "well")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"store": "password=hush"}, "its database cannot be reached"),
        ({"failing": "token hush"}, "the last run failed"),
        ({"crashed": "KeyError: hush"}, "a part of it raises an error"),
        ({"moved_at": -901.0}, "the worker has not moved for 901 s: it hangs"),
        ({"beat_at": -151.0}, "no heartbeat for 151 s: the daemon is dead or hangs"),
    ],
)
def test_trouble_is_told_in_words_that_give_nothing_away(
    life: Life, changes: dict[str, object], words: str | None
) -> None:
    assert trouble_in(replace(life.pulse, **changes), at=0.0) == words  # type: ignore[arg-type]


def test_what_did_not_get_through_is_said_again(life: Life) -> None:
    life.alive.deaf = life.month.deaf = True
    life.after(60, complete=True, outstanding=0)
    life.alive.deaf = life.month.deaf = False
    life.after(60)

    assert life.alive.heard == [(START, "started"), (SUCCESS, "well")]
    assert life.month.heard == [(SUCCESS, "2026-10 is complete")]


def test_a_complete_month_is_said_once_and_the_next_one_begins(life: Life) -> None:
    life.after(60)
    life.after(60, complete=True, outstanding=0)
    life.after(60)
    life.after(60, month="2026-11", complete=False, outstanding=5)
    life.after(60, complete=True, outstanding=0)

    assert life.month.heard == [
        (SUCCESS, "2026-10 is complete"),
        (START, "2026-11 is open"),
        (SUCCESS, "2026-11 is complete"),
    ]


def test_a_month_that_closed_incomplete_is_a_failure(life: Life) -> None:
    life.after(60)
    life.after(60, month="2026-11", outstanding=7)

    assert life.month.heard == [(FAIL, "2026-10 closed with 3 reports undelivered"), (START, "2026-11 is open")]


def test_a_month_with_nothing_due_is_none(life: Life) -> None:
    life.after(60, outstanding=0)
    life.after(60, month="2026-11", outstanding=7)

    assert life.month.heard == [(START, "2026-11 is open")]


def test_of_a_month_nothing_is_said_while_the_store_is_away(life: Life) -> None:
    life.after(60, complete=True, outstanding=0)
    life.after(60, month="2026-11", complete=None, outstanding=None)

    assert life.month.heard == [(SUCCESS, "2026-10 is complete")]


def test_without_addresses_nothing_is_sent() -> None:
    life = Life()
    life.pings = Pings(clock=life.clock, alive=None, month=None)
    life.after(60, complete=True)

    assert life.alive.heard == life.month.heard == []
