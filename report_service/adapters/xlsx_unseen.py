"""What stands in cells of a workbook that calamine gives as empty: errors, and formulas without a result."""

from __future__ import annotations

import re
from collections import defaultdict
from html import unescape
from posixpath import join, normpath
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Unseen = Mapping[int, Mapping[int, str]]
    """By row (from 1) and column (from 0) the error (`#DIV/0!`) or the formula (`=A1+A2`)."""

_PIECE = 1 << 18
_LONGEST = 1 << 16
"""No cell that matters is longer; of one that is, the beginning is not kept for the next piece."""

_CELL = re.compile(
    rb"""<(?:\w+:)?c\s(?=[^>]*?\br="([A-Z]+)([0-9]+)")([^>]*[^>/])>
    \s*(<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>))?
    \s*(?:<(?:\w+:)?v\s*(?:/>|>([^<]*)</(?:\w+:)?v>))?
    \s*</(?:\w+:)?c>""",
    re.VERBOSE,
)
_SIGNS = (b"<f", b":f", b'"e"', b"'e'")
"""Where none of these stands there is neither a formula nor an error; to look for them costs a third."""
_ERROR, _TEXT = re.compile(rb"""\bt=["']e["']"""), re.compile(rb"""\bt=["']str["']""")
_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_WORKBOOK = "xl/workbook.xml"


def unseen_in(path: Path, sheet: str) -> Unseen:
    """Return what stands unseen in a sheet's cells; nothing where the workbook is built in an unusual way."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    try:
        with ZipFile(path) as book, book.open(_part_of(book, sheet)) as part:
            for column, row, value in _unseen_cells(iter(lambda: part.read(_PIECE), b"")):
                found[row][column] = value
    except (BadZipFile, KeyError):
        return {}
    return found


def _part_of(book: ZipFile, sheet: str) -> str:
    """Return the name of a sheet's part; raise KeyError."""
    sheets = [_attributes(tag) for tag in _SHEET.findall(book.read(_WORKBOOK).decode("utf-8", "replace"))]
    relations = [
        _attributes(tag)
        for tag in _RELATION.findall(book.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace"))
    ]
    ids = {attributes["name"]: attributes["id"] for attributes in sheets}
    targets = {attributes["Id"]: attributes["Target"] for attributes in relations}
    return normpath(join("/xl", targets[ids[sheet]])).removeprefix("/")


def _attributes(tag: str) -> dict[str, str]:
    """Return an element's attributes by their names without prefixes."""
    return {
        name.rpartition(":")[2]: unescape(double or single) for name, double, single in _ATTRIBUTE.findall(tag)
    }


def _unseen_cells(pieces: Iterator[bytes]) -> Iterator[tuple[int, int, str]]:
    """Yield column, row and value of each cell whose value calamine leaves out."""
    rest = b""
    for piece in pieces:
        data, end = rest + piece, 0
        if any(sign in data for sign in _SIGNS):
            for cell in _CELL.finditer(data):
                end = cell.end()
                letters, row, attributes, formula, value = cell.groups()
                if _ERROR.search(attributes):
                    yield _column(letters), int(row), _text(value)
                elif formula is not None and not value and not _TEXT.search(attributes):
                    yield _column(letters), int(row), f"={_text(re.sub(rb'<[^>]*>', b'', formula))}"
        rest = data[max(end, len(data) - _LONGEST) :]


def _column(letters: bytes) -> int:
    """Return a column's place, from 0: A, B, ... Z, AA, ..."""
    place = 0
    for letter in letters:
        place = 26 * place + letter - ord("A") + 1
    return place - 1


def _text(value: bytes | None) -> str:
    return unescape((value or b"").decode("utf-8", "replace"))
