"""Bad days by chance and by script, and how long answers take."""

from __future__ import annotations

import json
import statistics
from random import Random

import pytest

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.errors import BadInput
from report_service.mock_api.answers import Dialect
from report_service.mock_api.app import MockObelis
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import Latency, constant, parse_latency, recorded
from tests.support.fakes import FakeClock
from tests.support.mock_caller import HUB, PATHS, POINT, Caller, said


def mock(
    *faults: str, dialect: Dialect = Dialect.GUIDE, latency: Latency | None = None, seed: int | None = None
) -> Caller:
    """Return a caller that got its token before the faults came."""
    app = MockObelis(clock=FakeClock(), dialect=dialect, latency=latency, seed=seed, requests_per_minute=None)
    caller = Caller(app)
    app.set_faults([InjectedFault.parse(text) for text in faults])
    return caller


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
def test_a_status_comes_instead_of_the_answer(status: int) -> None:
    caller = mock(f"{status}#1")
    answer = caller.create(HUB_RATING)
    assert (answer.http_status, said(answer)["statusCode"]) == (status, status)
    assert caller.create(HUB_RATING).http_status == 200  # the first was not carried out


@pytest.mark.parametrize(("status", "code"), [(503, 3000), (403, 2000)])
def test_a_status_in_the_old_dialect_has_its_codes(status: int, code: int) -> None:
    caller = mock(str(status), dialect=Dialect.V0_9)
    answer = caller.send("POST", PATHS[HOTLINE_RATING], {})
    assert (answer.http_status, said(answer)["status_code"]) == (status, code)


def test_a_status_may_come_although_the_request_was_carried_out() -> None:
    caller = mock("500+done#1")
    assert caller.create(HUB_RATING).http_status == 500
    assert len(caller.mock.reports) == 1
    assert caller.create(HUB_RATING).http_status == 409


def test_a_status_may_say_when_to_come_back() -> None:
    assert mock("503=12").create(HUB_RATING).headers["Retry-After"] == "12"
    assert "Retry-After" not in mock("503").create(HUB_RATING).headers


def test_a_redirect_points_to_another_host() -> None:
    answer = mock("302").create(HUB_RATING)
    assert (answer.http_status, answer.headers["Location"]) == (302, "https://elsewhere.invalid/")


@pytest.mark.parametrize(("fault", "stored"), [("drop", 0), ("lost", 1), ("drop+done", 1)])
def test_a_connection_is_dropped_before_or_after_the_work(fault: str, stored: int) -> None:
    caller = mock(fault)
    assert caller.create(HUB_RATING).drop
    assert len(caller.mock.reports) == stored
    assert caller.mock.stats()["by_status"] == {"200": 1, "dropped": 1}


def test_an_answer_is_cut_after_the_work() -> None:
    caller = mock("cut")
    answer = caller.create(HUB_RATING)
    assert (answer.cut, answer.drop, answer.http_status) == (True, False, 200)
    assert len(caller.mock.reports) == 1


@pytest.mark.parametrize(("fault", "stored"), [("html", 0), ("html+done", 1)])
def test_a_page_comes_with_200(fault: str, stored: int) -> None:
    caller = mock(fault)
    answer = caller.create(HUB_RATING)
    assert (answer.http_status, answer.headers["Content-Type"]) == (200, "text/html")
    assert b"<html>" in answer.body
    assert len(caller.mock.reports) == stored


@pytest.mark.parametrize(
    ("fault", "dialect", "name", "code"),
    [
        ("no", Dialect.GUIDE, "statusCode", 400),
        ("no=409", Dialect.GUIDE, "statusCode", 409),
        ("no", Dialect.V0_9, "status_code", 2001),
        ("no=2900", Dialect.V0_9, "status_code", 2900),
    ],
)
def test_a_200_may_say_no(fault: str, dialect: Dialect, name: str, code: int) -> None:
    caller = mock(fault, dialect=dialect)
    answer = caller.send("POST", PATHS[HOTLINE_RATING], {})
    assert (answer.http_status, said(answer)[name]) == (200, code)
    assert caller.mock.reports == {}


def test_a_huge_answer_is_true_but_padded() -> None:
    caller = mock("huge=2#1", "huge#2")
    answer = caller.create(HUB_RATING)
    assert len(answer.body) > 2 * 2**20
    assert said(answer)["statusCode"] == 200
    assert len(caller.create(AD_HOC_TARIFF).body) > 8 * 2**20


def test_a_slow_answer_is_late_on_top_of_its_latency() -> None:
    caller = mock("slow=30#1", "slow#2", latency=constant(0.25))
    delays = [caller.create(kind).delay_s for kind in (HUB_RATING, AD_HOC_TARIFF, POINT_RATING)]
    assert delays == [30.25, 60.25, 0.25]
    assert len(caller.mock.reports) == 3


def test_an_altered_answer_shows_other_figures_than_are_stored() -> None:
    caller = mock("altered@hub_rating#1")
    first, second = caller.create(HUB_RATING), caller.correct(HUB_RATING)
    (stored,) = caller.mock.reports.values()
    rating = json.loads(stored)["rating"]
    assert [said(answer)["statusCode"] for answer in (first, second)] == [200, 200]
    assert [said(answer)["data"]["rating"] for answer in (first, second)] == [rating + 1, rating]
    assert said(mock("altered").correct(HUB_RATING))["statusCode"] == 404  # of what is not there nothing is shown


def test_a_fault_in_front_takes_its_time_too() -> None:
    assert mock("503", latency=constant(0.25)).create(HUB_RATING).delay_s == 0.25


def test_faults_can_be_aimed_at_a_kind() -> None:
    caller = mock("503@ad_hoc_tariff")
    assert caller.create(HUB_RATING).http_status == 200
    assert caller.create(AD_HOC_TARIFF).http_status == 503
    assert caller.correct(AD_HOC_TARIFF).http_status == 503
    assert caller.send("GET", "/elsewhere", {}).http_status == 404


def test_faults_can_be_aimed_at_a_subject() -> None:
    caller = mock(f"503@point_rating/{POINT}", "404@nondiscriminatory_access/ATXYZ")
    assert caller.create(POINT_RATING).http_status == 503
    other = PATHS[POINT_RATING].replace(POINT, HUB)
    assert caller.send("POST", other, {}).http_status == 400
    assert caller.create(NONDISCRIMINATORY_ACCESS).http_status == 200
    assert caller.create(NONDISCRIMINATORY_ACCESS, providerGroup="ATXYZ").http_status == 404


def test_token_requests_are_only_hit_when_aimed_at() -> None:
    assert mock("503").ask_token().http_status == 200
    caller = mock("401@token")
    assert caller.ask_token().http_status == 401
    assert caller.create(HUB_RATING).http_status == 200


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("503#2", [200, 503, 409, 409]),
        ("503#2-3", [200, 503, 503, 409]),
        ("503#3-", [200, 409, 503, 503]),
        ("503", [503, 503, 503, 503]),
    ],
)
def test_faults_follow_a_script(fault: str, statuses: list[int]) -> None:
    caller = mock(fault)
    assert [caller.create(HUB_RATING).http_status for _ in range(4)] == statuses


def test_each_fault_counts_all_requests_that_match_it_and_the_first_that_strikes_wins() -> None:
    caller = mock("500@hub_rating#1", "502#1-2", "504#3")
    kinds = [HUB_RATING, AD_HOC_TARIFF, HUB_RATING, HUB_RATING]
    assert [caller.create(kind).http_status for kind in kinds] == [500, 502, 504, 200]


def test_faults_come_with_their_probability() -> None:
    caller = mock("503:0.25", seed=7)
    struck = [caller.create(HUB_RATING).http_status for _ in range(2000)].count(503)
    assert 440 < struck < 560


def test_the_same_seed_repeats_the_same_faults_whatever_the_latency() -> None:
    def statuses(seed: int, latency: Latency | None) -> list[int]:
        caller = mock("503:0.5", seed=seed, latency=latency)
        return [caller.create(HUB_RATING).http_status for _ in range(40)]

    random_latency = parse_latency("lognormal:200ms,800ms")
    assert statuses(3, None) == statuses(3, random_latency) != statuses(4, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "200",
        "600",
        "99",
        "teapot",
        "503:2",
        "503:1.5",
        "503:-1",
        "503@hub",
        "503#0",
        "503=",
        "503 :0.5",
        "lost=x",
    ],
)
def test_what_is_no_fault_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(BadInput, match="is not a fault") as caught:
        InjectedFault.parse(text)
    assert repr(text) in caught.value.message
    assert "503:0.05" in (caught.value.hint or "")


def test_without_latency_answers_come_at_once() -> None:
    assert mock().create(HUB_RATING).delay_s == 0


@pytest.mark.parametrize(("text", "seconds"), [("none", 0), ("200ms", 0.2), ("1.5s", 1.5), ("0ms", 0)])
def test_latency_can_be_constant(text: str, seconds: float) -> None:
    assert mock(latency=parse_latency(text)).create(HUB_RATING).delay_s == seconds


def test_latency_can_be_log_normal() -> None:
    draw, random = parse_latency("lognormal:200ms,0.8s"), Random(1)
    drawn = sorted(draw(random) for _ in range(20_000))
    assert statistics.median(drawn) == pytest.approx(0.2, rel=0.05)
    assert drawn[19_000] == pytest.approx(0.8, rel=0.05)


def test_latency_can_be_drawn_from_what_was_recorded() -> None:
    caller = mock(latency=recorded([0.1, 0.3]), seed=1)
    assert {caller.ask_token().delay_s for _ in range(50)} == {0.1, 0.3}


@pytest.mark.parametrize(
    "text", ["", "fast", "200", "-1s", "lognormal:1s", "lognormal:2s,1s", "lognormal:0s,1s", "normal:1s,2s", ":1s"]
)
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a latency") as caught:
        parse_latency(text)
    assert "lognormal:200ms,800ms" in (caught.value.hint or "")
