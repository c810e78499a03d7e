"""Where on the API each kind of report goes: templates, filled for a client and matched for a mock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from report_service.domain.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.domain.kinds import Kind

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def _pattern(template: str) -> re.Pattern[str]:
    literal = _PLACEHOLDER.split(template)
    parts = (re.escape(part) if at % 2 == 0 else f"(?P<{part}>[^/]+)" for at, part in enumerate(literal))
    return re.compile("".join(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Path templates by kind, with `{hub_id}`, `{point_id}`, `{provider_group}`, `{month}`, `{obelis_id}`."""

    create: Mapping[Kind, str]
    correct: Mapping[Kind, str]

    @classmethod
    def of(cls, *, prefix: str, paths: Mapping[Kind, str], correction: str) -> Routes:
        """Join the configured parts; a correction's path is the create path, the kind's addition, `correction`."""
        create = {kind: prefix + path for kind, path in paths.items()}
        correct = {kind: path + kind.correction_path + correction for kind, path in create.items()}
        return cls(create=create, correct=correct)

    @staticmethod
    def fill(template: str, values: Mapping[str, str]) -> str:
        """Return the path with each placeholder's value percent-encoded; a missing value is a KeyError."""
        return _PLACEHOLDER.sub(lambda found: quote(values[found[1]], safe=""), template)

    @staticmethod
    def match(template: str, path: str) -> dict[str, str] | None:
        """Return the values that `path` gives the template's placeholders, or None if it does not fit."""
        found = _pattern(template).fullmatch(path)
        return found and {name: unquote(value) for name, value in found.groupdict().items()}


GUIDE_PREFIX = "/ocpi/bob/2.2/debob-reports"
GUIDE_PATHS: Mapping[Kind, str] = {kind: kind.path for kind in KINDS}
GUIDE_CORRECTION = "/{month}"
"""How a correction's path ends [0.9]."""
