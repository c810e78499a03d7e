from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, TextIO, cast

import jsonschema
import pytest
import structlog

from report_service import __version__
from report_service.errors import ContractViolation
from report_service.events import Level
from report_service.logs.config import Logging, configure_logging
from tests.support.fakes import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from report_service.logs.pipeline import TableSchema
    from report_service.ports import Events

SCHEMA = Path(__file__).parents[2] / "config/monitoring/log-events.schema.json"
CONTRACT = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
SECRET = "test-secret-ü/1"
NOW = datetime(2026, 11, 1, 6, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=1)))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Output:
    """Configured logging and what came out of it."""

    def __init__(self) -> None:
        self.stream: io.StringIO = io.StringIO()
        self._open: list[Logging] = []

    def configure(
        self,
        form: TableSchema = "json",
        level: Level = Level.INFO,
        stream: TextIO | None = None,
        strict: bool = False,
    ) -> Logging:
        made = configure_logging(
            form=form,
            level=level,
            stream=stream or self.stream,
            now=lambda: NOW,
            secrets=[SECRET],
            strict=strict,
        )
        self._open.append(made)
        return made

    def lines(self) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        for line in lines:
            CONTRACT.validate(line)
        return lines

    def line(self) -> dict[str, object]:
        (line,) = self.lines()
        return line

    def close(self) -> None:
        for each in reversed(self._open):
            each.close()


@pytest.fixture
def output() -> Iterator[Output]:
    made = Output()
    yield made
    made.close()


def test_an_event_is_one_flat_json_line_with_the_common_fields_first(output: Output) -> None:
    events: Events = output.configure().events
    events.bind(run_id="r1").emit("report.accepted", **ACCEPTED, obelis_id=None)
    assert output.stream.getvalue().endswith("}\n")
    line = output.line()
    assert line == {
        "timestamp": "2026-11-01T05:00:00.123Z",
        "level": "info",
        "event": "report.accepted",
        "service": "report-service",
        "version": __version__,
        "schema": 1,
        "run_id": "r1",
        **ACCEPTED,
    }
    assert list(line)[:7] == ["timestamp", "level", "event", "service", "version", "schema", "run_id"]


def test_no_character_of_a_text_can_break_a_line_or_an_encoding(output: Output) -> None:
    nasty = 'a\nb\r\u2028"}{\x1b[31m\udcff ü'
    output.configure().events.emit("store.lost", detail=nasty)
    assert output.stream.getvalue().isascii()
    assert output.line()["detail"] == 'a\nb\r\u2028"}{\x1b[31m\\udcff ü'


@pytest.mark.parametrize(("length", "kept"), [(499, 499), (500, 500), (501, 495)])
def test_long_text_is_cut(output: Output, length: int, kept: int) -> None:
    output.configure().events.emit("store.lost", detail="x" * length)
    assert output.line()["detail"] == "x" * kept + ("" if kept == length else "[...]")


@pytest.mark.parametrize("letter", ["x", "ä", "\U0001f50c", '"', "\x01"])
def test_no_line_is_longer_than_a_container_runtime_keeps_whole(output: Output, letter: str) -> None:
    texts = {"detail": letter * 8_000, "exception": f"{letter * 8_000}end"}
    output.configure().events.emit("service.crashed", **texts)

    (line,) = output.stream.getvalue().splitlines()
    assert len(line) <= 16_000
    assert json.loads(line)["exception"].endswith("end")
    assert len(json.loads(line)["detail"]) > 100


def test_a_long_traceback_keeps_its_end(output: Output) -> None:
    text = "start" + "x" * 8_000 + "end"
    output.configure().events.emit("service.crashed", detail="d", exception=text)
    assert output.line()["exception"] == "[...]" + text[-7_995:]


def test_a_secret_is_gone_even_where_the_cut_would_have_split_it(output: Output) -> None:
    logs = output.configure()
    logs.events.emit("store.lost", detail="x" * 490 + SECRET)
    logs.redactor.learn("opaque-token")
    logs.events.emit("store.lost", detail="got opaque-token")
    assert [line["detail"] for line in output.lines()] == ["x" * 490 + "[redacted]", "got [redacted]"]


def test_a_level_leaves_out_what_matters_less(output: Output) -> None:
    events = output.configure(level=Level.ERROR).events
    events.emit("report.accepted", **ACCEPTED)
    events.emit("store.lost", detail="d")
    events.emit("auth.failed", detail="d")
    assert [line["event"] for line in output.lines()] == ["auth.failed"]


def test_a_misspelt_event_raises_when_strict_and_is_named_when_not(output: Output) -> None:
    with pytest.raises(ContractViolation, match=r"report\.acepted is not a declared event"):
        output.configure(strict=True).events.emit("report.acepted")
    output.configure().events.emit("report.acepted", key="k")
    line = output.line()
    assert (line["event"], line["level"]) == ("log.message", "error")
    assert line["detail"] == "report.acepted is not a declared event; did you mean report.accepted?"


def test_a_wrong_optional_field_is_named_and_left_out_but_the_event_is_kept(output: Output) -> None:
    output.configure().events.emit("report.accepted", **ACCEPTED, obelis_id=7, body="{}")
    complaint, event = output.lines()
    assert complaint["detail"] == (
        "report.accepted: obelis_id takes a string, not int; report.accepted: body is not declared"
    )
    assert event["event"] == "report.accepted"
    assert not {"obelis_id", "body"} & event.keys()


def test_an_event_without_a_required_field_is_named_instead_of_written(output: Output) -> None:
    output.configure().events.emit("store.lost")
    assert output.line()["detail"] == "store.lost lacks detail"


def test_what_cannot_be_bound_is_named_and_the_rest_is_bound(output: Output) -> None:
    events = output.configure().events.bind(tenant="x", run_id="r1")
    events.emit("store.lost", detail="d")
    complaint, event = output.lines()
    assert complaint["detail"] == "bound, but not declared for any event: tenant"
    assert event["run_id"] == "r1"


@pytest.mark.parametrize(
    "name", ["sqlalchemy.engine", "alembic.runtime.migration", "apscheduler.scheduler", "uvicorn.error"]
)
def test_lines_of_other_libraries_come_out_as_messages(output: Output, name: str) -> None:
    output.configure()
    logging.getLogger(name).error("no %s", "room")
    line = output.line()
    assert (line["event"], line["level"], line["logger"], line["detail"]) == (
        "log.message",
        "error",
        name,
        "no room",
    )


@pytest.mark.parametrize(
    ("number", "level"),
    [(1, "debug"), (10, "debug"), (20, "info"), (25, "info"), (30, "warning"), (50, "critical"), (60, "critical")],
)
def test_any_level_of_other_libraries_has_a_name_of_ours(output: Output, number: int, level: str) -> None:
    output.configure(level=Level.DEBUG)
    logger = logging.getLogger("elsewhere")
    logger.setLevel(1)
    logger.log(number, "hello")
    logger.setLevel(logging.NOTSET)
    assert [line["level"] for line in output.lines()] == [level]


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "apscheduler.executors.default", "uvicorn.access"])
@pytest.mark.parametrize("level", [Level.DEBUG, Level.INFO])
def test_the_chatter_of_libraries_is_left_out_and_their_warnings_are_not(
    output: Output, name: str, level: Level
) -> None:
    output.configure(level=level)
    logging.getLogger(name).info("HTTP Request: POST")
    logging.getLogger(name).warning("odd")
    assert output.line()["detail"] == "odd"


def test_a_librarys_exception_is_written_without_its_secrets(output: Output) -> None:
    output.configure()
    try:
        int(f"https://user:pw@db/{SECRET}")
    except ValueError:
        logging.getLogger("elsewhere").exception("failed with %s", SECRET)
    line = output.line()
    assert line["detail"] == "failed with [redacted]"
    assert "https://[redacted]@db/[redacted]" in str(line["exception"])
    assert "Traceback" in str(line["exception"])


def test_a_line_that_cannot_be_formatted_is_still_written(output: Output) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    output.configure()
    logging.getLogger("elsewhere").warning("count %d", "many")
    logging.getLogger("elsewhere").warning("what %s", Broken())
    assert [line["detail"] for line in output.lines()] == [
        "not to be formatted: count %d",
        "not to be formatted: what %s",
    ]


def test_a_line_logged_as_an_exception_where_there_is_none_has_no_traceback(output: Output) -> None:
    output.configure()
    nothing = {"name": "elsewhere", "levelno": logging.ERROR, "msg": "odd", "exc_info": (None, None, None)}
    logging.getLogger("elsewhere").handle(logging.makeLogRecord(nothing))
    assert "exception" not in output.line()


def test_a_warning_is_a_message(output: Output) -> None:
    output.configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"old: {SECRET}", DeprecationWarning, stacklevel=1)
    line = output.line()
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "DeprecationWarning: old: [redacted]" in str(line["detail"])


def test_structlog_used_past_the_contract_is_a_message(output: Output) -> None:
    output.configure()
    structlog.get_logger("stray").warning("hello", a=1)
    line = output.line()
    assert (line["event"], line["level"], line["detail"]) == ("log.message", "warning", "event='hello' a=1")


def test_an_uncaught_exception_is_a_crash(output: Output) -> None:
    output.configure()
    try:
        int(SECRET)
    except ValueError as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)
    line = output.line()
    assert (line["event"], line["level"]) == ("service.crashed", "critical")
    assert line["detail"] == "ValueError: invalid literal for int() with base 10: '[redacted]'"
    assert "test_logs.py" in str(line["exception"])


def test_a_crash_is_described_by_its_error_not_by_the_notes_on_it(output: Output) -> None:
    output.configure()
    failure = RuntimeError("broken")
    failure.add_note("seen before")
    sys.excepthook(RuntimeError, failure, None)
    line = output.line()
    assert line["detail"] == "RuntimeError: broken"
    assert str(line["exception"]).endswith("seen before")


def test_an_interrupt_is_no_crash(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.configure()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert output.lines() == []
    assert "KeyboardInterrupt" in capsys.readouterr().err


def run_in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work, name="worker-1")
    thread.start()
    thread.join()


def test_a_thread_that_dies_is_a_crash_and_says_which(output: Output) -> None:
    output.configure()
    run_in_thread(lambda: int("x"))
    assert str(output.line()["detail"]).endswith("'x' (in thread worker-1)")


def test_a_thread_that_exits_is_no_crash(output: Output) -> None:
    output.configure()
    run_in_thread(sys.exit)
    assert output.lines() == []


def test_an_exception_in_a_finalizer_is_a_message(output: Output) -> None:
    class Leaky:
        def __del__(self) -> None:
            int("x")

    output.configure()
    leaky = Leaky()
    del leaky
    line = output.line()
    assert (line["event"], line["level"], line["logger"]) == ("log.message", "error", "python")
    assert str(line["exception"]).endswith("'x'")


def test_a_finalizer_that_says_little_is_a_message_all_the_same(output: Output) -> None:
    output.configure()
    sys.unraisablehook(cast("sys.UnraisableHookArgs", SimpleNamespace(err_msg=None, exc_value=None)))
    line = output.line()
    assert line["detail"] == "exception ignored"
    assert "exception" not in line


def test_closing_puts_back_what_stood_before(output: Output) -> None:
    def state() -> tuple[object, ...]:
        root = logging.getLogger()
        hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning)
        return (*hooks, list(root.handlers), root.level, logging.getLogger("httpx").level)

    before = state()
    made = output.configure()
    assert state() != before
    made.close()
    assert state() == before
    assert not structlog.is_configured()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_text_for_people_leaves_out_what_they_know(output: Output, stream: io.StringIO) -> None:
    output.configure(form="text", stream=stream).events.emit("store.lost", detail=f"no route, {SECRET}")
    text = stream.getvalue()
    assert "store.lost" in text
    assert "no route, [redacted]" in text
    assert "schema" not in text
    assert "report-service" not in text
    assert ("\x1b[" in text) is stream.isatty()


def test_text_for_people_shows_tracebacks_as_lines_and_obeys_no_control_characters(output: Output) -> None:
    output.configure(form="text").events.emit("service.crashed", detail="\x1b[2J", exception="line 1\nline 2")
    assert "\nline 1\nline 2" in output.stream.getvalue()
    assert "\x1b[2J" not in output.stream.getvalue()


def test_text_that_the_terminal_cannot_show_is_escaped(output: Output) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    output.configure(form="text", stream=stream).events.emit("store.lost", detail="Grüße")
    assert b"Gr\\xfc\\xdfe" in raw.getvalue()


class Interrupting(io.StringIO):
    """Does something else before it writes its first line."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        super().__init__()
        self._pending = [interrupt]

    def write(self, text: str, /) -> int:
        if self._pending:
            self._pending.pop()()
        return super().write(text)


def test_a_line_is_written_whole_before_another_threads_line(output: Output) -> None:
    def other() -> None:
        threads.append(threading.Thread(target=lambda: events.emit("store.lost", detail="second")))
        threads[0].start()
        threads[0].join(timeout=0.2)  # ends early only where nothing makes it wait

    threads: list[threading.Thread] = []
    output.stream = Interrupting(other)
    events = output.configure().events
    events.emit("store.lost", detail="first")
    threads[0].join()
    assert [line["detail"] for line in output.lines()] == ["first", "second"]


def test_a_signal_handler_may_log_while_its_thread_writes(output: Output) -> None:
    output.stream = Interrupting(lambda: events.emit("service.stopping", reason="SIGTERM"))
    events = output.configure().events
    thread = threading.Thread(target=lambda: events.emit("store.lost", detail="d"), daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert sorted(str(line["event"]) for line in output.lines()) == ["service.stopping", "store.lost"]


class Full(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def write(self, text: str, /) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_loses_lines_and_stops_nothing(output: Output) -> None:
    output.stream = stream = Full()
    events = output.configure().events
    events.emit("store.lost", detail="first")
    stream.full = False
    events.emit("store.lost", detail="second")
    assert output.line()["detail"] == "second"


def test_a_closed_stream_stops_nothing(output: Output) -> None:
    events = output.configure().events
    output.stream.close()
    events.emit("store.lost", detail="d")


PROGRAM = """
import sys
from datetime import UTC, datetime
from report_service.events import Level
from report_service.logs.config import configure_logging

events = configure_logging(
    form="json", level=Level.INFO, stream=sys.stdout, now=lambda: datetime.now(UTC), secrets=["test-secret"]
).events
"""


def run(program: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM + program]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=buffered)


def test_a_reader_that_went_away_stops_neither_the_process_nor_spoils_its_exit_code() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run(
        "for _ in range(3): events.emit('store.lost', detail='d')\nprint('done', file=sys.stderr)", writing
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "done\n")


def test_a_crash_of_the_process_is_its_last_line_on_stdout_and_stderr_stays_empty() -> None:
    ended = run("raise RuntimeError('the secret is test-secret')")
    (line,) = [json.loads(each) for each in ended.stdout.splitlines()]
    CONTRACT.validate(line)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert line["detail"] == "RuntimeError: the secret is [redacted]"
    assert "test-secret" not in ended.stdout
