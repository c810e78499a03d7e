"""`report-service correct` as its users run it, and as it is killed."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from report_service.mock_api.operator import made_up_operator
from tests.support.processes import MONTH, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli, Mock

FIGURES = made_up_operator(MONTH, hubs=8, points_per_hub=10, provider_groups=5)
POINTS = 80


def with_complaints(complaints: int) -> list[Row]:
    return [row | {"total_complaints": complaints} for row in FIGURES["point-ratings"]]


def test_what_changed_is_shown_asked_for_and_corrected(
    cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    mock = start_mock()
    cli = cli.using(**mock.settings)
    cli.stock(figures)
    cli("run")
    hotline = figures["hotline-ratings"][0]
    cli.stock({"hotline-ratings": [hotline | {"hotline_calls": 4711}]})

    shown, unasked = cli("correct", "--dry-run"), cli("correct")
    agreed = cli("correct", f"{MONTH}/hotline_rating", "--yes")
    again = cli("correct", "--json", "--yes")

    assert (shown.code, unasked.code, agreed.code, again.code) == (3, 3, 0, 0)
    difference = (
        f"{MONTH}/hotline_rating\n  hotlineCalls: {hotline['hotline_calls']} -> 4711\n1 report to correct.\n"
    )
    assert shown.out == unasked.out == difference
    assert "Call it with --yes" in unasked.err
    assert agreed.out == f"{difference}1 report corrected, 0 left.\n"
    assert json.loads(again.out) == {"reports": [], "corrected": 0}
    assert mock.reports()[f"{MONTH}/hotline_rating"]["hotlineCalls"] == 4711
    assert cli("status").code == 0


def test_the_proof_of_a_corrected_report_holds_both_texts_and_when_it_came_in(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    mock = start_mock()
    cli = sqlite_cli.using(**mock.settings)
    hub = figures["hub-ratings"][0]
    cli.stock(figures | {"hub-ratings": [hub | {"rating": 2}, *figures["hub-ratings"][1:]]})
    cli("run")
    key = f"{MONTH}/hub_rating/{hub['hub_id']}"
    cli.stock({"hub-ratings": [hub | {"rating": 5}]})
    cli("correct", "--yes")

    file = cli.folder / "proof.json"
    cli("export", "--format", "json", "--out", file)
    proof = json.loads(file.read_text())
    report = next(one for one in proof["reports"] if one["key"] == key)
    created, corrected = report["attempts"]
    assert json.loads(report["body"])["rating"] == 5
    assert (created["verb"], json.loads(created["body"])["rating"]) == ("POST", 2)
    assert (corrected["verb"], json.loads(corrected["body"])["rating"]) == ("PUT", 5)
    assert cli("export", "--verify", file).code == 0
    (row,) = (
        row for row in csv.DictReader(cli("export", "--format", "csv").out.splitlines()) if row["key"] == key
    )
    assert (row["http_status"], row["request_id"]) == (str(created["http_status"]), created["request_id"])
    told = cli("explain", key).out
    assert "Corrected, so that it stands at" in told
    assert f"  sent {corrected['body']}\n" in told
    file.write_text(file.read_text().replace(json.dumps(corrected["body"]), '"{}"'))
    assert "is not the one with the hash" in cli("export", "--verify", file).said


def test_an_api_without_corrections_stops_it_and_the_drift_stays(sqlite_cli: Cli, start_mock: StartMock) -> None:
    mock = start_mock()
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(FIGURES)
    cli("run")
    cli.stock({"point-ratings": with_complaints(9)})
    mock.set_faults("405")

    done = cli("correct", "--yes")

    assert done.code == 4
    assert "3 corrections in a row were refused, and none was taken" in done.err
    assert cli.status()["drifted"] == POINTS


def test_killed_in_the_middle_and_run_again_each_is_corrected_with_the_right_body(
    cli: Cli, start_mock: StartMock
) -> None:
    mock = start_mock("--latency", "100ms", "--seed", 1)
    cli = cli.using(**mock.settings)
    cli.stock(FIGURES)
    assert cli("run").code == 0
    cli.stock({"point-ratings": with_complaints(9)})

    def has_taken(count: int) -> Callable[[], bool]:
        return lambda: corrected(mock) >= count

    for taken in (1, 30):
        process = cli.using(OBELIS__MAX_IN_FLIGHT=4).start("correct", "--yes")
        wait_until(has_taken(taken))
        process.kill()
        process.communicate(timeout=10)
        assert process.returncode == -9
        cli.end_leases()
    done = cli("correct", "--yes")

    assert done.code == 0
    reports = mock.reports()
    assert [body["totalComplaints"] for key, body in reports.items() if "point_rating" in key] == [9] * POINTS
    assert cli.status()["drifted"] == 0
    puts = [line for line in mock.lines() if line.get("method") == "PUT"]
    assert len(puts) <= POINTS + 2 * 4  # only what was under way at a kill was sent twice
    assert cli("correct", "--dry-run").code == 0


def corrected(mock: Mock) -> int:
    return int(mock.stats()["by_ruling"].get("corrected", 0))
