"""An API that fails, refuses or forgets: few requests, no report blamed, and all delivered in the end."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.errors import ApiUnavailable, CredentialsRefused, PermissionRefused
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.known_hubs import KnownHubs
from report_service.mock_api.latency import constant
from tests.support.simulation import MONTH, OPENED, World, operator, site

if TYPE_CHECKING:
    from pathlib import Path

START = World().monotonic()


def faults(*texts: str) -> list[InjectedFault]:
    return [InjectedFault.parse(text) for text in texts]


# --- the API as a whole is away


@pytest.mark.parametrize("fault", ["503", "500+done", "drop", "slow=60", "no=500"])
def test_an_outage_costs_a_handful_of_requests_and_then_nothing_is_missing(tmp_path: Path, fault: str) -> None:
    world = World(latency=constant(0.2), faults=faults(fault))
    world.after(600, lambda: world.mock.set_faults([]))
    place = site(tmp_path, world, hubs=10, points_per_hub=8, provider_groups=9)
    with place.process() as process:
        result = process.run(patience_s=1800)
        assert result.complete
    during = [at for at in world.arrivals() if at < START + 600]
    after = [at for at in world.arrivals() if at >= START + 600]
    assert len(during) <= 26
    assert len(world.mock.reports) == 110
    back = after[0]
    assert back < START + 600 + 60, "it is noticed within a probe's time"
    assert sum(at < back + 4 for at in after) > 90, "then it goes on at full pace"


def test_an_outage_in_mid_run_costs_what_is_under_way_and_a_few_probes(tmp_path: Path) -> None:
    world = World(latency=constant(1.0))
    world.after(2.0, lambda: world.mock.set_faults(faults("503")))
    world.after(302.0, lambda: world.mock.set_faults([]))
    with site(tmp_path, world, hubs=10, points_per_hub=12).process() as process:
        assert process.run().complete
    during = [at for at in world.arrivals() if START + 2 <= at < START + 302]
    assert len(during) <= 16 + 5 + 12


def test_when_patience_ends_the_run_ends_and_says_when_it_goes_on(tmp_path: Path) -> None:
    world = World(faults=faults("503"))
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=120)
        assert isinstance(result.error, ApiUnavailable)
        assert START + 60 <= world.monotonic() <= START + 181
        [halted] = process.events.of("run.halted")
        [failed] = process.events.of("run.failed")
        assert halted["reason"] == failed["reason"] == "api_unavailable"
        assert failed["detail"] == result.error.message
        assert process.states()[State.RETRYING] >= 5


def test_an_outage_that_puts_everything_off_beyond_patience_is_told_as_one(tmp_path: Path) -> None:
    world = World(faults=faults("503=900#4-"))
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=300)
        assert isinstance(result.error, ApiUnavailable)
        assert "the next try is due at 2026-11-02 09:15:" in result.error.message
        assert process.states()[State.ACCEPTED] == 3
    assert world.monotonic() < START + 60, "there is nothing to wait for"


def test_a_network_that_lets_nothing_out_is_an_outage_of_known_end(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.executor.unreachable = True
        result = process.run(patience_s=60)
        assert isinstance(result.error, ApiUnavailable)
    assert place.world.calls == []
    assert [row.n for row in place.ask("SELECT count(*) AS n FROM deliveries WHERE in_doubt")] == [0]


@pytest.mark.parametrize("fault", ["503@token", "drop@token", "429@token", "slow=60@token"])
def test_without_a_token_no_report_is_tried_and_the_run_ends_with_patience(tmp_path: Path, fault: str) -> None:
    world = World(faults=faults(fault))
    place = site(tmp_path, world)
    with place.process() as process:
        result = process.run(patience_s=600)
        assert isinstance(result.error, ApiUnavailable)
        assert process.states() == {State.PENDING: 11}
        [line] = process.events.of("run.failed")
        assert line["sent"] == world.tokens()
    assert world.reports() == []
    assert 5 <= world.tokens() <= 26
    rows = place.ask("SELECT delivery_id, ended_at FROM attempts")
    assert len(rows) == world.tokens()
    assert all(row.delivery_id is None and row.ended_at is not None for row in rows)


def test_one_report_that_keeps_failing_is_no_outage(tmp_path: Path) -> None:
    world = World(faults=faults("503@hotline_rating"))
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=300)
        assert result.error is None
        assert process.states() == {State.ACCEPTED: 10, State.RETRYING: 1}
        assert result.stats is not None
        [outstanding] = process.service.ledger.status.outstanding(MONTH)
        assert outstanding.next_attempt_at is not None
        assert f"{outstanding.next_attempt_at:%H:%M:%S}" in str(result.stats.stopped)
    assert 3 <= world.reports().count(f"{MONTH}/hotline_rating") <= 20


def test_patience_is_counted_from_what_was_settled_last(tmp_path: Path) -> None:
    last = f"{POINT_RATING}/{max(str(point['point_id']) for point in operator()['points'])}"
    world = World(faults=faults(f"503=2@{last}#1"))
    with site(tmp_path, world, {"obelis__requests_per_minute": "60"}).process() as process:
        assert process.run(patience_s=5).complete
    assert world.monotonic() - START > 11


def test_without_patience_nothing_is_waited_for(tmp_path: Path) -> None:
    world = World(faults=faults("503@hotline_rating#1-4", "429=3@hub_rating#1"))
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=0)
        assert result.error is None
        assert process.states()[State.ACCEPTED] >= 8
        assert result.stats is not None
        assert str(result.stats.stopped).startswith("the next try is due at 2026-11-02 09:0")
    assert world.monotonic() < START + 5


def test_tries_of_one_report_come_closer_to_the_end_of_the_window(tmp_path: Path) -> None:
    world = World(OPENED + timedelta(days=28, hours=13, minutes=50), faults=faults("503@hotline_rating"))
    with site(tmp_path, world, hubs=0, provider_groups=1).process() as process:
        process.run(patience_s=3600)
    tries = world.arrivals(f"{MONTH}/hotline_rating")
    assert tries[-1] > START + 9 * 60 - 25, "one of the last seconds is used"


# --- refusals


def test_a_hub_that_is_not_visible_yet_is_tried_on_its_schedule(tmp_path: Path) -> None:
    hub = str(operator()["hubs"][0]["hub_id"])
    world = World(inventory=KnownHubs(visible_after_s={hub: 900.0}))
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=3600)
        assert result.complete
        reasons = {(event["reason"], event["http_status"]) for event in process.events.of("report.deferred")}
        assert reasons == {("not_found", 404)}
        assert "report.stuck" not in process.events.names()
    tries = world.arrivals(f"{MONTH}/hub_rating/{hub}")
    assert [round(later - sooner) for sooner, later in itertools.pairwise(tries)] == [300, 900]


@pytest.mark.parametrize("fault", ["403", "404", "302", "418"])
def test_a_refused_report_is_tried_daily_and_a_person_is_told(tmp_path: Path, fault: str) -> None:
    world = World(faults=faults(f"{fault}@hotline_rating"))
    with site(tmp_path, world, hubs=0, provider_groups=1).process() as process:
        for wait_s in (0, 300, 900, 1800, 86400):
            world.turn(wait_s)
            process.run(patience_s=0)
        events = process.events.names()
        assert events.count("report.deferred") == 3
        [stuck, *_] = process.events.of("report.stuck")
        assert stuck["key"] == f"{MONTH}/hotline_rating"
    tries = world.arrivals(f"{MONTH}/hotline_rating")
    waits = [round(later - sooner) for sooner, later in itertools.pairwise(tries)]
    assert waits == [300, 900, 1800, 86400]


def test_refusals_of_everything_stop_the_run(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=faults("403"))
    with site(tmp_path, world, hubs=10).process() as process:
        result = process.run()
        assert isinstance(result.error, PermissionRefused)
        assert result.error.hint is not None
        states = process.states()
        assert process.events.of("run.failed")[0]["reason"] == "permission_refused"
    assert 20 <= len(world.reports()) <= 20 + 16
    assert set(states) == {State.PENDING, State.RETRYING}


def test_refusals_after_acceptances_hold_the_run_up_and_put_nothing_off_for_days(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=faults(f"403@{POINT_RATING}"))
    with site(tmp_path, world, hubs=10, points_per_hub=4).process() as process:
        result = process.run(patience_s=0)
        assert result.error is None
        assert process.states() == {State.ACCEPTED: 23, State.RETRYING: 16, State.PENDING: 24}
        assert "firewall" in str(result.stats and result.stats.stopped)


# --- tokens


def test_after_a_401_one_new_token_is_fetched_and_the_report_sent_again(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=faults("401#8-10"))
    with site(tmp_path, world, hubs=6).process() as process:
        assert process.run().complete
        assert len(process.events.of("auth.refreshed")) == 2
        assert "auth.failed" not in process.events.names()
        assert {event["reason"] for event in process.events.of("report.deferred")} == {"unauthorized"}
    assert world.tokens() == 2


def test_when_the_new_token_is_refused_too_the_run_stops_and_no_report_is_blamed(tmp_path: Path) -> None:
    world = World(faults=faults("401"))
    place = site(tmp_path, world)
    with place.process() as process:
        for _ in range(2):
            calls = len(world.calls)
            result = process.run()
            assert isinstance(result.error, CredentialsRefused)
            assert len(world.calls) - calls == 4  # a token and a report, twice
        assert len(process.events.of("auth.failed")) == 2
        assert set(process.states()) == {State.PENDING, State.RETRYING}
        [*_, line] = process.events.of("run.failed")
        assert line["reason"] == "credentials_refused"
        assert line["hint"]
        world.mock.set_faults([])
        assert process.run().complete


def test_a_token_is_replaced_before_it_expires(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), token_lifetime_s=10)
    place = site(tmp_path, world, {"obelis__requests_per_minute": "200"}, hubs=10, points_per_hub=8)
    with place.process() as process:
        assert process.run().complete
        assert len(process.events.of("auth.refreshed")) == world.tokens()
    assert "401" not in world.mock.stats()["by_status"]  # type: ignore[operator]
    assert 3 <= world.tokens() <= 5
    [row] = place.ask("SELECT count(*) AS n FROM attempts WHERE delivery_id IS NULL AND outcome = 'accepted'")
    assert row.n == world.tokens()


def test_a_token_is_kept_from_run_to_run(tmp_path: Path) -> None:
    world = World(faults=faults("503@hotline_rating#1-2"))
    with site(tmp_path, world).process() as process:
        process.run(patience_s=0)
        world.turn(60)
        assert process.run().complete
    assert world.tokens() == 1


@pytest.mark.parametrize(
    ("fault", "outcome"), [("401@token", "unauthorized"), ("html@token", "unreadable"), ("404@token", "not_found")]
)
def test_refused_credentials_stop_the_run_at_once(tmp_path: Path, fault: str, outcome: str) -> None:
    world = World(faults=faults(fault))
    place = site(tmp_path, world)
    with place.process() as process:
        result = process.run()
        assert isinstance(result.error, CredentialsRefused)
        assert process.states() == {State.PENDING: 11}
        assert len(process.events.of("auth.failed")) == 1
    assert len(world.calls) == 1
    [attempt] = place.ask("SELECT outcome, answer FROM attempts")
    assert attempt.outcome == outcome


def test_no_token_is_kept_in_the_store(tmp_path: Path) -> None:
    place = site(tmp_path, World(faults=faults("401#2")))
    with place.process() as process:
        process.run()
        cached = process.reconciler.delivery.tokens.token
        assert cached is not None
        token = cached.value
    answers = [row.answer for row in place.ask("SELECT answer FROM attempts")]
    assert not [answer for answer in answers if token in answer or "expires_in" in answer]
