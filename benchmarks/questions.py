"""What an operator or an auditor waits for: status, one report's story, the proof of a month."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.processes import COMMAND, figures_of, usage_of
from benchmarks.stage import Operator, mock_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Figure
    from benchmarks.stage import Stage

FORMS = ("json", "csv", "html")
NETWORK = Operator(hubs=1100, groups=999)
"""12,000 reports a month: the whole network as one operator."""
NOTE = "the whole command, SQLite"


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the proof of a big month; then, beside years of others in the same ledger, status and explain."""
    operator = stage.operator if stage.quick else NETWORK
    stage.say(f"questions: a month of {operator.reports:,} reports, then years of them")
    with mock_api("--limit", "0") as api, stage.store(stage.sqlite, operator) as store:
        stage.work("deliver", store, api)
        environ = stage.environ(store, api)
        for form in FORMS:
            used = [usage_of([COMMAND, "export", "--format", form], environ) for _ in range(stage.runs)]
            yield from figures_of(
                f"export of {operator.reports:,} reports as {form}", used, NOTE, within_s=10, mb=200
            )
        wanted = 10 * operator.reports if stage.quick else 1_000_000
        with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as ledger:
            kept = _grow(ledger, wanted)
            key = ledger.execute("SELECT max(report_key) FROM report_status WHERE due").fetchone()[0]
        for command in (["status"], ["explain", key]):
            used = [usage_of([COMMAND, *command], environ) for _ in range(stage.runs)]
            yield from figures_of(f"{command[0]} with {kept:,} reports in the ledger", used, NOTE, within_s=0.5)


def _grow(ledger: sqlite3.Connection, wanted: int) -> int:
    """Copy the month to as many months before it as make up so many reports; return how many there are."""
    columns = [column for _, column, *_ in ledger.execute("PRAGMA table_info(deliveries)") if column != "id"]
    month, per_month = ledger.execute("SELECT month, count(*) FROM deliveries GROUP BY month").fetchone()
    index = int(month[:4]) * 12 + int(month[5:]) - 1
    for back in range(1, -(-wanted // per_month)):
        year, number = divmod(index - back, 12)
        copied = ", ".join(f"'{year}-{number + 1:02}'" if name == "month" else name for name in columns)
        ledger.execute(
            f"INSERT INTO deliveries ({', '.join(columns)}) SELECT {copied} FROM deliveries WHERE month = ?",
            (month,),
        )
    ledger.commit()
    return int(ledger.execute("SELECT count(*) FROM deliveries").fetchone()[0])
