"""What proves a month is kept for its years, and then goes as a whole."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from report_service.adapters.db.engine import Store
from report_service.adapters.db.tables import attempts
from report_service.domain.delivery import Evidence, State
from report_service.domain.months import ReportMonth
from report_service.errors import StoreUnavailable
from report_service.services.daemon.retention import Retention
from report_service.services.proof.proof import as_json, gather
from report_service.services.proof.verify import ExportedProof
from tests.support.fakes import FakeClock
from tests.support.ledger_desk import MONTH, NO, NOW, YES, Desk, row
from tests.support.simulated_daemon import start
from tests.support.simulation import site

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.domain.responses import ApiResponse


def delivered(store: Store, month: ReportMonth, answer: ApiResponse = YES, cpo_id: str = "CPO1") -> Desk:
    """Send a month's reports, and the request for a token before them; return who did."""
    following = month.shift(1)
    at = datetime(following.year, following.number, 2, 9, tzinfo=UTC)
    desk = Desk(store, cpo_id=cpo_id, month=month, at=at, name="one")
    token = desk.start(None)
    desk.ledger.attempts.record([], [token], lease=desk.lease)
    desk.ledger.attempts.record([desk.ended(token, None, YES)], [], lease=desk.lease)
    desk.plan({"a": row(1), "b": row(2)})
    desk.deliver({"a": answer, "b": answer})
    return desk


def kept(store: Store) -> dict[str, list[str]]:
    """Return of which months there are still answers, and in which years the attempts that are left were made."""
    with store.read() as connection:
        months = connection.execute(text("SELECT DISTINCT month FROM evidence ORDER BY month")).scalars().all()
        made = connection.execute(select(attempts.c.started_at)).scalars()
        return {"answers of": list(months), "attempts in": sorted({f"{at:%Y-%m}" for at in made})}


def retention(desk: Desk, told: list[str], *, now: datetime, years: int = 10) -> Retention:
    return Retention(
        prepare=lambda: None,
        evidence=desk.ledger.evidence,
        clock=FakeClock(now),
        years=years,
        tell=told.append,
    )


LONG_AGO = (ReportMonth(2016, 9), ReportMonth(2016, 10))
"""Just beyond ten years before MONTH, and just within."""


def test_what_proves_is_kept_for_its_years_and_then_goes_by_the_month(store: Store) -> None:
    told: list[str] = []
    for month in LONG_AGO:
        delivered(store, month)
    desk = delivered(store, MONTH)
    one = retention(desk, told, now=NOW)
    one.apply()

    assert kept(store) == {"answers of": ["2016-10", "2026-10"], "attempts in": ["2016-11", "2026-11"]}
    assert told == ["the 3 attempts of 2016-09 and their answers were kept for 10 year(s), and are dropped"]
    assert len(desk.ledger.evidence.links(LONG_AGO[1])) == 2


def test_what_became_of_the_reports_and_their_bodies_stay(store: Store) -> None:
    desk = delivered(store, LONG_AGO[0])
    retention(delivered(store, MONTH), [], now=NOW).apply()

    reports = desk.ledger.history.reports(LONG_AGO[0])

    assert [(one.state, one.evidence, one.body is not None) for one in reports] == [
        (State.ACCEPTED, Evidence.CONFIRMED, True)
    ] * 2
    assert desk.ledger.status.month_counts(LONG_AGO[0]).complete


@pytest.mark.parametrize("now", [NOW, NOW.replace(year=2060), NOW.replace(year=2006)])
def test_a_clock_that_is_years_wrong_costs_no_proof(store: Store, now: datetime) -> None:
    told: list[str] = []
    delivered(store, LONG_AGO[1])
    retention(delivered(store, MONTH), told, now=now).apply()

    assert told == []


def test_a_month_that_a_wrong_clock_made_up_is_nothing_to_count_from(store: Store) -> None:
    told: list[str] = []
    delivered(store, MONTH)
    desk = delivered(store, ReportMonth(2060, 1), NO)
    retention(desk, told, now=datetime(2060, 2, 2, tzinfo=UTC)).apply()

    assert told == []


def test_it_looks_once_a_day(store: Store) -> None:
    told: list[str] = []
    desk = delivered(store, MONTH)
    one = retention(desk, told, now=NOW)
    one.apply()
    delivered(store, LONG_AGO[0])
    for wait_s, dropped in ((86_399, 0), (1, 1)):
        one.clock.sleep(wait_s)
        one.apply()
        assert len(told) == dropped


def test_a_store_that_is_away_is_looked_at_again(store: Store) -> None:
    told: list[str] = []
    delivered(store, LONG_AGO[0])
    one = retention(delivered(store, MONTH), told, now=NOW)

    def away() -> None:
        raise StoreUnavailable

    usable, one.prepare = one.prepare, away
    one.apply()
    assert told == []

    one.prepare = usable
    one.apply()
    assert len(told) == 1


def test_an_empty_ledger_has_nothing_to_drop(store: Store) -> None:
    told: list[str] = []
    retention(Desk(store), told, now=NOW).apply()

    assert told == []


def test_a_proof_that_was_exported_in_time_fits_itself_and_is_told_what_the_ledger_has_dropped(
    store: Store,
) -> None:
    month = LONG_AGO[0]
    desk = delivered(store, month)
    exported = as_json(gather(desk.ledger, month, cpo_id=desk.cpo_id, at=NOW, guard_s=60))
    retention(delivered(store, MONTH), [], now=NOW).apply()

    proof = ExportedProof.read(exported)

    assert proof.misfits(head=None) == []
    assert proof.misfits_with(desk.ledger) == [
        "the ledger has no answer of 2016-09 any more: retention.attempts_years, or a loss"
    ]


def test_the_daemon_drops_what_its_setting_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = site(tmp_path, environ={"RETENTION__ATTEMPTS_YEARS": "1"})
    with closing(Store(place.url)) as store:
        delivered(store, MONTH.shift(-13), cpo_id="MOCK")
        with closing(start(place)) as daemon, caplog.at_level("INFO"):
            daemon.daemon.look()

        assert kept(store)["answers of"] == [str(MONTH)]
    assert (
        "the 3 attempts of 2025-09 and their answers were kept for 1 year(s), and are dropped" in caplog.messages
    )
