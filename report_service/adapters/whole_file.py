"""Files that are replaced as a whole, so that no reader sees half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from report_service.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600
"""What is for the owner's eyes alone: store, pulse, hand-over packages."""


def read_text(path: Path) -> str:
    """Return a file's text; raise BadInput, naming it."""
    try:
        return path.read_text("utf-8")
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}", hint="Name a file that is there.") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{path} is not UTF-8 text", hint="Name the file as it was written.") from exc


def replace_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read; raise OSError, and leave it as it was."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace a file; raise BadInput, naming it, and leave it as it was."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as exc:
        with suppress(OSError):
            fresh.unlink()
        raise BadInput(
            f"{path} cannot be written: {exc.strerror}", hint="Name a place that can be written."
        ) from exc
