"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "httpx",
    "httpcore",
    "sqlalchemy",
    "psycopg",
    "structlog",
    "pydantic",
    "typer",
    "uvicorn",
    "apscheduler",
)


def describe(postgres: str | None) -> dict[str, str]:
    """Return the machine, the system and the versions; `postgres` is the server's own word on its version."""
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": postgres or "none",
        "report-service": version("report-service"),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def _cpu() -> str:
    """Return the processor's name; Linux has it in a file, and Python does not know it there."""
    with suppress(FileNotFoundError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
