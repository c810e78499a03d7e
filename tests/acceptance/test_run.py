"""`report-service run`: a month from the operator's rows to the API."""

from __future__ import annotations

import getpass
import json
import signal
import subprocess
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.operator_files import write_rows
from tests.support.processes import COMMAND, CREDENTIALS, DUE, MONTH, plain, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli

Figures = dict[str, list["Row"]]


def test_an_imported_month_is_delivered_and_never_sent_again(
    cli: Cli, folder: Path, start_mock: StartMock
) -> None:
    mock = start_mock()
    cli = cli.using(**mock.settings)

    assert cli("import", folder).code == 0
    first = cli("run")

    assert first.code == 0
    assert f"Complete: {DUE} of {DUE} reports are in." in first.err
    stats = mock.stats()
    assert stats["by_ruling"] == {"token": 1, "created": DUE}
    assert len(mock.reports()) == DUE
    assert cli.states() == {"accepted": DUE}

    second = cli("run")

    assert second.code == 0
    assert second.events("run.completed")[0]["sent"] == 0
    assert mock.stats() == stats


def test_a_missing_and_an_invalid_row_are_named_with_their_reasons_and_sent_when_mended(
    cli: Cli, figures: Figures, folder: Path, start_mock: StartMock
) -> None:
    mock = start_mock()
    cli = cli.using(**mock.settings)
    ratings, tariffs = figures["point-ratings"], figures["ad-hoc-tariffs"]
    write_rows(folder, "point-ratings", ratings[1:])
    write_rows(folder, "ad-hoc-tariffs", [tariffs[0] | {"cost_ct_per_kwh": "59.5"}, *tariffs[1:]])
    cli("import", folder)

    lacking = cli("run", "--patience", 0)

    assert lacking.code == 3
    told = lacking.err.split("awaiting data (1)")[1]
    assert "the source has no row for it" in told
    assert f"{MONTH}/point_rating/{ratings[0]['point_id']}" in told
    told = lacking.err.split("invalid (1)")[1]
    assert "cost_ct_per_kwh = 59.5: must be whole cents" in told
    assert f"{MONTH}/ad_hoc_tariff/{tariffs[0]['hub_id']}" in told
    assert "2 need a person" in lacking.err
    assert mock.created == DUE - 2

    write_rows(folder, "point-ratings", ratings)
    write_rows(folder, "ad-hoc-tariffs", tariffs)
    assert cli("import", folder).code == 0

    assert cli("run").code == 0
    assert mock.created == DUE


def test_what_the_mock_accepted_is_due_again_at_a_real_endpoint(
    cli: Cli, figures: Figures, start_mock: StartMock
) -> None:
    cli.stock(figures)
    assert cli("run").code == 0
    mock = start_mock()
    real = cli.using(**mock.settings)

    assert real.states() == {}
    assert real("run").code == 0

    assert mock.created == DUE
    assert real.states() == cli.states() == {"accepted": DUE}


def test_a_dry_run_tells_what_would_be_sent_and_writes_nothing(
    sqlite_cli: Cli, figures: Figures, start_mock: StartMock
) -> None:
    mock = start_mock()
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(figures | {"hotline-ratings": []})

    dry = cli("run", "--dry-run")
    as_json = json.loads(cli("run", "--dry-run", "--json").out)

    assert dry.code == 3
    assert f"{MONTH}: {DUE} reports are due, 0 are done, {DUE - 1} would be sent now." in dry.out
    assert f"{MONTH}/hotline_rating: awaiting_data: the source has no row for it" in dry.out
    assert (as_json["expected"], as_json["by_state"]["pending"]) == (DUE, DUE - 1)
    assert mock.stats()["requests"] == 0
    for table in ("deliveries", "payloads", "attempts", "runs", "leases"):
        assert cli.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_an_empty_inventory_is_no_success(sqlite_cli: Cli, figures: Figures) -> None:
    sqlite_cli.stock({"hotline-ratings": figures["hotline-ratings"]})

    done = sqlite_cli("run")
    accepted = sqlite_cli("run", "--accept-inventory")

    assert done.code == 3
    assert "Not complete: 1 of 1 report is in." in done.err
    assert "Inventory in doubt: no hub, point or provider group was in operation." in done.err
    assert accepted.code == 0
    assert "Complete: 1 of 1 report is in." in accepted.err


def test_rows_about_what_is_not_due_are_told_and_no_success(sqlite_cli: Cli, figures: Figures) -> None:
    strangers: list[Row] = [
        {"month": str(MONTH), "hub_id": str(UUID(int=number)), "rating": "2"} for number in range(51)
    ]
    sqlite_cli.stock(figures | {"hub-ratings": [*figures["hub-ratings"], *strangers]})

    dry = sqlite_cli("run", "--dry-run")
    done = sqlite_cli("run")

    told = f"a row of hub_rating is about {UUID(int=0)}, which is not due for {MONTH}"
    assert (dry.code, done.code) == (3, 3)
    assert f"  source: {told}" in dry.out
    assert f"Source: {told}" in done.err
    assert "Source: ... and 1 more of this sort" in done.err
    assert f"Complete: {DUE} of {DUE} reports are in." in done.err


def test_an_inventory_that_shrank_is_no_success(sqlite_cli: Cli, figures: Figures) -> None:
    gone = figures["hubs"][0] | {"decommissioned_on": MONTH.shift(-1).last_day}
    points = [
        point | {"decommissioned_on": MONTH.shift(-1).last_day} if point["hub_id"] == gone["hub_id"] else point
        for point in figures["points"]
    ]
    sqlite_cli.stock(figures | {"hubs": [gone, *figures["hubs"][1:]], "points": points})
    sqlite_cli("backfill", "--from", MONTH.shift(-1), "--to", MONTH.shift(-1), "--yes")

    dry = sqlite_cli("run", "--dry-run")
    done = sqlite_cli("run")
    status = sqlite_cli("status")

    doubt = f"{DUE - 5} reports are due, {DUE} were before"
    assert (dry.code, done.code, status.code) == (3, 3, 3)
    assert f"inventory in doubt: {doubt}" in dry.out
    assert f"Inventory in doubt: {doubt}." in done.err
    assert f"report-service run --month {MONTH} --accept-inventory" in status.out
    assert json.loads(sqlite_cli("status", "--json").out)["inventory_doubt"] == doubt
    assert sqlite_cli.states() == {"accepted": DUE - 5}


def test_a_person_accepts_a_smaller_inventory_by_name(sqlite_cli: Cli, figures: Figures) -> None:
    sqlite_cli.stock(figures)
    assert sqlite_cli("run").code == 0
    ended = {"decommissioned_on": MONTH.shift(-1).last_day}
    sqlite_cli.stock({name: [row | ended for row in figures[name]] for name in ("hubs", "points")})
    assert sqlite_cli("run").code == 3
    assert sqlite_cli.states() == {"accepted": DUE}

    accepted = sqlite_cli("run", "--accept-inventory")

    assert accepted.events("inventory.accepted")[0]["expected"] == 3
    assert accepted.code == 3, "rows about hubs that are closed"
    assert "Complete: 3 of 3 reports are in." in accepted.err
    assert sqlite_cli.rows("SELECT largest, doubt, accepted_by FROM month_inventories") == [
        (3, "", getpass.getuser())
    ]
    assert sqlite_cli("status").code == 0


def test_a_source_that_is_down_leaves_the_run_with_3_and_the_rest_delivered(
    sqlite_cli: Cli, figures: Figures
) -> None:
    sqlite_cli.stock(figures)
    down = {"SOURCES__HUB_RATINGS__URL": "sqlite:////nowhere/at-all.db", "SOURCES__HUB_RATINGS__QUERY": "SELECT 1"}

    done = sqlite_cli.using(**down)("run")

    why = "sources.hub-ratings cannot be read from /nowhere/at-all.db: unable to open database file"
    assert done.code == 3
    assert f"Source: {why}" in done.err
    assert sqlite_cli.states() == {"accepted": DUE - 3, "awaiting_data": 3}
    outstanding = json.loads(sqlite_cli("status", "--json").out)["outstanding"]
    assert {report["reason"] for report in outstanding} == {why}


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--json"]])
def test_a_closed_month_that_the_ledger_does_not_know_is_left_to_backfill(
    cli: Cli, figures: Figures, options: list[str]
) -> None:
    cli.stock(figures)
    long_ago = MONTH.shift(-8)

    done = cli("run", "--month", long_ago, *options)

    assert done.code == 2
    assert f"Error: reports for {long_ago} could be sent until " in done.err
    assert f"report-service backfill --from {long_ago} --to {long_ago}\n" in done.err
    assert done.out == ""
    assert cli.rows("SELECT count(*) FROM deliveries") == cli.rows("SELECT count(*) FROM runs") == [(0,)]


def test_a_closed_month_that_the_ledger_knows_is_run_and_told_as_it_ended(cli: Cli, figures: Figures) -> None:
    cli.stock(figures)
    last = MONTH.shift(-1)
    cli("backfill", "--from", last, "--to", last, "--yes")

    done = cli("run", "--month", last)

    assert done.code == 3
    assert f"Not complete: 0 of {DUE} reports are in." in done.err


def test_a_run_for_a_program_ends_with_the_status_on_standard_output_alone(
    sqlite_cli: Cli, figures: Figures
) -> None:
    sqlite_cli.stock(figures)

    done = sqlite_cli("run", "--json")

    assert json.loads(done.out) == sqlite_cli.status()
    assert '"event":"run.completed"' in done.err


def test_a_terminal_shows_a_bar_in_colour_and_then_the_month(sqlite_cli: Cli, figures: Figures) -> None:
    sqlite_cli.stock(figures)

    seen = sqlite_cli.on_terminal("run").out

    assert "\x1b[" in seen
    shown = plain(seen)
    assert f"delivering {MONTH}" in shown
    assert "━" in shown
    assert f"{DUE} in" in shown
    assert '{"timestamp"' not in shown
    assert f"Complete: {DUE} of {DUE} reports are in." in shown
    after = shown.split("Reports for ")[-1]
    assert all(len(line) <= 80 for line in after.splitlines())


def test_a_report_that_is_tried_again_later_leaves_the_run_with_3_and_says_when(
    sqlite_cli: Cli, figures: Figures, start_mock: StartMock
) -> None:
    cli = sqlite_cli.using(**start_mock("--fault", "404@hub_rating#1").settings)
    cli.stock(figures)

    done = cli("run", "--patience", 0)

    assert done.code == 3
    assert "retrying (1)\n  -> tried again " in done.err
    assert "1 is on the way." in done.err
    (outstanding,) = cli.status()["outstanding"]
    assert outstanding["state"] == "retrying"
    assert outstanding["next_attempt_at"] is not None


def test_patience_waits_for_what_is_due_again(sqlite_cli: Cli, figures: Figures, start_mock: StartMock) -> None:
    mock = start_mock("--fault", "503#1-3", "--fault", "429=1@point_rating#2")
    cli = sqlite_cli.using(**mock.settings, RETRY__BASE_S=0.2)
    cli.stock(figures)

    assert cli("run", "--patience", 20).code == 0

    assert mock.created == DUE


@pytest.mark.parametrize(
    ("option", "says"),
    [("--client-secret=other", "the token endpoint answered 401"), ("--fault=401", "refuses a token")],
    ids=["no token", "token refused"],
)
def test_credentials_that_are_refused_stop_the_run(
    sqlite_cli: Cli, figures: Figures, start_mock: StartMock, option: str, says: str
) -> None:
    mock = start_mock(option)
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(figures)

    done = cli("run")

    assert done.code == 4
    message, hint = _error(done.err)
    assert says in message
    assert "obelis.client_id" in hint
    assert done.events("auth.failed")
    assert mock.stats()["requests"] <= 3 + 16
    assert sum(cli.states().get(state, 0) for state in ("pending", "retrying")) == DUE


def test_a_refused_permission_stops_the_run_before_all_is_tried(sqlite_cli: Cli, start_mock: StartMock) -> None:
    mock = start_mock("--fault", "403")
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(made_up_operator(MONTH, hubs=6, points_per_hub=8, provider_groups=2))

    done = cli("run", "--patience", 0)

    assert done.code == 4
    assert all(_error(done.err))
    assert mock.stats()["by_status"]["403"] < 45


def test_an_api_that_is_down_stops_the_run_when_patience_ends(sqlite_cli: Cli, figures: Figures) -> None:
    nowhere = {"OBELIS__BASE_URL": "http://127.0.0.1:1", "OBELIS__TOKEN_URL": "http://127.0.0.1:1/token"}
    cli = sqlite_cli.using(OBELIS__MODE="http", **nowhere, **CREDENTIALS)
    cli.stock(figures)

    done = cli("run", "--patience", 1)

    assert done.code == 4
    message, hint = _error(done.err)
    assert "no usable answer" in message
    assert hint
    assert cli.states() == {"pending": DUE}


def test_while_another_run_delivers_a_run_without_patience_names_it_and_leaves(
    cli: Cli, figures: Figures, start_mock: StartMock
) -> None:
    mock = start_mock("--fault", "slow=20@hotline_rating")
    cli = cli.using(**mock.settings)
    cli.stock(figures)
    other = cli.start("run")
    assert other.stdout is not None
    holder = json.loads(other.stdout.readline())["holder"]
    wait_until(lambda: "hotline_rating" in mock.stats()["by_kind"])

    done = cli("run", "--patience", 0)
    other.kill()
    other.communicate()

    message, hint = _error(done.err)
    assert done.code == 4
    assert message == f"{holder} delivers to {mock.url} at present"
    assert "--patience" in hint
    assert mock.created == 1


@pytest.mark.parametrize("months", [1, 2], ids=["the current month", "the next month"])
def test_a_month_that_is_not_over_is_refused(sqlite_cli: Cli, months: int) -> None:
    month = MONTH.shift(months)

    done = sqlite_cli("run", "--month", month)

    assert done.code == 3
    assert f"Error: reports for {month} can be sent from {month.shift(1)}-01 00:0" in done.err


def test_a_reader_that_leaves_stops_no_delivery(sqlite_cli: Cli, figures: Figures, start_mock: StartMock) -> None:
    mock = start_mock("--latency", "20ms")
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(figures)

    process = cli.start("run")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    done = cli.end(process)

    assert done.code == 0
    assert mock.created == DUE
    assert "BrokenPipe" not in done.err


def test_a_process_that_cannot_write_at_all_still_delivers(sqlite_cli: Cli, figures: Figures) -> None:
    sqlite_cli.stock(figures)

    closed = subprocess.run(
        ["sh", "-c", 'exec "$0" run >&- 2>&-', COMMAND],
        env=sqlite_cli.environment,
        cwd=sqlite_cli.folder,
        timeout=60,
        check=False,
    )

    assert closed.returncode == 0
    assert sqlite_cli.states() == {"accepted": DUE}


def test_sigterm_in_mid_run_leaves_every_answer_recorded_and_a_second_run_finishes(
    cli: Cli, start_mock: StartMock
) -> None:
    _stop_in_mid_run(cli, start_mock, signal.SIGTERM)


def test_sigint_in_mid_run_does_the_same(sqlite_cli: Cli, start_mock: StartMock) -> None:
    _stop_in_mid_run(sqlite_cli, start_mock, signal.SIGINT)


def _stop_in_mid_run(cli: Cli, start_mock: StartMock, number: signal.Signals) -> None:
    mock = start_mock("--latency", "200ms")
    cli = cli.using(**mock.settings)
    cli.stock(made_up_operator(MONTH, hubs=10, points_per_hub=8, provider_groups=10))
    process = cli.using(OBELIS__MAX_IN_FLIGHT=4).start("run")
    wait_until(lambda: mock.created >= 20)

    process.send_signal(number)
    ended = cli.end(process, timeout_s=8 + 2)

    assert ended.code == 3
    assert ended.events("run.completed")[0]["complete"] is False
    assert 20 <= mock.created < 111
    assert cli.states() == {"accepted": mock.created, "pending": 111 - mock.created}
    assert cli.rows("SELECT count(*) FROM attempts WHERE outcome IS NULL") == [(0,)]

    assert cli("run").code == 0
    stats = mock.stats()
    assert (stats["by_ruling"]["created"], stats["conflicts"]) == (111, 0)


def test_a_signal_when_all_is_in_ends_the_run_with_0(
    sqlite_cli: Cli, figures: Figures, start_mock: StartMock
) -> None:
    mock = start_mock("--fault", "slow=1@point_rating#9")
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(figures)
    process = cli.start("run")
    wait_until(lambda: mock.created == DUE)

    process.send_signal(signal.SIGINT)

    assert cli.end(process).code == 0


def test_what_is_unanswered_when_grace_ends_stays_in_flight_and_is_settled_by_the_next_run(
    sqlite_cli: Cli, figures: Figures, start_mock: StartMock
) -> None:
    mock = start_mock("--fault", "slow=20@point_rating#9")
    cli = sqlite_cli.using(**mock.settings, RUN__GRACE_S=0.5, OBELIS__TIMEOUT_S=5)
    cli.stock(figures)
    process = cli.start("run")
    wait_until(lambda: mock.created == DUE)

    process.send_signal(signal.SIGTERM)
    ended = cli.end(process)

    assert ended.code == 3
    assert cli.states() == {"in_flight": 1, "accepted": DUE - 1}

    again = cli("run")

    assert again.code == 0
    assert [event["evidence"] for event in again.events("report.reconciled")] == ["inferred"]
    assert cli.states() == {"accepted": DUE}


def test_several_commands_can_be_the_first_on_an_empty_store(cli: Cli) -> None:
    started = [cli.start("status") for _ in range(2)]

    assert {cli.end(process).code for process in started} == {3}


def test_a_store_that_cannot_be_reached_stops_the_run(sqlite_cli: Cli) -> None:
    cli = sqlite_cli.using(STORE__URL="postgresql+psycopg://nobody:test-password@127.0.0.1:1/none")

    done = cli("run")

    assert done.code == 4
    message, hint = _error(done.err)
    assert message.startswith("the store postgresql+psycopg://nobody:***@127.0.0.1:1/none cannot be used")
    assert "store.url" in hint


def _error(told: str) -> tuple[str, str]:
    """Return what an error says, and the way out."""
    message, _, hint = told.partition("Error: ")[2].partition("\n  -> ")
    return message, hint
