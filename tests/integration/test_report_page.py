"""The newest month's page, which the daemon keeps current."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.mock_api.injected_faults import InjectedFault
from tests.support.simulated_daemon import start
from tests.support.simulation import World, site

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.simulated_daemon import SimulatedDaemon
    from tests.support.simulation import Site


def look(one: SimulatedDaemon) -> None:
    one.world.turn(60)
    one.daemon.look()


def reporting(place: Site, file: Path) -> Site:
    return place.elsewhere(environ={"REPORT__HTML": str(file)})


def test_the_page_follows_the_month_and_is_left_alone_while_nothing_changes(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    world = World(faults=[InjectedFault.parse("400@hotline_rating")])
    place = reporting(site(tmp_path, world), file)
    with closing(start(place)) as one:
        look(one)
        first = file.stat()
        assert "Not complete: 10 of 11 reports are in." in file.read_text()

        look(one)
        assert file.stat().st_ino == first.st_ino

        world.mock.set_faults([])
        place.ask("UPDATE hotline_ratings SET hotline_calls = '77'")
        world.turn(timedelta(minutes=16).total_seconds())
        look(one)
        assert "Complete: 11 of 11 reports are in." in file.read_text()


def test_a_page_that_cannot_be_written_is_said_once_and_nothing_else_suffers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = reporting(site(tmp_path, World()), tmp_path / "nowhere" / "page.html")
    with closing(start(place)) as one:
        look(one)
        look(one)

    (said,) = [record.message for record in caplog.records if "page" in record.message]
    file = tmp_path / "nowhere" / "page.html"
    assert said == f"the page of 2026-10 is not current: {file} cannot be written: No such file or directory"
    assert place.ask("SELECT count(*) FROM deliveries WHERE state = 'accepted'") == [(11,)]


def test_without_the_setting_no_page_is_made(tmp_path: Path) -> None:
    with closing(start(site(tmp_path, World()))) as one:
        assert one.daemon.page is None
        look(one)
