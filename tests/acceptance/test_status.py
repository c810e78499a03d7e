"""`report-service status`: expected against delivered, for people and for programs."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.kinds import KINDS
from report_service.mock_api.operator import made_up_operator
from tests.support.processes import COMMAND, DUE, MONTH, plain

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


def test_a_program_is_told_everything(cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock) -> None:
    cli = cli.using(**start_mock("--fault", "404@hub_rating#1").settings)
    cli.stock(figures | {"hotline-ratings": []})
    cli("run", "--patience", 0)

    status = cli.status()

    assert (status["month"], status["expected"], status["drifted"], status["complete"]) == (
        str(MONTH),
        DUE,
        0,
        False,
    )
    assert set(status["window"]) == {"opens", "closes", "open"}
    assert status["window"]["open"] is True
    assert status["window"]["opens"].startswith(f"{MONTH.shift(1)}-01T00:00:00")
    assert status["by_state"] == {
        **dict.fromkeys(map(str, State), 0),
        "accepted": DUE - 2,
        "retrying": 1,
        "awaiting_data": 1,
    }
    assert list(status["by_kind"]) == [kind.name for kind in KINDS]
    assert {kind: counts["expected"] for kind, counts in status["by_kind"].items()} == {
        "hotline_rating": 1,
        "nondiscriminatory_access": 2,
        "hub_rating": 3,
        "ad_hoc_tariff": 3,
        "point_rating": 9,
    }
    assert status["by_kind"]["hub_rating"]["retrying"] == 1
    waits, again = status["outstanding"]
    assert waits == {
        "key": f"{MONTH}/hotline_rating",
        "state": "awaiting_data",
        "reason": "the source has no row for it",
        "next_attempt_at": None,
    }
    assert set(again) == set(waits)
    assert again["next_attempt_at"].endswith("Z")


def test_the_exit_code_says_whether_the_month_is_in_with_the_figures_of_today(
    sqlite_cli: Cli, figures: dict[str, list[Row]]
) -> None:
    sqlite_cli.stock(figures)

    before = sqlite_cli("status")
    sqlite_cli("run")
    after = sqlite_cli("status")
    sqlite_cli.stock({"hotline-ratings": [figures["hotline-ratings"][0] | {"hotline_calls": 7}]})
    run = sqlite_cli("run")
    drifted = sqlite_cli("status")

    assert before.code == 3
    assert "Nothing is known of this month: no run has planned it yet" in before.out
    assert after.code == 0
    assert f"Complete: {DUE} of {DUE} reports are in." in after.out
    assert (run.code, drifted.code) == (3, 3)
    assert "changed since delivery (1)\n  -> the store has other figures than the API now" in drifted.out
    assert f"    {MONTH}/hotline_rating" in drifted.out
    assert f"All {DUE} reports are in, but not with the figures of today." in drifted.out


def test_many_reports_outstanding_for_one_reason_are_one_entry(sqlite_cli: Cli) -> None:
    figures = dict(made_up_operator(MONTH, hubs=3, points_per_hub=4, provider_groups=2))
    points = [point["point_id"] for point in figures["points"]]
    sqlite_cli.stock(figures | {"point-ratings": []})
    sqlite_cli("run")

    short = sqlite_cli.on_terminal("status").out
    long = sqlite_cli("status", "--all").out

    shown = plain(short)
    assert "awaiting data (12)\n  -> deliver the row, or: report-service waive KEY" in shown
    assert shown.count("the source has no row for it") == 1
    assert "... and 7 more" in shown
    assert f"report-service status --month {MONTH} --all" in shown
    listed = [line for line in shown.splitlines() if line.startswith(f"    {MONTH}/point_rating/")]
    assert len(listed) == 5
    assert all(line.strip().removeprefix(f"{MONTH}/point_rating/") in points for line in listed)
    assert all(f"    {MONTH}/point_rating/{point}" in long for point in points)


def test_a_month_whose_window_has_closed_or_not_opened_says_so(sqlite_cli: Cli) -> None:
    closed = sqlite_cli("status", "--month", MONTH.shift(-1))
    future = sqlite_cli("status", "--month", MONTH.shift(1))

    assert (closed.code, future.code) == (3, 3)
    assert "window closed " in closed.out
    assert "window opens " in future.out


def test_a_reader_that_leaves_changes_nothing(sqlite_cli: Cli) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$0" status --json | head -c 1; exit "${PIPESTATUS[0]}"', COMMAND],
        env=sqlite_cli.environment,
        cwd=sqlite_cli.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (3, "{", "")


def test_several_months_and_the_runs_are_told_at_a_glance(cli: Cli, figures: dict[str, list[Row]]) -> None:
    cli.stock(figures)
    cli("run")
    before = MONTH.shift(-1)

    months, told = cli("status", "--from", before, "--json"), cli("status", "--from", before)
    runs, shown = cli("status", "--runs", "--json"), cli("status", "--runs", "--month", MONTH)
    odd = cli("status", "--runs", "--all")

    assert (months.code, told.code, runs.code, odd.code) == (3, 3, 0, 2)  # the month before is not known
    assert [(one["month"], one["complete"]) for one in json.loads(months.out)["months"]] == [
        (str(before), False),
        (str(MONTH), True),
    ]
    assert f"{before}  " in told.out
    (run,) = json.loads(runs.out)["runs"]
    assert (run["month"], run["started_by"], run["result"], run["summary"]["sent"]) == (
        str(MONTH),
        "run",
        "completed",
        DUE + 1,
    )
    assert "completed" in shown.out
    assert cli("status", "--from", MONTH).code == 0
