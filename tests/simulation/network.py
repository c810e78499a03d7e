"""Requests under way between a process and the API: what the executor's threads and the sockets are otherwise."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from report_service.domain.responses import ApiResponse
from report_service.ports import CompletedRequest
from tests.simulation.engine import ProcessDied
from tests.simulation.obelis import Sender, http_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.ports import Request, SendCheck
    from tests.simulation.engine import Process, ProcessClock, Task
    from tests.simulation.obelis import Reply, SimulatedObelis


class SimulatedExecutor:
    """Exchange requests over a network that takes its time (`ports.RequestExecutor`).

    What left goes on without the process: it arrives although nobody waits for the answer any more.
    """

    def __init__(
        self, process: Process, clock: ProcessClock, obelis: SimulatedObelis, *, capacity: int, timeout_s: float
    ) -> None:
        self.capacity = capacity
        self._process = process
        self._clock = clock
        self._obelis = obelis
        self._timeout_s = timeout_s
        self._under_way = 0
        self._ended: deque[CompletedRequest] = deque()
        self._waiting: Task | None = None
        self._heard_at: float | None = None

    def submit(self, request: Request, send_check: SendCheck) -> None:
        self._process.switch()
        self._under_way += 1
        assert self._under_way <= self.capacity, "more under way than there are workers"
        started = self._clock.monotonic()
        world = self._process.world
        world.after(world.random.expovariate(200.0), partial(self._depart, request, send_check, started))

    def completed(self, timeout_s: float) -> Sequence[CompletedRequest]:
        if not self._ended:
            self._waiting = self._process.running
            self._process.wait(max(timeout_s, 0.0))
            self._waiting = None
        ended = list(self._ended)
        self._ended.clear()
        self._under_way -= len(ended)
        return ended

    def close(self) -> None:
        """Abandon what is under way."""

    def _depart(self, request: Request, send_check: SendCheck, started: float) -> None:
        process, world = self._process, self._process.world
        if process.dead:
            return
        if process.frozen_until > world.elapsed:
            world.at(process.frozen_until, partial(self._depart, request, send_check, started))
            return
        try:
            reason = send_check()
        except ProcessDied:
            return
        if reason is not None:
            self._end(request, ApiResponse(sent=False, detail=reason), started)
            return
        clock_off_s = (self._clock.now() - world.now).total_seconds()
        heard_ago_s = None if self._heard_at is None else world.elapsed - self._heard_at
        sender = Sender(process.name, clock_off_s, heard_ago_s)
        world.after(world.random.expovariate(50.0), partial(self._arrive, request, sender, started))

    def _arrive(self, request: Request, sender: Sender, started: float) -> None:
        world = self._process.world
        reply = self._obelis.receive(request, sender)
        back_s = reply.delay_s + world.random.expovariate(20.0)
        left_s = self._timeout_s - (self._clock.monotonic() - started)
        if back_s >= left_s:
            answer = ApiResponse(detail=f"no whole answer within {self._timeout_s:g} s")
            world.after(max(left_s, 0.0), partial(self._end, request, answer, started))
        else:
            world.after(back_s, lambda: self._end(request, self._response(reply), started))

    def _response(self, reply: Reply) -> ApiResponse:
        if reply.status is None:
            return ApiResponse(sent=reply.reached, detail=reply.words)
        if reply.status == 201 and reply.body and reply.complete and reply.date_off_s == 0:
            self._heard_at = self._process.world.elapsed
        return ApiResponse(
            http_status=reply.status,
            body=reply.body,
            complete=reply.complete,
            detail="" if reply.complete else "the answer was cut off",
            retry_after_s=reply.retry_after_s,
            server_date=http_date(self._process.world.now, reply.date_off_s),
        )

    def _end(self, request: Request, answer: ApiResponse, started: float) -> None:
        if self._process.dead:
            return
        ended = self._clock.monotonic()
        self._ended.append(CompletedRequest(request=request, response=answer, started=started, ended=ended))
        if self._waiting is not None:
            self._waiting.wake()
