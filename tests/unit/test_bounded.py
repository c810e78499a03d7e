"""Reading ends in bounded time: what the source takes counts, what its reader takes does not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from report_service.adapters.db.bounded import within
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence


def batches(
    clock: FakeClock, *seconds: float, closed: list[bool] | None = None
) -> Callable[[Callable[[], bool]], Generator[Sequence[int]]]:
    """Return what gives a batch of one after so many seconds each, and notes that it was closed."""

    def read(_given_up: Callable[[], bool]) -> Generator[Sequence[int]]:
        try:
            for number, each in enumerate(seconds):
                clock.sleep(each)
                yield [number]
        finally:
            if closed is not None:
                closed.append(True)

    return read


@pytest.mark.parametrize(("last", "late"), [(99.9, False), (100.0, False), (100.1, True)])
def test_all_batches_together_have_so_many_seconds(last: float, *, late: bool) -> None:
    clock, found = FakeClock(), list[int]()
    reading = within(300, batches(clock, 100, 100, last), clock=clock)
    if late:
        with pytest.raises(TimeoutError):
            found.extend(reading)
    else:
        found.extend(reading)
    assert found == [0, 1] if late else [0, 1, 2]


def test_what_the_reader_takes_does_not_count() -> None:
    clock = FakeClock()
    for _ in within(300, batches(clock, 100, 100, 100), clock=clock):
        clock.sleep(1000)


def test_what_never_answers_is_left_behind_and_told_to_end() -> None:
    told, ended = threading.Event(), threading.Event()

    def read(given_up: Callable[[], bool]) -> Generator[Sequence[int]]:
        yield [1]
        while not given_up():
            told.wait(0.001)
        ended.set()

    reading = within(0.05, read, clock=FakeClock())
    assert next(reading) == 1
    with pytest.raises(TimeoutError):
        next(reading)
    assert ended.wait(30)


def test_what_reading_raises_is_raised_and_nothing_stays_open() -> None:
    closed = list[bool]()

    def read(_given_up: Callable[[], bool]) -> Generator[Sequence[int]]:
        try:
            yield [1]
            raise LookupError("odd")
        finally:
            closed.append(True)

    reading = within(300, read, clock=FakeClock())
    assert next(reading) == 1
    with pytest.raises(LookupError, match="odd"):
        next(reading)
    assert closed == [True]


def test_a_reader_that_wants_no_more_ends_it() -> None:
    closed = list[bool]()
    reading = within(300, batches(FakeClock(), 1, 1, 1, closed=closed), clock=FakeClock())
    assert next(reading) == 0
    reading.close()  # type: ignore[attr-defined]
    assert closed == [True]
