"""Files that cannot be opened or read, as what a person can mend."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn OSError into BadInput, which names the path."""
    try:
        yield
    except OSError as exc:
        raise BadInput(
            f"{path} cannot be read: {exc.strerror}", hint="See that it is there, and who may read it."
        ) from exc
