"""What OBELIS has from someone else stays, or is replaced where that is wanted, whatever comes in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from report_service.bootstrap.rendering import explaining_of
from report_service.domain.delivery import Evidence, State
from report_service.domain.evidence import first_misfit, genesis
from report_service.domain.kinds import KIND_BY_NAME, DeliveryKey
from report_service.domain.responses import ApiResponse
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.correct import is_foreign, to_correct
from tests.support.simulation import MONTH, World, site, site_at
from tests.support.taps import Kill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.simulation import Process, Site

DUE = 11
HOTLINE = DeliveryKey(MONTH, KIND_BY_NAME["hotline_rating"])
REPLACE = {"OBELIS__ON_CONFLICT": "replace"}


def reported_by_another(folder: Path, world: World) -> None:
    """Let somebody else, with a store of their own, report the whole month."""
    (folder / "another").mkdir()
    with site(folder / "another", world).process() as process:
        process.run()


def states(process: Process) -> dict[State, int]:
    return process.service.ledger.status.month_counts(MONTH).by_state


def puts(place: Site) -> int:
    return sum(call["method"] == "PUT" for call in place.world.calls)


def replacing(store_url: str, folder: Path, **environ: str) -> Site:
    """Return a site with figures of its own, in a world in which another has reported."""
    world = World()
    reported_by_another(folder, world)
    place = site_at(store_url, world).elsewhere(environ=REPLACE | environ)
    place.ask("UPDATE hotline_ratings SET hotline_calls = '77'")
    return place


def assert_replaced(place: Site) -> None:
    """Check that OBELIS has our figures, and the ledger knows it."""
    assert json.loads(place.world.mock.reports[HOTLINE])["hotlineCalls"] == 77
    with place.process() as process:
        ledger = process.service.ledger
        reports = ledger.history.reports(MONTH)
        assert {(one.state, one.evidence, one.drift) for one in reports} == {
            (State.ACCEPTED, Evidence.CONFIRMED, False)
        }
        assert all(one.obelis_id for one in reports)
        assert first_misfit(ledger.evidence.links(MONTH), genesis("mock", "MOCK", str(MONTH))) is None


def test_by_default_it_stays(tmp_path: Path) -> None:
    world = World()
    reported_by_another(tmp_path, world)
    place = site(tmp_path, world)
    with place.process() as process:
        assert process.run().complete
        assert states(process) == {State.ALREADY_REPORTED: DUE}
    assert puts(place) == 0


def test_where_it_is_wanted_the_run_replaces_it(store_url: str, tmp_path: Path) -> None:
    place = replacing(store_url, tmp_path)
    with place.process() as process:
        done = process.run()
        again = process.run()

    assert (done.error, again.error) == (None, None)
    assert puts(place) == DUE
    replaced = process.events.of("report.replaced")
    assert len({line["key"] for line in replaced}) == len(replaced) == DUE
    assert process.events.of("run.completed")[0]["sent"] == 1 + 2 * DUE
    assert_replaced(place)


def test_a_409_after_a_lost_answer_of_ours_is_no_conflict(tmp_path: Path) -> None:
    place = site(tmp_path, World(faults=[InjectedFault.parse("lost@hub_rating#1")])).elsewhere(environ=REPLACE)
    with place.process() as process:
        process.run()
        assert states(process) == {State.ACCEPTED: DUE}
    assert puts(place) == 0


def test_an_api_that_takes_no_corrections_ends_no_run_and_is_told(tmp_path: Path, store_url: str) -> None:
    place = replacing(store_url, tmp_path)
    place.world.interpose = lambda request, answer: refuse() if request.verb == "PUT" else answer()
    with place.process() as process:
        done = process.run()
        (told,) = process.events.of("conflict.kept")
        assert states(process) == {State.ALREADY_REPORTED: DUE}

    assert done.complete
    assert puts(place) == 0
    assert "the correction was not taken (refused)" in str(told["detail"])


def refuse() -> ApiResponse:
    return ApiResponse(http_status=405, body=b'{"message": "Method Not Allowed"}')


def test_paths_that_need_an_id_that_nobody_knows_are_told(tmp_path: Path, store_url: str) -> None:
    place = replacing(store_url, tmp_path, OBELIS__PATHS__CORRECTION="/{obelis_id}")
    with place.process() as process:
        assert process.run().complete
        assert len(process.events.of("conflict.kept")) == 1
        assert states(process) == {State.ALREADY_REPORTED: DUE}


def test_a_kill_between_any_two_steps_is_made_good_by_the_next_run(tmp_path: Path) -> None:
    def begin() -> Site:
        world = World()
        with site(tmp_path, world, hubs=0, provider_groups=2).process() as another:
            another.run()
        place = site(tmp_path, world, REPLACE, hubs=0, provider_groups=2)
        place.ask("UPDATE hotline_ratings SET hotline_calls = '77'")
        return place

    ends = set()
    for step in begin().deaths()[::2]:
        place = begin()
        assert not place.start(tap=Kill(at=step)).lives()
        place.world.turn(61)
        place.start().lives()
        with place.process() as process:
            found = {one.key: one.evidence for one in process.service.ledger.history.reports(MONTH)}
            assert states(process) == {State.ACCEPTED: 3}
        # A 409 that was lost with the process is like an answer that was: the next one is taken to be about ours.
        if found[HOTLINE] is Evidence.CONFIRMED:
            assert json.loads(place.world.mock.reports[HOTLINE])["hotlineCalls"] == 77
        ends.add(found[HOTLINE])
    assert ends == set(Evidence)


def test_a_person_may_look_first(tmp_path: Path, store_url: str) -> None:
    place = replacing(store_url, tmp_path)
    with place.elsewhere(environ={"OBELIS__ON_CONFLICT": "keep"}).process() as process:
        process.run()
        service = process.service
        explaining = explaining_of(service.settings, service.ledger)
        found = to_correct(
            service.ledger.history, explaining, service.wire, MONTH, at=place.world.now(), wanted=is_foreign
        )

    assert len(found) == DUE
    assert {(tuple(one.fields), one.why) for one in found} == {((), f"A report for {MONTH.wire()} already exists")}
