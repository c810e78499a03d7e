"""A month in simulated time: the real service and ledger, the mock of the API, and a clock that only tests turn.

A `World` is what outlives a process: time, the network, and the API behind it. A `Process` is one process of the
service in it. Nothing here waits: a request departs, arrives and is answered at moments of the world's own time,
and the same seeds make the same history.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import event, text

from report_service.adapters.clock import ThreadedBackground
from report_service.adapters.db.engine import Store
from report_service.bootstrap.service import Service, build
from report_service.bootstrap.stores import intake_of
from report_service.domain.months import ReportMonth
from report_service.domain.responses import ApiResponse
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import LeaseHeld
from report_service.mock_api.app import MockObelis
from report_service.mock_api.operator import made_up_operator
from report_service.ports import CompletedRequest
from report_service.settings import load_settings
from tests.support.fakes import FakeClock, RecordingEvents
from tests.support.stores import sqlite_content
from tests.support.taps import Kill, ProcessDied, tapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from report_service.domain.delivery import State
    from report_service.ports import (
        ReportApi,
        Request,
        RequestExecutor,
        SendCheck,
    )
    from report_service.services.reconcile import Reconciler
    from report_service.services.run_result import RunResult
    from report_service.settings import Settings


T = TypeVar("T")
MONTH = ReportMonth(2026, 10)
OPENED = datetime(2026, 11, 2, 9, tzinfo=UTC)
"""A day on which MONTH can be reported."""
OPENS = datetime(2026, 11, 1, tzinfo=UTC)
"""When that begins: November has begun in Berlin and in UTC."""
CLOSES = datetime(2026, 11, 30, 23, tzinfo=UTC)
"""When that ends: December begins in Berlin."""
IDLE_TURNS = 5000
"""More turns than this without any time going by are a busy loop."""

Row = dict[str, object]
Rows = dict[str, list[Row]]
Interpose = Callable[["Request", Callable[[], ApiResponse]], ApiResponse]
"""Answers a request itself, or lets the API do so by calling what it is given."""
Options = Any
"""Of the mock, of a process, of a run: as their own signatures have it."""


class World(FakeClock):
    """Time, the network and the API."""

    def __init__(self, moment: datetime = OPENED, *, seed: int = 1, **mock: Options) -> None:
        super().__init__(moment)
        self.random = Random(seed)
        self.dispatch_s: Callable[[Random], float] = lambda _: 0.0  # from the worker's start to the permit
        self.transit_s: Callable[[Random], float] = lambda _: 0.0  # from the permit to the API
        self.mock_seed = seed
        self.calls: list[dict[str, Any]] = []  # what arrived, as the mock's log has it
        self.mock = MockObelis(clock=self, seed=seed, log=self._log, **mock)
        self.interpose: Interpose | None = None  # what stands between the network and the API
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._taking_s: float | None = None
        self._idle = 0

    def sleep(self, seconds: float) -> None:
        """Turn the clock; for the API, which answers while time stands still, note how long it takes."""
        if self._taking_s is not None:
            self._taking_s += seconds
        else:
            self.turn(seconds)

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        heappush(self._coming, (self._elapsed + seconds, next(self._number), then))

    def turn(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let time go by, and what is coming happen, for so long or until something is so."""
        end = self._elapsed + max(seconds, 0.0)
        self._idle = 0 if seconds > 0 else self._idle + 1
        assert self._idle < IDLE_TURNS, "the service turns without waiting"
        while not until() and self._coming and self._coming[0][0] <= end:
            at, _, then = heappop(self._coming)
            self._elapsed = max(self._elapsed, at)
            then()
        if not until():
            self._elapsed = max(self._elapsed, end)  # what happened meanwhile may have turned it, too

    def turn_to(self, moment: datetime) -> None:
        self.turn((moment - self.now()).total_seconds())

    def answer(self, api: ReportApi, request: Request) -> tuple[ApiResponse, float]:
        """Return the API's answer to what arrives now, and how long it takes to come back."""
        self._taking_s = 0.0
        try:
            if self.interpose is None:
                answer = api.exchange(request, lambda: None)
            else:
                answer = self.interpose(request, lambda: api.exchange(request, lambda: None))
            return answer, self._taking_s
        finally:
            self._taking_s = None

    def arrivals(self, key: object = None) -> list[float]:
        """Return when what arrived did, monotonic; of one report, or all."""
        return [call["monotonic"] for call in self.calls if key is None or call["key"] == str(key)]

    def reports(self) -> list[str]:
        """Return the key of each report's request in the order of arrival."""
        return [call["key"] for call in self.calls if call["key"]]

    def tokens(self) -> int:
        return sum(call["key"] is None for call in self.calls)

    def _log(self, line: str) -> None:
        self.calls.append(json.loads(line))


class SimulatedBackground:
    """What stands for the threads beside a simulated process; while it is `paused` they do nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.paused = False

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        going_on = [True]

        def again() -> None:
            if going_on[0]:
                if not self.paused:
                    call()
                self._world.after(seconds, again)

        self._world.after(seconds, again)
        return partial(going_on.__setitem__, 0, False)

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        return ThreadedBackground().within(seconds, call)  # a query that never ends does not know simulated time

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()


class SimulatedExecutor:
    """Requests under way in a world; `completed` turns its clock up to the next answer."""

    def __init__(self, api: ReportApi, world: World, capacity: int) -> None:
        self.capacity = capacity
        self.under_way = 0
        self.unreachable = False  # no connection can be made
        self._api = api
        self._world = world
        self._dead = False
        self._ended: list[CompletedRequest] = []

    def submit(self, request: Request, send_check: SendCheck) -> None:
        self.under_way += 1
        assert self.under_way <= self.capacity, "more under way than there are workers"
        departs_s = self._world.dispatch_s(self._world.random)
        depart = partial(self._depart, request, send_check, self._world.monotonic())
        if departs_s > 0:
            self._world.after(departs_s, depart)
        else:
            depart()

    def completed(self, timeout_s: float) -> Sequence[CompletedRequest]:
        self._world.turn(timeout_s, until=lambda: bool(self._ended))
        ended, self._ended = self._ended, []
        self.under_way -= len(ended)
        return ended

    def close(self) -> None:
        self._dead = True

    def _depart(self, request: Request, send_check: SendCheck, started: float) -> None:
        if self._dead:
            return
        reason = send_check()
        if reason is not None:
            self._end(request, ApiResponse(sent=False, cancelled=True, detail=reason), started)
            return
        if self.unreachable:
            self._end(request, ApiResponse(sent=False, detail="ConnectError: no route to host"), started)
            return
        arrive = partial(self._arrive, request, started)
        transit_s = self._world.transit_s(self._world.random)
        if transit_s > 0:
            self._world.after(transit_s, arrive)
        else:
            arrive()

    def _arrive(self, request: Request, started: float) -> None:
        answer, takes_s = self._world.answer(self._api, request)
        self._world.after(takes_s, partial(self._end, request, answer, started))

    def _end(self, request: Request, answer: ApiResponse, started: float) -> None:
        ended = self._world.monotonic()
        self._ended.append(CompletedRequest(request=request, response=answer, started=started, ended=ended))


@dataclass(slots=True, kw_only=True)
class Process:
    """One process of the service."""

    world: World
    service: Service
    reconciler: Reconciler
    executor: SimulatedExecutor
    events: RecordingEvents
    background: SimulatedBackground

    def run(self, month: ReportMonth = MONTH, *, patience_s: float = 600, **options: Options) -> RunResult:
        return self.reconciler.reconcile(month, trigger="run", patience_s=patience_s, **options)

    def lives(self, month: ReportMonth = MONTH, *, patience_s: float = 600) -> bool:
        """Run, and end; say whether it came to its end, alive and with the lease."""
        try:
            self.run(month, patience_s=patience_s)
        except (ProcessDied, LeaseHeld):
            return False
        finally:
            self.close()
        return True

    def states(self, month: ReportMonth = MONTH) -> dict[State, int]:
        return self.service.ledger.status.month_counts(month).by_state

    def close(self) -> None:
        self.service.close()


@dataclass(slots=True, kw_only=True)
class Site:
    """An operator's store, and the processes that work on it."""

    world: World
    url: str
    environ: Mapping[str, str] = field(default_factory=dict)
    backgrounds: list[SimulatedBackground] = field(default_factory=list)  # of every process that was started
    _seeds: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def settings(self) -> Settings:
        return settings_of(self.url, **self.environ)

    @contextmanager
    def process(self, **options: Options) -> Iterator[Process]:
        process = self.start(**options)
        try:
            yield process
        finally:
            process.close()

    def start(
        self,
        *,
        tap: Callable[[str], None] | None = None,
        stop: Callable[[], str | None] = lambda: None,
        capacity: int | None = None,
    ) -> Process:
        """Start a process; `tap` is told of each call to its ledger and its executor."""
        events, made, background = RecordingEvents(), [], SimulatedBackground(self.world)
        self.backgrounds.append(background)

        def executor(api: ReportApi) -> RequestExecutor:
            made.append(SimulatedExecutor(api, self.world, capacity or self.settings.obelis.max_in_flight))
            return made[0]

        service = build(
            self.settings,
            events=events,
            redact=lambda text: text.replace("mock-secret", "***"),
            clock=self.world,
            background=background,
            mock=self.world.mock,
            executor=executor,
            stop=stop,
            seed=next(self._seeds),
        )
        event.listen(service.store.engine, "connect", _in_haste)
        reconciler = service.reconciler if tap is None else tapped(service.reconciler, tap)
        return Process(
            world=self.world,
            service=service,
            reconciler=reconciler,
            executor=made[0],
            events=events,
            background=background,
        )

    def elsewhere(self, world: World | None = None, *, environ: Mapping[str, str] | None = None) -> Site:
        """Return the same store with other settings, or in another world."""
        return replace(self, world=world or self.world, environ={**self.environ, **(environ or {})})

    def deaths(self, **options: Options) -> list[int]:
        """Run; return after which of its calls the process may die: before the next one is the same."""
        kill = Kill()
        assert self.start(tap=kill, **options).lives()
        return [at for at, step in enumerate(kill.steps, start=1) if step.endswith(".done")]

    def store(self, rows: Rows) -> None:
        """Put rows into the source tables, in place of those with the same key."""
        store = Store(self.url)
        _fill(self.settings, store, self.world, rows)
        store.close()

    def ask(self, query: str, **values: object) -> list[Any]:
        """Return what a query on the store finds; run by tests only."""
        store = Store(self.url)
        try:
            with store.write() as connection:
                result = connection.execute(text(query), values)
                return list(result.all()) if result.returns_rows else []
        finally:
            store.close()


def _in_haste(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    """Do not wait for the disk: a simulated death is no power cut."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@lru_cache(maxsize=64)
def _settings(environ: tuple[tuple[str, str], ...]) -> Settings:
    return load_settings(None, dict(environ), default_files=())


def settings_of(url: str, **environ: str) -> Settings:
    """Return settings for mock mode; `obelis__timeout_s="5"` stands for the variable of that name."""
    named = {f"REPORT_SERVICE_{name.upper()}": value for name, value in environ.items()}
    return _settings(
        tuple(sorted({"REPORT_SERVICE_OBELIS__MODE": "mock", "REPORT_SERVICE_STORE__URL": url, **named}.items()))
    )


def operator(
    month: ReportMonth = MONTH, *, hubs: int = 2, points_per_hub: int = 2, provider_groups: int = 2
) -> Rows:
    """Return the rows of a made-up operator as the tables take them: 11 reports unless another size is given."""
    made = made_up_operator(month, hubs=hubs, points_per_hub=points_per_hub, provider_groups=provider_groups)
    return {name: [cast("Row", TABLE_SCHEMAS[name].read(row)) for row in rows] for name, rows in made.items()}


def _fill(settings: Settings, store: Store, clock: FakeClock, rows: Rows) -> None:
    for name, each in rows.items():
        intake_of(settings, store, clock).upsert(TABLE_SCHEMAS[name], each)


@lru_cache(maxsize=16)
def _template(size: tuple[tuple[str, int], ...]) -> bytes:
    """Return a SQLite file with this version's tables and an operator's rows."""
    rows, settings = operator(MONTH, **dict(size)), settings_of("sqlite:///template.sqlite3")
    return sqlite_content(lambda store: _fill(settings, store, FakeClock(), rows))


def site(folder: Path, world: World | None = None, environ: Mapping[str, str] | None = None, **size: int) -> Site:
    """Return the site of a made-up operator, on a SQLite file in a folder."""
    path = folder / f"store-{os.urandom(4).hex()}.sqlite3"
    path.write_bytes(_template(tuple(sorted(size.items()))))
    return Site(world=world or World(), url=f"sqlite:///{path}", environ=environ or {})


def site_at(url: str, world: World | None = None, environ: Mapping[str, str] | None = None, **size: int) -> Site:
    """Return the site of a made-up operator on a store with empty tables."""
    made = Site(world=world or World(), url=url, environ=environ or {})
    made.store(operator(MONTH, **size))
    return made


UNKNOWN = (None, "no_answer", "server_error", "unreadable")
"""The outcomes of an attempt that may have stored its report."""


def assert_sent_only_with_an_intent_and_doubled_only_in_doubt(place: Site) -> None:
    """Check laws 2 and 3 on what arrived at the API: every request has its attempt, every 409 its reason."""
    attempts = place.ask(
        "SELECT request_id, delivery_id, outcome, payload_sha256 FROM attempts ORDER BY started_at"
    )
    by_id = {row.request_id: (at, row) for at, row in enumerate(attempts)}
    bodies: dict[str, set[str]] = {}
    for call in place.world.calls:
        at, attempt = by_id[call["request_id"]]
        if call["key"] is None:
            continue
        bodies.setdefault(call["key"], set()).add(call["body_sha256"])
        assert attempt.payload_sha256 == call["body_sha256"]
        earlier = [row for row in attempts[:at] if row.delivery_id == attempt.delivery_id]
        if call["ruling"] == "duplicate":
            assert any(row.outcome in UNKNOWN for row in earlier)
    assert all(len(sent) == 1 for sent in bodies.values()), "a retry never makes a different report"


def assert_each_answer_is_one_link(place: Site) -> None:
    links = [row.request_id for row in place.ask("SELECT request_id FROM evidence")]
    assert len(links) == len(set(links))


def assert_delivered_once(place: Site, reports: int) -> None:
    created = [call["key"] for call in place.world.calls if call["ruling"] == "created"]
    assert len(created) == len(set(created)) == reports == len(place.world.mock.reports)
    rows = place.ask("SELECT state, in_doubt, evidence, obelis_id FROM deliveries")
    assert {(row.state, bool(row.in_doubt)) for row in rows} == {("accepted", False)}
    assert all((row.evidence == "confirmed") == (row.obelis_id is not None) for row in rows)
    assert_each_answer_is_one_link(place)
    assert_sent_only_with_an_intent_and_doubled_only_in_doubt(place)
