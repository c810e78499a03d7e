"""The text of a CSV file, line by line: UTF-8 or UTF-16, whatever ends its lines, and what separates its cells."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from io import TextIOWrapper
from typing import TYPE_CHECKING

from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import BinaryIO

_PROGRESS_LINES = 1000
_SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_ENDS = re.compile(rb"\r\n|\r|\n")


def lines_of(binary: BinaryIO, name: str, progress: Callable[[int], None]) -> Generator[str]:
    r"""Yield lines with their ends, which may be CR, LF or CRLF; without byte order marks and DOS's Ctrl-Z.

    Call `progress` with the bytes read since the last call. Raise BadInput for what is neither UTF-8 nor UTF-16
    with a byte order mark.
    """
    told = 0
    wide = binary.peek(2)[:2] in {BOM_UTF16_LE, BOM_UTF16_BE}  # type: ignore[attr-defined]
    text = TextIOWrapper(binary, encoding="utf-16" if wide else "utf-8", newline="")
    try:
        for number, line in enumerate(text, start=1):
            if number % _PROGRESS_LINES == 0:
                progress(binary.tell() - told)
                told = binary.tell()
            yield (line.lstrip("\ufeff") if number == 1 else line).replace("\x1a", "")
    except UnicodeError as exc:
        raise _undecodable(binary, name, wide=wide) from exc
    finally:
        text.detach()  # the file is its opener's to close
    progress(binary.tell() - told)


def separator_of(line: str) -> str | None:
    """Return what a first line like `sep=;`, which Excel writes and reads, names as separator."""
    found = _SEP_LINE.fullmatch(line.strip())
    return found[1] if found else None


def likely_separator(header: str) -> str:
    """Return what separates the cells of a header, whose names hold none of the candidates."""
    return next((candidate for candidate in ";\t" if candidate in header), ",")


def _undecodable(binary: BinaryIO, name: str, *, wide: bool) -> BadInput:
    """Return the refusal that names the line: text is decoded in larger pieces, so it is looked for anew."""
    hint = (
        'Save it as UTF-8: in Excel as "CSV UTF-8", in LibreOffice with the character set UTF-8; '
        "or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv"
    )
    if wide:
        return BadInput(f"{name}: begins as UTF-16 does, but is not (half a character stands in it)", hint=hint)
    binary.seek(0)
    content = binary.read()
    try:
        content.decode()
    except UnicodeDecodeError as exc:
        line = len(_ENDS.findall(content[: exc.start])) + 1
        return BadInput(f"{name}, line {line}: is not UTF-8 (byte 0x{content[exc.start]:02x})", hint=hint)
    return BadInput(
        f"{name}: the file changed while it was read", hint="Import it again when nothing writes to it."
    )
