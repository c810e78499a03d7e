"""`report-service db upgrade`, and what is said where the tables are old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.support.processes import Cli


def test_tables_are_brought_up_to_date_once(new_cli: Cli) -> None:
    cli = new_cli.using(STORE__AUTO_UPGRADE="false")

    refused = cli("status")
    first = cli("db", "upgrade")
    second = cli("db", "upgrade")

    assert refused.code == 2
    assert "report-service db upgrade" in refused.err
    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("The tables are at revision ")
    assert second.out.endswith(": nothing to do.\n")
    assert cli("status").code == 3


@pytest.mark.postgres
def test_the_statements_can_be_printed_for_somebody_else_to_run(sqlite_cli: Cli, empty_postgres_url: str) -> None:
    postgres_cli = sqlite_cli.using(STORE__URL=empty_postgres_url)
    printed = postgres_cli("db", "upgrade", "--sql")
    with psycopg.connect(empty_postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(printed.out.encode())

    assert printed.code == 0
    assert postgres_cli("db", "upgrade").out.endswith(": nothing to do.\n")


def test_a_file_s_statements_are_nobody_else_s(sqlite_cli: Cli) -> None:
    refused = sqlite_cli("db", "upgrade", "--sql")

    assert refused.code == 2
    assert "without --sql" in refused.err
