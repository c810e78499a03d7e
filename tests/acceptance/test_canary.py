"""Secrets are sent through every path of the program, and found in nothing that it writes: law 6."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from report_service.adapters.clock import SystemClock
from report_service.domain.months import ReportMonth
from tests.support.operator_files import write_operator
from tests.support.parrot import (
    AWKWARD,
    CLIENT,
    CLIENT_SECRET,
    HEADER,
    HEADER_VALUE,
    PROXY,
    QUERY,
    SOURCE,
    STORE,
    TELLING,
    TOKEN,
    TOKEN_ANSWERS,
    WORDS,
    leaks,
    parrot,
)
from tests.support.processes import Cli, mock_api

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


MONTH = ReportMonth.previous(SystemClock().now())


@pytest.mark.parametrize("word", WORDS)
def test_the_search_finds_a_secret_however_it_is_written(word: str) -> None:
    secret = word + AWKWARD
    for written in (
        secret,
        secret[:TELLING],
        secret.upper(),
        quote(secret, safe=""),
        json.dumps(secret),
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(b"user:" + secret.encode()).decode(),
        base64.b64encode(b"1234567" + secret.encode()).decode(),
    ):
        assert leaks(f"before {written} after") == {word}, written
    assert leaks("a Kanarie and another Kanarie: two birds") == set()


# --- the program, and what it writes


MOCK_MODE = {
    "obelis__mode": "mock",
    "obelis__client_id": "test-client",
    "obelis__client_secret": CLIENT_SECRET,
    "obelis__cpo_id": "DEABC",
    "obelis__headers__x_api_key": HEADER_VALUE,
    "obelis__token_url": f"https://api.invalid/token?code={QUERY}",
    "obelis__proxy": f"http://user:{PROXY}@proxy.invalid:8080",
    "store__url": "sqlite:///store.sqlite3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program in a folder of its own, with these settings: `obelis__mode` is REPORT_SERVICE_OBELIS__MODE."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=lambda: MOCK_MODE)

    def having(self, **settings: str) -> Program:
        return replace(self, settings={**self.settings, **settings})

    @property
    def cli(self) -> Cli:
        return Cli(folder=self.folder).using(**{name.upper(): value for name, value in self.settings.items()})

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command, and return what it wrote, searched."""
        done = self.cli(*arguments)
        self.search(done.said)
        assert done.code == code, done.said
        return done.said

    def run_broken(self, *arguments: str, code: int) -> str:
        """Run it as a process with broken libraries; a bug shows its traceback, which is searched, too."""
        process = replace(self.cli, launcher=(sys.executable, "-c", BREAKS)).start(*arguments)
        written = "".join(process.communicate(timeout=60))
        self.search(written)
        assert process.returncode == code, written
        return written

    def search(self, written: str) -> None:
        """Search what was written, every file in the folder as it is, and the database as its tables tell it."""
        assert leaks(written) == set(), written
        for path in self.folder.rglob("*"):
            assert path.is_dir() or leaks(path.read_bytes()) == set(), path
        database = self.folder / "store.sqlite3"
        if database.exists():
            with closing(sqlite3.connect(database)) as connection:
                assert leaks("\n".join(connection.iterdump())) == set()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    folder = tmp_path / "operator"
    folder.mkdir()
    return Program(folder=folder)


@pytest.fixture(scope="module")
def figures_in_a_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that holds the figures of a month."""
    place = tmp_path_factory.mktemp("filled")
    csv = write_operator(place / "csv", MONTH, hubs=4, points_per_hub=6, provider_groups=15)
    Program(folder=place).run("import", str(csv))
    return place / "store.sqlite3"


@pytest.fixture
def filled(program: Program, figures_in_a_store: Path) -> Program:
    """Return the program with the figures of a month in its store."""
    shutil.copy(figures_in_a_store, program.folder)
    return program


# --- settings

WRONG_SETTINGS = {
    "a line break in the secret": {"obelis__client_secret": f"{CLIENT}\n{CLIENT}"},
    "a letter that is not ASCII in a header": {"obelis__headers__x_key": f"{HEADER}ü"},
    "a line break in a header": {"obelis__headers__x_key": f"{HEADER}\r\nx: y"},
    "a header of our own": {"obelis__headers__authorization": f"Bearer {HEADER}"},
    "a misspelt variable": {"obelis__client_secrett": CLIENT_SECRET},
    "the secret where its file belongs": {"obelis__client_secret_file": CLIENT_SECRET},
    "user info in the API's URL": {"obelis__base_url": f"https://user:{QUERY}@api.invalid"},
    "a query in the API's URL": {"obelis__base_url": f"https://api.invalid/?code={QUERY}"},
    "no TLS to the token endpoint": {"obelis__token_url": f"http://api.invalid/token?code={QUERY}"},
    "user info in the token's URL": {"obelis__token_url": f"https://user:{QUERY}/+@api.invalid/token"},
    "a store that is not supported": {"store__url": f"mysql://user:{STORE}@db.invalid/x"},
    "half a store's URL": {"store__url": f"postgresql+psycopg:/user:{STORE}@db.invalid/x"},
    "a password alone for a store": {"store__url": STORE},
    "a store's port that is none": {"store__url": f"postgresql://user:{STORE}@db.invalid:{STORE}/x"},
    "an @ in a store's password": {"store__url": f"postgresql://user:a@{STORE}@db.invalid/x"},
    "a proxy that is not supported": {"obelis__proxy": f"socks5://user:{PROXY}@proxy.invalid"},
    "a slash in a proxy's password": {"obelis__proxy": f"http://user:{PROXY}/x@proxy.invalid:8080"},
    "a proxy that would read secrets": {"obelis__base_url": "http://127.0.0.1:1"},
    "half a source's URL": {"sources__hubs__url": f"user:{SOURCE}@db.invalid", "sources__hubs__query": "SELECT 1"},
    "an @ in a source's password": {
        "sources__hubs__url": f"postgresql://user:a@{SOURCE}:b@db.invalid/x",
        "sources__hubs__query": "SELECT 1",
    },
    "a source without a query": {"sources__hubs__url": f"postgresql://user:{SOURCE}@db.invalid/x"},
}


@pytest.mark.parametrize("wrong", WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_a_wrong_setting_is_told_without_its_secret(program: Program, wrong: dict[str, str]) -> None:
    right = {"obelis__mode": "http", "obelis__base_url": "https://api.invalid"}
    assert "Error: " in program.having(**right | wrong).run("status", code=2)


WRONG_FILES = {
    "a line that is not TOML": f"[obelis]\nmode = 'mock'\nclient_secret = {CLIENT_SECRET}\n",
    "text that does not end": f'[obelis]\nclient_secret = "{CLIENT}\n',
    "a list for a secret": f'[obelis]\nclient_secret = ["{CLIENT}"]\n',
    "a table for a secret": f'[obelis]\nclient_secret = {{ value = "{CLIENT}" }}\n',
    "a misspelt key": f'[obelis]\nclient_secert = "{CLIENT}"\n',
    "a secret for a section": f'store = "{STORE}"\n',
    "a table for a header": f'[obelis.headers]\nx-key = {{ value = "{HEADER}" }}\n',
    "a list for a store's URL": f'[store]\nurl = ["postgresql://user:{STORE}@db.invalid/x"]\n',
    "a source of an unknown table": f'[sources.hubz]\nurl = "postgresql://user:{SOURCE}@db.invalid/x"\n',
}


@pytest.mark.parametrize("text", WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_told_without_its_secrets(program: Program, tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    assert "wrong.toml" in replace(program, settings={}).run("--config", str(file), "status", code=2)


def test_help_shows_no_value_of_a_setting(program: Program) -> None:
    commands = re.findall(r"^│ ([a-z][a-z-]*) ", program.run("--help"), re.MULTILINE)
    assert {"run", "status", "import", "db"} <= set(commands)
    for command in commands:
        assert "Usage" in program.run(command, "--help")


def towards(program: Program, url: str) -> Program:
    settings = {name: value for name, value in program.settings.items() if name != "obelis__proxy"}
    made = replace(program, settings=settings)
    return made.having(obelis__mode="http", obelis__base_url=url, obelis__token_url=f"{url}/token?code={QUERY}")


def test_an_api_that_repeats_what_it_hears_leaks_nothing(filled: Program) -> None:
    with parrot() as api:
        program = towards(filled, api.url)
        said = program.run("run", "--patience", "0", code=3)
        assert leaks(api.heard) == {CLIENT, TOKEN, HEADER, QUERY}
        assert api.left == []
    assert "run.completed" in said
    assert "you said" in program.run("status", code=3)
    assert '"complete": false' in program.run("status", "--json", code=3)


@pytest.mark.parametrize(("code", "answer"), TOKEN_ANSWERS.values(), ids=TOKEN_ANSWERS)
def test_a_token_endpoint_that_repeats_what_it_hears_leaks_nothing(
    filled: Program, code: int, answer: Callable[[str], tuple[int, str] | bytes]
) -> None:
    with parrot(answer) as api:
        said = towards(filled, api.url).run("run", "--patience", "0", code=code)
        assert leaks(api.heard) == {CLIENT, HEADER, QUERY}
    assert "run.failed" in said


# --- the proxy, the stores, and the program's own faults


def test_a_proxy_that_repeats_what_it_hears_leaks_nothing(filled: Program) -> None:
    with parrot() as proxy:
        password = quote(PROXY + AWKWARD, safe="")
        program = filled.having(
            obelis__mode="http",
            obelis__base_url="https://api.invalid",
            obelis__proxy=f"http://user:{password}@127.0.0.1:{proxy.server_port}",
        )
        said = program.run("run", "--patience", "0", code=4)
        assert leaks(proxy.heard) == {PROXY}
    assert "no usable answer" in said
    with closing(sqlite3.connect(filled.folder / "store.sqlite3")) as store:
        assert "ProxyError: 407" in "\n".join(store.iterdump())


UNREACHABLE = {
    "in the URL": f"postgresql+psycopg://user:{STORE}@127.0.0.1:1/x",
    "in the query": f"postgresql+psycopg://127.0.0.1:1/x?user=u&password={STORE}",
}


@pytest.mark.parametrize("url", UNREACHABLE.values(), ids=UNREACHABLE)
@pytest.mark.parametrize(
    "arguments", ["run", "status", "db upgrade", "import csv", "backfill --yes", "waive 2026-10/hotline_rating"]
)
def test_a_store_that_is_away_is_told_without_its_password(program: Program, arguments: str, url: str) -> None:
    write_operator(program.folder / "csv", MONTH)
    assert "Error: the store" in program.having(store__url=url).run(*arguments.split(), code=4)


WRONG_SOURCES = {
    "away": f"postgresql://user:{SOURCE}@127.0.0.1:1/x",
    "of no make": f"nosuch://user:{SOURCE}@db.invalid/x",
    "without its driver": f"oracle+oracledb://user:{SOURCE}@db.invalid/x",
    "with a password for a port": f"postgresql://user@db.invalid:{SOURCE}/x",
    "with a query of its own": f"postgresql://127.0.0.1:1/x?password={SOURCE}",
}


@pytest.mark.parametrize("url", WRONG_SOURCES.values(), ids=WRONG_SOURCES)
def test_a_source_that_is_wrong_is_told_without_its_password(program: Program, url: str) -> None:
    said = program.having(sources__hubs__url=url, sources__hubs__query="SELECT 1").run("run", code=3)
    assert "source.faulty" in said
    assert "Source: sources.hubs" in said


BREAKS = """
import sys, httpx, psycopg
from report_service.cli.main import main

answer = httpx.HTTPTransport.handle_request
broken = sys.argv.pop(1)

def fail(self, request):
    if request.url.path.endswith(broken):
        raise RuntimeError(f"{request.url} {request.headers.raw} {request.content!r}")
    return answer(self, request)

def refuse(*given, **settings):
    raise RuntimeError(f"{given} {list(settings.values())}")  # bare: nothing says which of them is secret

httpx.HTTPTransport.handle_request = fail
psycopg.connect = psycopg.Connection.connect = refuse
main()
"""
"""The program with libraries that raise what nobody expects, and tell all that they know."""


@pytest.mark.parametrize(("broken", "code"), [("/token", 4), ("/hotline-ratings", 3)])
def test_a_bug_while_delivering_is_told_without_what_was_sent(filled: Program, broken: str, code: int) -> None:
    with parrot() as api:
        api.left.clear()
        program = towards(filled, api.url)
        program.run_broken(broken, "run", "--patience", "0", code=code)
    with closing(sqlite3.connect(filled.folder / "store.sqlite3")) as store:
        assert "RuntimeError" in "\n".join(store.iterdump())


@pytest.mark.parametrize("command", ["run", "status", "db upgrade", "import csv"])
def test_a_bug_in_the_store_is_told_without_its_password(program: Program, command: str) -> None:
    write_operator(program.folder / "csv", MONTH)
    broken = program.having(store__url=f"postgresql+psycopg://user:{STORE}@127.0.0.1:1/x")
    said = broken.run_broken("nothing", *command.split(), code=1)
    assert "RuntimeError" in said


def test_a_month_in_mock_mode_and_all_that_is_told_of_it_hold_no_secret(filled: Program) -> None:
    assert "run.completed" in filled.run("run")
    filled.run("status", "--all")
    filled.run("db", "upgrade")
    filled.run("backfill", "--from", str(MONTH.shift(-1)), "--yes", code=3)
    assert list((filled.folder / "handover").iterdir()) != []
    filled.run("waive", f"{MONTH.shift(-1)}/hotline_rating", "--reason", "no calls")
    assert "Not complete" in filled.run("demo", "--hubs", "2", "--folder", "demo")


def test_the_daemon_tells_of_a_source_that_fails_without_secrets_and_is_well(program: Program) -> None:
    source = {"sources__hubs__url": WRONG_SOURCES["away"], "sources__hubs__query": "SELECT 1"}
    program = program.having(health__file="health.json", schedule__heartbeat_seconds="1", **source)
    with program.cli.start("daemon", stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        written = ""
        while "run.heartbeat" not in written.partition("source.faulty")[2]:
            written += process.stdout.readline()
        assert "well: " in program.run("health")
        process.terminate()
        written += process.stdout.read()
    assert process.returncode == 0, written
    assert "obelis.client_secret = " in written
    assert "service.stopping" in written
    program.search(written)


def test_the_mock_tells_nothing_of_the_secret_that_it_checks(program: Program) -> None:
    cli = Cli(folder=program.folder)
    with mock_api(cli, "--client-secret", CLIENT_SECRET, log=program.folder / "mock.jsonl") as mock:
        for secret in (CLIENT_SECRET, "another"):
            asking = urllib.request.Request(
                f"{mock.url}/token",
                data=json.dumps({"client_id": "a", "client_secret": secret, "cpo_id": "b"}).encode(),
            )
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(asking, timeout=10) as answer:
                program.search(answer.read().decode())
    assert len(mock.lines()) == 2
    program.search("")
