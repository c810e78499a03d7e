"""Whether everything is ready: each part by itself, green, amber or red."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from report_service.bootstrap.commands import checking
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.check import Status, worst
from tests.support.openapi_document import matching, post, schema
from tests.support.simulation import CLOSES, MONTH, World, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from report_service.services.check import Check, Checking
    from tests.support.simulation import Site

GREEN, AMBER, RED = Status.GREEN, Status.AMBER, Status.RED


@contextmanager
def parts(place: Site, **environ: str) -> Iterator[Checking]:
    found = place.elsewhere(environ=environ)
    with checking(found.settings, redact=str, clock=place.world, mock=place.world.mock) as made:
        yield made


def checks(place: Site, **environ: str) -> dict[str, Check]:
    with parts(place, **environ) as made:
        return {one.name: one for one in made.checks()}


def seen(place: Site, **environ: str) -> dict[str, Status]:
    return {name: one.status for name, one in checks(place, **environ).items()}


def test_a_month_that_can_be_delivered_is_green_throughout(tmp_path: Path) -> None:
    found = checks(site(tmp_path, World()))

    names = [
        "configuration",
        "time zones",
        "disk",
        "store",
        "token",
        "clock",
        "operators",
        "sources",
        "rows",
        "window",
    ]
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(names, GREEN)
    assert found["sources"].detail == "inventory and figures of 2026-10 can be read: 11 reports are due"
    assert found["window"].detail == "reports for 2026-10 can be sent until 2026-11-30T22:59:00Z, 28 days left"
    assert worst(found.values()) is GREEN


def test_checking_sends_plans_and_makes_nothing(tmp_path: Path) -> None:
    place = site(tmp_path, World())
    checks(place)

    assert place.world.reports() == []
    assert place.ask("SELECT count(*) FROM deliveries") == [(0,)]
    assert place.ask("SELECT count(*) FROM attempts") == [(0,)]
    checks(place, STORE__URL=f"sqlite:///{tmp_path / 'none.sqlite3'}")
    assert not (tmp_path / "none.sqlite3").exists()


def test_hubs_of_two_cpos_in_one_source_are_worth_a_warning(tmp_path: Path) -> None:
    place = site(tmp_path, World(), points_per_hub=3)
    place.ask("UPDATE points SET evse_id = 'DEXYZE0001' WHERE point_id = (SELECT min(point_id) FROM points)")
    place.ask("UPDATE points SET evse_id = 'of our own' WHERE point_id = (SELECT max(point_id) FROM points)")

    found = checks(place)

    assert found["operators"].status is AMBER
    assert found["operators"].detail == "the points' EVSE ids are of 2 operators: DE*ABC (4), DE*XYZ (1)"
    assert "Several operators" in found["operators"].hint


def test_reports_of_another_cpo_in_the_store_are_a_warning_until_one_was_sent(tmp_path: Path) -> None:
    place = site(tmp_path, World())
    with place.process() as process:
        process.reconciler.reconcile(MONTH, trigger="run", patience_s=0, send=False)
    mistyped = {"OBELIS__CPO_ID": "ANOTHER"}

    planned = checks(place, **mistyped)
    with place.process() as process:
        process.run()
    sent = checks(place, **mistyped)

    assert (planned["operators"].status, planned["store"].status) == (AMBER, GREEN)
    assert planned["operators"].detail == "reports for the CPO MOCK are planned in this store, too"
    assert sent["store"].status is RED
    assert "has reported to mock for the CPO MOCK" in sent["store"].detail


def test_a_store_that_has_no_tables_yet_is_amber_or_red_by_who_makes_them(tmp_path: Path) -> None:
    place, url = site(tmp_path, World()), f"sqlite:///{tmp_path / 'none.sqlite3'}"

    made = checks(place, STORE__URL=url)
    refused = checks(place, STORE__URL=url, STORE__AUTO_UPGRADE="false")

    assert (made["migrations"].status, refused["migrations"].status) == (AMBER, RED)
    assert "report-service db upgrade" in refused["migrations"].hint
    assert "rows" not in made


def test_a_store_that_cannot_be_reached_is_red_and_the_rest_is_tried(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"

    found = checks(site(tmp_path, World()), STORE__URL=url)

    assert found["store"].status is RED
    assert found["store"].hint
    assert found["token"].status is GREEN
    assert "sources" not in found


def test_refused_credentials_are_red(tmp_path: Path) -> None:
    found = checks(site(tmp_path, World(faults=[InjectedFault.parse("401@token")])))

    assert found["token"].status is RED
    assert found["token"].hint
    assert found["sources"].status is GREEN


@pytest.mark.parametrize(("ahead_s", "status"), [(8, GREEN), (12, AMBER), (58, AMBER), (61, RED), (-61, RED)])
def test_clocks_that_are_apart_are_told_and_beyond_the_guard_they_are_red(
    tmp_path: Path, ahead_s: int, status: Status
) -> None:
    place = site(tmp_path, World(skew_s=ahead_s))

    assert seen(place)["clock"] is status


def test_rows_that_cannot_be_sent_are_amber_with_the_first_of_them(tmp_path: Path) -> None:
    place = site(tmp_path, World())
    place.ask("DELETE FROM hotline_ratings")

    found = checks(place)

    assert found["rows"].status is AMBER
    assert (
        "1 of 11 reports cannot be sent; the first: 2026-10/hotline_rating is awaiting_data"
        in found["rows"].detail
    )


def test_an_empty_inventory_is_red(tmp_path: Path) -> None:
    place = site(tmp_path, World())
    for table in ("hubs", "points", "provider_groups"):
        place.ask(f"DELETE FROM {table}")

    assert seen(place)["sources"] is RED


def test_a_source_that_cannot_be_read_is_red_by_name(tmp_path: Path) -> None:
    found = checks(
        site(tmp_path, World()),
        SOURCES__HUB_RATINGS__URL="sqlite:////none/x",
        SOURCES__HUB_RATINGS__QUERY="SELECT 1",
    )

    assert found["sources"].status is RED
    assert "sources.hub-ratings" in found["sources"].detail


@pytest.mark.parametrize(
    ("left", "status"), [(timedelta(days=5), GREEN), (timedelta(days=5) - timedelta(seconds=1), RED)]
)
def test_a_month_that_is_not_in_is_red_in_its_last_days(tmp_path: Path, left: timedelta, status: Status) -> None:
    world = World()
    world.turn_to(CLOSES - timedelta(seconds=60) - left)
    place = site(tmp_path, world)

    assert seen(place)["window"] is status
    with place.process() as process:
        process.run()
    assert checks(place)["window"].detail == f"{MONTH} is complete"


def test_the_apis_file_is_compared_where_it_is_set(tmp_path: Path) -> None:
    file, tree = tmp_path / "openapi.yaml", matching()
    for name in ("NondiscriminatoryAccess",):
        schema(tree, name)["properties"]["providerGroup"] = {"type": "string"}
    file.write_text(yaml.safe_dump(tree))
    place = site(tmp_path, World())
    assert seen(place, OBELIS__OPENAPI=str(file))["contract"] is GREEN

    post(tree, "HubRating")["parameters"].append({"name": "X-Tenant", "in": "header", "required": True})
    file.write_text(yaml.safe_dump(tree))
    found = checks(place, OBELIS__OPENAPI=str(file))["contract"]
    assert (found.status, found.detail) == (RED, "header missing: X-Tenant")
