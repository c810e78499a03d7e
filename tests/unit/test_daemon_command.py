from __future__ import annotations

import pytest

from report_service.cli.daemon import told
from report_service.errors import SchemaOutdated
from tests.support.fakes import RecordingEvents


def test_a_bug_that_ends_the_daemon_is_told_in_the_log_and_by_the_exit_code() -> None:
    events = RecordingEvents()

    def serve() -> int:
        raise KeyError("a bug")

    assert told(events, serve) == 1
    (crash,) = events.of("service.crashed")
    assert crash["detail"] == "KeyError: 'a bug'"
    assert "Traceback" in str(crash["exception"])


def test_what_a_person_must_mend_first_is_told_with_the_way_out_and_raised_for_the_exit_code() -> None:
    events = RecordingEvents()

    def serve() -> int:
        raise SchemaOutdated("tables of another version", hint="upgrade")

    with pytest.raises(SchemaOutdated):
        told(events, serve)
    assert events.emitted == [("config.invalid", {"detail": "tables of another version", "hint": "upgrade"})]


def test_otherwise_the_exit_code_is_the_daemon_s() -> None:
    assert told(RecordingEvents(), lambda: 0) == 0
