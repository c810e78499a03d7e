"""What a process knows of the API, from run to run: the token in use, and how far the two clocks are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.access_hints import CHECK_ACCESS
from report_service.domain.responses import Outcome
from report_service.errors import CredentialsRefused

if TYPE_CHECKING:
    from datetime import datetime

    from report_service.ports import Token


@dataclass(slots=True, kw_only=True)
class Session:
    """One process and the API."""

    token: Token | None = None
    skew_s: float = 0.0  # the API's clock less ours, as far as its Date proves a difference
    _doubted: bool = False  # the token in use replaced one that was refused, and is not proven itself

    def token_at(self, at: float) -> Token | None:
        """Return the token if it can be used at a moment (monotonic); None: a new one is needed."""
        return self.token if self.token is not None and at < self.token.refresh_at else None

    def weigh(self, used: str | None, outcome: Outcome) -> None:
        """Learn from a report's answer what the token that went with it is worth.

        After a 401 it is given up; raise CredentialsRefused for a 401 to the one fetched in its place.
        """
        if self.token is None or self.token.value != used:
            return  # it is given up already
        if outcome is not Outcome.UNAUTHORIZED:
            self._doubted = self._doubted and not (outcome.is_conclusive or outcome.refusal)
            return
        self.token = None
        self._doubted = not self._doubted
        if not self._doubted:
            raise CredentialsRefused(
                "the API refuses a token that was fetched for it a moment ago", hint=CHECK_ACCESS
            )

    def compare_clocks(self, server: datetime, *, at: datetime, took_s: float) -> None:
        """Learn from an answer's Date, written in the `took_s` seconds before `at`, how far the clocks are apart.

        An answer that took long says little: it does not overrule what another one proved.
        """
        least = (server - at).total_seconds()
        most = least + took_s + 1  # a Date has whole seconds
        if not least <= self.skew_s <= most:
            self.skew_s = 0.0 if least <= 0 <= most else min(least, most, key=abs)
