"""Whose clock a date-time without a zone shows is a setting, for files and for each source; so it is sent."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from report_service.mock_api.operator import made_up_operator
from tests.support.operator_files import write_operator
from tests.support.processes import MONTH

if TYPE_CHECKING:
    from tests.support.processes import Cli

FIRST, LAST, BEFORE = MONTH.first_day, MONTH.last_day, MONTH.shift(-1).last_day


def sent(cli: Cli, key: str) -> tuple[str, str]:
    body = json.loads(json.loads(cli("explain", key, "--json").out)["body"])
    return body["validFrom"], body["validTo"]


def test_days_are_those_of_the_zone_of_the_data_or_of_the_source(sqlite_cli: Cli) -> None:
    made_up = made_up_operator(MONTH, hubs=1, points_per_hub=1, provider_groups=1)
    (hub,), (group,) = made_up["hubs"], made_up["provider-groups"]
    folder = write_operator(sqlite_cli.folder / "csv", MONTH, hubs=1, points_per_hub=1, provider_groups=1)
    access = folder / "nondiscriminatory-access.csv"
    access.write_text(access.read_text().replace("T00:00:00Z", "").replace("T23:59:59Z", ""))
    theirs = sqlite_cli.folder / "theirs.sqlite3"
    with sqlite3.connect(theirs) as connection:
        connection.execute(
            "CREATE TABLE tariff (month, hub_id, cost_ct_per_kwh, additional_costs, valid_from, valid_to)"
        )
        tariff = (str(MONTH), str(hub["hub_id"]), 59, None, f"{FIRST} 00:00:00", f"{LAST} 23:59:59")
        connection.execute("INSERT INTO tariff VALUES (?, ?, ?, ?, ?, ?)", tariff)
    connection.close()
    cli = sqlite_cli.using(
        DATA__TIMEZONE="Etc/GMT-3",  # three hours ahead of UTC
        SOURCES__AD_HOC_TARIFFS__URL=f"sqlite:///{theirs}",
        SOURCES__AD_HOC_TARIFFS__QUERY="SELECT * FROM tariff",
        SOURCES__AD_HOC_TARIFFS__TIMEZONE="Etc/GMT-5",
    )

    (folder / "ad-hoc-tariffs.csv").unlink()  # for which the query stands

    assert cli("import", folder).code == 0
    assert cli("run").code == 0

    assert sent(cli, f"{MONTH}/nondiscriminatory_access/{group['provider_group']}") == (
        f"{BEFORE}T21:00:00.000Z",
        f"{LAST}T20:59:59.000Z",
    )
    assert sent(cli, f"{MONTH}/ad_hoc_tariff/{hub['hub_id']}") == (
        f"{BEFORE}T19:00:00.000Z",
        f"{LAST}T18:59:59.000Z",
    )
