"""What every argument has in common, whatever its command: it is text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence


def require_text(arguments: Sequence[str]) -> None:
    """Raise BadInput, which names the argument, for bytes that are no text in this terminal's encoding.

    Python hands them on as halves of surrogate pairs, which neither a database nor JSON nor a terminal takes.
    """
    for place, argument in enumerate(arguments):
        if not _is_text(argument):
            raise BadInput(
                f"{_name(arguments, place)} is not UTF-8 text: {os.fsencode(argument)!r}",
                hint="Type it in a terminal that is set to UTF-8; a file with such a name has to be renamed.",
            )


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(arguments: Sequence[str], place: int) -> str:
    """Return the option whose value it is, or else its place."""
    option, given, _ = arguments[place].partition("=")
    if option.startswith("--") and given and _is_text(option):
        return option
    before = arguments[place - 1] if place else ""
    return before if before.startswith("--") and "=" not in before else f"argument {place + 1}"
