"""The authority's API in a simulated month, with a record of its own that the service never sees.

It goes by what is known of the API: paths, both envelopes, tokens, the previous month, ids, 409, the limit. What
befalls its answers is in `weather`. It shares no rule with the service, so that a misunderstanding shows.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.simulation.weather import Sky, spoil, strikes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from report_service.ports import Request
    from tests.simulation.engine import World

PREFIX = "/ocpi/bob/2.2/debob-reports/"
TOKEN = "token"
VISIBLE_AFTER_S = 900.0
"""A new hub or point takes about a quarter of an hour to become visible."""
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the API, or whoever stands before it, answers."""

    status: int | None = 200  # None: nothing comes back
    body: bytes = b""
    complete: bool = True
    delay_s: float = 0.0
    retry_after_s: float | None = None
    date_off_s: float | None = 0.0  # of the Date header, against true time; None: there is none
    reached: bool = True  # False: no connection could be made
    words: str = "ReadError"  # of the failure, if nothing comes back


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a request, and what it could know of the time when it let the request go."""

    name: str
    clock_off_s: float  # its clock, ahead of true time
    heard_ago_s: float | None  # since it last had a true Date in an answer that could be understood; None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request as it arrived, and what it did."""

    at: float  # true seconds
    request_id: str
    verb: str
    sender: str
    clock_off_s: float  # the sender's clock, ahead of true time
    heard_ago_s: float | None  # since the sender last had a true Date from an answer that it understood
    key: str | None  # None: a token request
    body: bytes
    effect: str  # stored, duplicate, implausible, refused, unauthorized, throttled, token, corrected, none
    weather: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A report that the API has."""

    body: bytes
    request_id: str
    obelis_id: str
    at: float


@dataclass(slots=True, kw_only=True)
class SimulatedObelis:
    """One API, its record, and the sky above it."""

    world: World
    month: str  # the one reported on, YYYY-MM
    zone: ZoneInfo
    dialect: str  # guide or ocpi
    limit_per_minute: int
    sky: Sky
    picky: frozenset[str] = frozenset()  # reports on these hubs and points are refused as wrong data
    unregistered: Mapping[str, float] = field(
        default_factory=dict
    )  # a hub's or point's id: since when it is known
    foreign: Mapping[str, bytes] = field(default_factory=dict)  # what somebody else has reported already, by key
    token_life_s: float = 3600.0
    stored: dict[str, Stored] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)  # until when each is good, true seconds
    _recent: deque[float] = field(default_factory=deque)

    def receive(self, request: Request, sender: Sender) -> Reply:
        """Answer what arrives now."""
        key, data = (None, {}) if request.token is None else _understand(request)
        target = TOKEN if key is None else key.split("/")[1]
        weather = self.sky.strike(target, self.world, self._rate())
        effect, reply = "none", Reply()
        if len(self._recent) >= self.limit_per_minute:
            effect, reply = "throttled", self._no(429, "Too many requests")
        elif weather is None or not strikes(weather):
            effect, reply = self._decide(request, key, data)
        if weather is not None:
            reply = spoil(weather, reply, self.world.random)
            if weather.what == "tells_token":
                reply = replace(reply, body=f"Authorization: Bearer {request.token}".encode())
        arrival = Arrival(
            at=self.world.elapsed,
            request_id=request.request_id,
            verb=request.verb,
            sender=sender.name,
            clock_off_s=sender.clock_off_s,
            heard_ago_s=sender.heard_ago_s,
            key=key,
            body=request.body,
            effect=effect,
            weather=weather.what if weather else None,
        )
        self.arrivals.append(arrival)
        said = f"{key or TOKEN} {request.verb} {request.request_id[:8]}: {effect}, answers {reply.status}"
        self.world.note(sender.name, said + (f" under {weather.what}" if weather else ""))
        return reply

    def _rate(self) -> int:
        """Count what arrived within the last minute, this request included."""
        now = self.world.elapsed
        self._recent.append(now)
        while self._recent[0] <= now - MINUTE_S:
            self._recent.popleft()
        return len(self._recent)

    def _decide(self, request: Request, key: str | None, data: Mapping[str, object]) -> tuple[str, Reply]:
        """Go by the API's own rules; return what it does, and what it says."""
        if key is None:
            return "token", self._token()
        if self.tokens.get(request.token or "", 0.0) <= self.world.elapsed:
            return "unauthorized", self._no(401, "Unauthorized")
        if request.verb == "PUT":
            return self._correct(key, request)
        refusal = self._refusal(request, key)
        return refusal or ("stored", self._store(request, key, data))

    def _refusal(self, request: Request, key: str) -> tuple[str, Reply] | None:
        if not key.startswith(self._previous_month()):
            return "refused", self._no(400, f"month must be the previous month: {key}")
        if any(each in request.path for each in self.picky):
            return "implausible", self._no(400, "rating is implausible")
        if any(self.world.elapsed < since for name, since in self.unregistered.items() if name in request.path):
            return "refused", self._no(404, "no such charging hub or charging point")
        if key in self.stored or key in self.foreign:
            return "duplicate", self._no(409, "already exists")
        return None

    def _store(self, request: Request, key: str, data: Mapping[str, object]) -> Reply:
        obelis_id = f"{len(self.stored):08x}-0000-4000-8000-000000000000"
        self.stored[key] = Stored(
            body=request.body, request_id=request.request_id, obelis_id=obelis_id, at=self.world.elapsed
        )
        return self._yes(201, {**data, "id": obelis_id})

    def _correct(self, key: str, request: Request) -> tuple[str, Reply]:
        if key not in self.stored:
            return "refused", self._no(404, "no such report")
        self.stored[key] = replace(self.stored[key], body=request.body)
        return "corrected", self._yes(200, {})

    def _token(self) -> Reply:
        value = f"tok-{self.world.random.getrandbits(64):016x}"
        self.tokens[value] = self.world.elapsed + self.token_life_s
        said = {"token": value, "expires_in": self.token_life_s, "token_type": "Bearer"}
        return Reply(body=json.dumps(said).encode())

    def _previous_month(self) -> str:
        today = self.world.now.astimezone(self.zone)
        before = today.replace(day=1) - timedelta(days=1)
        return f"{before:%Y-%m}"

    def _yes(self, status: int, data: Mapping[str, object]) -> Reply:
        said: dict[str, object] = {"data": data, "timestamp": self.world.now.isoformat()}
        if self.dialect == "guide":
            said |= {"message": "Request was processed successfully", "statusCode": 200}
            return Reply(status=status, body=json.dumps(said).encode())
        return Reply(status=status, body=json.dumps(said | {"status_code": 1000}).encode())

    def _no(self, status: int, words: str) -> Reply:
        """Say no in the dialect's way: the older one answers 200 to what it does not do."""
        codes = {400: 2001, 404: 2003, 409: 2900}
        if self.dialect == "guide" or status not in codes:
            return Reply(status=status, body=json.dumps({"statusCode": status, "message": words}).encode())
        return Reply(body=json.dumps({"status_code": codes[status], "status_message": words}).encode())


def _understand(request: Request) -> tuple[str, dict[str, object]]:
    """Return the report that a request is about, as `2026-10/hub_rating/<hub>`, and its body."""
    data: dict[str, object] = json.loads(request.body)
    parts = request.path.removeprefix(PREFIX).split("/")
    month = parts.pop() if request.verb == "PUT" else str(data.get("month"))
    match parts:
        case ["hotline-ratings"]:
            kind, subject = "hotline_rating", ""
        case ["nondiscriminatory-access"]:
            kind, subject = "nondiscriminatory_access", f"/{data['providerGroup']}"
        case ["nondiscriminatory-access", group]:
            kind, subject = "nondiscriminatory_access", f"/{group}"
        case ["charginghub", hub, "ratings"]:
            kind, subject = "hub_rating", f"/{hub}"
        case ["charginghub", hub, "ad-hoc-tariff"]:
            kind, subject = "ad_hoc_tariff", f"/{hub}"
        case ["charginghub", _, "chargingpoint", point, "ratings"]:
            kind, subject = "point_rating", f"/{point}"
        case _:
            raise AssertionError(f"no such path: {request.path}")
    return f"{month[3:]}-{month[:2]}/{kind}{subject}", data


def http_date(moment: datetime, off_s: float | None) -> datetime | None:
    """Return what a Date header says: whole seconds."""
    return None if off_s is None else (moment + timedelta(seconds=off_s)).astimezone(UTC).replace(microsecond=0)
