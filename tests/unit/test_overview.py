"""Several months at a glance."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, cast

import pytest
from rich.console import Console

from report_service.cli.render import months_view, runs_view
from report_service.domain.delivery import State
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.errors import UsageError
from report_service.ports import MonthCounts, RunRecord
from report_service.services.overview import glance, run_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from report_service.ports import StatusQueries

LAST = ReportMonth(2026, 2)


class Counts:
    """A ledger with one kind, and a state for each month before February 2026."""

    _BY_MONTH: ClassVar = {
        "2025-12": ({State.ACCEPTED: 3}, 0),
        "2026-01": ({State.ACCEPTED: 3}, 1),
        "2026-02": ({State.ACCEPTED: 1, State.RETRYING: 1, State.REJECTED: 1}, 0),
    }

    def month_counts(self, month: ReportMonth) -> MonthCounts:
        states, drifted = self._BY_MONTH.get(str(month), ({}, 0))
        return MonthCounts(month=month, by_kind={HUB_RATING: states}, drifted=drifted, in_doubt=0)


STATUS = cast("StatusQueries", Counts())


def shown(view: RenderableType) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(view)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_each_month_has_its_line_and_its_verdict() -> None:
    assert shown(months_view(glance(STATUS, LAST.shift(-3), LAST, guard_s=60))) == [
        "month due done on the way a person changed",
        "2025-11 · · · · · nothing known",
        "2025-12 3 3 · · · complete",
        "2026-01 3 3 · · 1 changed since delivery",
        "2026-02 3 1 1 1 · not complete",
    ]


def test_a_month_counts_as_settled_only_with_the_figures_of_today() -> None:
    assert [one.settled for one in glance(STATUS, LAST.shift(-3), LAST, guard_s=60)] == [False, True, False, False]


def test_programs_are_told_the_same() -> None:
    (december,) = glance(STATUS, ReportMonth(2025, 12), ReportMonth(2025, 12), guard_s=60)

    assert december.as_json() == {
        "month": "2025-12",
        "window": {"opens": "2026-01-01T00:00:00Z", "closes": "2026-01-31T23:00:00Z"},
        "expected": 3,
        "done": 3,
        "by_state": {**dict.fromkeys(map(str, State), 0), "accepted": 3},
        "drifted": 0,
        "complete": True,
    }


def test_months_in_the_wrong_order_or_too_many_are_refused() -> None:
    assert len(glance(STATUS, LAST.shift(-119), LAST, guard_s=60)) == 120
    for first in (LAST.shift(1), LAST.shift(-120)):
        with pytest.raises(UsageError) as refused:
            glance(STATUS, first, LAST, guard_s=60)
        assert refused.value.hint


def test_a_run_says_how_long_it_took_and_what_stopped_it() -> None:
    began = datetime(2026, 3, 1, 5, tzinfo=UTC)
    run = RunRecord(
        run_id="1",
        month=LAST,
        started_by="daemon",
        started_at=began,
        ended_at=began + timedelta(seconds=72.5),
        result="halted",
        detail="no token",
        summary={"sent": 7},
    )
    killed = RunRecord(run_id="2", month=LAST, started_by="run", started_at=began)

    assert shown(runs_view([run, killed]))[1:] == [
        "Sun 01 Mar 2026 06:00 2026-02 daemon 72.5 s 7 halted: no token",
        "Sun 01 Mar 2026 06:00 2026-02 run no end is known",
    ]
    assert (run_json(run)["duration_s"], run_json(killed)["duration_s"]) == (72.5, None)
    assert shown(runs_view([])) == ["No run is known."]
