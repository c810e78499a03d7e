"""`report-service waive`: a person's word that there is nothing to report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.processes import DUE, MONTH

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.support.processes import Cli

HOTLINE = f"{MONTH}/hotline_rating"


def test_a_waived_report_completes_the_month_and_a_withdrawn_waiver_opens_it_again(
    cli: Cli, figures: dict[str, list[Row]]
) -> None:
    cli.stock(figures | {"hotline-ratings": []})
    assert cli("run").code == 3

    waived = cli("waive", HOTLINE, "--reason", "no calls all month", "--by", "A. Person")
    run = cli("run")

    assert (waived.code, run.code) == (0, 0)
    assert waived.out == f"{HOTLINE}: waived by A. Person; it counts from the next run on\n"
    assert cli.states() == {"accepted": DUE - 1, "waived": 1}
    assert cli.rows("SELECT key, reason, declared_by FROM waivers") == [
        (HOTLINE, "no calls all month", "A. Person")
    ]

    assert cli("waive", "--withdraw", HOTLINE).code == 0
    assert cli("run").code == 3
    assert cli.states() == {"accepted": DUE - 1, "awaiting_data": 1}


def test_what_cannot_be_waived_is_refused_with_the_reason(sqlite_cli: Cli, figures: dict[str, list[Row]]) -> None:
    sqlite_cli.stock(figures)
    sqlite_cli("run")

    delivered = sqlite_cli("waive", HOTLINE, "--reason", "no calls")
    without_reason = sqlite_cli("waive", HOTLINE)

    assert (delivered.code, without_reason.code) == (2, 2)
    assert delivered.err.startswith(f"Error: {HOTLINE} is accepted: it was reported\n  -> ")
    assert without_reason.err.startswith("Error: a waiver needs a reason\n  -> ")
    assert sqlite_cli.rows("SELECT count(*) FROM waivers") == [(0,)]


def test_a_key_is_taken_in_any_spelling(sqlite_cli: Cli, figures: dict[str, list[Row]]) -> None:
    hub = str(figures["hubs"][0]["hub_id"])
    sqlite_cli.stock(figures | {"hub-ratings": figures["hub-ratings"][1:]})
    sqlite_cli("run")

    waived = sqlite_cli(
        "waive", f"{MONTH}/hub_rating/{{{hub.upper()}}}", "--reason", "closed all month", "--by", "x"
    )

    assert (waived.code, waived.out.partition(":")[0]) == (0, f"{MONTH}/hub_rating/{hub}")
    assert sqlite_cli("run").code == 0


def test_bytes_that_are_no_text_are_refused_at_the_door(new_sqlite_cli: Cli) -> None:
    done = new_sqlite_cli("waive", HOTLINE, "--reason", "caf\udce9")

    assert done.code == 2
    assert done.err.startswith("Error: --reason is not UTF-8 text: b'caf\\xe9'\n  -> ")
    assert not (new_sqlite_cli.folder / "new.sqlite3").exists()
