"""`report-service handed-in`, after `backfill`'s package was mailed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.processes import DUE, MONTH

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.support.processes import Cli


def test_a_missed_month_is_closed_by_a_persons_word_and_opened_again(
    cli: Cli, figures: dict[str, list[Row]]
) -> None:
    missed = MONTH.shift(-2)
    cli.stock(figures)
    cli("backfill", "--from", missed, "--to", missed, "--yes")
    assert cli("status", "--month", missed).code == 3

    done = cli("handed-in", "--month", missed, "--reference", "e-mail of today", "--by", "A. Person")
    status, story = cli("status", "--month", missed), cli("explain", f"{missed}/hotline_rating")
    proof = json.loads(cli("export", "--month", missed).out)

    assert (done.code, status.code, story.code) == (0, 0, 0)
    assert done.out.endswith(f"{DUE} reports recorded as handed in.\n")
    assert f"Complete: {DUE} of {DUE} reports are in." in status.out
    assert "handed in by other means, says A. Person" in story.out
    assert proof["reports"][0]["handed_in"]["reference"] == "e-mail of today"

    back = cli("handed-in", f"{missed}/hotline_rating", "--withdraw")
    assert (back.code, cli.states(missed)) == (0, {"handed_in": DUE - 1, "missed": 1})


def test_what_is_not_said_clearly_is_refused(sqlite_cli: Cli) -> None:
    for arguments, says in {
        (): "keys, or a month",
        ("--month", str(MONTH), "--withdraw", "--reference", "x"): "--withdraw takes no --reference",
    }.items():
        done = sqlite_cli("handed-in", *arguments)

        assert done.code == 2
        assert says in done.err
