"""A further kind of report is one descriptor and one migration: a copy of the program gets both, delivers it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from report_service.adapters.db.schema import head_revision
from tests.support.operator_files import write_rows
from tests.support.processes import DUE, MONTH, Cli, Done, Mock, mock_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.mock_api.operator import Row

PROJECT = Path(__file__).parents[2]
FURTHER_KIND = PROJECT / "tests" / "support" / "further_kind"


@dataclass(frozen=True, kw_only=True)
class CopiedCli(Cli):
    """The command line of a copy of the program."""

    program: Path

    def __call__(self, *arguments: object) -> Done:
        """Run a command in a process: in this one the program is another."""
        return self.process(*arguments)

    @property
    def environment(self) -> dict[str, str]:
        """Return what the process sees; the copy is not measured, it is gone when coverage is reported."""
        plain = {name: value for name, value in super().environment.items() if not name.startswith("COVERAGE")}
        return {**plain, "PYTHONPATH": str(self.program)}


def with_one_more_kind(cli: Cli) -> CopiedCli:
    """Return the same command line, of a program that has one more kind."""
    program = cli.folder / "program"
    for part in ("report_service", "migrations"):
        shutil.copytree(PROJECT / part, program / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(FURTHER_KIND / "hub_uptime.py", program / "report_service" / "domain" / "kinds")
    migration = (FURTHER_KIND / "migration.py").read_text().replace("HEAD", head_revision())
    (program / "migrations" / "versions" / "9999_hub_uptimes.py").write_text(migration)
    return CopiedCli(folder=cli.folder, settings=cli.settings, program=program)


@pytest.fixture
def copied(cli: Cli) -> CopiedCli:
    return with_one_more_kind(cli)


@pytest.fixture
def mock(copied: CopiedCli, tmp_path: Path) -> Iterator[Mock]:
    with mock_api(copied, log=tmp_path / "mock.jsonl") as mock:
        yield mock


def uptimes(figures: dict[str, list[Row]]) -> list[Row]:
    return [
        {"month": str(MONTH), "hub_id": hub["hub_id"], "uptime": "0,98", "outages": 3, "remark": "mains failure"}
        for hub in figures["hubs"]
    ]


def test_one_more_kind_is_planned_delivered_and_shown(
    copied: CopiedCli, mock: Mock, folder: Path, figures: dict[str, list[Row]]
) -> None:
    rows = uptimes(figures)
    write_rows(folder, "hub-uptimes", rows)
    cli = copied.using(**mock.settings)
    hub = rows[0]["hub_id"]

    imported = cli("import", folder)
    done = cli("run")

    assert (imported.code, done.code) == (0, 0), done.said
    assert cli.states() == {"accepted": DUE + len(rows)}
    reported = {key: body for key, body in mock.reports().items() if "/hub_uptime/" in key}
    assert len(reported) == len(rows)
    assert reported[f"{MONTH}/hub_uptime/{hub}"] == {
        "month": MONTH.wire(),
        "uptime": 0.98,
        "outages": 3,
        "remark": "mains failure",
    }
    (line,) = [line for line in mock.lines() if line["key"] == f"{MONTH}/hub_uptime/{hub}"]
    assert line["path"] == f"/ocpi/bob/2.2/debob-reports/charginghub/{hub}/uptime"
    assert list(cli.status()["by_kind"])[2:4] == ["hub_rating", "hub_uptime"]
    assert {line["kind"] for line in done.events("report.accepted")} >= {"hub_uptime", "hub_rating"}


def test_one_more_kind_has_a_path_a_source_and_rules_of_its_own(
    copied: CopiedCli, folder: Path, figures: dict[str, list[Row]]
) -> None:
    first, *others = uptimes(figures)
    write_rows(folder, "hub-uptimes", [{**first, "uptime": "98", "outages": ""}, *others])
    elsewhere = f"sqlite:///{copied.folder / 'elsewhere.sqlite3'}"
    cli = copied.using(OBELIS__PATHS__HUB_UPTIME="/uptimes/{hub_id}")

    cli("import", folder)
    refused = cli("run")
    misplaced = cli.using(SOURCES__HUB_UPTIMES__URL=elsewhere, SOURCES__HUB_UPTIMES__QUERY="SELECT 1")("run")

    assert refused.code == 3
    (invalid,) = refused.events("report.invalid")
    assert invalid["key"] == f"{MONTH}/hub_uptime/{first['hub_id']}"
    assert "uptime = 98: must be 0 to 1" in invalid["detail"]
    assert "outages is empty: must be given" in invalid["detail"]
    (sent,) = cli.rows(
        "SELECT path FROM deliveries WHERE subject = :hub AND kind = 'hub_uptime'", hub=others[0]["hub_id"]
    )
    assert sent.path == f"/ocpi/bob/2.2/debob-reports/uptimes/{others[0]['hub_id']}"
    assert "sources.hub-uptimes" in misplaced.said


def test_the_demo_makes_up_figures_for_one_more_kind(sqlite_cli: Cli) -> None:
    done = with_one_more_kind(sqlite_cli)("demo", "--hubs", 2)

    assert done.code == 0
    assert re.search(r"hub +ad-hoc.*\n.*rating +uptime +tariff", done.said)
