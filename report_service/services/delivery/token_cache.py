"""The access token that a process uses, from run to run, and the circuit of the host that gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.access_hints import CHECK_ACCESS
from report_service.domain.circuit_breaker import TOKEN_THRESHOLD, CircuitBreaker
from report_service.domain.responses import Outcome
from report_service.errors import CredentialsRefused

if TYPE_CHECKING:
    from report_service.ports import Token


@dataclass(slots=True, kw_only=True)
class TokenCache:
    """One process's token. It is given up at its `refresh_at`, or with the first 401."""

    token: Token | None = None
    circuit: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(threshold=TOKEN_THRESHOLD))
    _doubted: bool = False  # the token in use replaced one that was refused, and is not proven itself

    def valid_at(self, at: float) -> Token | None:
        """Return the token if it can be used at a monotonic moment; None: a new one is needed."""
        return self.token if self.token is not None and at < self.token.refresh_at else None

    def store(self, token: Token) -> None:
        """Use a token that its host has just given."""
        self.token = token
        self.circuit = self.circuit.answered()

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
