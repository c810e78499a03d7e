"""How errors become exit codes and words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from report_service.errors import ReportServiceError, RunHalted, SourceUnavailable, UsageError, WindowError

if TYPE_CHECKING:
    from typing import TextIO


def code_of(error: ReportServiceError) -> int:
    """Return the exit code that an error stands for: 2 usage, 3 not now, 4 stopped, 1 a bug."""
    if isinstance(error, UsageError):
        return 2
    if isinstance(error, WindowError | SourceUnavailable):
        return 3
    return 4 if isinstance(error, RunHalted) else 1


def explain(error: ReportServiceError, stream: TextIO | None = None) -> None:
    """Tell a person what went wrong and the way out."""
    out = stream or sys.stderr
    print(f"Error: {error.message}", file=out)
    if error.hint:
        print(f"  -> {error.hint}", file=out)
