"""What befalls the world of a simulated month, and what people do in it, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.months import ReportMonth
from report_service.services.waive import Waiving

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.bootstrap.service import Service
    from tests.simulation.month import SimulatedMonth
    from tests.simulation.scenario import Deed

Happening = "Callable[[SimulatedMonth, Deed], None]"


# --- processes


def _start(month: SimulatedMonth, deed: Deed) -> None:
    month.start(deed.who)


def _stop(month: SimulatedMonth, deed: Deed) -> None:
    month.wanted.discard(deed.who)
    if deed.who in month.daemons:
        month.daemons[deed.who].terminate()


def _terminate(month: SimulatedMonth, deed: Deed) -> None:
    if deed.who in month.daemons:
        month.daemons[deed.who].terminate()


def _kill(month: SimulatedMonth, deed: Deed) -> None:
    if deed.who in month.daemons:
        month.daemons[deed.who].process.kill("with kill -9")


def _kill_at_switch(month: SimulatedMonth, deed: Deed) -> None:
    if deed.who in month.daemons:
        process = month.daemons[deed.who].process
        process.dies_at = process.switches + int(deed.value)


def _freeze(month: SimulatedMonth, deed: Deed) -> None:
    if deed.who in month.daemons:
        month.daemons[deed.who].process.frozen_until = month.world.elapsed + deed.for_s


def _set_clock(month: SimulatedMonth, deed: Deed) -> None:
    if deed.who in month.daemons:
        month.daemons[deed.who].clock.offset_s += deed.value


# --- the store


def _store_away(month: SimulatedMonth, deed: Deed) -> None:
    month.database.away_until = month.world.elapsed + deed.for_s


def _store_full(month: SimulatedMonth, deed: Deed) -> None:
    month.database.full_until = month.world.elapsed + deed.for_s


def _store_slow(month: SimulatedMonth, deed: Deed) -> None:
    month.database.slow_until = month.world.elapsed + deed.for_s
    month.database.slow_s = deed.value


def _lose_commits(month: SimulatedMonth, deed: Deed) -> None:
    month.database.commits_lost += int(deed.value)


def _back_up(month: SimulatedMonth, deed: Deed) -> None:
    month.database.back_up()


def _restore_store(month: SimulatedMonth, deed: Deed) -> None:
    if month.database.restore():
        month.restored.append(month.world.elapsed)


# --- the sources


def _source_down(month: SimulatedMonth, deed: Deed) -> None:
    month.trouble.down[deed.key] = month.world.elapsed + deed.for_s


def _source_slow(month: SimulatedMonth, deed: Deed) -> None:
    month.trouble.slow[deed.key] = month.world.elapsed + deed.for_s
    month.trouble.slow_s = deed.value


def _source_odd(month: SimulatedMonth, deed: Deed) -> None:
    month.trouble.odd[deed.key] = month.world.elapsed + deed.for_s


# --- the operator


def _empty(month: SimulatedMonth, deed: Deed) -> None:
    month.books.empty(deed.key)


def _refill(month: SimulatedMonth, deed: Deed) -> None:
    month.books.restore(deed.key)


def _lose(month: SimulatedMonth, deed: Deed) -> None:
    month.books.lose(deed.key)


def _spoil(month: SimulatedMonth, deed: Deed) -> None:
    month.books.spoil(deed.key)


def _mend(month: SimulatedMonth, deed: Deed) -> None:
    month.books.mend(deed.key, int(deed.value))


def _withdraw_point(month: SimulatedMonth, deed: Deed) -> None:
    month.books.withdraw_point(deed.key)


def _waive(month: SimulatedMonth, deed: Deed) -> None:
    def act(service: Service) -> None:
        Waiving(plans=service.ledger.plans, waivers=service.ledger.waivers, clock=service.clock).declare(
            [deed.key], reason="none", declared_by="x"
        )
        month.books.waived.add(deed.key)

    month.command("waive", act)


def _boast(month: SimulatedMonth, deed: Deed) -> None:
    """Say that the month is complete, whatever is so: only a test of the laws does."""
    month.heard("somebody", "window.closed", {})


def _run(month: SimulatedMonth, deed: Deed) -> None:
    wanted = ReportMonth.parse(month.scenario.month)

    def act(service: Service) -> None:
        service.reconciler.reconcile(wanted, trigger="run", patience_s=deed.for_s)

    process = month.command("run", act)
    if deed.value:
        process.dies_at = int(deed.value)


DEEDS: dict[str, Callable[[SimulatedMonth, Deed], None]] = {
    "start": _start,
    "stop": _stop,
    "terminate": _terminate,
    "kill": _kill,
    "kill_at_switch": _kill_at_switch,
    "freeze": _freeze,
    "set_clock": _set_clock,
    "store_away": _store_away,
    "store_full": _store_full,
    "store_slow": _store_slow,
    "lose_commits": _lose_commits,
    "back_up": _back_up,
    "restore_store": _restore_store,
    "source_down": _source_down,
    "source_slow": _source_slow,
    "source_odd": _source_odd,
    "empty": _empty,
    "refill": _refill,
    "lose": _lose,
    "spoil": _spoil,
    "mend": _mend,
    "withdraw_point": _withdraw_point,
    "waive": _waive,
    "run": _run,
    "boast": _boast,
}
