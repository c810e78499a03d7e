"""`report-service explain` as its users run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.processes import MONTH

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


def test_the_story_is_told_to_people_and_to_programs(
    cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    cli = cli.using(**start_mock("--fault", "400@hotline_rating").settings)
    cli.stock(figures)
    cli("run")

    told = cli("explain", f"{MONTH}/hotline_rating")
    story = json.loads(cli("explain", f"{MONTH}/hotline_rating", "--json").out)
    fine = cli("explain", f"{MONTH}/hub_rating/{figures['hubs'][0]['hub_id']}")

    assert (told.code, fine.code) == (0, 0)
    assert told.out.startswith(f"{MONTH}/hotline_rating is rejected\n  An injected 400\n  -> mend the row; ")
    for part in (
        "The source's row (hotline-ratings)\n",
        "\nSent to /ocpi/bob",
        "\nAttempt 1, ",
        "POST 400, rejected",
    ):
        assert part in told.out
    assert (story["state"], story["source"]["month"]) == ("rejected", str(MONTH))
    assert story["attempts"][0]["request_id"] in told.out
    assert "  -> nothing: it is done\n" in fine.out


def test_a_wrong_key_is_told_with_the_nearest(sqlite_cli: Cli, figures: dict[str, list[Row]]) -> None:
    sqlite_cli.stock(figures)
    sqlite_cli("run")

    hub_id = str(figures["hubs"][0]["hub_id"])

    done = sqlite_cli("explain", f"{MONTH}/hub_rating/{hub_id[:-1]}x")

    assert done.code == 2
    assert f"{MONTH}/hub_rating/{hub_id}" in done.err
