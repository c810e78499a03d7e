"""Requests under way: threads that exchange bytes and know nothing else."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from traceback import extract_tb
from typing import TYPE_CHECKING

from report_service.domain.responses import ApiResponse
from report_service.ports import CompletedRequest

if TYPE_CHECKING:
    from report_service.ports import Clock, ReportApi, Request, SendCheck


class ThreadedExecutor:
    """Exchange up to `capacity` requests at once, each in a thread.

    The threads are daemons: a request that hangs does not keep the process from ending.
    """

    def __init__(self, api: ReportApi, *, capacity: int, clock: Clock) -> None:
        """Take what exchanges; a thread is started when there is something to send and no other is free."""
        self.capacity = capacity
        self._api = api
        self._clock = clock
        self._waiting: SimpleQueue[tuple[Request, SendCheck] | None] = SimpleQueue()
        self._finished: SimpleQueue[CompletedRequest] = SimpleQueue()
        self._threads = 0
        self._under_way = 0

    def submit(self, request: Request, send_check: SendCheck) -> None:
        """Let a free worker exchange the request."""
        self._under_way += 1
        if self._threads < min(self._under_way, self.capacity):
            threading.Thread(target=self._work, name=f"exchange-{self._threads}", daemon=True).start()
            self._threads += 1
        self._waiting.put((request, send_check))

    def completed(self, timeout_s: float) -> list[CompletedRequest]:
        """Return what has ended; wait up to `timeout_s` seconds for the first one if nothing has."""
        try:
            first = self._finished.get(timeout=max(timeout_s, 0.0))
        except Empty:
            return []
        found = [first, *(self._finished.get() for _ in range(self._finished.qsize()))]
        self._under_way -= len(found)
        return found

    def close(self) -> None:
        """Abandon what is under way; its end stays unknown. What has not begun is never sent."""
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()
        for _ in range(self._threads):
            self._waiting.put(None)

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            request, send_check = one
            started = self._clock.monotonic()
            answer = self._exchange(request, send_check)
            ended = self._clock.monotonic()
            self._finished.put(CompletedRequest(request=request, response=answer, started=started, ended=ended))

    def _exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        try:
            return self._api.exchange(request, send_check)
        except Exception as exc:  # noqa: BLE001 -- a worker that dies silently would leave the request for ever under way
            where = extract_tb(exc.__traceback__)[-1]
            return ApiResponse(detail=f"a bug: {type(exc).__name__} in {where.name}, line {where.lineno}")
