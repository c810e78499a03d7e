"""What the acceptance tests work with; see `harness`."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from report_service.adapters.clock import SystemClock
from report_service.domain.months import SubmissionWindow
from report_service.mock_api.operator import made_up_operator
from tests.support.mock_here import mock_here
from tests.support.operator_files import write_rows
from tests.support.processes import MONTH, Cli, Mock
from tests.support.stores import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from report_service.mock_api.operator import Row


class StartMock(Protocol):
    """Start a mock of the API with options of `mock-api`."""

    def __call__(self, *options: object) -> Mock:
        """Return it when it listens; it ends with the test."""


@pytest.fixture(autouse=True, scope="session")
def the_month_can_be_reported() -> None:
    """See that no month turns while the tests run: they go by the real clock, as their processes do."""
    now, window = SystemClock().now(), SubmissionWindow.of(MONTH)
    if not (window.is_open(now) and window.is_open(now + timedelta(minutes=10))):
        pytest.skip("the month turns within minutes")


@pytest.fixture
def cli(tmp_path: Path, store_url: str) -> Cli:
    """Return the command line with empty tables, once on each database."""
    return Cli(folder=tmp_path, settings={"OBELIS__MODE": "mock", "STORE__URL": store_url})


@pytest.fixture
def sqlite_cli(tmp_path: Path) -> Cli:
    """Return the command line with empty tables on SQLite, for what no database makes a difference to."""
    return Cli(folder=tmp_path, settings={"OBELIS__MODE": "mock", "STORE__URL": sqlite_url(tmp_path)})


@pytest.fixture
def new_cli(tmp_path: Path, empty_store_url: str) -> Cli:
    """Return the command line as before its first start, without any tables, once on each database."""
    return Cli(folder=tmp_path, settings={"OBELIS__MODE": "mock", "STORE__URL": empty_store_url})


@pytest.fixture
def new_sqlite_cli(sqlite_cli: Cli) -> Cli:
    """Return the same on SQLite alone: its file is to be made."""
    return sqlite_cli.using(STORE__URL=f"sqlite:///{sqlite_cli.folder / 'new.sqlite3'}")


@pytest.fixture
def start_mock(tmp_path: Path) -> Iterator[StartMock]:
    """Return what starts mocks of the API."""
    with ExitStack() as mocks:
        number = iter(range(100))

        def start(*options: object) -> Mock:
            log = tmp_path / f"mock-{next(number)}.jsonl"
            return mocks.enter_context(mock_here(*options, log=log))

        yield start


@pytest.fixture
def figures() -> dict[str, list[Row]]:
    """Return an operator's tables, complete and valid; DUE reports are due."""
    return dict(made_up_operator(MONTH, hubs=3, points_per_hub=3, provider_groups=2))


@pytest.fixture
def folder(tmp_path: Path, figures: dict[str, list[Row]]) -> Path:
    """Return the same as CSV files."""
    folder = tmp_path / "csv"
    folder.mkdir()
    for name, rows in figures.items():
        write_rows(folder, name, rows)
    return folder
