"""`report-service check` as a deployment runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


def test_a_deployment_goes_on_only_when_nothing_is_red(
    cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    cli = cli.using(**start_mock().settings)
    cli.stock(figures)
    cli("run")

    ready, told = cli("check", "--json"), cli("check")
    refused = cli.using(OBELIS__CLIENT_SECRET="")("check")

    checks = json.loads(ready.out)["checks"]
    assert ready.code == 0
    assert all(set(one) == {"name", "status", "detail", "hint"} for one in checks)
    assert {one["name"]: one["status"] for one in checks if one["status"] != "green"} == {"contract": "amber"}
    assert "green token: the credentials bring a token\n" in told.out
    assert "amber contract: obelis.openapi is not set" in told.out
    assert refused.code == 2


def test_what_is_red_is_told_with_the_way_out_and_holds_the_deployment_back(
    new_sqlite_cli: Cli, start_mock: StartMock
) -> None:
    done = new_sqlite_cli.using(**start_mock("--fault", "401@token").settings)("check")

    assert done.code == 3
    assert "red   token: " in done.out
    assert "\n      -> " in done.out
    assert "amber migrations: " in done.out
    assert not (new_sqlite_cli.folder / "new.sqlite3").exists()


def test_a_store_that_has_reported_for_another_operator_is_red(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    cli = sqlite_cli.using(**start_mock().settings)
    cli.stock(figures)
    cli("run")

    done = cli.using(OBELIS__CPO_ID="DEXYZ")("check", "--json")

    (store,) = (one for one in json.loads(done.out)["checks"] if one["name"] == "store")
    assert done.code == 3
    assert store["status"] == "red"
    assert "for the CPO DEABC" in store["detail"]
    assert "Several operators" in store["hint"]
