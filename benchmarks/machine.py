"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
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
        "CPU": f"{_first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": postgres or "none",
        "report-service": version("report-service"),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def _first(path: str, name: str) -> str:
    """Return the value of the first line `name: value` of a file."""
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
