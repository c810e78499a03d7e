"""Processes under test: started, read, and weighed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMMAND = str(Path(sys.executable).with_name("report-service"))
LONGEST_S = 1800.0
"""No process under test takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process took from start to end."""

    wall_s: float
    peak_mb: float  # the most memory that it held


def usage_of(command: list[str], environ: Mapping[str, str]) -> Usage:
    """Run a command to its end, which must be a good one."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(wall_s=wall_s, peak_mb=used.ru_maxrss / 1024)


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
