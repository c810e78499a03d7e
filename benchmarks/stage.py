"""What each measurement stands on: filled stores, a mock of the API in another process, processes under test."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import urllib.request
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.processes import COMMAND, LONGEST_S
from report_service.domain.months import ReportMonth
from report_service.mock_api.operator import made_up_operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """How much an operator has to report; 8 points a hub."""

    hubs: int
    groups: int

    @property
    def reports(self) -> int:
        """Return how many reports are due a month: one for the hotline, two a hub, one a point."""
        return 1 + self.groups + 2 * self.hubs + 8 * self.hubs

    def times_ten(self) -> Operator:
        """Return one with exactly ten times as many reports."""
        return Operator(hubs=10 * self.hubs, groups=10 * self.groups + 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where stores are made: in files, or on a PostgreSQL server (`server` is its URL)."""

    name: str
    server: str | None = None


@dataclass(slots=True, kw_only=True)
class Stage:
    """How measurements are made in this call of the benchmarks."""

    folder: Path
    runs: int
    quick: bool
    databases: tuple[Database, ...]
    month: ReportMonth = field(default_factory=lambda: ReportMonth.previous(datetime.now(UTC)))
    _filled: dict[tuple[Database, Operator], str] = field(default_factory=dict)

    @property
    def operator(self) -> Operator:
        """Return the operator of the figures: 2,301 reports a month; a tenth of it when it is to be quick."""
        return Operator(hubs=20, groups=30) if self.quick else Operator(hubs=200, groups=300)

    @property
    def sqlite(self) -> Database:
        """Return the embedded default."""
        return self.databases[0]

    def say(self, words: str) -> None:
        """Tell the person who waits what goes on."""
        print(f"  {words}", file=sys.stderr, flush=True)

    @contextmanager
    def store(self, database: Database, operator: Operator) -> Iterator[str]:
        """Yield the URL of a store of its own that holds an operator's month, and nothing delivered."""
        if (database, operator) not in self._filled:
            self._filled[database, operator] = self._fill(database, operator)
        with self._new(database, self._filled[database, operator]) as url:
            yield url

    def close(self) -> None:
        """Drop what is left on the server."""
        for (database, _), url in self._filled.items():
            if database.server:
                _admin(database.server, f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')

    def environ(self, store: str, api: str) -> dict[str, str]:
        """Return the environment of a process that delivers from a store to an API."""
        settings = {
            "OBELIS__MODE": "http",
            "OBELIS__BASE_URL": api,
            "OBELIS__TOKEN_URL": f"{api}/token",
            "OBELIS__CLIENT_ID": "bench",
            "OBELIS__CLIENT_SECRET": "bench-secret",
            "OBELIS__CPO_ID": "BENCH",
            "STORE__URL": store,
            "LOG__FORMAT": "json",
            "SCHEDULE__REHEARSE_DAY": "0",  # the same on every date
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("REPORT_SERVICE_")}
        return others | {f"REPORT_SERVICE_{name}": value for name, value in settings.items()}

    def work(self, task: str, store: str, api: str, **wishes: object) -> dict[str, Any]:
        """Let `benchmarks.worker` do a task in a fresh process, and return what it measured."""
        command = [sys.executable, "-m", "benchmarks.worker", task, json.dumps(wishes)]
        done = subprocess.run(
            command,
            env=self.environ(store, api),
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            timeout=LONGEST_S,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @contextmanager
    def _new(self, database: Database, template: str | None = None) -> Iterator[str]:
        name = f"bench_{uuid.uuid4().hex[:12]}"
        if database.server is None:
            place = self.folder / f"{name}.sqlite3"
            if template:
                shutil.copy(template.removeprefix("sqlite:///"), place)
            yield f"sqlite:///{place}"
            for part in self.folder.glob(f"{place.name}*"):
                part.unlink()
        else:
            like = f' TEMPLATE "{template.rpartition("/")[2]}"' if template else ""
            _admin(database.server, f'CREATE DATABASE "{name}"{like}')
            yield database.server.rpartition("/")[0] + f"/{name}"
            _admin(database.server, f'DROP DATABASE "{name}" WITH (FORCE)')

    def _fill(self, database: Database, operator: Operator) -> str:
        """Return the URL of a store that is filled once and copied from then on."""
        self.say(f"filling a store in {database.name} with a month of {operator.reports:,} reports")
        url = self._new(database).__enter__()  # kept until `close`
        tables = made_up_operator(
            self.month, hubs=operator.hubs, points_per_hub=8, provider_groups=operator.groups
        )
        files = self.folder / uuid.uuid4().hex
        files.mkdir()
        for name, rows in tables.items():
            write_csv(files / f"{name}.csv", rows)
        import_files(files, self.environ(url, "http://127.0.0.1:1"))
        return url


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows as the import takes them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def import_files(files: Path, environ: Mapping[str, str]) -> None:
    """Import a folder of CSV files."""
    subprocess.run([COMMAND, "import", str(files)], env=environ, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def mock_api(*options: str, port: int = 0) -> Iterator[str]:
    """Yield the URL of a mock of the API that runs in a process of its own."""
    command = [COMMAND, "mock-api", "--port", str(port), "--seed", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait()


def mock_stats(api: str) -> dict[str, Any]:
    """Return what a mock counted."""
    with urllib.request.urlopen(f"{api}/_mock/stats") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@cache
def postgres_version(server: str) -> str | None:
    """Return the version of the PostgreSQL server that answers at a URL, None when none does."""
    try:
        with psycopg.connect(server.replace("+psycopg", ""), connect_timeout=3) as connection:
            row = connection.execute("SHOW server_version").fetchone()
    except psycopg.OperationalError:
        return None
    return str(row[0]) if row else None


def _admin(server: str, statement: str) -> None:
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())
