"""Processes under test: started, read, and weighed."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMMAND = str(Path(sys.executable).with_name("report-service"))
LONGEST_S = 1800.0
"""No process under test takes longer."""
FRESH = "a fresh process each time"
"""The note of a figure that a command's whole time is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process took from start to end."""

    wall_s: float
    cpu_s: float  # user and system: what wall_s is on a machine that does nothing else
    peak_mb: float  # the most memory that it held


_STARTER = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
wall_s, cpu_s = time.perf_counter() - began, used.ru_utime + used.ru_stime
print(wall_s, cpu_s, used.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
"""Starts a command from a small process: of one that is forked, Linux counts what its parent held."""


def usage_of(command: list[str], environ: Mapping[str, str]) -> Usage:
    """Run a command to its end, which must be a good one."""
    starter = [sys.executable, "-I", "-S", "-c", _STARTER, *command]
    done = subprocess.run(starter, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    wall_s, cpu_s, peak_kb, code = done.stdout.split()
    if int(code):
        raise subprocess.CalledProcessError(int(code), command)
    return Usage(wall_s=float(wall_s), cpu_s=float(cpu_s), peak_mb=int(peak_kb) / 1024)


def figures_of(
    name: str, used: Sequence[Usage], note: str, *, within_s: float, mb: float | None = None
) -> Iterator[Figure]:
    """Yield how long a command takes and, where that has a bound, how much CPU, and memory at its peak."""
    times = tuple(one.wall_s for one in used)
    yield Figure(name=name, unit="s", values=times, target=Target(bound=within_s), note=note)
    if mb is not None:
        alone = tuple(one.cpu_s for one in used)
        yield Figure(name="... of CPU", unit="s", values=alone, note="what it takes where nothing else runs")
        peaks = tuple(one.peak_mb for one in used)
        yield Figure(name="... peak memory", unit="MB", values=peaks, target=Target(bound=mb, every=True))


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process's threads have had; exact, where `ps` counts in hundredths."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def memory_mb(pid: int | str, what: str = "VmRSS") -> float:
    """Return the memory that a process holds, or held at most (`VmHWM`)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


@contextmanager
def started(command: list[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a process whose log can be read, and end it."""
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(LONGEST_S)


def wait_for(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """Read a process's log until it tells of an event, and return that line."""
    assert process.stdout is not None
    for line in process.stdout:
        found: dict[str, Any] = json.loads(line)
        if found["event"] == event:
            return found
    raise AssertionError(f"the process ended, and its log has no {event}")
