"""Tokens: what is asked of the token endpoint, and what its answer brings (guide, Authentication)."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from report_service.domain.responses import classify
from report_service.errors import ApiUnavailable, CredentialsRefused
from report_service.ports import Request, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from report_service.domain.responses import ApiResponse

MARGIN = 0.1
"""A token is given up when this part of its life is left ..."""

LONGEST_MARGIN_S = 300.0
"""... but never more than this."""

UNKNOWN_LIFE_S = 300.0
"""How long a token is used that does not say how long it lives."""

_THROTTLED = re.compile(r"TooManyRequests|throttl|rate (limit )?exceeded|too many requests", re.IGNORECASE)
_VISIBLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Za-z_]{1,40}")  # any other is none, and may be what nobody should read
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+(\.[\w-]*)?")
_WRONG_URL = "check obelis.token_url: no token endpoint seems to be there"
_WRONG_CREDENTIALS = "check obelis.client_id, obelis.client_secret and obelis.cpo_id with OBELIS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """What OBELIS gave the operator."""

    token_url: str
    client_id: str
    client_secret: Callable[[], str] = field(repr=False)  # asked for each request: it may be rotated meanwhile
    cpo_id: str
    reread: Callable[[], bool] = field(default=lambda: False, repr=False)  # True: the secret is another one now

    def token_request(self, request_id: str) -> Request:
        """Return the request for a new token; its path shows the URL without its query."""
        asked = {"client_id": self.client_id, "client_secret": self.client_secret(), "cpo_id": self.cpo_id}
        return Request(
            request_id=request_id,
            verb="POST",
            path=self.token_url.partition("?")[0],
            body=json.dumps(asked).encode(),
        )

    def read_token(self, answer: ApiResponse, *, at: float) -> Token:
        """Return the token that an answer brings (`at`: monotonic seconds, when it came).

        Raise ApiUnavailable when it may go better next time (no answer, half of one, 408, 429, 5xx; a firewall's
        page; a 400 or 403 that says it is throttled), and CredentialsRefused for any other answer without a usable
        token.
        """
        status = answer.http_status
        if status is None or status in {408, 429} or status >= 500 or not answer.complete:
            why = f"answered {status}" if status else "gave no answer"
            raise ApiUnavailable(f"the token endpoint {why}: {self._words(answer)}")
        said = _object(answer.body)
        if not 200 <= status < 300:
            if _is_throttled(status, said):
                raise ApiUnavailable(f"the token endpoint throttles ({status}): {self._words(answer)}")
            hint = _WRONG_CREDENTIALS if status in {400, 401, 403} else _WRONG_URL
            raise CredentialsRefused(f"the token endpoint answered {status}: {self._words(answer)}", hint=hint)
        value, kind = said.get("token"), said.get("token_type") or "Bearer"
        if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
            names = ", ".join(sorted(filter(_NAME.fullmatch, said))) or "none"
            raise _unusable(f"has no `token`; its fields: {names}")
        if str(kind).lower() != "bearer":
            raise _unusable("has a token_type other than Bearer")
        life_s = _life_s(said.get("expires_in"), value, answer)
        return Token(value=value, refresh_at=at + life_s - min(life_s * MARGIN, LONGEST_MARGIN_S))

    def _words(self, answer: ApiResponse) -> str:
        """Return the endpoint's own words, without what must not be repeated."""
        words, secret_sent = classify(answer).detail or "without a word", self.client_secret()
        for secret in (secret_sent, json.dumps(secret_sent)[1:-1]):
            words = words.replace(secret, "***")
        return _JWT.sub("***", words)


def _is_throttled(status: int, said: Mapping[str, object]) -> bool:
    """Return True for a refusal that is not about the credentials.

    A firewall answers 403 with a page; Cognito, which gives the guide's tokens, 400 TooManyRequestsException.
    """
    return (status == 403 and not said) or _THROTTLED.search(json.dumps(dict(said))) is not None


def _life_s(expires_in: object, token: str, answer: ApiResponse) -> float:
    """Return how long the token lives: the shorter of `expires_in` and what the JWT says itself.

    The JWT's `exp` is wall time: it is compared with the answer's Date, or else with the JWT's `iat`, never with
    our own clock. What is no time to live is passed over, since either clock may be wrong; a token that says
    nothing is used for UNKNOWN_LIFE_S, and given up with the first 401 as any other.
    """
    claims = _claims(token)
    exp, iat = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    now = answer.server_date.timestamp() if answer.server_date else iat
    lives = [life for life in (_seconds(expires_in), exp - now) if life > 0]  # NaN is not
    return min(lives, default=UNKNOWN_LIFE_S)


def _seconds(value: object) -> float:
    """Return a number that can be seconds, as a number or in digits, and NaN for all else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:15])
    plain = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12
    return float(cast("float", value)) if plain else math.nan


def _claims(token: str) -> Mapping[str, object]:
    """Return a JWT's payload, unverified (the API does that); nothing if it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return _object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}


def _object(text: bytes) -> dict[str, object]:
    """Return a JSON object; nothing if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _unusable(why: str) -> CredentialsRefused:
    return CredentialsRefused(f"the token endpoint's answer {why}", hint=_WRONG_URL)
