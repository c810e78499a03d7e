"""`report-service retry`: what was refused goes out again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.processes import DUE, MONTH

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


def test_what_the_api_rejected_by_mistake_is_put_back_and_delivered(
    cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    mock = start_mock("--fault", "400@hub_rating")
    cli = cli.using(**mock.settings)
    cli.stock(figures)
    assert cli("run", "--patience", 0).code == 3
    assert cli.states() == {"accepted": DUE - 3, "rejected": 3}
    mock.set_faults()
    assert cli("run", "--patience", 0).code == 3  # rejected stays rejected

    put_back = cli("retry", "--kind", "hub_rating")

    assert put_back.code == 0
    assert put_back.out.count(": rejected -> pending (was: ") == 3
    assert f"3 reports put back. To send what the rows say now: report-service run --month {MONTH}" in put_back.out
    assert cli.states() == {"accepted": DUE - 3, "pending": 3}
    assert cli("run").code == 0
    assert cli("retry").out == f"No report of {MONTH} is rejected: nothing to put back.\n"


def test_one_report_is_named_and_a_program_is_told_in_json(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    mock = start_mock("--fault", "404@hub_rating")
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(figures)
    cli("run", "--patience", 0)
    mock.set_faults()
    key = f"{MONTH}/hub_rating/{figures['hubs'][0]['hub_id']}"

    found = json.loads(cli("retry", "--json", key.upper().replace("HUB_RATING", "hub_rating")).out)

    assert found["next"] == [f"report-service run --month {MONTH}"]
    [report] = found["reports"]
    assert (report["key"], report["before"], report["state"]) == (key, "retrying", "retrying")
    told = cli("retry", key).out.splitlines()
    assert told[0] == f"{key}: due at once (was: An injected 404)"
    assert told[1].startswith("1 report put back. ")
    cli("run", "--patience", 0)
    assert cli.states() == {"accepted": DUE - 2, "retrying": 2}


def test_what_makes_no_sense_is_refused_with_the_way_out(sqlite_cli: Cli, figures: dict[str, list[Row]]) -> None:
    sqlite_cli.stock(figures)
    sqlite_cli("run")

    both = sqlite_cli("retry", f"{MONTH}/hotline_rating", "--state", "rejected")
    kind = sqlite_cli("retry", "--kind", "hub_ratings")
    delivered = sqlite_cli("retry", f"{MONTH}/hotline_rating")
    closed = sqlite_cli("retry", "--month", MONTH.shift(-1))

    assert (both.code, kind.code, delivered.code, closed.code) == (2, 2, 2, 3)
    assert (
        both.err
        == "Error: keys and a choice of reports at once\n  -> Name keys, or use --month, --kind and --state.\n"
    )
    assert kind.err.startswith("Error: 'hub_ratings' is not a kind of report")
    assert "is accepted: there is nothing to retry" in delivered.err
    assert "backfill" in closed.err
