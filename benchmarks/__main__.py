"""`python -m benchmarks`: measure, print the table, and write it to benchmarks/results/."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import commands, daemon, decade, evidence, growth, idle, limit, log, machine, questions, rate
from benchmarks.figures import Figure, all_met, table
from benchmarks.stage import Database, Stage, postgres_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RESULTS = Path(__file__).parent / "results"
POSTGRES_URL = os.environ.get(
    "REPORT_SERVICE_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
MEASUREMENTS: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "rate": rate.measure,
    "limit": limit.measure,
    "growth": growth.measure,
    "idle": idle.measure,
    "commands": commands.measure,
    "questions": questions.measure,
    "evidence": evidence.measure,
    "decade": decade.measure,
    "log": log.measure,
    "daemon": daemon.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for; return 1 only with --strict, when a target is missed or was not measured."""
    wanted = _parse(arguments)
    version = postgres_version(POSTGRES_URL)
    about = machine.describe(version)
    databases = [Database(name="SQLite")]
    if version:
        databases.append(Database(name="PostgreSQL", server=POSTGRES_URL))
    else:
        print(
            "No PostgreSQL answers: measured on SQLite only (REPORT_SERVICE_TEST_POSTGRES_URL).", file=sys.stderr
        )
    figures: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = wanted.runs or (1 if wanted.quick else 5)
        stage = Stage(folder=Path(folder), runs=runs, quick=wanted.quick, databases=tuple(databases))
        with closing(stage):
            for name in wanted.only or MEASUREMENTS:
                figures[name] = list(MEASUREMENTS[name](stage))
    report = _report(figures, about, runs)
    print(report)
    if not wanted.quick:
        _write(figures, about, report, "-".join(wanted.only or ["all"]))
    everything = [figure for found in figures.values() for figure in found]
    return 1 if wanted.strict and not all_met(everything) else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, help="how often each is measured; 5, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure this; may be repeated")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless every target is met")
    return parser.parse_args(arguments)


def _report(figures: dict[str, list[Figure]], about: dict[str, str], runs: int) -> str:
    lines = [f"# Speed and memory, {datetime.now(UTC):%Y-%m-%d}", ""]
    lines += [f"- {name}: {words}" for name, words in about.items()]
    lines += ["", f"Medians of {runs} runs, with the lowest and the highest; ratios are of pairs of runs."]
    for name, found in figures.items():
        lines += ["", f"## {name}", "", table(found)]
    return "\n".join(lines)


def _write(figures: dict[str, list[Figure]], about: dict[str, str], report: str, name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.md"
    path.write_text(f"{report}\n", encoding="utf-8")
    measured = {group: [figure.as_json() for figure in found] for group, found in figures.items()}
    raw = json.dumps({"machine": about, "figures": measured}, indent=2)
    path.with_suffix(".json").write_text(f"{raw}\n", encoding="utf-8")
    print(f"\nWritten to {path.relative_to(RESULTS.parent.parent)} and .json.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
