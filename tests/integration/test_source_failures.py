"""A source that fails costs its kind its figures; an odd row costs its report; nothing else waits (law 8)."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import psycopg
import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.services.status import status_of
from tests.support.simulation import CLOSES, MONTH, operator, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.simulation import Process, Rows, Site

ROWS = operator()
HUBS = sorted(str(hub["hub_id"]) for hub in ROWS["hubs"])
DUE = {
    "hotline_ratings": 1,
    "nondiscriminatory_access": 2,
    "hub_ratings": 2,
    "ad_hoc_tariffs": 2,
    "point_ratings": 4,
}


def elsewhere(folder: Path, *tables: str) -> Site:
    """Return a site of which these tables are in a database of the operator's own, filled."""
    rows: Rows = operator()
    environ = {}
    with sqlite3.connect(folder / "theirs.sqlite3") as theirs:
        for table in tables:
            each = rows[table.replace("_", "-")]
            theirs.execute(f"CREATE TABLE {table} ({', '.join(each[0])})")
            values = [[None if value is None else str(value) for value in row.values()] for row in each]
            theirs.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(each[0]))})", values)
            environ[f"sources__{table}__url"] = f"sqlite:///{folder / 'theirs.sqlite3'}"
            environ[f"sources__{table}__query"] = f"SELECT * FROM {table}"
    theirs.close()
    return site(folder, environ=environ)


def mend(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "theirs.sqlite3") as theirs:
        for statement in statements:
            theirs.execute(statement)
    theirs.close()


def reasons(process: Process) -> dict[str, tuple[State, str]]:
    """Return how each report that is not done stands, and why, as status says it."""
    found = status_of(process.service.ledger, MONTH, at=process.world.now(), guard_s=60, requests_per_minute=2000)
    return {str(one.key): (one.state, found.reason(one)) for one in found.outstanding}


@pytest.mark.parametrize("table", DUE)
def test_a_source_that_is_down_in_a_months_first_run_holds_back_its_kind_alone(tmp_path: Path, table: str) -> None:
    place = elsewhere(tmp_path, table)
    mend(tmp_path, f"ALTER TABLE {table} RENAME TO away")
    with place.process() as process:
        result = process.run()
        assert result.error is None
        assert not result.complete
        assert process.states() == {State.ACCEPTED: 11 - DUE[table], State.AWAITING_DATA: DUE[table]}
        assert result.plan is not None
        assert result.plan.problem_count == 1
        name = f"sources.{table.replace('_', '-')}"
        assert result.plan.problems[0].startswith(f"{name} cannot be read from ")
        for state, reason in reasons(process).values():
            assert state is State.AWAITING_DATA
            assert reason.startswith(f"{name} cannot be read from ")
        [event] = process.events.of("source.faulty")
        assert name in str(event["detail"])
        assert process.events.of("data.missing") == []
        assert process.events.of("run.completed")[0]["source_faults"] == 1
        mend(tmp_path, f"ALTER TABLE away RENAME TO {table}")
        assert process.run().complete


def test_a_dead_source_stays_one_when_all_of_them_are(tmp_path: Path) -> None:
    place = elsewhere(tmp_path, *DUE)
    (tmp_path / "theirs.sqlite3").unlink()
    with place.process() as process:
        result = process.run()
        assert process.states() == {State.AWAITING_DATA: 11}
        assert result.plan is not None
        assert result.plan.problem_count == len(DUE)


def test_what_was_planned_from_a_source_goes_out_though_it_is_down_now(tmp_path: Path) -> None:
    place = elsewhere(tmp_path, "hub_ratings")
    mend(tmp_path, f"UPDATE hub_ratings SET rating = 9 WHERE hub_id = '{HUBS[1]}'")
    with place.process() as process:
        process.run(send=False)
        before = place.ask("SELECT source FROM deliveries WHERE kind = 'hub_rating' ORDER BY id")
        (tmp_path / "theirs.sqlite3").unlink()
        process.run()
        assert process.states() == {State.ACCEPTED: 10, State.INVALID: 1}
        [(_, reason)] = reasons(process).values()
        assert reason.startswith("rating = 9")
        assert place.ask("SELECT source FROM deliveries WHERE kind = 'hub_rating' ORDER BY id") == before


def test_a_source_that_fails_in_the_middle_costs_what_it_did_not_say(tmp_path: Path) -> None:
    place = elsewhere(tmp_path, "point_ratings")
    point = ROWS["points"][-1]["point_id"]
    failing = f"CASE WHEN point_id = '{point}' THEN abs(-9223372036854775808) ELSE rating END"
    query = f"SELECT month, point_id, {failing} AS rating, total_complaints FROM point_ratings"
    place = place.elsewhere(environ={"sources__point_ratings__query": query})
    with place.process() as process:
        result = process.run()
        assert process.states()[State.AWAITING_DATA] >= 1
        assert process.states()[State.ACCEPTED] >= 7
        assert result.plan is not None
        assert "integer overflow" in result.plan.problems[0]


def test_a_table_of_the_store_that_is_gone_costs_its_kind_alone(tmp_path: Path) -> None:
    place = site(tmp_path)
    place.ask("DROP TABLE ad_hoc_tariffs")
    with place.process() as process:
        assert process.run().error is None
        assert process.states() == {State.ACCEPTED: 9, State.AWAITING_DATA: 2}
        for _, reason in reasons(process).values():
            assert reason.startswith("the store's table ad_hoc_tariffs cannot be read: ")


def test_a_waiver_counts_and_a_window_closes_whether_or_not_the_source_is_there(tmp_path: Path) -> None:
    place = elsewhere(tmp_path, "hub_ratings")
    (tmp_path / "theirs.sqlite3").unlink()
    place.store({"waivers": [{"key": f"{MONTH}/hub_rating/{HUBS[0]}", "reason": "closed", "declared_by": "me"}]})
    with place.process() as process:
        process.run()
        assert process.states() == {State.ACCEPTED: 9, State.WAIVED: 1, State.AWAITING_DATA: 1}
        place.world.turn_to(CLOSES)
        process.run()
        assert process.states() == {State.ACCEPTED: 9, State.WAIVED: 1, State.MISSED: 1}


# --- the inventory


@pytest.mark.parametrize("table", ["hubs", "points", "provider_groups"])
def test_an_inventory_table_that_cannot_be_read_leaves_what_was_planned_and_is_in_doubt(
    tmp_path: Path, table: str
) -> None:
    place = elsewhere(tmp_path, table)
    with place.process() as process:
        process.run(send=False)
        mend(tmp_path, f"ALTER TABLE {table} RENAME TO away")
        result = process.run()
        assert process.states() == {State.ACCEPTED: 11}
        assert not result.complete
        assert result.month_counts is not None
        name = f"sources.{table.replace('_', '-')}"
        assert result.month_counts.inventory_doubt.startswith(f"{name} cannot be read from ")
        assert [name in str(event["detail"]) for event in process.events.of("source.faulty")] == [True]
        assert process.events.of("inventory.shrunk") == []
        assert not process.run(accepted_by="somebody").complete, "what cannot be read cannot be right"
        mend(tmp_path, f"ALTER TABLE away RENAME TO {table}")
        assert process.run().complete


def test_an_inventory_that_could_never_be_read_lets_the_others_go_out(tmp_path: Path) -> None:
    place = elsewhere(tmp_path, "hubs")
    mend(tmp_path, "ALTER TABLE hubs RENAME TO away")
    with place.process() as process:
        result = process.run()
        assert process.states() == {State.ACCEPTED: 7}
        assert not result.complete
        mend(tmp_path, "ALTER TABLE away RENAME TO hubs")
        assert process.run().complete
        assert process.states() == {State.ACCEPTED: 11}


# --- odd rows


def test_text_that_is_no_utf_8_is_a_fault_of_its_row(tmp_path: Path) -> None:
    place = site(tmp_path)
    odd = bytes('[{"description": "B\xfcro", "cost": 5}]', "latin-1")
    place.ask(
        "UPDATE ad_hoc_tariffs SET additional_costs = CAST(:odd AS TEXT) WHERE hub_id = :hub", odd=odd, hub=HUBS[0]
    )
    with place.process() as process:
        assert process.run().error is None
        assert process.states() == {State.ACCEPTED: 10, State.INVALID: 1}
        [(_, reason)] = reasons(process).values()
        assert "half a surrogate pair" in reason


@pytest.mark.postgres
def test_half_a_surrogate_pair_in_a_json_cell_is_a_fault_of_its_row(tmp_path: Path, postgres_url: str) -> None:
    plain = postgres_url.replace("+psycopg", "")
    tariffs = [dict(row) for row in ROWS["ad-hoc-tariffs"]]
    with psycopg.connect(plain) as connection:
        connection.execute("CREATE TABLE tariffs (hub_id text, costs json)")
        for row, word in zip(tariffs, ("\\ud800", "parking"), strict=True):
            costs = json.dumps([{"description": "?", "cost": 5}]).replace("?", word)
            connection.execute("INSERT INTO tariffs VALUES (%s, %s)", (row["hub_id"], costs))
    query = (
        "SELECT :month AS month, hub_id, 45 AS cost_ct_per_kwh, costs AS additional_costs, "
        "'2026-10-01' AS valid_from, '2026-11-01' AS valid_to FROM tariffs"
    )
    place = site(
        tmp_path, environ={"sources__ad_hoc_tariffs__url": plain, "sources__ad_hoc_tariffs__query": query}
    )
    with place.process() as process:
        assert process.run().error is None
        assert process.states() == {State.ACCEPTED: 10, State.INVALID: 1}
        assert list(reasons(process)) == [f"{MONTH}/{AD_HOC_TARIFF}/{tariffs[0]['hub_id']}"]
    [kept] = place.ask("SELECT source FROM deliveries WHERE state = 'invalid'")
    assert json.loads(kept.source)["additional_costs"][0]["description"] == "\ud800"


@pytest.mark.postgres
def test_a_value_that_the_driver_cannot_read_costs_its_kind_alone(tmp_path: Path, postgres_url: str) -> None:
    plain = postgres_url.replace("+psycopg", "")
    query = "SELECT :month AS month, hub_id, ('[' || repeat('9', 5000) || ']')::json AS rating FROM hubs_there"
    with psycopg.connect(plain) as connection:
        connection.execute("CREATE TABLE hubs_there AS SELECT 'x' AS hub_id")
    place = site(tmp_path, environ={"sources__hub_ratings__url": plain, "sources__hub_ratings__query": query})
    with place.process() as process:
        assert process.run().error is None
        assert process.states() == {State.ACCEPTED: 9, State.AWAITING_DATA: 2}
