"""Workers: requests at the same time, and what becomes of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from report_service.adapters.obelis.executor import ThreadedExecutor
from report_service.domain.responses import ApiResponse, Outcome, classify
from tests.support.api_client import TOKEN, a_request, allowed
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from report_service.ports import CompletedRequest, Request, SendCheck


class SlowApi:
    """An API whose answers wait until the test lets them go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.all_there = threading.Barrier(4)

    def token_request(self, request_id: str) -> Request:
        raise AssertionError("not asked for")

    def read_token(self, answer: ApiResponse, *, at: float) -> object:
        raise AssertionError("not asked for")

    def exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        self.all_there.wait(10)
        self.go.wait(10)
        return ApiResponse(http_status=200, detail=send_check() or "")


class QuickApi(SlowApi):
    def exchange(self, request: Request, send_check: SendCheck) -> ApiResponse:
        if request.path == "/bug":
            raise KeyError(TOKEN)
        return ApiResponse(http_status=200)


def collect(executor: ThreadedExecutor, count: int) -> list[CompletedRequest]:
    found: list[CompletedRequest] = []
    while len(found) < count:
        some = executor.completed(10)
        assert some, "nothing ended within 10 s"
        found += some
    return found


def test_requests_are_exchanged_at_the_same_time() -> None:
    api = SlowApi()
    executor = ThreadedExecutor(api, capacity=3, clock=FakeClock())  # type: ignore[arg-type]
    for number in range(3):
        executor.submit(a_request(request_id=str(number)), lambda: "asked")
    api.all_there.wait(10)  # all three are with the API
    assert executor.completed(0) == []
    api.go.set()
    found = collect(executor, 3)
    assert {one.request.request_id for one in found} == {"0", "1", "2"}
    assert {one.response.detail for one in found} == {"asked"}
    assert {(one.started, one.ended) for one in found} == {(1000.0, 1000.0)}
    executor.close()


def test_everything_that_ended_comes_back_at_once() -> None:
    executor = ThreadedExecutor(QuickApi(), capacity=1, clock=FakeClock())  # type: ignore[arg-type]
    for number in range(20):
        executor.submit(a_request(request_id=str(number)), allowed)
    assert [one.request.request_id for one in collect(executor, 20)] == [str(number) for number in range(20)]
    executor.close()


def test_a_worker_outlives_a_bug_and_the_request_s_end_is_unknown() -> None:
    executor = ThreadedExecutor(QuickApi(), capacity=1, clock=FakeClock())  # type: ignore[arg-type]
    executor.submit(a_request(path="/bug"), allowed)
    executor.submit(a_request(), allowed)
    first, second = collect(executor, 2)
    assert classify(first.response).outcome is Outcome.NO_ANSWER
    assert first.response.detail.startswith("a bug: KeyError in exchange, line ")
    assert second.response.http_status == 200
    executor.close()


def test_what_has_not_begun_is_never_sent_after_closing() -> None:
    api = SlowApi()
    executor = ThreadedExecutor(api, capacity=3, clock=FakeClock())  # type: ignore[arg-type]
    for number in range(5):
        executor.submit(a_request(request_id=str(number)), allowed)
    api.all_there.wait(10)
    executor.close()
    api.go.set()
    assert len(collect(executor, 3)) == 3
    assert executor.completed(0) == []


def test_workers_are_started_when_there_is_something_to_send_and_do_not_keep_the_process_from_ending() -> None:
    before = set(threading.enumerate())
    executor = ThreadedExecutor(QuickApi(), capacity=2, clock=FakeClock())  # type: ignore[arg-type]
    assert set(threading.enumerate()) == before
    for number in range(5):
        executor.submit(a_request(request_id=str(number)), allowed)
    workers = set(threading.enumerate()) - before
    assert len(workers) == executor.capacity == 2
    assert all(worker.daemon for worker in workers)
    assert len(collect(executor, 5)) == 5
    executor.close()
    for worker in workers:
        worker.join(10)
    assert not any(worker.is_alive() for worker in workers)
