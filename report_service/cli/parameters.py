"""How options and arguments are shown and completed, whatever their command: in an operator's words.

Typer would show the Python types: `<str>` for a month, `<bool>` for a flag.
"""

from __future__ import annotations

from collections.abc import Iterator  # typer reads the annotations of what completes
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

WORDS = {
    "--by": "NAME",
    "--config": "FILE",
    "--fault": "FAULT",
    "--folder": "FOLDER",
    "--from": "MONTH",
    "--head": "HASH",
    "--hidden": "HUB_ID=SECONDS",
    "--inventory": "FOLDER",
    "--kind": "KIND",
    "--log": "FILE",
    "--month": "MONTH",
    "--now": "TIME",
    "--out": "FILE",
    "--output": "FOLDER",
    "--path": "KIND=TEMPLATE",
    "--patience": "SECONDS",
    "--retry-after": "SECONDS",
    "--to": "MONTH",
    "--reference": "TEXT",
    "--token-lifetime": "SECONDS",
    "--verify": "FILE",
}
"""What stands for the value of an option that does not say so itself."""
RECENT = 3
"""How many months are offered: the previous one, and those before it, for which backfill may be asked."""


class Command(TyperCommand):
    """A command whose help speaks of MONTH and SECONDS."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's copy of click is private
        """Return the parameters, each option with a word for its value."""
        return [_worded(param, ctx) for param in super().get_params(ctx)]


class Group(TyperGroup):
    """A group of commands whose own options are shown so, too."""

    command_class = Command

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Return the parameters, each option with a word for its value."""
        return [_worded(param, ctx) for param in super().get_params(ctx)]


def _worded(param: Any, ctx: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(param, TyperArgument):
        # Its name says it: PATH..., KEY.
        param.display_type_rich = _no_type  # type: ignore[method-assign]
    elif param.metavar is None:
        param.metavar = "" if param.is_flag else WORDS.get(param.opts[0]) or _by_type(param, ctx)
    return param


def _no_type(ctx: Any) -> None:  # noqa: ANN401 - as above
    """Return None: nothing is shown."""


def _by_type(param: TyperOption, ctx: Any) -> str:  # noqa: ANN401 - as above
    kind = param.type_descriptor
    if kind.is_choice:
        return param.display_type(ctx).strip("<>")
    return "PATH" if kind.is_path else "NUMBER" if kind.is_ranged or kind.annotation in (int, float) else "TEXT"


# --- completion: nothing that needs the settings or the store, for a shell waits for it


def months(incomplete: str) -> Iterator[str]:
    """Yield the months that a person may mean, the previous one first."""
    from report_service.adapters.clock import SystemClock
    from report_service.domain.months import ReportMonth

    previous = ReportMonth.previous(SystemClock().now())
    yield from _beginning(incomplete, [str(previous.shift(-ago)) for ago in range(RECENT)])


def kinds(incomplete: str) -> Iterator[str]:
    """Yield the kinds of report."""
    from report_service.domain.kinds import KIND_BY_NAME

    yield from _beginning(incomplete, list(KIND_BY_NAME))


def report_keys(incomplete: str) -> Iterator[str]:
    """Yield how the keys of reports go on: the month, then the kind; what comes then is copied from `status`."""
    from report_service.domain.kinds import KINDS

    month, slash, _ = incomplete.partition("/")
    if not slash:
        yield from (f"{one}/" for one in months(incomplete))
        return
    of_kinds = [f"{month}/{kind}" + ("/" if kind.subject else "") for kind in KINDS]
    yield from _beginning(incomplete, of_kinds)


def _beginning(incomplete: str, words: list[str]) -> Iterator[str]:
    return (word for word in words if word.startswith(incomplete))


# --- what several commands take

Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY", autocompletion=report_keys, help="Reports, as `status` names them."),
]
OfMonth = Annotated[
    str | None, typer.Option(autocompletion=months, help="YYYY-MM; by default the previous month.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
