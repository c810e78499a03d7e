"""What is measured from within, in a process of its own: `python -m benchmarks.worker TASK WISHES`.

The settings come from the environment, what else is wished for as JSON; one line of JSON on standard output says
what was measured. Times are seconds, sizes MB (2**20 bytes).
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.processes import memory_mb
from benchmarks.unlimited import Unlimited
from report_service.adapters.db import evidence
from report_service.bootstrap.daemon import build_daemon
from report_service.cli.common import logging_to, service_of
from report_service.domain.delivery import DONE
from report_service.domain.kinds import KINDS
from report_service.domain.months import ReportMonth
from report_service.domain.plausibility import Figures
from report_service.domain.rate_limiter import GcraRateLimiter
from report_service.ports import Request
from report_service.services.planning.screening import beside_last_month
from report_service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from report_service.bootstrap.service import Service
    from report_service.domain.delivery import Delivery
    from report_service.ports import Events, RateLimiter, ReportApi, RequestExecutor
    from report_service.settings import Settings

Measured = dict[str, Any]


class TimedEvents:
    """Pass events on, and add up the CPU that this takes; or drop them."""

    def __init__(self, inner: Events | None, total: list[float]) -> None:
        self._inner = inner
        self._total = total

    def emit(self, event: str, /, **fields: object) -> None:
        """Pass one event on."""
        if self._inner is not None:
            began = time.thread_time()
            self._inner.emit(event, **fields)
            self._total[0] += time.thread_time() - began

    def bind(self, **fields: object) -> TimedEvents:
        """Return a sink that adds these fields."""
        return TimedEvents(self._inner and self._inner.bind(**fields), self._total)


class Laps:
    """Wall clock and CPU, from lap to lap."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float, float]] = []
        self.mark()

    def mark(self) -> None:
        """Begin the next lap."""
        self.marks.append((time.perf_counter(), time.process_time(), time.thread_time()))

    def lap(self, number: int) -> tuple[float, float, float]:
        """Return a lap's seconds, CPU seconds of the process, and CPU seconds of this thread."""
        before, after = self.marks[number], self.marks[number + 1]
        wall, process, thread = (end - start for start, end in zip(before, after, strict=True))
        return wall, process, thread


def deliver(wishes: Measured) -> Measured:
    """Reconcile the month as `run` does; planning and delivering are timed apart.

    Wishes: `in_flight`; `paced` (else nothing limits it); `logged` (else no event is written); `left`: how many
    reports cannot be delivered.
    """
    laps, log_cpu, pacers, log_cpu_before = Laps(), [0.0], 0, 0.0
    settings = _settings(wishes)

    def new_rate_limiter() -> RateLimiter:
        nonlocal pacers, log_cpu_before
        pacers += 1
        if pacers == 1:  # the plan is made; what follows is delivery
            laps.mark()
            log_cpu_before = log_cpu[0]
        return GcraRateLimiter(settings.obelis.requests_per_minute) if wishes.get("paced") else Unlimited()

    evidence_cpu = _timed_evidence()
    with _logging(settings, wishes, log_cpu) as (logging, events, log):
        with service_of(settings, logging, events=events, new_rate_limiter=new_rate_limiter) as service:
            month = ReportMonth.previous(service.clock.now())
            laps.marks.clear()
            laps.mark()
            result = service.reconciler.reconcile(month, trigger="run", patience_s=0 if "left" in wishes else 600)
            laps.mark()
            whole_cpu_s = time.process_time()
            evidence_cpu_s = evidence_cpu[0] + _redacting_cpu_s(
                service, result.stats.requests if result.stats else 0
            )
        log_bytes = log.stat().st_size
    assert result.stats is not None
    assert result.month_counts is not None
    assert result.month_counts.expected - result.month_counts.count(DONE) == wishes.get("left", 0), result
    plan_s, plan_cpu_s, _ = laps.lap(0)
    wall_s, cpu_s, coordinator_cpu_s = laps.lap(1)
    return {
        "plan_s": plan_s,
        "plan_cpu_s": plan_cpu_s,
        "deliver_s": wall_s,
        "cpu_s": cpu_s,
        "coordinator_cpu_s": coordinator_cpu_s,
        "log_cpu_s": log_cpu[0] - log_cpu_before,
        "whole_cpu_s": whole_cpu_s,  # from the process's start to the run's end
        "whole_log_cpu_s": log_cpu[0],
        "evidence_cpu_s": evidence_cpu_s,
        "log_mb": log_bytes / 2**20,
        "sent": result.stats.sent,
        "peak_mb": memory_mb("self", "VmHWM"),
    }


def _timed_evidence() -> list[float]:
    """Add up from now on the CPU that writing evidence takes; return the sum, as a list of one."""
    append, total = evidence.append, [0.0]

    def timed(*arguments: Any) -> None:  # noqa: ANN401 - as `append` does
        began = time.thread_time()
        append(*arguments)
        total[0] += time.thread_time() - began

    evidence.append = timed  # type: ignore[assignment]  # takes whatever it takes
    return total


def _redacting_cpu_s(service: Service, answers: int) -> float:
    """Return the CPU of taking secrets out of so many answers, each like the last one."""
    last = service.ledger.evidence.links(ReportMonth.previous(service.clock.now()))[-1]
    began = time.thread_time()
    for _ in range(answers):
        service.redact(last.entry.answer)
    return time.thread_time() - began


def plan(wishes: Measured) -> Measured:
    """Plan the month, and send nothing."""
    with _planned(_settings(wishes)) as (service, laps):
        return {
            "plan_s": laps.lap(0)[0],
            "plan_cpu_s": laps.lap(0)[1],
            "peak_mb": memory_mb("self", "VmHWM"),
            "screen_cpu_s": _screening_cpu_s(service),
        }


def _screening_cpu_s(service: Service) -> float:
    """Return the CPU of the pass for implausible figures beside a month of the same size; the median of five."""
    month = ReportMonth.previous(service.clock.now())
    rows = {kind: list(service.source.rows(kind, month)) for kind in KINDS}
    took = []
    for _ in range(5):
        began = time.process_time()
        for kind in KINDS:
            figures = Figures(kind, month.shift(1))
            for row in rows[kind]:
                figures.add(row)
            beside_last_month(figures, service.ledger.plans.planned_rows)
        took.append(time.process_time() - began)
    return median(took)


def beat(wishes: Measured) -> Measured:
    """Let the daemon's heart beat; the median of twenty, after the first."""
    settings = _settings(wishes)
    with _logging(settings, wishes, [0.0]) as (logging, events, _):
        daemon = build_daemon(settings, events=events, redact=logging.redactor, write=lambda _pulse: None)
        took = []
        for _ in range(21):
            began = time.perf_counter()
            daemon.heartbeat.beat()
            took.append(time.perf_counter() - began)
        daemon.service.close()
    return {"beat_ms": 1000 * median(took[1:])}


def bare(wishes: Measured) -> Measured:
    """Send the same bodies through the same client with as many in flight, and record nothing."""
    settings = _settings(wishes)
    with _planned(settings) as (service, laps):
        api = service.reconciler.delivery.api
        due = _due(service)
        token = _token(api)
        workers = service.reconciler.delivery.executor
        requests = [_request(delivery, token) for delivery in due]
        under_way = 0
        laps.mark()
        for request in requests:
            if under_way == workers.capacity:
                under_way -= _accepted(workers)
            workers.submit(request, _permitted)
            under_way += 1
        while under_way:
            under_way -= _accepted(workers)
        laps.mark()
    wall_s, cpu_s, _ = laps.lap(2)
    return {"deliver_s": wall_s, "cpu_s": cpu_s, "sent": len(due)}


def asyncio_bare(wishes: Measured) -> Measured:
    """Send the same bodies with httpx's asynchronous client and as many in flight, and record nothing."""
    settings = _settings(wishes)
    with _planned(settings) as (service, laps):
        due = _due(service)
        token = _token(service.reconciler.delivery.api)
        left = iter(due)

        async def work(client: httpx.AsyncClient) -> None:
            for delivery in left:
                answer = await client.post(delivery.path, content=delivery.body)
                answer.raise_for_status()

        async def work_all() -> None:
            async with httpx.AsyncClient(base_url=settings.obelis.base_url, headers=_headers(token)) as client:
                await asyncio.gather(*(work(client) for _ in range(wishes["in_flight"])))

        laps.mark()
        asyncio.run(work_all())
        laps.mark()
    wall_s, cpu_s, _ = laps.lap(2)
    return {"deliver_s": wall_s, "cpu_s": cpu_s, "sent": len(due)}


def loop(wishes: Measured) -> Measured:
    """Send one report after the other with httpx, and commit each to SQLite: what one would write first.

    Wishes: `reports`, after which it stops.
    """
    settings = _settings(wishes)
    with _planned(settings) as (service, laps), ExitStack() as after:
        due = _due(service)[: wishes["reports"]]
        token = _token(service.reconciler.delivery.api)
        place = after.enter_context(tempfile.TemporaryDirectory())
        ledger = sqlite3.connect(Path(place) / "sent.sqlite3", isolation_level=None)
        after.callback(ledger.close)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
            ledger.execute(statement)
        ledger.execute("CREATE TABLE sent (key TEXT PRIMARY KEY, status INTEGER, answer TEXT)")
        client = after.enter_context(httpx.Client(base_url=settings.obelis.base_url, headers=_headers(token)))
        laps.mark()
        for delivery in due:
            answer = client.post(delivery.path, content=delivery.body)
            answer.raise_for_status()
            ledger.execute(
                "INSERT INTO sent VALUES (?, ?, ?)", (str(delivery.key), answer.status_code, answer.text)
            )
        laps.mark()
    wall_s, cpu_s, _ = laps.lap(2)
    return {"deliver_s": wall_s, "cpu_s": cpu_s, "sent": len(due)}


TASKS: dict[str, Callable[[Measured], Measured]] = {
    "deliver": deliver,
    "plan": plan,
    "beat": beat,
    "bare": bare,
    "asyncio": asyncio_bare,
    "loop": loop,
}


def _settings(wishes: Measured) -> Settings:
    environ = dict(os.environ)
    if "in_flight" in wishes:
        environ["REPORT_SERVICE_OBELIS__MAX_IN_FLIGHT"] = str(wishes["in_flight"])
    return load_settings(None, environ, default_files=())


@contextmanager
def _logging(settings: Settings, wishes: Measured, cpu: list[float]) -> Iterator[tuple[Any, TimedEvents, Path]]:
    """Log as a `run` does whose standard output is a file."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "log.json"
        with path.open("w", encoding="utf-8") as stream, logging_to(stream, settings) as logging:
            yield logging, TimedEvents(logging.events if wishes.get("logged", True) else None, cpu), path


@contextmanager
def _planned(settings: Settings) -> Iterator[tuple[Service, Laps]]:
    """Yield a service whose month is planned, and how long that took: the first lap."""
    with (
        _logging(settings, {}, [0.0]) as (logging, events, _),
        service_of(settings, logging, events=events, new_rate_limiter=Unlimited) as service,
    ):
        month = ReportMonth.previous(service.clock.now())
        laps = Laps()
        result = service.reconciler.reconcile(month, trigger="run", patience_s=0, send=False)
        laps.mark()
        assert result.error is None, result.error
        yield service, laps


def _due(service: Service) -> list[Delivery]:
    month, now = ReportMonth.previous(datetime.now(UTC)), datetime.now(UTC)
    attempts = service.ledger.attempts
    return [due for kind in KINDS for due in attempts.due(month, kind, at=now, limit=1_000_000)]


def _token(api: ReportApi) -> str:
    answer = api.exchange(api.token_request(str(uuid.uuid4())), _permitted)
    return api.read_token(answer, at=time.monotonic()).value


def _request(delivery: Delivery, token: str) -> Request:
    return Request(request_id=str(uuid.uuid4()), verb="POST", path=delivery.path, body=delivery.body, token=token)


def _headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def _permitted() -> None:
    return None


def _accepted(workers: RequestExecutor) -> int:
    """Wait for answers, all of them good; return how many there were."""
    found = workers.completed(60.0)
    for one in found:
        assert one.response.http_status in {200, 201}, one.response
    return len(found)


if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](json.loads(sys.argv[2]))))
