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
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_ENDS = re.compile(rb"\r\n|\r|\n")
_AS_UTF8 = (
    'Save it as UTF-8: in Excel as "CSV UTF-8", in LibreOffice with the character set UTF-8; '
    "or convert it: iconv -f {charset} -t UTF-8 OLD.csv > NEW.csv"
)
_NO_TEXT = {
    b"PK\x03\x04": "is a workbook, no CSV file",
    b"\xd0\xcf\x11\xe0": "is a workbook of old (xls), or one with a password; no CSV file",
}
"""By what it begins with, what is no text at all."""


def lines_of(binary: BinaryIO, name: str, progress: Callable[[int], None]) -> Generator[str]:
    r"""Yield lines with their ends, which may be CR, LF or CRLF; without byte order marks and DOS's Ctrl-Z.

    Call `progress` with the bytes read since the last call. Raise BadInput for what is neither UTF-8 nor UTF-16
    with a byte order mark.
    """
    told = 0
    first: bytes = binary.peek(4)[:4]  # type: ignore[attr-defined]
    _refuse_other(first, name)
    wide = first[:2] in {BOM_UTF16_LE, BOM_UTF16_BE}
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
    found = _SEP_LINE.fullmatch(line)
    return found[1] if found else None


def likely_separator(header: str) -> str:
    """Return what separates the cells of a header, whose names hold none of the candidates."""
    return next((candidate for candidate in ";\t" if candidate in header), ",")


def _refuse_other(first: bytes, name: str) -> None:
    """Raise BadInput for a file that its first four bytes show to be no text, or text of another encoding."""
    if first in _NO_TEXT:
        raise BadInput(
            f"{name}: {_NO_TEXT[first]}", hint="Save it as xlsx and name it so, or save its sheet as CSV UTF-8."
        )
    if b"\0\0" in first or (b"\0" in first and first[:2] not in {BOM_UTF16_LE, BOM_UTF16_BE}):
        charset = "UTF-32" if b"\0\0" in first else "UTF-16LE" if first[1:2] == b"\0" else "UTF-16BE"
        raise BadInput(
            f"{name}: is not UTF-8, but {charset} without a byte order mark", hint=_AS_UTF8.format(charset=charset)
        )


def _undecodable(binary: BinaryIO, name: str, *, wide: bool) -> BadInput:
    """Return the refusal that names the line: text is decoded in larger pieces, so it is looked for anew."""
    if wide:
        return BadInput(
            f"{name}: begins as UTF-16 does, but is not (half a character stands in it)",
            hint=_AS_UTF8.format(charset="UTF-16"),
        )
    binary.seek(0)
    content = binary.read()
    try:
        content.decode()
    except UnicodeDecodeError as exc:
        line = len(_ENDS.findall(content[: exc.start])) + 1
        return BadInput(
            f"{name}, line {line}: is not UTF-8 (byte 0x{content[exc.start]:02x})",
            hint=_AS_UTF8.format(charset="WINDOWS-1252"),
        )
    return BadInput(
        f"{name}: the file changed while it was read", hint="Import it again when nothing writes to it."
    )
