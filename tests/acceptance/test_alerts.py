"""Each alert is fired by its cause and ends with it: what happens, the log, mtail, the rules."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.monitoring import Story, alerts
from tests.support.processes import COMMAND, said_by_a_process
from tests.support.simulation import MONTH, SimulatedExecutor, operator, site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from report_service.ports import CompletedRequest

pytestmark = pytest.mark.monitoring

CLOSES = datetime(2026, 11, 30, 23, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SWEEP = timedelta(minutes=20)
"""Longer than the quarter of an hour between two looks at what is undelivered."""

STORIES: dict[str, Callable[[Path], Story]] = {}
"""For each alert what brings it about and what ends it."""


def of(alert: str, *, at: datetime | None = None, hubs: int = 2) -> Callable[[Callable[[Story], None]], None]:
    """Keep a function as the story of an alert, which begins at a moment."""

    def keep(tell: Callable[[Story], None]) -> None:
        def told(folder: Path) -> Story:
            story = Story(folder, at, hubs=hubs)
            try:
                tell(story)
            finally:
                story.close()
            return story

        STORIES[alert] = told

    return keep


def looked_at_anew(story: Story) -> None:
    """Let so much time go by that even a complete month is looked at once more."""
    story.world.turn_to(story.world.now() + 7 * HOUR)
    story.beat()


def swept(story: Story, *left: str) -> None:
    """Let a sweep pass, after which only these alerts fire."""
    story.live(SWEEP)
    story.expect(*left)


# --- the process


@of("HeartbeatAbsent")
def _(story: Story) -> None:
    daemon = story.start()
    daemon.logging.events.emit("lease.acquired")
    for _ in range(4):
        story.note()
        story.world.turn(300)
    story.note()
    story.expect("HeartbeatAbsent")
    story.beat()
    story.expect()


@of("Dead")
def _(story: Story) -> None:
    story.start()
    story.live(HOUR)
    story.expect()
    story.world.turn(20 * 60)
    story.expect("Dead")
    story.beat()
    story.expect()


@of("ReplicaDead")
def _(story: Story) -> None:
    one, _ = story.start(log="one.log"), story.start(log="two.log")
    story.live(10 * MINUTE)
    story.expect()
    story.live(20 * MINUTE, one)
    story.expect("ReplicaDead")
    story.beat()
    story.expect()


@of("LogUnparsed")
def _(story: Story) -> None:
    story.start()
    story.live(10 * MINUTE)
    story.write('{"log":"{\\"timestamp\\":\\"2026-11-02T09:10:00.000Z\\"}\\n","stream":"stdout"}')
    story.live(5 * MINUTE)
    story.expect("LogUnparsed")
    story.live(70 * MINUTE)
    story.expect()


@of("LogSchemaUnknown")
def _(story: Story) -> None:
    story.start()
    story.live(10 * MINUTE)
    story.write({"timestamp": "2026-11-02T09:10:00.000Z", "service": "report-service", "schema": 2})
    story.live(5 * MINUTE)
    story.expect("LogSchemaUnknown")
    story.live(70 * MINUTE)
    story.expect()


@of("ErrorsLogged")
def _(story: Story) -> None:
    story.start()
    story.beat()
    logging.getLogger("apscheduler.scheduler").error("a job could not be stored")
    story.live(5 * MINUTE)
    story.expect("ErrorsLogged")
    story.live(70 * MINUTE)
    story.expect()


CRASHES = """
import psycopg
from report_service.cli.main import main

def broken(*given, **settings):
    raise RuntimeError("a bug")

psycopg.connect = psycopg.Connection.connect = broken
main()
"""


@of("Crashed")
def _(story: Story) -> None:
    story.start()
    story.beat()
    url = "postgresql://user@127.0.0.1:1/x"
    line = said_by_a_process("service.crashed", sys.executable, "-c", CRASHES, obelis__mode="mock", store__url=url)
    story.write(line | {"timestamp": story.timestamp()})
    story.beat()
    story.expect("Crashed")
    story.live(70 * MINUTE)
    story.expect()


@of("ConfigInvalid")
def _(story: Story) -> None:
    story.start()
    story.beat()
    story.world.turn(60)
    line = said_by_a_process("config.invalid", COMMAND, obelis__mode="htp")
    story.write(line | {"timestamp": story.timestamp()})
    story.note()
    story.expect("ConfigInvalid")
    story.beat()
    story.expect()


# --- what delivering needs


@of("CredentialsFailing")
def _(story: Story) -> None:
    story.start()
    story.faults("401@token")
    story.beat()
    story.expect("CredentialsFailing")
    story.faults("400@hotline_rating")
    swept(story, "ReportsRejected")


@of("PermissionRefused", hubs=6)
def _(story: Story) -> None:
    story.start()
    story.faults("403")
    story.beat()
    story.expect("PermissionRefused")
    story.faults("400@hotline_rating")
    swept(story, "ReportsRejected")


@of("ApiDown")
def _(story: Story) -> None:
    story.start()
    story.faults("503")
    story.live(10 * MINUTE)
    story.expect()
    story.live(HOUR)
    story.expect("ApiDown")
    story.faults("400@hotline_rating")
    swept(story, "ReportsRejected")


@of("StoreUnavailable")
def _(story: Story) -> None:
    teller = story.start()
    story.beat()
    story.expect()
    here, away = Path(story.site.url.removeprefix("sqlite:///")), story.folder / "away"
    teller.daemon.service.store.close()
    here.rename(away)
    here.mkdir()
    story.live(10 * MINUTE)
    story.expect("StoreUnavailable")
    here.rmdir()
    away.rename(here)
    swept(story)


@of("RunFailing")
def _(story: Story) -> None:
    class Broken(SimulatedExecutor):
        broken = True

        def completed(self, timeout_s: float) -> Sequence[CompletedRequest]:
            if self.broken:
                raise RuntimeError("a bug")
            return super().completed(timeout_s)

    story.start(executor=lambda api: Broken(api, story.world, 16))
    for _ in range(8):
        with contextlib.suppress(RuntimeError):
            story.beat()
        story.beat(working=False)
        story.world.turn(300)
    story.expect("RunFailing")
    Broken.broken = False
    swept(story)


@of("NobodyDelivers")
def _(story: Story) -> None:
    story.start()
    story.beat()
    story.world.turn_to(story.world.now() + 6 * HOUR)
    story.live(50 * MINUTE, working=False)
    story.expect()
    story.live(90 * MINUTE, working=False)
    story.expect("NobodyDelivers")
    story.beat()
    story.expect()


@of("TwoHolders")
def _(story: Story) -> None:
    other = site(story.folder, story.world)
    tellers = story.start(log="one.log"), story.start(at=other, log="two.log")
    for _ in range(14):
        for teller in tellers:
            ledger = teller.daemon.service.ledger
            ledger.leases.acquire(ledger.instance, at=story.world.monotonic())
        story.beat(working=False)
        story.world.turn(50)
    story.expect("TwoHolders")
    story.live(8 * MINUTE, tellers[0], working=False)  # the other is stopped
    story.expect()


@of("ClockSkew")
def _(story: Story) -> None:
    story.start()
    story.faults("400@hotline_rating#1")
    story.world.mock.set_skew(30)
    story.beat()
    story.expect("ClockSkew", "ReportsRejected")
    story.world.mock.set_skew(0)
    story.site.ask("UPDATE hotline_ratings SET rating = 3")
    swept(story)


@of("PaceSlowed")
def _(story: Story) -> None:
    story.start()
    story.faults("429=1@point_rating#1")
    story.beat()
    story.expect("PaceSlowed")
    story.live(20 * MINUTE)
    story.expect()


# --- the month's reports


@of("InventoryShrunk")
def _(story: Story) -> None:
    story.start()
    for table in ("points", "hubs", "provider_groups"):
        story.site.ask(f"DELETE FROM {table}")
    story.live(5 * MINUTE)
    story.expect("InventoryShrunk", "SourceFaulty")
    story.site.store(operator())
    looked_at_anew(story)
    story.expect()


@of("SourceFaulty")
def _(story: Story) -> None:
    elsewhere = story.folder / "elsewhere.sqlite3"
    query = "SELECT month, hub_id, rating FROM hub_ratings"
    story.start(sources__hub_ratings__url=f"sqlite:///{elsewhere}", sources__hub_ratings__query=query)
    story.live(10 * MINUTE)
    story.expect("SourceFaulty")
    shutil.copy(story.site.url.removeprefix("sqlite:///"), elsewhere)
    swept(story)
    there = replace(story.site, url=f"sqlite:///{elsewhere}")
    stranger = operator(hubs=3)["hub-ratings"][2]
    there.store({"hub-ratings": [stranger]})
    looked_at_anew(story)
    story.expect("SourceFaulty")
    there.ask("DELETE FROM hub_ratings WHERE hub_id = :hub", hub=stranger["hub_id"])
    looked_at_anew(story)
    story.expect()


@of("FiguresImplausible")
def _(story: Story) -> None:
    story.start()
    story.site.ask("UPDATE hotline_ratings SET asa_seconds = '0.4'")
    story.beat()
    story.expect("FiguresImplausible")
    story.site.ask("UPDATE hotline_ratings SET asa_seconds = '24'")
    looked_at_anew(story)
    story.expect("ReportsDrifted")


def rehearsing(story: Story) -> datetime:
    """Start a daemon on the day of the rehearsal, whose month before is in; return when it rehearses."""
    story.site.store(operator(MONTH.shift(-1)))
    story.start(schedule__rehearse_day="25")
    story.live(10 * MINUTE)
    story.expect()
    return datetime(2026, 10, 25, 5, tzinfo=UTC)


@of("RehearsalIncomplete", at=datetime(2026, 10, 25, 4, tzinfo=UTC))
def _(story: Story) -> None:
    due = rehearsing(story)
    story.site.ask(f"DELETE FROM hotline_ratings WHERE month = '{MONTH}'")
    story.world.turn_to(due)
    story.beat()
    story.expect("RehearsalIncomplete")
    story.site.store(operator())
    story.world.turn_to(due + DAY)
    story.beat()
    story.expect()


@of("RehearsalFailed", at=datetime(2026, 10, 25, 4, tzinfo=UTC))
def _(story: Story) -> None:
    due, tempdir = rehearsing(story), tempfile.tempdir
    tempfile.tempdir = str(story.folder / "nowhere")
    story.world.turn_to(due)
    story.beat()
    tempfile.tempdir = tempdir
    story.expect("RehearsalFailed")
    story.world.turn_to(due + DAY)
    story.beat()
    story.expect()


@of("ReportsRejected")
def _(story: Story) -> None:
    story.start()
    story.faults("400@hotline_rating#1")
    story.beat()
    story.expect("ReportsRejected")
    story.site.ask("UPDATE hotline_ratings SET rating = 3")
    swept(story)


@of("ReportsInvalid")
def _(story: Story) -> None:
    story.start()
    story.site.ask("UPDATE hotline_ratings SET fcr_rate = 7")
    story.beat()
    story.expect("ReportsInvalid")
    story.site.ask("UPDATE hotline_ratings SET fcr_rate = 0.9")
    swept(story)


def without_the_hotline(story: Story) -> None:
    story.start()
    story.site.ask("DELETE FROM hotline_ratings")
    story.beat()


def with_the_hotline(story: Story) -> None:
    story.site.store({"hotline-ratings": operator()["hotline-ratings"]})
    swept(story)


@of("DataMissing", at=CLOSES - 11 * DAY)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("MonthNotComplete")
    story.world.turn_to(CLOSES - 9 * DAY)
    story.beat()
    story.expect("DataMissing", "MonthNotComplete")
    with_the_hotline(story)


@of("DeadlineNear", at=CLOSES - 4 * DAY)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("DataMissing", "MonthNotComplete")
    story.world.turn_to(CLOSES - 2 * DAY)
    story.beat()
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete")
    with_the_hotline(story)


@of("WindowClosing", at=CLOSES - 30 * HOUR)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete")
    story.world.turn_to(CLOSES - 12 * HOUR)
    story.beat()
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete", "WindowClosing")
    with_the_hotline(story)


@of("WindowMissed", at=CLOSES - 2 * HOUR)
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect("DataMissing", "DeadlineNear", "MonthNotComplete", "WindowClosing")
    story.world.turn_to(CLOSES + 10 * MINUTE)
    story.beat()
    story.expect("WindowMissed", "MonthNotComplete")
    story.site.store(operator(MONTH.shift(1)))
    story.world.turn_to(CLOSES + 9 * HOUR)
    story.beat()
    story.expect("WindowMissed")
    story.world.turn_to(CLOSES + 3 * DAY + HOUR)
    story.beat()
    story.expect()


@of("MonthNotComplete")
def _(story: Story) -> None:
    without_the_hotline(story)
    story.expect()
    story.world.turn_to(datetime(2026, 11, 3, 1, tzinfo=UTC))
    story.beat()
    story.expect("MonthNotComplete")
    with_the_hotline(story)


@of("ForecastLate", at=CLOSES - HOUR, hubs=14)
def _(story: Story) -> None:
    slow = story.start(obelis__requests_per_minute="1")
    slow.daemon.service.reconciler.reconcile(MONTH, trigger="run", patience_s=0, send=False)
    story.live(20 * MINUTE, working=False)
    story.expect("ForecastLate", "MonthNotComplete", "WindowClosing")
    story.beat(story.start(obelis__requests_per_minute="2000"))
    story.expect()


@of("ReportsStuck")
def _(story: Story) -> None:
    story.start()
    story.faults("404@hub_rating")
    story.live(30 * MINUTE)
    story.expect()
    story.live(2 * HOUR)
    story.expect("ReportsStuck")
    story.faults()
    story.world.turn(DAY.total_seconds())
    story.beat()
    story.expect()


@of("ReportsDrifted")
def _(story: Story) -> None:
    story.start()
    story.beat()
    story.expect()
    (before,) = story.site.ask("SELECT rating FROM hotline_ratings")
    story.site.ask("UPDATE hotline_ratings SET rating = 3")
    looked_at_anew(story)
    story.expect("ReportsDrifted")
    story.site.ask("UPDATE hotline_ratings SET rating = :before", before=before.rating)
    looked_at_anew(story)
    story.expect()


@of("ReportedByOthers")
def _(story: Story) -> None:
    story.start()
    story.faults("409@hotline_rating#1")
    story.beat()
    story.expect("ReportedByOthers")
    story.site.store(operator(MONTH.shift(1)))
    story.world.turn_to(CLOSES + 2 * DAY)
    story.beat()
    story.expect()


@pytest.mark.parametrize("alert", STORIES)
def test_an_alert_fires_by_its_cause_and_resolves_with_it(alert: str, tmp_path: Path) -> None:
    story = STORIES[alert](tmp_path)
    fires = [f"ReportService{alert}" in alerts for _, alerts in story.history.expected]
    assert True in fires
    assert not fires[-1]
    story.check()


def test_every_alert_has_its_story() -> None:
    assert alerts().keys() == {f"ReportService{alert}" for alert in STORIES}
