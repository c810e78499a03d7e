"""Access tokens: issued for the right credentials, good until they expire."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from random import Random

CREDENTIALS = ("client_id", "client_secret", "cpo_id")
"""The fields of a token request [guide]."""


class Tokens:
    """The token endpoint's memory."""

    def __init__(self, *, credentials: Mapping[str, str], lifetime_s: float, random: Random) -> None:
        """Take those of the CREDENTIALS that must match; of the others any that is not empty does."""
        self._credentials = credentials
        self._lifetime_s = lifetime_s
        self._random = random
        self._expiries: dict[str, float] = {}

    def issue(self, request: Mapping[str, object], now: datetime) -> dict[str, object] | None:
        """Return the token endpoint's answer, or None if the credentials are refused."""
        given = {name: request.get(name) for name in CREDENTIALS}
        if not all(isinstance(value, str) and value for value in given.values()):
            return None
        if any(given[name] != value for name, value in self._credentials.items()):
            return None
        issued = now.timestamp()
        self._expiries = {token: expiry for token, expiry in self._expiries.items() if expiry > issued}
        token = self._jwt(str(given["client_id"]), issued)
        self._expiries[token] = issued + self._lifetime_s
        return {"token": token, "expires_in": int(self._lifetime_s), "token_type": "Bearer"}

    def valid(self, authorization: str, now: datetime) -> bool:
        """Return True if an Authorization header holds a token of ours that has not expired."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._expiries.get(token, 0.0) > now.timestamp()

    def _jwt(self, client_id: str, issued: float) -> str:
        """Return what looks like the guide's token; its signature is noise."""
        claims = {
            "sub": client_id,
            "token_use": "access",
            "auth_time": int(issued),
            "exp": int(issued + self._lifetime_s),
            "iat": int(issued),
            "version": 2,
            "jti": str(UUID(int=self._random.getrandbits(128), version=4)),
            "client_id": client_id,
        }
        parts = [_json({"alg": "RS256", "typ": "JWT"}), _json(claims), self._random.randbytes(32)]
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
