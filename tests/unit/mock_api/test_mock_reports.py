"""What may be created and corrected, when, and what the mock then remembers."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from report_service.domain.kinds import KINDS, DeliveryKey, Kind
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.routes import GUIDE_PATHS, GUIDE_PREFIX, Routes
from report_service.mock_api.answers import Dialect
from report_service.mock_api.app import MockObelis, routes_of
from report_service.mock_api.known_hubs import KnownHubs
from tests.support.fakes import FakeClock
from tests.support.mock_caller import BODIES, HUB, PATHS, POINT, PREFIX, SUBJECTS, Caller, said

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def caller(clock: FakeClock) -> Caller:
    return Caller(MockObelis(clock=clock))


@pytest.fixture
def old(clock: FakeClock) -> Caller:
    return Caller(MockObelis(clock=clock, dialect=Dialect.V0_9, routes=routes_of(Dialect.GUIDE)))


@every_kind
def test_a_good_report_is_created_and_echoed_with_an_id(caller: Caller, kind: Kind) -> None:
    answer = caller.create(kind)
    envelope = said(answer)
    identity = envelope["data"].pop("id")
    assert answer.http_status == 200
    assert str(UUID(identity)) == identity
    assert envelope == {
        "data": BODIES[kind],
        "timestamp": "2026-11-02T09:00:00.000Z",
        "message": "Request was processed successfully",
        "statusCode": 200,
    }


@every_kind
def test_what_is_stored_can_be_read_by_its_key(caller: Caller, kind: Kind) -> None:
    caller.create(kind)
    stored = caller.mock.reports
    assert {str(key): json.loads(body) for key, body in stored.items()} == {
        f"2026-10/{kind}{SUBJECTS[kind]}": BODIES[kind]
    }


@every_kind
def test_a_second_report_for_the_same_key_is_a_conflict_and_changes_nothing(caller: Caller, kind: Kind) -> None:
    caller.create(kind)
    before = caller.mock.reports
    answer = caller.create(kind)
    assert (answer.http_status, said(answer)["statusCode"]) == (409, 409)
    assert caller.mock.reports == before


@every_kind
def test_a_correction_replaces_the_report_under_the_same_id(caller: Caller, kind: Kind) -> None:
    identity = said(caller.create(kind))["data"]["id"]
    field = "cost" if "cost" in BODIES[kind] else "rating"
    answer = caller.correct(kind, **{field: 3})
    assert answer.http_status == 200
    assert said(answer)["data"]["id"] == identity
    (stored,) = caller.mock.reports.values()
    assert json.loads(stored)[field] == 3


@every_kind
def test_a_correction_of_what_was_never_created_is_not_found(caller: Caller, kind: Kind) -> None:
    assert caller.correct(kind).http_status == 404
    assert caller.mock.reports == {}


def test_a_correction_for_another_month_is_not_found(caller: Caller) -> None:
    caller.create(HUB_RATING)
    assert caller.correct(HUB_RATING, "09-2026").http_status == 404
    assert caller.correct(HUB_RATING, "2026-10").http_status == 404


def test_a_correction_has_no_window(caller: Caller, clock: FakeClock) -> None:
    caller.create(HUB_RATING)
    clock.sleep(200 * 86400)
    caller.token = said(caller.ask_token())["token"]
    assert caller.correct(HUB_RATING, rating=5).http_status == 200


def test_a_hotline_correction_may_repeat_the_month_of_its_path_and_no_other(caller: Caller) -> None:
    caller.create(HOTLINE_RATING)
    path = f"{PATHS[HOTLINE_RATING]}/10-2026"
    assert caller.send("PUT", path, BODIES[HOTLINE_RATING]).http_status == 200
    answer = caller.send("PUT", path, {**BODIES[HOTLINE_RATING], "month": "09-2026"})
    assert answer.http_status == 400
    assert "month must be that of the path, 10-2026" in said(answer)["message"]


def test_a_correction_can_go_by_the_id_that_the_creation_was_answered_with(clock: FakeClock) -> None:
    routes = Routes.of(prefix=GUIDE_PREFIX, paths=GUIDE_PATHS, correction="/by-id/{obelis_id}")
    caller = Caller(MockObelis(clock=clock, routes=routes))
    identity = said(caller.create(HUB_RATING))["data"]["id"]
    path = f"{PATHS[HUB_RATING]}/by-id"
    assert caller.send("PUT", f"{path}/{identity.upper()}", {"rating": 4}).http_status == 200
    assert caller.send("PUT", f"{path}/{POINT}", {"rating": 4}).http_status == 404
    assert list(caller.mock.reports.values()) == [b'{"rating": 4}']


@pytest.mark.parametrize(
    ("zone", "at", "accepted"),
    [
        ("Europe/Berlin", datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), False),
        ("Europe/Berlin", datetime(2026, 10, 31, 23, 0, 0, tzinfo=UTC), True),
        ("Europe/Berlin", datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC), True),
        ("Europe/Berlin", datetime(2026, 11, 30, 23, 0, 0, tzinfo=UTC), False),
        ("UTC", datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), False),
        ("UTC", datetime(2026, 11, 1, 0, 0, 0, tzinfo=UTC), True),
        ("UTC", datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), True),
        ("UTC", datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC), False),
    ],
)
def test_only_the_previous_month_in_the_mocks_zone_is_accepted(zone: str, at: datetime, *, accepted: bool) -> None:
    caller = Caller(MockObelis(clock=FakeClock(at), zone=ZoneInfo(zone)))
    answer = caller.create(HUB_RATING)
    assert answer.http_status == (200 if accepted else 400)
    assert ("month must be the previous month" in said(answer)["message"]) is not accepted


def test_the_months_rule_goes_by_the_mocks_own_clock(caller: Caller) -> None:
    caller.mock.set_skew(-2 * 86400)
    answer = caller.create(HUB_RATING)
    assert answer.http_status == 400
    assert answer.headers["Date"] == "Sat, 31 Oct 2026 09:00:00 GMT"


def test_any_month_is_accepted_when_the_rule_is_off(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, any_month=True))
    assert caller.create(HUB_RATING, month="03-2019").http_status == 200
    assert caller.create(HUB_RATING, month="12-2031").http_status == 200


def test_hubs_and_points_outside_the_inventory_are_not_found(clock: FakeClock) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    inventory = KnownHubs(points={HUB: frozenset({other}), other: frozenset({POINT})})
    caller = Caller(MockObelis(clock=clock, inventory=inventory))
    assert caller.create(HUB_RATING).http_status == 200
    assert caller.create(POINT_RATING).http_status == 404  # it belongs to the other hub
    unknown = caller.send("POST", f"{PREFIX}/charginghub/{POINT}/ratings", BODIES[HUB_RATING])
    assert unknown.http_status == 404
    assert caller.create(HOTLINE_RATING).http_status == 200


def test_ids_are_the_same_in_upper_and_lower_case(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, inventory=KnownHubs(points={HUB: frozenset()})))
    path = PATHS[HUB_RATING].replace(HUB, HUB.upper())
    assert caller.send("POST", path, BODIES[HUB_RATING]).http_status == 200
    assert caller.create(HUB_RATING).http_status == 409


def test_a_new_hub_becomes_visible_after_its_delay(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, inventory=KnownHubs(visible_after_s={HUB: 900})))
    assert caller.create(HUB_RATING).http_status == 404
    clock.sleep(899)
    assert caller.create(POINT_RATING).http_status == 404
    clock.sleep(1)
    assert caller.create(HUB_RATING).http_status == 200


def test_the_old_dialect_says_created_with_201_and_code_1000(old: Caller) -> None:
    answer = old.create(HUB_RATING)
    envelope = said(answer)
    assert (answer.http_status, envelope["status_code"]) == (201, 1000)
    assert envelope["data"].keys() == {"id", "month", "rating"}
    assert envelope.keys() == {"data", "timestamp", "status_message", "status_code"}


def test_the_old_dialect_says_corrected_with_200_and_code_1000(old: Caller) -> None:
    old.create(HUB_RATING)
    answer = old.correct(HUB_RATING, rating=2)
    assert (answer.http_status, said(answer)["status_code"]) == (200, 1000)


def test_the_old_dialect_hides_its_failures_in_a_200(clock: FakeClock, old: Caller) -> None:
    old.create(HUB_RATING)
    invalid = old.create(HUB_RATING, rating=7)
    late = old.create(HUB_RATING, month="09-2026")
    twice = old.create(HUB_RATING)
    blind = Caller(MockObelis(clock=clock, dialect=Dialect.V0_9, inventory=KnownHubs(points={})))
    unknown = blind.send("POST", f"{PREFIX}/locations/{HUB}/ratings", BODIES[HUB_RATING])
    assert [each.http_status for each in (invalid, late, twice, unknown)] == [200] * 4
    assert [said(each)["status_code"] for each in (invalid, late, twice, unknown)] == [2001, 2001, 2900, 2003]
    assert said(invalid)["data"] == [
        {"fieldName": "rating", "invalidValue": 7, "message": "must be a whole number from 1 to 6"}
    ]
    assert said(late)["data"][0]["fieldName"] == "month"


def test_the_old_dialect_has_its_own_paths(clock: FakeClock) -> None:
    caller = Caller(MockObelis(clock=clock, dialect=Dialect.V0_9))
    path = f"{PREFIX}/locations/{HUB}/evses/{POINT}/ratings"
    assert caller.send("POST", path, BODIES[POINT_RATING]).http_status == 201
    missing = caller.create(POINT_RATING)
    assert (missing.http_status, said(missing)["status_code"]) == (404, 2000)


def test_single_paths_can_be_replaced(clock: FakeClock) -> None:
    routes = routes_of(Dialect.GUIDE, {HUB_RATING: "/hubs/{hub_id}"})
    caller = Caller(MockObelis(clock=clock, routes=routes))
    assert caller.send("POST", f"{PREFIX}/hubs/{HUB}", BODIES[HUB_RATING]).http_status == 200
    assert caller.create(AD_HOC_TARIFF).http_status == 200


def test_the_same_seed_gives_the_same_ids(clock: FakeClock) -> None:
    def identity(seed: int) -> str:
        return str(said(Caller(MockObelis(clock=clock, seed=seed)).create(HUB_RATING))["data"]["id"])

    assert identity(1) == identity(1) != identity(2)


def test_of_many_threads_that_create_one_report_one_succeeds(caller: Caller) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(caller.create(HUB_RATING).http_status)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 15
    assert list(caller.mock.reports) == [DeliveryKey.parse(f"2026-10/hub_rating/{HUB}")]
