"""A month in which nearly everything goes wrong, and how its operators bring it home by the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.support.processes import DUE, MONTH

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


def story(cli: Cli, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli("explain", key, "--json").out)
    return found


def test_a_month_with_ten_faults_is_rehearsed_explained_mended_and_proved(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    hubs = [str(hub["hub_id"]) for hub in figures["hubs"]]
    ours, foreign = (str(group["provider_group"]) for group in figures["provider-groups"])
    hotline, point = f"{MONTH}/hotline_rating", figures["point-ratings"][-1]
    missing = f"{MONTH}/point_rating/{point['point_id']}"
    bad, unknown = (f"{MONTH}/hub_rating/{hub}" for hub in hubs[:2])
    altered = f"{MONTH}/hub_rating/{hubs[2]}"
    lost, changed = (f"{MONTH}/ad_hoc_tariff/{hub}" for hub in hubs[:2])
    refused, taken = (f"{MONTH}/nondiscriminatory_access/{group}" for group in (ours, foreign))

    mock = start_mock()
    mock.set_faults(
        f"400@nondiscriminatory_access/{ours}",
        f"404@hub_rating/{hubs[1]}",
        f"lost@ad_hoc_tariff/{hubs[0]}#1",
        f"altered@hub_rating/{hubs[2]}",
    )
    cli = sqlite_cli.using(**mock.settings, OBELIS__TIMEOUT_S=2)
    hub_ratings = {str(row["hub_id"]): row for row in figures["hub-ratings"]}
    tables = figures | {
        "hotline-ratings": [],
        "point-ratings": figures["point-ratings"][:-1],
        "hub-ratings": [
            *[row for hub, row in hub_ratings.items() if hub != hubs[0]],
            hub_ratings[hubs[0]] | {"rating": 9},
        ],
    }
    cli.stock(tables)
    someone_else = replace(
        cli, settings={**cli.settings, "STORE__URL": f"sqlite:///{cli.folder / 'other.sqlite3'}"}
    )
    someone_else.stock(
        {
            "provider-groups": [row for row in figures["provider-groups"] if row["provider_group"] == foreign],
            "nondiscriminatory-access": [
                row for row in figures["nondiscriminatory-access"] if row["provider_group"] == foreign
            ],
        }
    )
    someone_else("run")

    rehearsed = json.loads(cli("rehearse", "--month", MONTH, "--json").out)
    assert {one["key"]: one["state"] for one in rehearsed["outstanding"]} == {
        hotline: "awaiting_data",
        bad: "invalid",
        missing: "awaiting_data",
    }

    assert cli("run", "--patience", 30).code == 3
    price = next(row for row in figures["ad-hoc-tariffs"] if row["hub_id"] == hubs[1])
    cli.stock({"ad-hoc-tariffs": [price | {"cost_ct_per_kwh": 77}]})
    cli("run", "--patience", 0)

    told = {
        key: story(cli, key) for key in (hotline, missing, bad, refused, unknown, taken, lost, changed, altered)
    }
    assert {key: one["state"] for key, one in told.items()} == {
        hotline: "awaiting_data",
        missing: "awaiting_data",
        bad: "invalid",
        refused: "rejected",
        unknown: "retrying",
        taken: "already_reported",
        lost: "accepted",
        changed: "accepted",
        altered: "accepted",
    }
    assert f"report-service waive {hotline}" in told[hotline]["next"]
    assert told[bad]["table"] == "hub-ratings"
    assert told[bad]["source"]["hub_id"] == hubs[0]
    assert told[bad]["faults"][0]["rule"].startswith("must be 1 to 6")
    assert told[refused]["reason"] == "An injected 400"
    assert told[unknown]["attempts"][-1]["outcome"] == "not_found"
    assert told[unknown]["next"].startswith("tried again by itself at ")
    assert told[lost]["evidence"] == "inferred"
    assert [one["outcome"] for one in told[lost]["attempts"]] == ["no_answer", "conflict"]
    assert told[changed]["differences"][0]["field"] == "cost"
    assert told[altered]["reason"].startswith("the API stored otherwise: rating: sent ")
    assert all("report-service correct" in told[key]["next"] for key in (changed, altered))

    mock.set_faults()
    cli.stock({"point-ratings": [point], "hub-ratings": [hub_ratings[hubs[0]]]})
    assert cli("waive", hotline, "--reason", "no calls all month").code == 0
    assert cli("retry", refused, unknown).code == 0
    assert cli("run", "--patience", 30).code == 3  # what changed since is not corrected yet
    assert cli("correct", "--yes").code == 0

    status = cli.status()
    assert (status["complete"], status["drifted"]) == (True, 0)
    assert {state: count for state, count in status["by_state"].items() if count} == {
        "accepted": DUE - 2,
        "already_reported": 1,
        "waived": 1,
    }
    assert mock.reports()[changed]["cost"] == 77
    _closed_month_is_handed_in(cli)
    _is_proved(cli)


def _closed_month_is_handed_in(cli: Cli) -> None:
    missed = MONTH.shift(-2)
    cli("backfill", "--from", missed, "--to", missed, "--yes")
    assert cli("status", "--month", missed).code == 3
    told = story(cli, f"{missed}/hotline_rating")
    assert (told["state"], told["next"]) == (
        "missed",
        "hand it in by other means (report-service backfill), then record it: report-service handed-in",
    )

    assert cli("handed-in", "--month", missed, "--reference", "e-mail of today").code == 0

    assert cli("status", "--month", missed).code == 0


def _is_proved(cli: Cli) -> None:
    file = cli.folder / "proof.json"
    assert cli("export", "--month", MONTH, "--out", file).code == 0
    proof = json.loads(file.read_text())
    assert (proof["complete"], len(proof["reports"])) == (True, DUE)
    assert cli("export", "--verify", file, "--head", proof["head"]).code == 0
