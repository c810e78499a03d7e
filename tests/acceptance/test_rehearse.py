"""`report-service rehearse`: what a month would come to, before its window opens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from report_service.mock_api.operator import made_up_operator
from tests.support.processes import DUE, MONTH

if TYPE_CHECKING:
    from tests.support.processes import Cli

NEXT = MONTH.shift(1)
LEDGER = ("deliveries", "attempts", "runs", "evidence", "leases", "payloads")


def counts(cli: Cli) -> list[int]:
    return [cli.rows(f"SELECT count(*) FROM {table}")[0][0] for table in LEDGER]


def test_the_running_month_is_rehearsed_on_what_is_there_and_nothing_is_kept(cli: Cli) -> None:
    figures = dict(made_up_operator(NEXT, hubs=3, points_per_hub=3, provider_groups=2))
    figures["hub-ratings"][0]["rating"] = 7
    figures["point-ratings"].pop()
    cli.stock(figures)
    cli("run")  # the month before: all of it awaits its data
    before = counts(cli)

    shown, asked = cli("rehearse"), cli("rehearse", "--json")

    said = json.loads(asked.out)
    assert (shown.code, asked.code) == (3, 3)
    assert (said["month"], said["expected"], said["endpoint"]) == (str(NEXT), DUE, "mock")
    assert {state: count for state, count in said["by_state"].items() if count} == {
        "accepted": DUE - 2,
        "invalid": 1,
        "awaiting_data": 1,
    }
    assert {one["state"] for one in said["outstanding"]} == {"invalid", "awaiting_data"}
    assert said["warnings"] == []
    assert said["requests"] == DUE - 2 + 1
    assert f"Rehearsal of {NEXT}, with the data so far" in shown.out
    assert "rating = 7: must be 1 to 6" in shown.out
    assert "the real ones would take about " in shown.out
    assert counts(cli) == before


def test_a_month_that_would_be_complete_is_a_success_by_waivers_and_at_the_pace(sqlite_cli: Cli) -> None:
    figures = dict(made_up_operator(NEXT, hubs=3, points_per_hub=3, provider_groups=2))
    del figures["hotline-ratings"]
    sqlite_cli.stock(figures)
    cli = sqlite_cli.using(OBELIS__REQUESTS_PER_MINUTE=60)
    path = cli.folder / "waivers.csv"
    path.write_text(f"key,reason,declared_by\n{NEXT}/hotline_rating,no calls,A. Person\n")
    assert cli("import", path).code == 0

    done = cli("rehearse", "--month", NEXT, "--json")

    said = json.loads(done.out)
    assert (done.code, said["complete"], said["by_state"]["waived"]) == (0, True, 1)
    assert 16 <= said["duration_s"] <= 20  # 18 requests, one a second; no such time went by


def test_an_inventory_that_shrank_is_a_warning(sqlite_cli: Cli) -> None:
    sqlite_cli.stock(dict(made_up_operator(MONTH, hubs=3, points_per_hub=3, provider_groups=2)))
    sqlite_cli("run")
    points = dict(made_up_operator(MONTH, hubs=3, points_per_hub=3, provider_groups=2))["points"]
    sqlite_cli.stock({"points": [point | {"decommissioned_on": f"{MONTH}-15"} for point in points[:3]]})

    said = json.loads(sqlite_cli("rehearse", "--json").out)

    (warning,) = [one for one in said["warnings"] if one.startswith("only")]
    assert warning.startswith(f"only {DUE - 3} reports are due, {DUE} were the month before")


def test_what_is_left_out_of_the_list_is_shown_by_its_own_command(sqlite_cli: Cli) -> None:
    inventory = ("hubs", "points", "provider-groups")
    made = made_up_operator(NEXT, hubs=3, points_per_hub=3, provider_groups=2)
    sqlite_cli.stock({name: made[name] for name in inventory})

    some, everything = sqlite_cli("rehearse"), sqlite_cli("rehearse", "--all")

    assert f"To see each: report-service rehearse --month {NEXT} --all" in some.out
    keys = {f"{NEXT}/point_rating/{row['point_id']}" for row in made["points"]}
    assert {line.strip() for line in everything.out.splitlines()} >= keys


def test_a_month_whose_window_has_closed_is_refused(sqlite_cli: Cli) -> None:
    done = sqlite_cli("rehearse", "--month", MONTH.shift(-1))

    assert done.code == 2
    assert "has closed: there is nothing to rehearse" in done.err
    assert str(NEXT) in done.err
