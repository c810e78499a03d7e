"""The mock of the OBELIS API: a plain function from request to answer, with a memory.

It keeps the rules of the integration guide and of OpenAPI 0.9, on its own clock. No I/O and no sleeping here: a
server (`server`) or an in-process transport carries bytes to it and sleeps the answer's `delay_s`.

Beside the API's own paths it answers, without a token and uncounted:

    GET  /_mock/stats     counts of requests, by kind, status and ruling; the most in any 60 s and in any 1 s
    GET  /_mock/reports   what is stored, by key
    POST /_mock/faults    a list of faults in place of those in force: ["503:0.05"]
    POST /_mock/clock     {"skew_s": 3600}: how far its clock goes ahead of the machine's
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING

from report_service.domain.months import BERLIN
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PATHS, GUIDE_PREFIX, Routes
from report_service.errors import BadInput
from report_service.mock_api.answers import Decision, Dialect, MockAnswer, Reply, json_answer, render
from report_service.mock_api.injected_faults import TOKEN, FaultInjector, InjectedFault
from report_service.mock_api.known_hubs import KnownHubs
from report_service.mock_api.latency import Latency, constant
from report_service.mock_api.report_store import ReportStore, Submission
from report_service.mock_api.rules import parse_object
from report_service.mock_api.tokens import Tokens
from report_service.mock_api.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from zoneinfo import ZoneInfo

    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.ports import Clock

V0_9_PATHS: Mapping[Kind, str] = {
    kind: path.replace("/charginghub/", "/locations/").replace("/chargingpoint/", "/evses/")
    for kind, path in GUIDE_PATHS.items()
}
"""The paths of OpenAPI 0.9."""

TOKEN_PATH = "/token"  # noqa: S105 -- a path; the guide's copy does not show the real one


def routes_of(dialect: Dialect, overrides: Mapping[Kind, str] | None = None) -> Routes:
    """Return a dialect's paths; `overrides` replace those of single kinds, below the same prefix."""
    paths = GUIDE_PATHS if dialect is Dialect.GUIDE else V0_9_PATHS
    return Routes.of(prefix=GUIDE_PREFIX, paths={**paths, **(overrides or {})}, correction=GUIDE_CORRECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request, as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    arrived: float  # monotonic, seconds
    unix: float  # by the machine's clock, seconds
    now: datetime  # by the mock's own clock
    target: str  # a kind, `token` or `other`
    submission: Submission | None  # None: not one of a report


class MockObelis:
    """An OBELIS of one's own. Safe for use by several threads; all that it remembers is in memory."""

    def __init__(
        self,
        *,
        clock: Clock,
        dialect: Dialect = Dialect.GUIDE,
        routes: Routes | None = None,
        token_path: str = TOKEN_PATH,
        credentials: Mapping[str, str] | None = None,
        token_lifetime_s: float = 3600,
        inventory: KnownHubs | None = None,
        zone: ZoneInfo = BERLIN,
        any_month: bool = False,
        skew_s: float = 0.0,
        requests_per_minute: int | None = 2000,
        requests_per_second: int | None = None,
        retry_after_s: float | None = None,
        latency: Latency | None = None,
        faults: Iterable[InjectedFault] = (),
        seed: int | None = None,
        log: Callable[[str], object] | None = None,
    ) -> None:
        """Take the rules that hold; by default the guide's, without latency and faults.

        `routes` are the dialect's own unless given; `credentials` is what a token request must say, of client_id,
        client_secret and cpo_id; `zone` is where the previous month is counted, `any_month` switches that rule
        off; limits of None or 0 are off; `log` is given one line of JSON, with its end, for each request.
        """
        # One generator each, so that a change of latency does not move the faults.
        seeds = Random(seed)  # noqa: S311 -- to repeat a run, not to keep a secret
        ids, self._delays, chance = (Random(seeds.random()) for _ in range(3))  # noqa: S311 -- as above
        self._clock = clock
        self._dialect = dialect
        self._routes = routes or routes_of(dialect)
        self._token_path = token_path
        self._skew_s = skew_s
        self._retry_after_s = retry_after_s
        self._latency = latency or constant(0)
        self._log = log
        self._tokens = Tokens(credentials=credentials or {}, lifetime_s=token_lifetime_s, random=ids)
        self._faults = FaultInjector(faults, chance)
        self._traffic = Traffic(per_minute=requests_per_minute, per_second=requests_per_second)
        self._register = ReportStore(
            inventory=inventory or KnownHubs(), zone=zone, any_month=any_month, random=ids
        )
        self._started = clock.monotonic()
        self._lock = threading.Lock()

    @property
    def reports(self) -> dict[DeliveryKey, bytes]:
        """Return the body stored for each report: that of the last accepted POST or PUT."""
        with self._lock:
            return self._register.bodies()

    def stats(self) -> dict[str, object]:
        """Return the counts that `/_mock/stats` answers with."""
        with self._lock:
            return {**self._traffic.stats(), "reports": len(self._register)}

    def set_faults(self, faults: Iterable[InjectedFault]) -> None:
        """Put these faults in place of those in force."""
        with self._lock:
            self._faults.set(faults)

    def set_skew(self, skew_s: float) -> None:
        """Let the mock's clock go so many seconds ahead of the one it was given."""
        with self._lock:
            self._skew_s = skew_s

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> MockAnswer:
        """Answer one request; `path` is as sent, percent-encoded, and a query in it is ignored."""
        path = path.partition("?")[0]
        if path.startswith("/_mock/"):
            return self._control(method, path, body)
        with self._lock:
            call = self._understand(method, path, headers, body)
            ruling, answer = self._rule(call)
            status = None if answer.drop else answer.http_status
            self._traffic.answered(target=call.target, status=status, ruling=ruling)
            if self._log:
                self._log(_line(call, ruling, status))
        return replace(answer, headers={**answer.headers, "Date": format_datetime(call.now, usegmt=True)})

    def _understand(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Call:
        templates = {"POST": self._routes.create, "PUT": self._routes.correct}.get(method, {})
        found = ((kind, Routes.match(template, path)) for kind, template in templates.items())
        kind, values = next((match for match in found if match[1] is not None), (None, None))
        submission = None
        if kind is not None and values is not None:
            submission = self._register.read(kind, create=method == "POST", values=values, body=body)
        now = self._clock.now()
        return _Call(
            method=method,
            path=path,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            arrived=self._clock.monotonic(),
            unix=now.timestamp(),
            now=now + timedelta(seconds=self._skew_s),
            target=kind.name if kind else (TOKEN if path == self._token_path else "other"),
            submission=submission,
        )

    def _rule(self, call: _Call) -> tuple[Decision, MockAnswer]:
        """Return what is decided, and what the client gets to see: a fault may make it something else."""
        if not self._traffic.arrive(call.arrived):
            limited = self._render(Reply(ruling=Decision.LIMITED, text="Too many requests"), call)
            extra = {} if self._retry_after_s is None else {"Retry-After": f"{self._retry_after_s:g}"}
            return Decision.LIMITED, replace(limited, headers={**limited.headers, **extra})
        subject = call.submission.subject if call.submission else ""
        fault = self._faults.strike(call.target, subject)
        if fault and not fault.done:
            ruling, answer = Decision.FAULT, MockAnswer(http_status=0)
        else:
            reply = self._decide(call)
            ruling, answer = reply.ruling, self._render(reply, call)
        if fault:
            answer = fault.spoil(answer, self._dialect, call.now)
        return ruling, replace(answer, delay_s=answer.delay_s + self._latency(self._delays))

    def _render(self, reply: Reply, call: _Call) -> MockAnswer:
        return render(reply, self._dialect, call.now)

    def _decide(self, call: _Call) -> Reply:
        """Go by the API's own rules: who asks, for what, and whether it may be."""
        if call.target == TOKEN:
            return self._token(call)
        if not self._tokens.valid(call.headers.get("authorization", ""), call.now):
            return Reply(ruling=Decision.UNAUTHORIZED, text="Unauthorized")
        if call.submission is None:
            every = [*self._routes.create.values(), *self._routes.correct.values()]
            known = any(Routes.match(template, call.path) is not None for template in every)
            return Reply(ruling=Decision.NOT_ALLOWED if known else Decision.NO_ROUTE, text="No such operation")
        if not call.headers.get("content-type", "").startswith("application/json"):
            return Reply(ruling=Decision.INVALID, text="Content-Type must be application/json")
        return self._register.decide(call.submission, now=call.now, running_s=call.arrived - self._started)

    def _token(self, call: _Call) -> Reply:
        if call.method != "POST":
            return Reply(ruling=Decision.NOT_ALLOWED, text="No such operation")
        token = self._tokens.issue(parse_object(call.body) or {}, call.now)
        if token is None:
            return Reply(ruling=Decision.UNAUTHORIZED, text="Unauthorized")
        return Reply(ruling=Decision.TOKEN, data=token)

    def _control(self, method: str, path: str, body: bytes) -> MockAnswer:
        """Answer those who test against the mock: see the module."""
        try:
            match method, path:
                case "GET", "/_mock/stats":
                    return json_answer(200, self.stats())
                case "GET", "/_mock/reports":
                    return json_answer(200, {str(key): json.loads(body) for key, body in self.reports.items()})
                case "POST", "/_mock/faults":
                    self.set_faults([InjectedFault.parse(text) for text in json.loads(body)])
                case "POST", "/_mock/clock":
                    self.set_skew(float(json.loads(body)["skew_s"]))
                case _:
                    return json_answer(404, {"message": "No such operation"})
        except (BadInput, ValueError, TypeError, KeyError, AttributeError) as exc:
            return json_answer(400, {"message": str(exc)})
        return json_answer(200, {})


def _line(call: _Call, ruling: Decision, status: int | None) -> str:
    """Return a request's line in the log; `http_status` is null when the connection was dropped."""
    key = call.submission.key if call.submission else None
    entry = {
        "monotonic": call.arrived,
        "unix": call.unix,
        "method": call.method,
        "path": call.path,
        "key": str(key) if key else None,
        "ruling": ruling,
        "http_status": status,
        "request_id": call.headers.get("x-request-id"),
        "body_sha256": hashlib.sha256(call.body).hexdigest(),
    }
    return json.dumps(entry) + "\n"
