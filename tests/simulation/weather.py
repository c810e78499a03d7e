"""What befalls an API's answers, for a while, for all or one kind of report or for tokens.

Each kind of weather strikes before the API does anything, or spoils the answer to what it did.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.engine import World
    from tests.simulation.obelis import Reply

    Spoiler = Callable[["Weather", Reply, Random], Reply]

PAGE = b"<!doctype html><html><body><h1>Request blocked</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """One kind of trouble, from when until when (true seconds), and whom it concerns."""

    what: str
    since: float
    until: float
    target: str | None = None  # a kind of report, or `token`; None: every report
    share: float = 1.0  # of the requests concerned, 0..1
    value: float = 0.0

    def concerns(self, target: str) -> bool:
        if self.what in TOKENS_TOO and self.target is None:
            return True
        return target != "token" if self.target is None else target == self.target


@dataclass(slots=True)
class Sky:
    """All the weather of a month."""

    weather: list[Weather] = field(default_factory=list)

    def strike(self, target: str, world: World, rate: int) -> Weather | None:
        """Return what befalls a request that arrives now, as the `rate`-th within a minute."""
        for one in self.weather:
            if one.since <= world.elapsed < one.until and one.concerns(target):
                enough = rate > one.value if one.what in {"firewall", "storm"} else True
                if enough and (one.share >= 1 or world.random.random() < one.share):
                    return one
        return None


def strikes(weather: Weather) -> bool:
    """Return True if the API itself never sees the request."""
    return weather.what in BEFORE


def spoil(weather: Weather, reply: Reply, random: Random) -> Reply:
    """Return what comes back instead."""
    spoiler = BEFORE[weather.what] if strikes(weather) else AFTER[weather.what]
    return spoiler(weather, reply, random)


def _answer(status: int, body: bytes = b"") -> Spoiler:
    return lambda w, r, d: replace(r, status=status, body=body)


def _busy(w: Weather, r: Reply, d: Random) -> Reply:
    """Answer 503; some say when to come back, some are written by a proxy with a clock of its own."""
    return replace(
        r,
        status=d.choice((500, 502, 503, 504)),
        body=d.choice((b"", PAGE, b'{"statusCode": 503, "message": "busy"}')),
        retry_after_s=d.choice((None, None, 7.0, 600.0)),
    )


def _throttled(w: Weather, r: Reply, d: Random) -> Reply:
    return replace(
        r, status=429, body=b'{"message": "Too many requests"}', retry_after_s=d.choice((None, 2.0, 90.0))
    )


def _false_200(w: Weather, r: Reply, d: Random) -> Reply:
    said = d.choice(
        (
            b'{"statusCode": 503, "message": "busy"}',
            b'{"status_code": 3000, "status_message": "busy"}',
            b'{"statusCode": 429, "message": "slow down"}',
        )
    )
    return replace(r, status=200, body=said)


def _odd_token(w: Weather, r: Reply, d: Random) -> Reply:
    """Answer with the token, in words that nobody announced."""
    body = r.body.replace(b'"expires_in": 3600.0', b'"expires_in": "3600"').replace(
        b', "token_type": "Bearer"', b""
    )
    return replace(r, body=body)


BEFORE: dict[str, Spoiler] = {
    "unreachable": lambda w, r, d: replace(r, status=None, reached=False, words="ConnectError"),
    "black_hole": lambda w, r, d: replace(r, status=None, delay_s=1e6),
    "lost_request": lambda w, r, d: replace(r, status=None),
    "busy": _busy,
    "busy_and_wrong_date": lambda w, r, d: replace(_busy(w, r, d), date_off_s=w.value),
    "firewall": _answer(403, PAGE),
    "forbidden": _answer(403, b'{"message": "Forbidden"}'),
    "no_such_path": _answer(403, b'{"message": "Missing Authentication Token"}'),
    "not_found": _answer(404, b'{"statusCode": 404, "message": "not found"}'),
    "bad_request": _answer(400, b'{"statusCode": 400, "message": "invalid request"}'),
    "storm": _throttled,
    "page_for_nothing": _answer(200, PAGE),
    "redirect": _answer(302),
    "teapot": _answer(418, b"{}"),
    "false_200": _false_200,
    "revoked": _answer(401, b'{"message": "Unauthorized"}'),
    "too_many_tokens": _answer(400, b'{"__type": "TooManyRequestsException", "message": "Rate exceeded"}'),
}
"""The API does nothing."""
AFTER: dict[str, Spoiler] = {
    "lost_answer": lambda w, r, d: replace(r, status=None),
    "late_answer": lambda w, r, d: replace(r, delay_s=w.value),
    "error_after": lambda w, r, d: replace(r, status=d.choice((500, 504)), body=b""),
    "no_body": lambda w, r, d: replace(r, body=b"") if r.status in {200, 201} else r,
    "odd_envelope": lambda w, r, d: replace(r, status=200, body=b'{"ok": true}') if r.status == 201 else r,
    "page_200": lambda w, r, d: replace(r, status=200, body=PAGE),
    "tells_token": lambda w, r, d: replace(r, status=400 if r.status == 400 else 500),
    "cut": lambda w, r, d: replace(r, body=r.body[: len(r.body) // 2], complete=False),
    "slow": lambda w, r, d: replace(r, delay_s=d.uniform(0, w.value)),
    "wrong_date": lambda w, r, d: replace(r, date_off_s=w.value),
    "no_date": lambda w, r, d: replace(r, date_off_s=None),
    "odd_token": _odd_token,
}
"""The API does what it was asked to; what comes back is another matter."""
TOKENS_TOO = {
    "unreachable",
    "black_hole",
    "lost_request",
    "busy",
    "storm",
    "slow",
    "late_answer",
    "wrong_date",
    "no_date",
}
"""What strikes tokens as well as reports unless it is aimed."""
