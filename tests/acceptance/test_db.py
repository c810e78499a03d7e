"""`report-service db upgrade`, and what is said where the tables are old."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.processes import Cli


def test_tables_are_brought_up_to_date_once(cli: Cli) -> None:
    cli = cli.using(STORE__AUTO_UPGRADE="false")

    refused = cli("status")
    first = cli("db", "upgrade")
    second = cli("db", "upgrade")

    assert refused.code == 2
    assert "report-service db upgrade" in refused.err
    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("The tables are at revision ")
    assert second.out.endswith(": nothing to do.\n")
    assert cli("status").code == 3
