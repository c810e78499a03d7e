"""How a command ends: signals, bugs, and streams that nobody reads."""

from __future__ import annotations

import io
import os
import signal

import pytest
import typer

from report_service.cli.common import ShutdownSignal, logging_to
from report_service.cli.exits import explain
from report_service.cli.streams import unbreakable
from report_service.errors import BadInput, ReportServiceError
from report_service.settings import load_settings

SECRET = "test-secret-of-the-client"
ENVIRON = {
    "REPORT_SERVICE_OBELIS__MODE": "mock",
    "REPORT_SERVICE_OBELIS__CLIENT_SECRET": SECRET,
    "REPORT_SERVICE_STORE__URL": "sqlite:///none.sqlite3",
}


def test_a_signal_asks_to_end_and_a_second_interrupt_ends_at_once() -> None:
    sign = ShutdownSignal()
    before = signal.getsignal(signal.SIGTERM)

    with sign.listening():
        assert sign() is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert sign() == "SIGTERM"
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    assert signal.getsignal(signal.SIGTERM) is before


def test_a_bug_is_logged_without_secrets_and_ends_with_1() -> None:
    stream = io.StringIO()

    with pytest.raises(typer.Exit) as ended, logging_to(stream, load_settings(None, ENVIRON, default_files=())):
        raise ValueError(f"no {SECRET} here")

    assert ended.value.exit_code == 1
    assert '"event":"service.crashed"' in stream.getvalue()
    assert "ValueError: no " in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("why", [BadInput("a bad row"), typer.Exit(3), typer.Abort()])
def test_what_is_no_bug_goes_its_way(why: Exception) -> None:
    stream = io.StringIO()

    with pytest.raises(type(why)), logging_to(stream):
        raise why

    assert stream.getvalue() == ""


def test_an_error_is_told_with_its_hint_if_it_has_one() -> None:
    out = io.StringIO()

    explain(ReportServiceError("it broke", hint="mend it"), out)
    explain(ReportServiceError("it broke"), out)

    assert out.getvalue() == "Error: it broke\n  -> mend it\nError: it broke\n"


def test_what_nobody_reads_counts_as_written() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        stream = unbreakable(pipe)
        stream.write("first\n")
        assert os.read(reader, 100) == b"first\n"

        os.close(reader)
        for line in ("second\n", "third\n"):
            stream.write(line)
            stream.flush()


def test_a_stream_that_was_closed_at_start_takes_everything() -> None:
    with unbreakable(None) as stream:
        stream.write("anything\n")
