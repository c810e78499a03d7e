"""Put each mutation into a copy of the service, and simulate months until a law finds it.

`python -m tests.simulation.mutate [WORD]` tries those whose name holds the word.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.mutations import MUTATIONS

if TYPE_CHECKING:
    from tests.simulation.mutations import Mutation

PROJECT = Path(__file__).parents[2]
MONTHS = 2000
"""A mutation that so many months do not find is not found."""


def mutated(source: str, mutation: Mutation) -> str:
    """Return a file with its fault; raise ValueError unless it fits in exactly one place."""
    if source.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: fits {source.count(mutation.old)} times into {mutation.file}")
    return source.replace(mutation.old, mutation.new)


def tried(mutation: Mutation) -> tuple[str, int] | None:
    """Return the law that found a mutation, and after how many months; None if none did."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PROJECT / "report_service", Path(folder, "report_service"))
        for name in ("tests", "migrations"):
            Path(folder, name).symlink_to(PROJECT / name)
        file = Path(folder, "report_service", mutation.file)
        file.write_text(mutated(file.read_text(), mutation))
        command = [
            sys.executable,
            "-m",
            "tests.simulation",
            "--months",
            str(MONTHS),
            "--first",
            "0",
            "--until-broken",
        ]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    found = re.search(r"law (\d).*", said), re.search(r"^([\d,]+) months", said, re.MULTILINE)
    return (found[0][1], int(found[1][1].replace(",", ""))) if found[0] and found[1] else None


def main() -> int:
    """Print a line for each mutation; return 0 if all were found."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    wanted = [mutation for mutation in MUTATIONS if word in mutation.name]
    missed = 0
    for mutation in wanted:
        found = tried(mutation)
        missed += found is None
        law, months = found or ("-", MONTHS)
        print(f"| {mutation.name} | {law} | {months} |", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
