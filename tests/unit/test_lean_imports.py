"""What a daemon carries for months: nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from report_service.lean_imports import import_lean

DAEMON = "import report_service.cli.main, report_service.bootstrap.daemon, report_service.scheduler, sys"


def loaded_after(code: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"], check=True, capture_output=True, text=True
    )
    return set(found.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return loaded_after(DAEMON)


@pytest.mark.parametrize(
    "module",
    [
        "rich",
        "pygments",
        "alembic",
        "psycopg",
        "uvicorn",
        "openpyxl",
        "python_calamine",
        "sqlalchemy.dialects.postgresql",
    ],
)
def test_the_daemon_does_not_load(loaded: set[str], module: str) -> None:
    assert module not in loaded


def test_what_was_hidden_can_be_imported_afterwards() -> None:
    assert "rich.table" in loaded_after(f"{DAEMON}; import rich.table")


def test_what_is_there_already_stays() -> None:
    import rich  # noqa: F401

    before = sys.modules["rich"]
    import_lean("httpx")
    assert sys.modules["rich"] is before
