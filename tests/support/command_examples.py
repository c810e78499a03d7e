"""The page of examples: each command as an operator calls it in a made-up month, and what it really says.

`python -m tests.support.command_examples` writes the page; a test makes it anew, and compares all but the figures
that differ each time.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import time_machine
import yaml

from report_service.domain.months import ReportMonth
from report_service.mock_api.operator import made_up_operator
from tests.support.openapi_document import matching, post
from tests.support.operator_files import write_rows
from tests.support.processes import Cli, mock_api, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.mock_api.operator import Row
    from tests.support.processes import Mock

    Tables = dict[str, list[Row]]

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
MONTH = ReportMonth(2026, 10)
MOMENT = datetime(2026, 11, 2, 8, tzinfo=UTC)
AT_THE_MOMENT = """
import sys, time_machine
from datetime import datetime
from report_service.cli.main import main
with time_machine.travel(datetime.fromisoformat(sys.argv.pop(1))):
    main()
"""
WIDTH = 118
LINES = 30
HEAD = """# The commands, by example

An operator with three charging hubs reports October 2026 to a mock of OBELIS on which a few things go wrong.
What is shown is what the commands really say, with long lines broken or cut. `--help` tells every option,
`--json` gives the same to programs. `python -m tests.support.command_examples` writes this page, and a test
holds it against the commands of today.
"""


@dataclass(slots=True)
class Page:
    """The page as it is written, command by command."""

    cli: Cli
    text: str = HEAD
    called: set[str] = field(default_factory=set)

    def section(self, title: str) -> None:
        self.text += f"\n## {title}\n"

    def show(self, why: str, *arguments: str) -> None:
        """Call a command, and show what it said: of a log only the last line, and none beside words."""
        done = self.cli(*arguments)
        lines = done.said.splitlines()
        words = [line for line in lines if not line.startswith("{")]
        self.tell(why, arguments, "\n".join(words or lines[-1:]), done.code)

    def tell(self, why: str, arguments: tuple[str, ...], said: str, code: int) -> None:
        self.called.add(" ".join(arguments[:2]) if arguments[0] == "db" else arguments[0])
        command = " ".join(f'"{word}"' if " " in word else word for word in arguments)
        said = said.replace(str(self.cli.folder), "/srv").replace(socket.gethostname(), "host")
        lines = [part for line in said.splitlines() for part in _broken(line.rstrip())]
        kept = (
            lines if len(lines) <= LINES else [*lines[: LINES - 1], f"... and {len(lines) - LINES + 1} lines more"]
        )
        cut = (line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..." for line in kept)
        shown = "".join(f"    {line}\n" if line else "\n" for line in cut)
        self.text += f"\n**`report-service {command}`**: {why} Exit code {code}.\n\n{shown}"


def _broken(line: str) -> list[str]:
    """Return a line of the log as several."""
    if not line.startswith("{"):
        return [line]
    return textwrap.wrap(line.replace(',"', ', "'), WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def page() -> Page:
    """Return the page of today's commands."""
    with tempfile.TemporaryDirectory() as folder, time_machine.travel(MOMENT):
        place = Path(folder)
        cli = Cli(folder=place, settings={"STORE__URL": "sqlite:///report-service.sqlite3"})
        with _mock(cli) as mock:
            told = Page(cli.using(**mock.settings))
            made = dict(made_up_operator(MONTH, hubs=3, points_per_hub=3, provider_groups=2))
            _before_the_month(told, made)
            _the_month(told, made, mock)
            _when_figures_change(told, made)
            _afterwards(told)
            _processes(told, mock)
    return told


def skeleton(text: str) -> str:
    """Return a page without what differs each time: ids, hashes, times, durations, and the blanks around them."""
    return re.sub(r"\s+", " ", re.sub(r"[0-9a-f]{8,}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?|\d+", "#", text))


@contextmanager
def _mock(cli: Cli) -> Iterator[Mock]:
    moment = MOMENT.isoformat().replace("+00:00", "Z")
    with mock_api(cli, "--now", moment, "--seed", "1", log=cli.folder / "mock.jsonl") as mock:
        yield mock


def _import(told: Page, table: str, *rows: Row) -> None:
    write_rows(told.cli.folder / "figures", table, list(rows))
    told.cli("import", f"figures/{table}.csv")


def _before_the_month(told: Page, made: Tables) -> None:
    files = told.cli.folder / "figures"
    files.mkdir()
    bad, *good = made["hub-ratings"]
    for name, rows in {**made, "hub-ratings": [bad | {"rating": "9"}, *good], "hotline-ratings": []}.items():
        if rows:
            write_rows(files, name, rows)
    tree = matching()
    post(tree, "HotlineRating")["parameters"].append({"name": "X-Tenant", "in": "header", "required": True})
    (told.cli.folder / "openapi.yaml").write_text(yaml.safe_dump(tree))

    told.section("Before a month")
    told.show("makes the tables, or brings them to this version.", "db", "upgrade")
    told.show("stores files whole, or tells why not.", "import", "figures")
    told.show("tries every part that a delivery needs.", "check")
    told.show("compares the operators' portal's file with what is sent.", "contract", "openapi.yaml")
    told.show("delivers a month to a mock of its own, and sends nothing.", "rehearse", "--month", str(MONTH))


def _the_month(told: Page, made: Tables, mock: Mock) -> None:
    hubs = [str(row["hub_id"]) for row in made["hubs"]]
    mock.set_faults(f"400@ad_hoc_tariff/{hubs[0]}", f"altered@hub_rating/{hubs[1]}")
    told.section("The month")
    told.show("shows what would be sent.", "run", "--dry-run")
    told.show("delivers, and tells how the month stands then.", "run", "--patience", "0")
    told.show("tells what is outstanding, why, and what to do.", "status")
    told.show("is the whole story of one report.", "explain", f"{MONTH}/hub_rating/{hubs[0]}")
    told.show("writes the forms for what awaits data.", "template", "--out", "october.xlsx")
    told.show(
        "declares that there is nothing to report.",
        *("waive", f"{MONTH}/hotline_rating", "--reason", "no calls all month", "--by", "A. Person"),
    )
    mock.set_faults()
    told.show("puts back what OBELIS rejected by mistake.", "retry", f"{MONTH}/ad_hoc_tariff/{hubs[0]}")


def _when_figures_change(told: Page, made: Tables) -> None:
    rating, tariff = made["hub-ratings"][0], made["ad-hoc-tariffs"][2]
    _import(told, "hub-ratings", rating)
    told.cli("run", "--patience", "0")
    _import(told, "ad-hoc-tariffs", tariff | {"cost_ct_per_kwh": 64})
    told.section("When figures change after delivery")
    told.show("shows what differs, and sends nothing.", "correct", "--dry-run")
    told.show("replaces it at OBELIS.", "correct", "--yes")


def _afterwards(told: Page) -> None:
    before = str(MONTH.shift(-1))
    told.section("When it did not run")
    told.show(
        "records a closed month, and writes its hand-over package.",
        *("backfill", "--from", before, "--to", before, "--yes"),
    )
    told.show(
        "closes it.", *("handed-in", "--month", before, "--reference", "e-mail of 2 November", "--by", "A. Person")
    )
    told.section("A year later")
    told.show("is the proof of a month.", "export", "--month", str(MONTH), "--out", "october.json")
    told.show("tells whether it fits.", "export", "--verify", "october.json")
    told.show("shows several months at a glance.", "status", "--from", before)
    told.show("shows the newest runs.", "status", "--runs")


def _processes(told: Page, mock: Mock) -> None:
    cli = replace(
        told.cli, launcher=(sys.executable, "-c", AT_THE_MOMENT, (MOMENT + timedelta(days=1)).isoformat())
    )
    told.section("Processes")
    log = told.cli.folder / "daemon.log"
    with log.open("w") as stream:
        daemon = cli.start("daemon", stdout=stream.fileno())
        wait_until(lambda: '"run.completed"' in log.read_text() and '"run.heartbeat"' in log.read_text())
        health = cli.process("health")
        daemon.terminate()
        cli.end(daemon)
    lines = {line.partition('"event":"')[2].partition('"')[0]: line for line in log.read_text().splitlines()}
    names = ("run.started", "run.completed", "service.stopping")
    told.tell("delivers by itself, until SIGTERM.", ("daemon",), "\n".join(lines[name] for name in names), 0)
    told.tell("tells whether a daemon is well, for a container's health check.", ("health",), health.said, 0)
    told.tell("is OBELIS, for load tests.", ("mock-api",), f"OBELIS mock (guide) listening on {mock.url}", 0)
    told.show("shows a month in ten seconds.", "demo")


if __name__ == "__main__":
    PAGE.write_text(page().text, encoding="utf-8")
