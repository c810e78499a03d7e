"""Every code that a database can give is either waited for or a bug, and none was forgotten."""

from __future__ import annotations

import sqlite3

import psycopg.errors
import pytest

from report_service.adapters.db.triage import by_result_code, by_sqlstate

AWAY = {
    *("08", "28", "40", "53", "57", "58", "XX"),
    *("25006", "25P03", "25P04", "3D000", "42501", "54000", "55006", "55P03"),
}
BUGS = {
    *("02", "03", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25", "26", "27"),
    *(
        "2B",
        "2D",
        "2F",
        "34",
        "38",
        "39",
        "3B",
        "3D",
        "3F",
        "40002",
        "42",
        "44",
        "54",
        "55",
        "72",
        "F0",
        "HV",
        "P0",
    ),
}
"""PostgreSQL's classes (appendix A), and the codes that are not as their class."""
SQLSTATES = sorted(
    error.sqlstate
    for error in vars(psycopg.errors).values()
    if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
)
RESULT_CODES = {
    **dict.fromkeys(("BUSY", "LOCKED", "INTERRUPT", "SCHEMA", "PROTOCOL", "FULL", "NOMEM", "CANTOPEN"), True),
    **dict.fromkeys(("READONLY", "PERM", "IOERR", "CORRUPT", "NOTADB", "NOLFS"), True),
    **dict.fromkeys(
        ("ERROR", "INTERNAL", "ABORT", "NOTFOUND", "EMPTY", "TOOBIG", "CONSTRAINT", "MISMATCH"), False
    ),
    **dict.fromkeys(("MISUSE", "AUTH", "FORMAT", "RANGE"), False),
}


@pytest.mark.parametrize("code", SQLSTATES)
def test_each_code_of_postgresql_is_judged_as_it_or_its_class_is_listed(code: str) -> None:
    listed = next(name for name in (code, code[:2]) if name in AWAY | BUGS)

    assert (by_sqlstate(code) is not None) is (listed in AWAY)


def test_a_code_that_no_server_has_given_yet_is_a_bug() -> None:
    assert by_sqlstate("ZZ999") is None


@pytest.mark.parametrize("name", RESULT_CODES)
def test_each_code_of_sqlite_is_judged_with_or_without_its_extension(name: str) -> None:
    code = getattr(sqlite3, f"SQLITE_{name}")

    for given in (code, code | 3 << 8):
        assert (by_result_code(given) is not None) is RESULT_CODES[name]


def test_no_error_of_sqlite_was_forgotten() -> None:
    primary = range(1, sqlite3.SQLITE_NOTADB + 1)

    assert {getattr(sqlite3, f"SQLITE_{name}") for name in RESULT_CODES} == set(primary)


def test_what_the_module_itself_refuses_is_a_bug() -> None:
    assert by_result_code(None) is None
