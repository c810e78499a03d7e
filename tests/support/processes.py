"""The command line, in this process and as real ones: a mock of the API, a terminal, and what the ledger holds."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from contextlib import chdir, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import text

from report_service.adapters.clock import SystemClock
from report_service.adapters.db.engine import Store
from report_service.adapters.db.intake import SqlIntake
from report_service.adapters.db.schema import require_current
from report_service.cli.main import invoke
from report_service.domain.months import ReportMonth
from report_service.domain.table_schemas import TABLE_SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from report_service.mock_api.operator import Row

COMMAND = Path(sys.executable).with_name("report-service")
MONTH = ReportMonth.previous(SystemClock().now())
"""The month that can be reported as the tests run."""
CREDENTIALS = {
    "OBELIS__CLIENT_ID": "test-client",
    "OBELIS__CLIENT_SECRET": "test-secret",
    "OBELIS__CPO_ID": "DEABC",
}
DUE = 18
"""How many reports are due of the operator that `figures` makes up."""
DEADLINE_S = 30.0


def wait_until(true: Callable[[], object], *, within_s: float = DEADLINE_S) -> None:
    """Wait for something to become true; fail when it does not."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.03)


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str = ""

    @property
    def said(self) -> str:
        """Return what it wrote, wherever to."""
        return self.out + self.err

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return its log, as it is written where no terminal is."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log's lines of one event."""
        return [line for line in self.log if line["event"] == name]


@dataclass(frozen=True, kw_only=True)
class Cli:
    """`report-service` in a folder, with settings and nothing else that could influence it."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)  # without REPORT_SERVICE_
    launcher: tuple[str, ...] = (str(COMMAND),)

    def using(self, **settings: object) -> Cli:
        """Return the same with other settings."""
        return replace(self, settings={**self.settings, **{name: str(value) for name, value in settings.items()}})

    def __call__(self, *arguments: object) -> Done:
        """Run a command to its end in this process, as it would be without a terminal and with nothing to read."""
        out, err = _Written(errors="strict"), _Written(errors="backslashreplace")
        with (
            chdir(self.folder),
            _only(self.environment),
            redirect_stdout(out),
            redirect_stderr(err),
            Path(os.devnull).open() as nothing,
            _read_from(nothing),
            _called([COMMAND.name, *map(str, arguments)]),
        ):
            code = invoke(sys.argv[1:])
        return _sound(Done(code=code, out=out.text, err=err.text))

    def process(self, *arguments: object, timeout_s: float = 60) -> Done:
        """Run it as a process of its own, where it matters that it is one."""
        return self.end(self.start(*arguments), timeout_s=timeout_s)

    def start(self, *arguments: object, **pipes: int | TextIO) -> subprocess.Popen[str]:
        """Start a command; by default what it writes is kept, and nothing comes from standard input."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
        return subprocess.Popen(
            [*map(str, (*self.launcher, *arguments))],
            env=self.environment,
            cwd=self.folder,
            encoding="utf-8",
            stdin=streams["stdin"],
            stdout=streams["stdout"],
            stderr=streams["stderr"],
        )

    @staticmethod
    def end(process: subprocess.Popen[str], *, timeout_s: float = 60) -> Done:
        """Wait for a command's end; no command may end with a bug or show a traceback."""
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return _sound(Done(code=process.returncode, out=out or "", err=err or ""))

    def on_terminal(self, *arguments: object, columns: int = 80, answer: str = "") -> Done:
        """Run a command on a terminal so wide; what it writes comes with its escape codes."""
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.write(ours, answer.encode())
        process = self.start(*arguments, stdin=its, stdout=its, stderr=its)
        os.close(its)
        seen = b""
        while part := _read(ours):
            seen += part
        os.close(ours)
        done = self.end(process)
        return replace(done, out=seen.decode())

    @property
    def environment(self) -> dict[str, str]:
        """Return what the process sees: ours, without any settings but its own."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("REPORT_SERVICE_")}
        settings = {"SCHEDULE__REHEARSE_DAY": "0", **self.settings}  # a daemon does the same on every date
        own = {f"REPORT_SERVICE_{name}": value for name, value in settings.items()}
        return {**plain, "HOME": str(self.folder), "TERM": "xterm-256color", **own}

    def stock(self, tables: Mapping[str, list[Row]]) -> None:
        """Fill the store's own tables as an operator's job does, without `import`."""
        with closing(Store(self.settings["STORE__URL"])) as store:
            require_current(store, auto_upgrade=True)
            intake = SqlIntake(store, {})
            for name, rows in tables.items():
                values = [TABLE_SCHEMAS[name].read(row) for row in rows]
                intake.upsert(TABLE_SCHEMAS[name], [row for row in values if isinstance(row, dict)])

    def states(self, month: ReportMonth = MONTH) -> dict[str, int]:
        """Return how many due reports are in each state, at the endpoint of the settings."""
        found = self.rows(
            "SELECT state, count(*) FROM deliveries WHERE due AND month = :month AND endpoint = :endpoint "
            "GROUP BY state",
            month=str(month),
            endpoint=self.settings.get("OBELIS__BASE_URL", "mock"),
        )
        return dict(found)

    def status(self, month: ReportMonth = MONTH) -> dict[str, Any]:
        """Return how a month stands, as a program is told."""
        found: dict[str, Any] = json.loads(self("status", "--json", "--month", month).out)
        return found

    def rows(self, query: str, **values: object) -> list[Any]:
        """Return what the store answers to a SELECT."""
        with closing(Store(self.settings["STORE__URL"])) as store, store.read() as connection:
            return list(connection.execute(text(query), values))

    def end_leases(self) -> None:
        """Let the 60 s go by that the lease of a killed process lasts."""
        with closing(Store(self.settings["STORE__URL"])) as store, store.write() as connection:
            connection.execute(text("UPDATE leases SET expires_at = '2000-01-01 00:00:00'"))


def _sound(done: Done) -> Done:
    """Return what a command's end was, if it is neither a bug nor shows a traceback."""
    assert done.code != 1, done.said
    assert "Traceback" not in done.said, done.said
    return done


class _Written(io.TextIOWrapper):
    """A stream of which everything can be had that was written."""

    def __init__(self, *, errors: str) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", errors=errors, newline="\n", write_through=True)

    @property
    def text(self) -> str:
        return self._bytes.getvalue().decode()


@contextmanager
def _only(environ: Mapping[str, str]) -> Iterator[None]:
    """Have these environment variables and no others."""
    before = dict(os.environ)
    _put(environ)
    try:
        yield
    finally:
        _put(before)


def _put(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)


@contextmanager
def _read_from(stream: TextIO) -> Iterator[None]:
    before, sys.stdin = sys.stdin, stream
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _called(words: list[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, words
    try:
        yield
    finally:
        sys.argv = before


@dataclass(frozen=True, kw_only=True)
class Mock:
    """A mock of the API that listens."""

    url: str
    log: Path

    @property
    def settings(self) -> dict[str, str]:
        """Return what points a command at it, as fast as it can."""
        return CREDENTIALS | {
            "OBELIS__MODE": "http",
            "OBELIS__BASE_URL": self.url,
            "OBELIS__TOKEN_URL": f"{self.url}/token",
            "OBELIS__REQUESTS_PER_MINUTE": "60000",
        }

    def stats(self) -> dict[str, Any]:
        """Return its counts."""
        return self._ask("stats")

    @property
    def created(self) -> int:
        """Return how many reports it has taken."""
        return int(self.stats()["by_ruling"].get("created", 0))

    def reports(self) -> dict[str, Any]:
        """Return the reports that it holds, by key."""
        return self._ask("reports")

    def set_faults(self, *faults: str) -> None:
        """Put these faults in place of those in force."""
        self._ask("faults", json.dumps(faults).encode())

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged, a line for each request."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def _ask(self, what: str, body: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_mock/{what}", data=body, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def mock_api(cli: Cli, *options: object, log: Path) -> Iterator[Mock]:
    """Start a mock of the API as a process, without a limit unless the options set one, and end it afterwards."""
    process = cli.start("mock-api", "--port", 0, "--log", log, "--limit", 0, *options, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"OBELIS mock \(.+\) listening on (http://\S+)\n", line)
    assert found, line
    try:
        yield Mock(url=found[1], log=log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0


def plain(seen: str) -> str:
    """Return what a terminal was sent without its escape codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def said_by_a_process(event: str, *command: str | Path, **settings: str) -> dict[str, object]:
    """Return the first line of an event that a real daemon writes, which is ended then."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REPORT_SERVICE_")}
    environ |= {f"REPORT_SERVICE_{name.upper()}": value for name, value in settings.items()}
    with subprocess.Popen(
        [*command, "daemon"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        found: dict[str, object] = next(line for line in lines if line["event"] == event)
        process.terminate()
    return found
