"""Standard output and standard error, whose readers may leave: nothing stops because nobody reads."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer


def unbreakable(stream: TextIO | None) -> TextIO:
    """Return a stream to the same place that can always be written to; None is one that was closed at start."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    raw = _Unbreakable(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )


class _Unbreakable(io.FileIO):
    """A file whose reader may leave, as `head` does."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write; what cannot be written any more counts as written."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes
