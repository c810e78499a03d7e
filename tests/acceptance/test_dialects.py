"""Both forms of the API: the guide's, and that of OpenAPI 0.9, by settings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.domain.kinds.point_rating import POINT_RATING
from tests.support.processes import DUE

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli

V0_9 = {
    "OBELIS__PATHS__HUB_RATING": "/locations/{hub_id}/ratings",
    "OBELIS__PATHS__AD_HOC_TARIFF": "/locations/{hub_id}/ad-hoc-tariff",
    "OBELIS__PATHS__POINT_RATING": "/locations/{hub_id}/evses/{point_id}/ratings",
    "OBELIS__HEADERS__OCPI_FROM_PARTY_ID": "ABC",
}


def test_a_month_is_delivered_in_the_dialect_of_0_9(
    cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    mock = start_mock("--dialect", "0.9")
    cli = cli.using(**mock.settings, **V0_9)
    cli.stock(figures)

    assert cli("run").code == 0

    assert mock.stats()["by_status"] == {"200": 1, "201": DUE}
    assert {line["path"].split("/")[5] for line in mock.lines() if line["key"]} == {
        "hotline-ratings",
        "nondiscriminatory-access",
        "locations",
    }
    assert cli.states() == {"accepted": DUE}


def test_a_200_that_says_no_is_never_accepted(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    refusals = {
        "no=2001@hotline_rating": "rejected",
        "no=2003@nondiscriminatory_access/DEENB": "retrying",
        "no=2900@nondiscriminatory_access/DEFLE": "already_reported",
        "no=2000@hub_rating": "rejected",
        "no=3000@ad_hoc_tariff": "retrying",
    }
    mock = start_mock("--dialect", "0.9", *(f"--fault={refusal}" for refusal in refusals))
    cli = sqlite_cli.using(**mock.settings, **V0_9)
    cli.stock(figures)

    done = cli("run", "--patience", 0)

    assert done.code == 3
    found = cli.rows("SELECT kind, subject, state FROM deliveries WHERE state <> 'accepted'")
    assert {(f"{kind}/{subject}" if "DE" in subject else kind): state for kind, subject, state in found} == {
        refusal.partition("@")[2]: state for refusal, state in refusals.items()
    }
    assert all(f"/{POINT_RATING}/" in key for key in mock.reports())


def test_the_guides_answers_in_the_paths_of_0_9_are_no_acceptance_either(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    mock = start_mock()
    cli = sqlite_cli.using(**mock.settings, **V0_9)
    cli.stock(figures)

    done = cli("run", "--patience", 0)

    assert done.code == 3
    assert cli.states() == {"accepted": 3, "retrying": DUE - 3}
    assert set(mock.stats()["by_ruling"]) == {"token", "created", "no_route"}
