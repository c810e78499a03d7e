"""`report-service export` and `--verify`, as an auditor uses them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from report_service.adapters.db.engine import Store
from tests.support.processes import DUE, MONTH

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli


@pytest.fixture
def delivered(cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock) -> Cli:
    """Return a month that is in, but for a report that the API refused; one was tried twice."""
    return _delivered(cli, figures, start_mock)


@pytest.fixture
def sqlite_delivered(sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock) -> Cli:
    """Return the same in SQLite, for what no database makes a difference to."""
    return _delivered(sqlite_cli, figures, start_mock)


def _delivered(cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock) -> Cli:
    cli = cli.using(**start_mock("--fault", "400@hotline_rating", "--fault", "503@hub_rating#1").settings)
    cli.stock(figures)
    cli("run")
    return cli


def exported(cli: Cli) -> tuple[Path, dict[str, Any]]:
    file = cli.folder / "proof.json"
    assert cli("export", "--month", MONTH, "--out", file).code == 0
    return file, json.loads(file.read_text())


def change(cli: Cli, statement: str) -> None:
    store = Store(cli.settings["STORE__URL"])
    with store.write() as connection:
        connection.execute(text(statement))
    store.close()


def test_the_proof_holds_what_was_sent_and_every_answer(delivered: Cli) -> None:
    _, proof = exported(delivered)

    assert (proof["month"], proof["cpo_id"], proof["expected"], proof["complete"]) == (
        str(MONTH),
        "DEABC",
        DUE,
        False,
    )
    assert len(proof["reports"]) == DUE
    hotline = proof["reports"][0]
    assert (hotline["key"], hotline["state"]) == (f"{MONTH}/hotline_rating", "rejected")
    assert hashlib.sha256(hotline["body"].encode()).hexdigest() == hotline["sha256"]
    assert "An injected 400" in hotline["attempts"][0]["answer"]
    accepted = [report for report in proof["reports"] if report["state"] == "accepted"]
    assert len(accepted) == DUE - 1
    assert all(report["obelis_id"] in report["attempts"][-1]["answer"] for report in accepted)
    assert sorted(len(report["attempts"]) for report in accepted)[-2:] == [1, 2]
    links = sorted((one["position"], one["link"]) for report in proof["reports"] for one in report["attempts"])
    assert [position for position, _ in links] == list(range(1, DUE + 2))
    assert proof["head"] == links[-1][1]


def test_what_was_exported_fits_itself_the_ledger_and_a_head_of_the_log(delivered: Cli) -> None:
    file, proof = exported(delivered)

    fits = delivered("export", "--verify", file, "--head", proof["head"])
    told = json.loads(delivered("export", "--verify", file, "--json").out)
    other = delivered("export", "--verify", file, "--head", "0" * 64)

    assert fits.code == 0
    assert fits.out.startswith(f"{file}: {DUE + 1} links of {MONTH} fit; compared with itself and with the ledger")
    assert (told["fits"], told["misfits"], told["compared_with_ledger"]) == (True, [], True)
    assert other.code == 3
    assert f"no link has the hash {'0' * 64}" in other.out


def test_a_file_still_fits_when_the_ledger_has_grown(sqlite_delivered: Cli) -> None:
    file, _ = exported(sqlite_delivered)
    (sha256,) = sqlite_delivered.rows("SELECT payload_sha256 FROM deliveries WHERE kind = 'hotline_rating'")[0]
    change(sqlite_delivered, f"UPDATE deliveries SET state = 'pending' WHERE payload_sha256 = '{sha256}'")
    sqlite_delivered("run")

    assert sqlite_delivered("export", "--verify", file).code == 0


CHANGES = {
    "An injected 400": ("An injected 401", "link 1 ("),
    '"http_status":400': ('"http_status":200', "link 1 ("),
    '"state":"rejected"': (
        '"state":"accepted"',
        f"what is told of {MONTH}/hotline_rating is not what was exported",
    ),
    '"complete":false': ('"complete":true', "something beside the reports is not what was exported"),
    '\\"hotlineCalls\\":': ('\\"hotlineCalLs\\":', f"the body of {MONTH}/hotline_rating"),
}


def test_a_byte_that_is_changed_in_the_file_is_named(sqlite_delivered: Cli) -> None:
    file, _ = exported(sqlite_delivered)
    before = file.read_text()

    for old, (new, says) in CHANGES.items():
        first, _, rest = before.rpartition(old)
        assert first, old
        file.write_text(first + new + rest)
        done = sqlite_delivered("export", "--verify", file)

        assert done.code == 3
        assert says in done.out, old


def test_a_row_that_is_changed_in_the_ledger_is_named(delivered: Cli) -> None:
    file, _ = exported(delivered)

    for statement, says in (
        ("UPDATE deliveries SET obelis_id = 'x' WHERE kind = 'point_rating'", "is otherwise in the ledger"),
        ("DELETE FROM evidence WHERE position = 19", "link 19 ("),
        ("UPDATE evidence SET answer = 'fine' WHERE position = 3", "in the ledger, link 3 ("),
    ):
        change(delivered, statement)
        done = delivered("export", "--verify", file)

        assert done.code == 3
        assert says in done.out, statement


def test_another_store_can_only_say_whether_the_file_fits_itself(sqlite_delivered: Cli, tmp_path: Path) -> None:
    file, _ = exported(sqlite_delivered)

    done = sqlite_delivered.using(STORE__URL=f"sqlite:///{tmp_path / 'other.sqlite3'}")("export", "--verify", file)

    assert done.code == 0
    assert "this store knows nothing of that month" in done.out


def test_a_spreadsheet_gets_a_row_a_report_and_no_formula(sqlite_delivered: Cli) -> None:
    change(sqlite_delivered, "UPDATE deliveries SET obelis_id = '=cmd()' WHERE kind = 'ad_hoc_tariff'")

    rows = list(csv.DictReader(io.StringIO(sqlite_delivered("export", "--format", "csv").out)))

    assert len(rows) == DUE
    assert (rows[0]["key"], rows[0]["state"], rows[0]["http_status"]) == (
        f"{MONTH}/hotline_rating",
        "rejected",
        "400",
    )
    assert {row["obelis_id"] for row in rows if row["kind"] == "ad_hoc_tariff"} == {"'=cmd()"}


def test_what_cannot_be_done_is_told_with_the_way_out(sqlite_cli: Cli, figures: dict[str, list[Row]]) -> None:
    sqlite_cli.stock(figures)
    sqlite_cli("run")
    (sqlite_cli.folder / "other.json").write_text("{}")

    for arguments, says in {
        ("--month", "2020-01"): "the ledger knows nothing of 2020-01",
        ("--out", "nowhere/proof.json"): "nowhere/proof.json cannot be written: No such file or directory",
        ("--verify", "nowhere.json"): "nowhere.json cannot be read: No such file or directory",
        ("--verify", "other.json"): "other.json: it is no proof as",
        ("--head", "x"): "--head and --json are for --verify",
        ("--verify", "other.json", "--format", "csv"): "--verify takes --head and --json only",
    }.items():
        done = sqlite_cli("export", *arguments)

        assert done.code == 2
        assert says in done.err
        assert "  -> " in done.err
