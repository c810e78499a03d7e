"""Every line that the service writes keeps the log contract, and something real writes every declared event.

What is seen is kept within this module: a few plots bring about all that can happen, in real processes and in
simulated months with the real logging, and the tests look at the lines that came of it.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from report_service.events import EVENTS
from tests.support.monitoring import FOLDER, Story
from tests.support.operator_files import write_operator
from tests.support.processes import COMMAND, MONTH, Cli, mock_api
from tests.support.simulation import MONTH as OCTOBER
from tests.support.simulation import operator, site

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSES = datetime(2026, 11, 30, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCHEMA = json.loads((FOLDER / "log-events.schema.json").read_text(encoding="utf-8"))

Line = dict[str, Any]


# --- real processes


def a_run_by_hand(folder: Path) -> str:
    """Import, and run over HTTP with faults of every sort."""
    cli = Cli(folder=folder, settings={"STORE__URL": "sqlite:///run.sqlite3"})
    faults = "400@hub_rating#1", "429=1@hub_rating#2", "lost@point_rating#1", "503@ad_hoc_tariff#1"
    options = [option for fault in faults for option in ("--fault", fault)]
    with mock_api(cli, *options, log=folder / "mock.jsonl") as mock:
        cli = cli.using(**mock.settings, RUN__PATIENCE_S=4)
        assert (
            cli("import", write_operator(folder / "csv", MONTH, hubs=3, points_per_hub=1, provider_groups=1)).code
            == 0
        )
        return cli("run").out


def a_daemon_in_a_container(folder: Path) -> str:
    """Start on an empty store, with a broken source, until the first run has told of it; stop it."""
    settings = {
        "OBELIS__MODE": "mock",
        "STORE__URL": "sqlite:///daemon.sqlite3",
        "SOURCES__HUBS__URL": "sqlite:///nowhere.sqlite3",
        "SOURCES__HUBS__QUERY": "SELECT 1",
    }
    return until("source.faulty", COMMAND, folder=folder, settings=settings, hangup=True)


def a_daemon_with_wrong_settings(folder: Path) -> str:
    return until("config.invalid", COMMAND, folder=folder, settings={"OBELIS__MODE": "htp"})


BREAKS = """
import psycopg
from report_service.cli.main import main

def broken(*given, **settings):
    raise RuntimeError("a bug")

psycopg.connect = psycopg.Connection.connect = broken
main()
"""


def a_daemon_with_a_bug(folder: Path) -> str:
    settings = {"OBELIS__MODE": "mock", "STORE__URL": "postgresql://user@127.0.0.1:1/x"}
    return until("service.crashed", sys.executable, "-c", BREAKS, folder=folder, settings=settings)


def until(event: str, *command: str | Path, folder: Path, settings: dict[str, str], hangup: bool = False) -> str:
    """Return what a daemon writes until an event, and until its end, which it is asked for then.

    `hangup`: make it read its secrets anew before that.
    """
    last = "secrets.reread" if hangup else event
    environ = Cli(folder=folder, settings=settings).environment
    with subprocess.Popen(
        [*command, "daemon"], env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        written = ""
        for line in process.stdout:
            written += line
            if hangup and f'"event":"{event}"' in line:
                process.send_signal(signal.SIGHUP)
            if f'"event":"{last}"' in line:
                process.terminate()
        assert event in written
    return written


# --- simulated months


def a_month_of_troubles(story: Story) -> None:
    """Let everything be wrong with a month until it is missed, and the next one be delivered whole."""
    story.faults(
        *("400@hub_rating#1", "503@ad_hoc_tariff#1", "lost@ad_hoc_tariff#2", "429=1@point_rating#1"),
        *("404@nondiscriminatory_access#1-9", "409@point_rating#2"),
    )
    story.world.mock.set_skew(30)
    story.site.ask("DELETE FROM hotline_ratings")
    story.site.ask(
        "UPDATE point_ratings SET rating = 7 WHERE point_id = (SELECT min(point_id) FROM point_ratings)"
    )
    story.site.store({"hub-ratings": operator(hubs=3)["hub-ratings"][2:]})
    story.start()
    logging.getLogger("some.library").warning("is worried")
    story.live(2 * HOUR)
    story.site.ask("UPDATE ad_hoc_tariffs SET cost_ct_per_kwh = 1")
    for moment in (story.world.now() + 7 * HOUR, CLOSES - 12 * HOUR, CLOSES + HOUR):
        story.world.turn_to(moment)
        story.beat()
    story.faults()
    story.site.store(operator(OCTOBER.shift(1)))
    for day in (2, 3, 32, 33):
        story.world.turn_to(CLOSES + timedelta(days=day))
        story.beat()
    for table in ("points", "hubs", "provider_groups"):
        story.site.ask(f"DELETE FROM {table}")
    story.world.turn_to(story.world.now() + 7 * HOUR)
    story.beat()


def refused_credentials(story: Story) -> None:
    story.faults("401@token")
    story.start()
    story.beat()


def an_endpoint_that_is_down_and_another_that_speaks_otherwise(story: Story) -> None:
    story.site.store(operator(hubs=10))
    story.faults("503@hub_rating#1-6", "html@point_rating#1")
    story.start()
    story.beat()


def a_kind_that_is_rejected_as_a_whole(story: Story) -> None:
    story.site.store(operator(hubs=25))
    story.faults("400@ad_hoc_tariff")
    story.start()
    story.beat()


def ids_of_another_system(story: Story) -> None:
    story.faults("404@hub_rating", "404@ad_hoc_tariff", "404@point_rating")
    story.start()
    story.beat()


def an_inventory_that_a_person_accepts(story: Story) -> None:
    teller = story.start()
    story.beat()
    story.site.ask("DELETE FROM points")
    story.world.turn(7 * 3600)
    story.beat()
    teller.daemon.service.reconciler.reconcile(OCTOBER, trigger="run", patience_s=0, accepted_by="somebody")


def too_slow_for_what_is_left(story: Story) -> None:
    story.world.turn_to(CLOSES - timedelta(minutes=8))
    story.start(obelis__requests_per_minute="1")
    story.beat()


def two_replicas(story: Story) -> None:
    """Let one deliver while the other stands by, and then lose its lease in the middle of a run."""
    one, two = story.start(log="one.log"), story.start(log="two.log")
    ledger = one.daemon.service.ledger
    ledger.leases.acquire(ledger.instance, at=story.world.monotonic())
    story.beat(two)
    story.faults("503")

    def taken() -> None:
        story.site.ask("UPDATE leases SET fence = fence + 1, holder = 'another'")

    story.world.after(60, taken)
    story.beat(one)


def a_month_that_is_rehearsed(story: Story) -> None:
    """Let a day's rehearsal fail, and the next one come to its end."""
    story.world.turn_to(datetime(2026, 11, 25, 5, tzinfo=UTC))
    story.start(schedule__rehearse_day="25")
    tempdir, tempfile.tempdir = tempfile.tempdir, str(story.folder / "nowhere")
    story.beat()
    tempfile.tempdir = tempdir
    story.world.turn(24 * 3600)
    story.beat()


def reports_of_someone_else(story: Story) -> None:
    """Replace them, and then have paths that cannot name them."""
    with site(story.folder, story.world).process() as another:
        another.run()
    story.start(obelis__on_conflict="replace")
    story.beat()
    further = site(story.folder, story.world)
    unnamed = story.start(
        at=further, log="b.log", obelis__on_conflict="replace", obelis__paths__correction="/{obelis_id}"
    )
    story.beat(unnamed)


def a_store_that_goes_away(story: Story) -> None:
    teller = story.start()
    story.beat()
    here, away = Path(story.site.url.removeprefix("sqlite:///")), story.folder / "away"
    teller.daemon.service.store.close()
    here.rename(away)
    here.mkdir()  # else SQLite would make a new one
    story.beat()
    here.rmdir()
    away.rename(here)
    story.beat()


PROCESSES = a_run_by_hand, a_daemon_in_a_container, a_daemon_with_wrong_settings, a_daemon_with_a_bug
STORIES = (
    a_month_of_troubles,
    refused_credentials,
    an_endpoint_that_is_down_and_another_that_speaks_otherwise,
    a_kind_that_is_rejected_as_a_whole,
    ids_of_another_system,
    an_inventory_that_a_person_accepts,
    too_slow_for_what_is_left,
    a_month_that_is_rehearsed,
    reports_of_someone_else,
    two_replicas,
    a_store_that_goes_away,
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Line]]:
    """Return the lines of every log that the plots bring about."""
    texts = [plot(tmp_path_factory.mktemp(plot.__name__)) for plot in PROCESSES]
    for tale in STORIES:
        folder = tmp_path_factory.mktemp(tale.__name__)
        tell(tale, folder)
        texts += [log.read_text(encoding="utf-8") for log in folder.glob("*.log")]
    return [[json.loads(line) for line in text.splitlines()] for text in texts]


def tell(tale: Callable[[Story], None], folder: Path) -> None:
    story = Story(folder, watched=False)
    try:
        tale(story)
    finally:
        story.close()


@pytest.fixture(scope="module")
def lines(logs: list[list[Line]]) -> list[Line]:
    """Return every line."""
    return [line for log in logs for line in log]


def test_every_line_keeps_the_contract(lines: list[Line]) -> None:
    contract = jsonschema.Draft202012Validator(SCHEMA)
    wrong = [(line, error.message) for line in lines for error in contract.iter_errors(line)]
    assert wrong == []


@pytest.mark.parametrize("event", EVENTS)
def test_every_declared_event_is_written_by_something_real(lines: list[Line], event: str) -> None:
    assert event in {line["event"] for line in lines}


def test_no_line_but_a_librarys_says_that_an_event_broke_the_contract(lines: list[Line]) -> None:
    messages = [line for line in lines if line["event"] == "log.message"]
    assert [line for line in messages if line["logger"].startswith("report_service.logs")] == []


def test_each_run_has_one_line_at_its_beginning_and_one_at_its_end(logs: list[list[Line]]) -> None:
    runs = [(log, line["run_id"]) for log in logs for line in log if line["event"] == "run.started"]
    assert len(runs) > 10
    for log, run in runs:
        events = [line["event"] for line in log if line.get("run_id") == run]
        assert events.count("run.started") == 1
        assert events.count("run.completed") + events.count("run.failed") == 1


def test_the_runs_id_is_on_every_line_of_a_run_and_on_no_other(lines: list[Line]) -> None:
    inside = ("report.", "auth.", "pace.", "data.", "source.", "window.opened", "window.missed")
    outside = ("service.", "config.", "run.heartbeat", "window.closing", "store.upgraded")
    assert [line for line in lines if line["event"].startswith(inside) and "run_id" not in line] == []
    assert [line for line in lines if line["event"].startswith(outside) and "run_id" in line] == []
