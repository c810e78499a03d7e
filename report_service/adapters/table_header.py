"""What a file says of its table before any figure: its name, its header, which column is where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from report_service.domain.field_errors import plain, shown
from report_service.domain.table_schemas import INFORMATION_COLUMNS, TABLE_SCHEMAS
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from report_service.domain.table_schemas import TableSchema

_NULLS = frozenset({"NULL", "(NULL)", "[NULL]", "<NULL>", r"\N", "#NV", "#N/A"})
"""How databases, their clients and spreadsheets write, in any case, that there is no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A file or sheet that is not read, beside others that are."""

    name: str
    why: str


def table_named(name: str) -> str | None:
    """Return the table that a file or sheet is named as: in any case, with blanks or `_` for hyphens."""
    table = re.sub(r"[\s_]", "-", plain(name).lower())
    return table if table in TABLE_SCHEMAS else None


def is_null(cell: str) -> bool:
    """Return True if a cell says that it has no value, as NULL in a database; where it may be empty, it is."""
    return cell.strip().upper() in _NULLS


def columns_of(header: Sequence[object], schema: TableSchema, place: str) -> list[str]:
    """Return the header's names, without the empty cells at its end; raise BadInput with all that is wrong.

    Names are read in any case, with blanks or hyphens for underscores. `place` is where the header stands.
    """
    names = _names(header)
    known, passed_over = list(schema.columns), _passed_over(schema)
    missing = [name for name in schema.needed if name not in names]
    unknown = [name for name in names if name not in known and name not in passed_over]
    absent = [name for name in known if name not in names]
    wrong = [f"unknown column {shown(name)!r}{nearest(name, absent)}" for name in unknown]
    wrong += [f"column {name} is missing" for name in missing]
    wrong += [f"column {name} is there twice" for name in known if names.count(name) > 1]
    if wrong:
        raise BadInput(
            f"{place}: {'; '.join(wrong) if any(names) else 'there is nothing in it'}",
            hint=f"The first line must name the columns, in any order: {';'.join(schema.needed)}"
            + (f"; it may name {', '.join(sorted(schema.omissible))}" if schema.omissible else "")
            + (
                ". Cells are separated by ; or , or tabs, in all lines by the same"
                if any(mark in name for mark in ";,\t|" for name in names)
                else ""
            ),
        )
    return names


def is_header(cells: Sequence[object], schema: TableSchema) -> bool:
    """Return True if a row names every column that a file must have: the header, where a title stands above it."""
    return set(schema.needed) <= set(_names(cells))


def refuse_title(place: str, header_place: str) -> BadInput:
    """Return the refusal of a table whose header does not come first."""
    return BadInput(
        f"{place}: this is not the header, which stands in {header_place}",
        hint=f"Delete what stands above {header_place}, so that the names of the columns come first.",
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return which known name was meant, as words in parentheses; "" if none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _names(header: Sequence[object]) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", plain(cell).lower()) for cell in header]
    while names and not names[-1]:
        names.pop()
    return names


def _passed_over(schema: TableSchema) -> frozenset[str]:
    return frozenset(INFORMATION_COLUMNS) if "month" in schema.columns else frozenset()
