"""What an auditor waits for: the proof of a month."""

from __future__ import annotations

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
    """Yield the proof of a big month, in each form."""
    operator = stage.operator if stage.quick else NETWORK
    stage.say(f"questions: a month of {operator.reports:,} reports")
    with mock_api("--limit", "0") as api, stage.store(stage.sqlite, operator) as store:
        stage.work("deliver", store, api)
        environ = stage.environ(store, api)
        for form in FORMS:
            used = [usage_of([COMMAND, "export", "--format", form], environ) for _ in range(stage.runs)]
            yield from figures_of(
                f"export of {operator.reports:,} reports as {form}", used, NOTE, within_s=10, mb=200
            )
