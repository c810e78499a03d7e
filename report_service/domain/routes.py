"""Where on the API each kind of report goes: templates, filled for a client and matched for a mock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from report_service.domain.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        """Join the configured parts; a correction's path is the create path, then `correction`.

        That of nondiscriminatory access names the provider group before it [0.9], since its create path
        does not.
        """
        create = {kind: prefix + path for kind, path in paths.items()}
        correct = {
            kind: path + ("/{provider_group}" if kind is Kind.NONDISCRIMINATORY_ACCESS else "") + correction
            for kind, path in create.items()
        }
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
GUIDE_PATHS: Mapping[Kind, str] = {
    Kind.HOTLINE_RATING: "/hotline-ratings",
    Kind.NONDISCRIMINATORY_ACCESS: "/nondiscriminatory-access",
    Kind.HUB_RATING: "/charginghub/{hub_id}/ratings",
    Kind.AD_HOC_TARIFF: "/charginghub/{hub_id}/ad-hoc-tariff",
    Kind.POINT_RATING: "/charginghub/{hub_id}/chargingpoint/{point_id}/ratings",
}
"""The integration guide's paths ("Monthly Reports")."""
GUIDE_CORRECTION = "/{month}"
"""How a correction's path ends [0.9]."""
