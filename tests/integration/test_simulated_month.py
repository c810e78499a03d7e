"""One month, from the source's rows to the ledger's last word, in simulated time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from report_service.domain.delivery import State
from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.mock_api.answers import Dialect
from report_service.mock_api.app import V0_9_PATHS
from report_service.mock_api.app import routes_of as paths_of
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from tests.support.simulation import MONTH, World, site, site_at

if TYPE_CHECKING:
    from pathlib import Path

HOTLINE = f"{MONTH}/hotline_rating"
V0_9 = {f"obelis__paths__{kind.name}": path for kind, path in V0_9_PATHS.items()}


def test_a_month_is_delivered_and_its_proof_is_kept(store_url: str) -> None:
    place = site_at(store_url)
    with place.process() as process:
        result = process.run()
        assert result.complete
        assert process.states() == {State.ACCEPTED: 11}
        assert process.service.ledger.status.outstanding(MONTH) == []
    stored = {str(key): body.decode() for key, body in place.world.mock.reports.items()}
    rows = place.ask(
        "SELECT month || '/' || kind || CASE subject WHEN '' THEN '' ELSE '/' || subject END, p.body, evidence, "
        "obelis_id, attempts, http_status FROM deliveries d JOIN payloads p ON p.sha256 = d.payload_sha256"
    )
    assert {key: body for key, body, *_ in rows} == stored
    assert {(evidence, attempts, status) for _, _, evidence, _, attempts, status in rows} == {
        ("confirmed", 1, 200)
    }
    assert len({obelis_id for _, _, _, obelis_id, _, _ in rows}) == 11
    attempts = place.ask("SELECT verb, http_status, outcome, delivery_id IS NULL FROM attempts")
    assert Counter(map(tuple, attempts)) == {
        ("POST", 200, "accepted", False): 11,
        ("POST", 200, "accepted", True): 1,
    }


def test_a_second_run_sends_nothing(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        process.run()
        again = process.run()
    with place.process() as process:
        third = process.run()
        assert process.events.names() == ["lease.acquired", "run.started", "run.completed"]
    assert again.complete
    assert third.complete
    assert len(place.world.calls) == 12
    assert third.stats is not None
    assert third.stats.requests == 0


def test_what_the_most_depends_on_goes_first(tmp_path: Path) -> None:
    place = site(tmp_path, hubs=3)
    with place.process() as process:
        process.run()
    kinds = [DeliveryKey.parse(key).kind for key in place.world.reports()]
    assert kinds == sorted(kinds, key=lambda kind: kind.rank)
    assert set(kinds) == set(KINDS)


def test_what_failed_goes_again_as_soon_as_it_is_due(tmp_path: Path) -> None:
    place = site(tmp_path, World(faults=[InjectedFault.parse("503@hotline_rating#1")]))
    with place.process() as process:
        process.run()
        assert process.states() == {State.ACCEPTED: 11}
    keys = place.world.reports()
    assert keys[0] == HOTLINE
    assert HOTLINE in keys[1:-1], "before the untried ones are used up"
    assert len(keys) == 12


def test_a_month_is_delivered_at_the_pace(tmp_path: Path) -> None:
    place = site(tmp_path, World(latency=constant(0.2)), hubs=20, points_per_hub=7, provider_groups=19)
    with place.process() as process:
        result = process.run()
        assert result.complete
    assert len(place.world.mock.reports) == 1 + 19 + 40 + 140
    assert place.world.mock.stats()["conflicts"] == 0
    took_s = place.world.arrivals()[-1] - place.world.arrivals()[0]
    assert 200 / 1980 * 60 <= took_s <= 200 / 1980 * 60 + 0.5


def test_the_0_9_form_is_delivered_by_settings_alone(tmp_path: Path) -> None:
    world = World(dialect=Dialect.V0_9, routes=paths_of(Dialect.V0_9))
    place = site(tmp_path, world, V0_9)
    with place.process() as process:
        assert process.run().complete
    paths = {call["path"].split("/")[5] for call in world.calls if call["key"]}
    assert paths == {"hotline-ratings", "nondiscriminatory-access", "locations"}


def test_what_the_mock_accepted_is_due_again_at_another_endpoint(tmp_path: Path) -> None:
    place = site(tmp_path)
    with place.process() as process:
        assert process.run().complete
    real = {
        "obelis__mode": "http",
        "obelis__base_url": "https://api.invalid",
        "obelis__token_url": "https://api.invalid/token",
        "obelis__client_id": "me",
        "obelis__client_secret": "test-secret",
        "obelis__cpo_id": "CPO",
    }
    elsewhere = place.elsewhere(environ=real)
    with elsewhere.process() as process:
        plan = process.reconciler.planner(process.events).preview(MONTH, closed=False)
    assert plan.by_state == {State.PENDING: 11}


ANSWERS = {
    # fault: (state, evidence, in_doubt, outcome) after one attempt
    "guide": {
        "": ("accepted", "confirmed", False, "accepted"),
        "400": ("rejected", None, False, "rejected"),
        "403": ("retrying", None, False, "forbidden"),
        "404": ("retrying", None, False, "not_found"),
        "409": ("already_reported", None, False, "conflict"),
        "429": ("retrying", None, False, "throttled"),
        "408": ("retrying", None, True, "server_error"),
        "500": ("retrying", None, True, "server_error"),
        "502": ("retrying", None, True, "server_error"),
        "503": ("retrying", None, True, "server_error"),
        "504": ("retrying", None, True, "server_error"),
        "302": ("retrying", None, False, "misdirected"),
        "418": ("retrying", None, False, "refused"),
        "drop": ("retrying", None, True, "no_answer"),
        "lost": ("retrying", None, True, "no_answer"),
        "cut": ("retrying", None, True, "unreadable"),
        "html": ("retrying", None, True, "unreadable"),
        "huge=1": ("retrying", None, True, "unreadable"),
        "slow=60": ("retrying", None, True, "no_answer"),
        "no=400": ("rejected", None, False, "rejected"),
        "no=404": ("retrying", None, False, "not_found"),
        "no=409": ("already_reported", None, False, "conflict"),
        "no=429": ("retrying", None, False, "throttled"),
        "no=500": ("retrying", None, True, "server_error"),
        "no=999": ("retrying", None, True, "unreadable"),
    },
    "0.9": {
        "": ("accepted", "confirmed", False, "accepted"),
        "no=2001": ("rejected", None, False, "rejected"),
        "no=2003": ("retrying", None, False, "not_found"),
        "no=2900": ("already_reported", None, False, "conflict"),
        "no=3000": ("retrying", None, True, "server_error"),
        "no=77": ("retrying", None, True, "unreadable"),
        "503": ("retrying", None, True, "server_error"),
        "cut": ("retrying", None, True, "unreadable"),
        "html": ("retrying", None, True, "unreadable"),
    },
}


@pytest.mark.parametrize(
    ("dialect", "fault", "expected"),
    [(dialect, fault, expected) for dialect, table in ANSWERS.items() for fault, expected in table.items()],
)
def test_each_answer_makes_its_row(
    tmp_path: Path, dialect: str, fault: str, expected: tuple[str, str | None, bool, str]
) -> None:
    form = Dialect(dialect)
    faults = [InjectedFault.parse(f"{fault}@hotline_rating#1")] if fault else []
    world = World(dialect=form, routes=paths_of(form), faults=faults)
    place = site(tmp_path, world, V0_9 if form is Dialect.V0_9 else {}, hubs=0, provider_groups=0)
    with place.process() as process:
        process.run(patience_s=0)
    rows = place.ask("SELECT state, evidence, in_doubt, last_outcome, attempts, next_attempt_at FROM deliveries")
    [(state, evidence, in_doubt, outcome, attempts, next_attempt_at)] = rows
    assert (state, evidence, bool(in_doubt), outcome, attempts) == (*expected, 1)
    assert (next_attempt_at is not None) == (state == "retrying")
    ended = place.ask("SELECT outcome, ended_at IS NOT NULL FROM attempts WHERE delivery_id IS NOT NULL")
    assert [tuple(row) for row in ended] == [(outcome, True)]


@pytest.mark.parametrize("fault", ["lost", "cut", "slow=60", "503+done", "html+done", "no+done=500"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_lost_answer_is_settled_by_the_same_bytes_sent_again(
    tmp_path: Path, dialect: Dialect, fault: str
) -> None:
    world = World(
        dialect=dialect, routes=paths_of(dialect), faults=[InjectedFault.parse(f"{fault}@hotline_rating#1")]
    )
    place = site(tmp_path, world, V0_9 if dialect is Dialect.V0_9 else {})
    with place.process() as process:
        assert process.run().complete
        assert [event["evidence"] for event in process.events.of("report.reconciled")] == ["inferred"]
    assert world.reports().count(HOTLINE) == 2
    assert len({call["body_sha256"] for call in world.calls if call["key"] == HOTLINE}) == 1
    rows = place.ask("SELECT state, evidence, in_doubt FROM deliveries WHERE kind = 'hotline_rating'")
    assert [tuple(row) for row in rows] == [("accepted", "inferred", False)]


def test_a_report_that_someone_else_made_is_not_taken_for_ours(tmp_path: Path) -> None:
    world = World()
    first, second = site(tmp_path, world), site(tmp_path, world)
    with first.process() as process:
        process.run()
    with second.process() as process:
        result = process.run()
        assert process.states() == {State.ALREADY_REPORTED: 11}
        assert {event["state"] for event in process.events.of("report.reconciled")} == {"already_reported"}
    assert result.complete
