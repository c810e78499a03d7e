"""Corrections: what changed after it was accepted, or was stored otherwise, is put right, with the right bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from report_service.bootstrap.rendering import explaining_of
from report_service.domain.delivery import State
from report_service.domain.evidence import first_misfit, genesis
from report_service.domain.kinds import KIND_BY_NAME, DeliveryKey
from report_service.errors import ApiUnavailable, CorrectionsRefused, CredentialsRefused, LeaseHeld
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.correct import Correcting, to_correct
from tests.support.simulation import CLOSES, MONTH, World, site, site_at
from tests.support.taps import Kill, ProcessDied, StoreAway

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from report_service.services.correct import Corrected, Difference
    from tests.support.simulation import Process, Site

HOTLINE = DeliveryKey(MONTH, KIND_BY_NAME["hotline_rating"])
TARIFF = KIND_BY_NAME["ad_hoc_tariff"]


def delivered(place: Site) -> Site:
    with place.process() as process:
        process.run()
    return place


def change(place: Site, cost: int = 77) -> None:
    """Let every ad-hoc tariff (two) and the hotline's calls be others."""
    place.ask(f"UPDATE ad_hoc_tariffs SET cost_ct_per_kwh = '{cost}'")
    place.ask(f"UPDATE hotline_ratings SET hotline_calls = '{cost}'")


def found(process: Process) -> list[Difference]:
    service, at = process.service, process.world.now()
    process.run(send=False)
    explaining = explaining_of(service.settings, service.ledger)
    return to_correct(service.ledger.history, explaining, service.wire, MONTH, at=at)


def correcting(process: Process, patience_s: float = 600) -> Correcting:
    reconciler = process.reconciler
    return Correcting(
        ledger=reconciler.ledger,
        delivery=reconciler.delivery,
        background=reconciler.background,
        events=process.events,
        run_id="of the plan",
        patience_s=patience_s,
    )


def corrected(process: Process, differences: Sequence[Difference] | None = None) -> Corrected:
    wanted = found(process) if differences is None else differences
    return correcting(process).run([one.correction for one in wanted])


def puts(world: World) -> list[dict[str, Any]]:
    return [call for call in world.calls if call["method"] == "PUT"]


def stored(world: World) -> dict[DeliveryKey, dict[str, Any]]:
    return {key: json.loads(body) for key, body in world.mock.reports.items()}


def assert_corrected(place: Site, cost: int = 77) -> None:
    """Check that the API and the ledger have what the source has, and that the month is in and free of drift."""
    bodies = stored(place.world)
    assert {body["cost"] for key, body in bodies.items() if key.kind is TARIFF} == {cost}
    assert bodies[HOTLINE]["hotlineCalls"] == cost
    with place.process() as process:
        process.run(send=False)
        counts = process.service.ledger.status.month_counts(MONTH)
        links = process.service.ledger.evidence.links(MONTH)
    assert (counts.by_state, counts.drifted) == ({State.ACCEPTED: 11}, 0)
    assert first_misfit(links, genesis("mock", "MOCK", str(MONTH))) is None


def test_what_changed_after_acceptance_is_shown_and_put_right(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    with place.process() as process:
        differences = found(process)
        done = corrected(process, differences)
        assert found(process) == []
        again = corrected(process)

    assert [str(one.correction.key.kind) for one in differences] == [
        "hotline_rating",
        "ad_hoc_tariff",
        "ad_hoc_tariff",
    ]
    assert [(name, now) for name, _, now in differences[0].fields] == [("hotlineCalls", 77)]
    assert (len(done.corrected), done.left, done.error) == (3, {}, None)
    assert again.corrected == []
    assert len(puts(place.world)) == 3
    assert {call["path"].rpartition("/")[2] for call in puts(place.world)} == {"10-2026"}
    assert_corrected(place)


def test_every_put_has_its_intent_and_its_link_in_the_chain(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    with place.process() as process:
        corrected(process)
        links = process.service.ledger.evidence.links(MONTH)[-3:]

    rows = place.ask(
        "SELECT a.request_id, p.body FROM attempts a JOIN payloads p ON p.sha256 = a.payload_sha256 "
        "WHERE a.verb = 'PUT'"
    )
    assert {row.request_id for row in rows} == {call["request_id"] for call in puts(place.world)}
    assert all("month" not in json.loads(row.body) for row in rows if "cost" in json.loads(row.body))
    assert [(link.entry.verb, link.entry.outcome) for link in links] == [("PUT", "accepted")] * 3


def test_a_correction_has_no_window(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    place.world.turn_to(CLOSES + timedelta(days=20))
    change(place)
    with place.process() as process:
        done = corrected(process)

    assert (len(done.corrected), done.error) == (3, None)
    assert_corrected(place)


def test_what_obelis_stored_otherwise_is_sent_again(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    place.ask("UPDATE deliveries SET echo_differs = 1, drift = 1 WHERE kind = 'hotline_rating'")
    with place.process() as process:
        (one,) = found(process)
        done = corrected(process, [one])
        assert found(process) == []

    assert one.fields == []
    assert len(done.corrected) == 1


def test_a_lost_answer_is_settled_by_the_same_again(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    place.world.mock.set_faults([InjectedFault.parse("lost#1-2")])
    with place.process() as process:
        done = corrected(process)

    assert (len(done.corrected), done.left) == (3, {})
    assert len(puts(place.world)) == 5
    assert_corrected(place)


def test_what_the_api_refuses_is_left_with_its_words_and_still_differs(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    place.world.mock.set_faults([InjectedFault.parse("400@hotline_rating")])
    with place.process() as process:
        done = corrected(process)
        left = found(process)

    assert len(done.corrected) == 2
    assert done.left == {str(HOTLINE): "the correction was not taken (rejected): An injected 400"}
    assert [one.correction.key for one in left] == [HOTLINE]
    assert not left[0].correction.echo_differed  # a no is a no: the API has what it had


@pytest.mark.parametrize("status", [403, 404, 405])
def test_an_api_without_corrections_is_told_once_and_the_drift_stays(tmp_path: Path, status: int) -> None:
    place = delivered(site(tmp_path, World(), points_per_hub=6))
    place.ask("UPDATE point_ratings SET total_complaints = '9'")
    place.world.mock.set_faults([InjectedFault.parse(str(status))])
    with place.process() as process:
        done = corrected(process)
        drifted = process.service.ledger.status.month_counts(MONTH).drifted

    assert isinstance(done.error, CorrectionsRefused)
    assert len(puts(place.world)) == 3
    assert (done.corrected, len(done.left), drifted) == ([], 12, 12)


def test_an_api_that_is_down_ends_it(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World(), points_per_hub=6))
    place.ask("UPDATE point_ratings SET total_complaints = '9'")
    place.world.mock.set_faults([InjectedFault.parse("503")])
    with place.process() as process:
        done = corrected(process)

    assert isinstance(done.error, ApiUnavailable)
    assert len(puts(place.world)) == 10


def test_a_token_that_is_refused_is_replaced_once(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    place.world.mock.set_faults([InjectedFault.parse("401#1")])
    with place.process() as process:
        assert len(corrected(process).corrected) == 3
    assert_corrected(place)

    change(place, 78)
    place.world.mock.set_faults([InjectedFault.parse("401")])
    with place.process() as process:
        assert isinstance(corrected(process).error, CredentialsRefused)


def test_a_row_that_changes_back_after_an_unknown_end_is_corrected_back(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    before = stored(place.world)[HOTLINE]["hotlineCalls"]
    place.ask("UPDATE hotline_ratings SET hotline_calls = '77'")
    place.world.mock.set_faults([InjectedFault.parse("lost")])
    with place.process() as process:
        assert corrected(process).corrected == []
    assert stored(place.world)[HOTLINE]["hotlineCalls"] == 77

    place.ask(f"UPDATE hotline_ratings SET hotline_calls = '{before}'")
    place.world.mock.set_faults([])
    with place.process() as process:
        assert len(corrected(process).corrected) == 1
    assert stored(place.world)[HOTLINE]["hotlineCalls"] == before


def test_what_changed_in_the_ledger_meanwhile_is_left_to_the_next_call(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    with place.process() as process, place.process() as other:
        differences = found(process)
        corrected(other)
        done = corrected(process, differences)

    assert done.corrected == []
    assert set(done.left.values()) == {"it changed in the ledger meanwhile"}
    assert len(puts(place.world)) == 3


def test_one_process_delivers_or_corrects_at_a_time(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))
    change(place)
    with place.process() as process, place.process() as other:
        differences = found(process)
        other.service.ledger.leases.acquire("another", at=0)
        with pytest.raises(LeaseHeld):
            correcting(process, patience_s=0).run([one.correction for one in differences])
    assert puts(place.world) == []


def test_corrections_keep_the_pace(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World(), hubs=4, points_per_hub=10))
    place.ask("UPDATE point_ratings SET total_complaints = '9'")
    place.world.turn(120)
    began = place.world.monotonic()
    with place.elsewhere(environ={"OBELIS__REQUESTS_PER_MINUTE": "60"}).process() as process:
        assert len(corrected(process).corrected) == 40

    assert place.world.monotonic() - began >= 39 * 60 / 60


def test_a_store_that_goes_away_costs_only_time_wherever_it_does(tmp_path: Path) -> None:
    place = delivered(site(tmp_path, World()))

    def away_at(step: int) -> StoreAway:
        """Correct while the store goes away at a step."""
        cost = 20 + step % 100
        change(place, cost)
        with place.process() as process:
            differences = found(process)
        away = StoreAway(place.world, step)
        with place.process(tap=away) as process:
            done = corrected(process, differences)
            assert (len(done.corrected), done.left, done.error) == (3, {}, None)
            if "ledger.release" not in away.steps[:step]:
                names = process.events.names()
                assert names.count("store.lost") == names.count("store.recovered") == 1
        assert_corrected(place, cost)
        began = away.began or 0.0
        assert not [at for at in place.world.arrivals() if began < at < began + 30]
        return away

    at = away_at(9_999).steps.index("ledger.record")
    while "ledger.release" not in away_at(at + 1).steps[: at + 1]:
        at += 1
    assert at > 20


def test_a_kill_at_any_step_is_made_good_by_the_next_call(store_url: str) -> None:
    place, alive, killed = delivered(site_at(store_url, World())), Kill(), set[str]()
    before = stored(place.world)
    place.ask("UPDATE hotline_ratings SET hotline_calls = '99'")
    with place.process() as process:
        differences = found(process)
    with place.process(tap=alive) as process:
        assert corrected(process, differences).left == {}
    for at, calls in enumerate(range(100, 100 + len(alive.steps)), start=1):
        if not alive.steps[at - 1].endswith(".done"):
            continue  # before the next one is the same
        place.ask(f"UPDATE hotline_ratings SET hotline_calls = '{calls}'")
        with place.process() as process:
            differences = found(process)
        kill = Kill(at=at)
        process = place.start(tap=kill)
        with suppress(ProcessDied):
            corrected(process, differences)
        process.executor.close()
        process.close()
        place.world.turn(61)
        place.ask("UPDATE leases SET expires_at = '2000-01-01 00:00:00'")  # by the store's clock, too
        with place.process() as process:
            assert corrected(process).left == {}
            assert found(process) == []
        assert stored(place.world) == before | {HOTLINE: before[HOTLINE] | {"hotlineCalls": calls}}
        killed |= set(kill.steps[at - 1 : at])  # dying, it still tries to let the lease go
    assert {"ledger.record.done", "executor.submit.done", "executor.completed.done"} <= killed
