"""One wrong Date, one broken endpoint, one firewall: none of them costs a month, and each is told of."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from report_service.cli.run import remarks
from report_service.domain.api_clock import EVIDENCE_S
from report_service.domain.delivery import PUT_OFF_S, QUICK_SENDS, State
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.refusals import BRAKE_AFTER
from report_service.domain.responses import ApiResponse
from report_service.errors import ApiUnavailable, ClockDisagrees, CredentialsRefused, PermissionRefused
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from tests.support.odd_apis import PAGE, FailsFirst, Firewall, stores_and_says_nothing
from tests.support.simulated_daemon import Daemons
from tests.support.simulation import MONTH, World, operator, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from report_service.ports import Request

START = World().monotonic()
DAY_S = 86_400.0


def faults(*texts: str) -> list[InjectedFault]:
    return [InjectedFault.parse(text) for text in texts]


@pytest.fixture
def make() -> Iterator[Daemons]:
    daemons = Daemons()
    yield daemons
    daemons.close()


# --- a Date that is wrong


def test_a_wrong_date_holds_a_run_up_which_says_so(tmp_path: Path) -> None:
    world = World(skew_s=40 * DAY_S)
    with site(tmp_path, world).process() as process:
        result = process.run()
        assert isinstance(result.error, ClockDisagrees)
        assert process.events.of("run.halted")[0]["reason"] == "clock_disagrees"
        assert "NTP" in str(result.error.hint)
    assert world.reports() == []


@pytest.mark.parametrize(("after_s", "complete"), [(-1.0, False), (1.0, True)])
def test_what_a_wrong_date_proved_is_no_evidence_after_a_quarter_of_an_hour(
    tmp_path: Path, after_s: float, complete: bool
) -> None:
    world = World(skew_s=40 * DAY_S)
    with site(tmp_path, world).process() as process:
        process.run()
        world.mock.set_skew(0)
        world.turn(EVIDENCE_S + after_s)
        assert process.run(patience_s=0).complete is complete


def test_patience_that_is_longer_than_evidence_lasts_sees_it_out(tmp_path: Path) -> None:
    world = World(skew_s=40 * DAY_S)
    world.after(60, lambda: world.mock.set_skew(0))
    with site(tmp_path, world).process() as process:
        assert process.run(patience_s=EVIDENCE_S + 60).complete
    assert world.tokens() == 1


def test_a_proxys_date_is_nobodys_clock(tmp_path: Path) -> None:
    world = World()
    wrong = world.now() + timedelta(days=40)

    def proxy(request: Request, answer: Callable[[], ApiResponse]) -> ApiResponse:
        if request.token is not None and world.monotonic() < START + 20:
            return ApiResponse(http_status=503, body=PAGE, server_date=wrong)
        return answer()

    world.interpose = proxy
    with site(tmp_path, world).process() as process:
        assert process.run().complete
        assert process.events.of("clock.skewed") == []


# --- an endpoint that is down


def test_one_kinds_endpoint_that_is_down_holds_up_no_other(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=faults(f"503@{HUB_RATING}"))
    with site(tmp_path, world, hubs=60).process() as process:
        world.after(100, lambda: world.mock.set_faults([]))
        assert process.run().complete
        others = [call for call in world.calls if f"/{HUB_RATING}/" not in str(call["key"])]
        assert max(call["monotonic"] for call in others) < START + 30
        circuits = [
            (name, event["circuit"]) for name, event in process.events.emitted if name.startswith("circuit.")
        ]
        assert circuits == [("circuit.opened", "hub_rating"), ("circuit.closed", "hub_rating")]
    in_doubt = {call["key"] for call in world.calls if f"/{HUB_RATING}/" in str(call["key"])}
    assert len(in_doubt) == 60
    during = [call for call in world.calls if call["ruling"] != "created" and call["key"]]
    assert len(during) <= 16 + 10, "what was under way, and a few probes"


def test_where_every_first_try_fails_the_month_is_in_soon(tmp_path: Path) -> None:
    world = World(latency=constant(0.2))
    world.interpose = FailsFirst()
    with site(tmp_path, world, hubs=60, points_per_hub=3, provider_groups=30).process() as process:
        assert process.run().complete
    assert world.monotonic() < START + 200
    assert world.mock.stats()["conflicts"] == 0


def test_a_retry_after_of_one_endpoint_reaches_that_endpoint_alone(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=faults(f"503=120@{HUB_RATING}#1-5"))
    with site(tmp_path, world, hubs=20).process() as process:
        assert process.run().complete
    hub_ratings = sorted(call["monotonic"] for call in world.calls if f"/{HUB_RATING}/" in str(call["key"]))
    others = [call["monotonic"] for call in world.calls if call["key"] and f"/{HUB_RATING}/" not in call["key"]]
    assert max(others) < START + 30
    [wait] = [later - sooner for sooner, later in pairwise(hub_ratings) if later - sooner > 60]
    assert wait >= 119


# --- an answer that nobody announced


def test_answers_in_unknown_words_are_settled_by_the_same_bytes(tmp_path: Path) -> None:
    world = World(latency=constant(0.05))
    world.interpose = stores_and_says_nothing
    place = site(tmp_path, world, hubs=20, provider_groups=9)
    with place.process() as process:
        assert process.run().complete
        evidence = {row.evidence for row in place.ask("SELECT DISTINCT evidence FROM deliveries")}
        assert evidence == {"inferred"}
        assert "201" in str(process.events.of("contract.drifted")[0]["detail"])
        assert process.events.of("circuit.opened") == []
    sent = [world.reports().count(key) for key in set(world.reports())]
    assert set(sent) == {2}


def test_bytes_that_are_never_settled_wait_as_refused_ones_do(tmp_path: Path) -> None:
    world = World(faults=faults("html"))
    with site(tmp_path, world).process() as process:
        process.run(patience_s=200)
        assert process.states() == {State.RETRYING: 11}
    assert {world.reports().count(key) for key in set(world.reports())} == {QUICK_SENDS}


# --- a firewall


def test_a_firewalls_throttle_slows_the_month_down_and_puts_nothing_off_for_days(tmp_path: Path) -> None:
    world = World(latency=constant(0.2))
    wall = world.interpose = Firewall(world, per_minute=600)
    with site(tmp_path, world, hubs=100, points_per_hub=8, provider_groups=100).process() as process:
        result = process.run()
        assert result.complete, process.states()
        assert len(process.events.of("pace.slowed")) >= 1
        assert process.events.of("report.stuck") == []
    assert wall.blocked < 100, "it was not gone on against"
    assert world.monotonic() < START + 1200


def test_a_firewalls_throttle_is_known_as_such_after_a_restart(tmp_path: Path) -> None:
    world = World(latency=constant(0.2))
    place = site(tmp_path, world, hubs=40, points_per_hub=8, provider_groups=40)
    with place.process(stop=lambda: "SIGTERM" if world.monotonic() > START + 5 else None) as process:
        process.run()
        assert 0 < process.states()[State.ACCEPTED] < 300
    wall = Firewall(world, per_minute=0)
    world.interpose = lambda request, answer: wall(request, answer) if request.token else answer()
    with place.process() as process:
        result = process.run(patience_s=600)
        assert isinstance(result.error, PermissionRefused), "after three pauses nobody waits any longer"
        assert [event["retry_after_s"] for event in process.events.of("pace.slowed")] == [60, 120, 240]
        assert wall.blocked < 50, "it was not gone on against"
        world.interpose = None
        assert process.run(patience_s=3600).complete
        assert process.events.of("report.stuck") == []


# --- the token's host


def test_the_tokens_host_is_asked_again_with_back_off_and_heeds_its_retry_after(tmp_path: Path) -> None:
    world = World(faults=faults("503@token#1-3", "503=100@token#4"))
    with site(tmp_path, world).process() as process:
        assert process.run().complete
        assert [event["circuit"] for event in process.events.of("circuit.opened")] == ["token"]
    asked = [call["monotonic"] - START for call in world.calls if call["key"] is None]
    waits = [later - sooner for sooner, later in pairwise(asked)]
    assert [
        low <= wait <= high
        for wait, (low, high) in zip(waits, [(1, 2.6), (2, 4.6), (4, 8.6), (99.9, 101)], strict=True)
    ] == [True] * 4


def test_a_tokens_host_that_gives_none_ends_the_run_when_patience_does(tmp_path: Path) -> None:
    world = World(faults=faults("503@token"))
    with site(tmp_path, world).process() as process:
        result = process.run(patience_s=300)
        assert isinstance(result.error, ApiUnavailable)
        assert "token" in result.error.message
        assert process.states() == {State.PENDING: 11}
    assert len(world.calls) <= 14


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (403, PAGE, False),
        (400, b'{"__type": "TooManyRequestsException"}', False),
        (400, b'{"message": "unknown client"}', True),
    ],
)
def test_a_throttled_token_is_waited_for_a_refused_one_is_not(
    tmp_path: Path, status: int, body: bytes, refused: bool
) -> None:
    world = World()

    def gate(request: Request, answer: Callable[[], ApiResponse]) -> ApiResponse:
        busy = request.token is None and world.monotonic() < START + 30
        return ApiResponse(http_status=status, body=body) if busy else answer()

    world.interpose = gate
    with site(tmp_path, world).process() as process:
        result = process.run()
        assert isinstance(result.error, CredentialsRefused) is refused
        assert result.complete is not refused


# --- a kind, or every id, that is refused


def test_a_kind_that_is_rejected_as_a_whole_is_not_blamed_report_by_report(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=faults(f"400@{AD_HOC_TARIFF}"))
    place = site(tmp_path, world, hubs=50)
    with place.process() as process:
        result = process.run()
        assert not result.complete
        assert len(process.events.of("kind.paused")) == 1
        assert process.events.of("kind.paused")[0]["kind"] == "ad_hoc_tariff"
        assert result.stats is not None
        assert "rejects every ad_hoc_tariff" in result.stats.alarms["ad_hoc_tariff"]
        states = process.states()
        assert State.REJECTED not in states, "none of them is final"
        assert states[State.ACCEPTED] == 1 + 2 + 50 + 100
        sent = len([key for key in world.reports() if f"/{AD_HOC_TARIFF}/" in key])
        assert BRAKE_AFTER <= sent <= BRAKE_AFTER + 16
        world.turn(PUT_OFF_S + 1)
        process.run(patience_s=0)
        assert len([key for key in world.reports() if f"/{AD_HOC_TARIFF}/" in key]) == sent + 1, (
            "one probe an hour"
        )
        world.mock.set_faults([])
        world.turn(PUT_OFF_S + 1)
        assert process.run().complete


@pytest.mark.parametrize(("hubs", "paused"), [(BRAKE_AFTER - 1, False), (BRAKE_AFTER, True)])
def test_fewer_rejections_are_the_datas(tmp_path: Path, hubs: int, paused: bool) -> None:
    world = World(faults=faults(f"400@{AD_HOC_TARIFF}"))
    with site(tmp_path, world, hubs=hubs).process() as process:
        process.run(patience_s=0)
        assert bool(process.events.of("kind.paused")) is paused
        assert (process.states().get(State.REJECTED, 0) == hubs) is not paused


def test_ids_of_another_system_are_told_at_once_and_once(tmp_path: Path) -> None:
    world = World(faults=faults(*(f"404@{kind}" for kind in (HUB_RATING, AD_HOC_TARIFF, POINT_RATING))))
    with site(tmp_path, world, hubs=100).process() as process:
        result = process.run(patience_s=0)
        [told] = process.events.of("inventory.unrecognised")
        assert "ids of this system" in str(told["detail"])
        assert result.stats is not None
        assert str(remarks(result, took_s=1)).count("are these the ids of this system?") == 1
    assert len(world.reports()) <= 3 + BRAKE_AFTER + 16


def test_reports_without_permission_beside_others_are_their_own_affair(tmp_path: Path) -> None:
    """A sweep that holds nothing else fails neither the run nor the daemon's health."""
    world = World(latency=constant(0.2), faults=faults(f"403@{POINT_RATING}#1-9"))
    with site(tmp_path, world, hubs=20).process() as process:
        first = process.run(patience_s=0)
        world.mock.set_faults(faults("403"))
        world.turn(301)
        second = process.run(patience_s=0)
        assert (first.error, second.error) == (None, None)
        assert process.states()[State.RETRYING] == 9
    assert not second.complete


# --- the end of the right to send


def test_nothing_goes_out_after_the_lease_was_let_go(tmp_path: Path) -> None:
    world = World(latency=constant(20.0))
    stopped: list[str] = []
    with site(tmp_path, world, hubs=10).process(stop=lambda: stopped[0] if stopped else None) as process:
        world.dispatch_s = lambda _: 15.0  # what a worker takes up is slow to leave
        world.after(3, lambda: stopped.append("SIGTERM"))
        process.run()
        released = world.monotonic()
        world.turn(120)
    assert all(at <= released for at in world.arrivals())


def test_a_daemon_that_meets_all_of_it_in_one_month_ends_complete(tmp_path: Path, make: Daemons) -> None:
    """Each trouble is told of by one alarm of its own, and the month comes in."""
    world = World(latency=constant(0.2))
    place = site(tmp_path, world, hubs=60, points_per_hub=2, provider_groups=10)
    daemon = make(place)

    def live(minutes: float) -> None:
        daemon.live(world.now() + timedelta(minutes=minutes), every=timedelta(minutes=2))

    world.mock.set_faults(faults("503@token#1-5"))  # 8
    world.mock.set_skew(40 * DAY_S)  # 1
    live(10)
    world.mock.set_skew(0)
    world.mock.set_faults(faults(f"400@{AD_HOC_TARIFF}"))  # 9
    live(60)
    world.mock.set_faults([])
    live(90)
    place.store(place_rows(61, 80))
    world.mock.set_faults(faults(f"503@{HUB_RATING}"))  # 5
    live(400)
    world.mock.set_faults([])
    live(30)
    world.interpose = stores_and_says_nothing  # 6
    place.store(place_rows(81, 100))
    live(400)
    world.interpose = Firewall(world, per_minute=100)  # 7
    place.store(place_rows(101, 200))
    live(600)
    world.interpose = None
    live(1440)
    assert daemon.states(MONTH).keys() == {"accepted"}
    names = daemon.events.names()
    alarms = {name: names.count(name) for name in ("contract.drifted", "report.stuck", "service.crashed")}
    assert alarms == {"contract.drifted": 1, "report.stuck": 0, "service.crashed": 0}
    assert [event["reason"] for event in daemon.events.of("run.halted")].count("clock_disagrees") == 1
    assert [event["kind"] for event in daemon.events.of("kind.paused")] == ["ad_hoc_tariff"]
    opened = [event["circuit"] for event in daemon.events.of("circuit.opened")]
    assert opened.count("token") == 1
    assert opened.count("hub_rating") >= 1
    assert daemon.events.of("pace.slowed")


def place_rows(first: int, last: int) -> dict[str, list[dict[str, object]]]:
    """Return the rows of hubs that are entered later in the month."""
    hubs = operator(hubs=last, points_per_hub=2, provider_groups=10)
    return {name: rows for name, rows in hubs.items() if name != "hotline-ratings"}
