"""Files that are replaced as a whole, so that no reader sees half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from report_service.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """Return a file's text; raise BadInput, naming it."""
    try:
        return path.read_text("utf-8")
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}", hint="Name a file that is there.") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{path} is not UTF-8 text", hint="Name the file as it was written.") from exc


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
