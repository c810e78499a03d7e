"""Who may send, now, when, or never: each part of the gate by itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from report_service.domain.api_clock import EVIDENCE_S, ApiClock
from report_service.domain.kinds import KINDS
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.domain.rate_limiter import GcraRateLimiter
from report_service.domain.refusals import Brake
from report_service.domain.responses import Outcome
from report_service.errors import ClockDisagrees, LeaseLost, PermissionRefused
from report_service.ports import Lease, MonthCounts, Token
from report_service.services.delivery.circuits import Circuits
from report_service.services.delivery.gate import AN_ANSWER, At, Never, Now, SendGate
from report_service.services.delivery.lease_keeper import LeaseKeeper
from report_service.services.delivery.refusal_watch import RefusalWatch
from report_service.services.delivery.run_stats import RunStats
from report_service.services.delivery.token_cache import TokenCache
from tests.support.fakes import FakeClock, RecordingEvents

if TYPE_CHECKING:
    from report_service.ports import LeaseStore

MONTH = ReportMonth(2026, 10)
WINDOW = SubmissionWindow.of(MONTH)
NONE_DUE = MonthCounts(month=MONTH, by_kind={kind: {} for kind in KINDS}, drifted=0, in_doubt=0)


@dataclass
class Setting:
    """A gate that lets everything out, and what surrounds it."""

    moment: datetime = datetime(2026, 11, 2, 9, tzinfo=UTC)
    stopped: str | None = None
    clock: FakeClock = field(init=False)
    gate: SendGate = field(init=False)

    def __post_init__(self) -> None:
        self.clock = FakeClock(self.moment)
        stats = RunStats()
        lease = Lease(endpoint="mock", holder="us", fence=1, valid_until=self.at + 50)
        self.gate = SendGate(
            window=WINDOW,
            clock=self.clock,
            api_clock=ApiClock(),
            lease=LeaseKeeper(leases=cast("LeaseStore", None), clock=self.clock, lease=lease),
            circuits=Circuits(proven=True),
            refusals=RefusalWatch.of(NONE_DUE, {}, events=RecordingEvents(), stats=stats),
            rate_limiter=GcraRateLimiter(100_000),
            tokens=TokenCache(token=Token(value="t", refresh_at=self.at + 3600)),
            stats=stats,
            stop=lambda: self.stopped,
            capacity=16,
        )

    @property
    def at(self) -> float:
        return self.clock.monotonic()

    def next(self) -> Now | At | Never:
        return self.gate.next(HUB_RATING, self.at)


def test_where_nothing_speaks_against_it_it_is_now_and_with_this_token() -> None:
    found = Setting().next()
    assert isinstance(found, Now)
    assert found.token is not None
    assert found.token.value == "t"


# --- never


def test_a_process_that_is_to_end_sends_nothing_more() -> None:
    assert Setting(stopped="SIGTERM").next() == Never("SIGTERM")


def test_a_halted_run_sends_nothing_more() -> None:
    setting = Setting()
    setting.gate.stats.halt(PermissionRefused("no permission"))
    assert setting.next() == Never("no permission")


@pytest.mark.parametrize(
    ("moment", "sends"),
    [
        (WINDOW.first_send - timedelta(seconds=1), False),
        (WINDOW.first_send, True),
        (WINDOW.last_send - timedelta(seconds=1), True),
        (WINDOW.last_send, False),
    ],
)
def test_outside_the_window_it_is_never_and_the_worker_is_told_so(moment: datetime, sends: bool) -> None:
    setting = Setting(moment)
    assert isinstance(setting.next(), Now if sends else Never)
    assert (setting.gate.check_report() is None) is sends
    assert setting.gate.check_lease() is None, "a token has no window"


def test_what_has_no_window_goes_out_at_any_time_and_a_report_never_with_it() -> None:
    setting = Setting(WINDOW.closes + timedelta(days=20))
    setting.gate.window = None
    assert isinstance(setting.next(), Now)
    assert setting.gate.check_lease() is None
    assert setting.gate.check_report() == "only corrections may go out without a window"


# --- the API's clock


@pytest.mark.parametrize(("age_s", "held"), [(EVIDENCE_S - 1, True), (EVIDENCE_S, False)])
def test_what_the_apis_clock_says_holds_reports_until_it_is_no_evidence(age_s: float, held: bool) -> None:
    setting = Setting()
    began = setting.at
    setting.gate.api_clock.observe(setting.clock.now() + timedelta(days=40), started=began, ended=began)
    setting.clock.sleep(age_s)
    setting.gate.lease.lease = replace(setting.gate.lease.lease, valid_until=setting.at + 50)
    found = setting.next()
    if held:
        assert isinstance(found, At)
        assert found.moment == began + EVIDENCE_S
        assert isinstance(found.halts, ClockDisagrees)
        assert "off ours" in str(setting.gate.check_report())
        assert setting.gate.check_lease() is None
        assert not setting.gate.circuits.proven, "one request measures it anew"
    else:
        assert isinstance(found, Now)


# --- circuits, and what is under way


def open_circuit(setting: Setting) -> None:
    for about in range(5):
        setting.gate.circuits.failed(
            HUB_RATING, about=about, at=setting.at, retry_after_s=None, uniform=lambda: 1.0
        )
    setting.gate.circuits.proven = True


@pytest.mark.parametrize(("after_s", "kind_of"), [(1.9, At), (2.0, Now)])
def test_an_open_circuit_holds_its_kind_until_it_is_half_open(after_s: float, kind_of: type) -> None:
    setting = Setting()
    open_circuit(setting)
    assert isinstance(setting.gate.next(POINT_RATING, setting.at), Now)
    setting.clock.sleep(after_s)
    assert isinstance(setting.next(), kind_of)


def test_half_open_it_lets_one_probe_through() -> None:
    setting = Setting()
    open_circuit(setting)
    setting.clock.sleep(2)
    setting.gate.started("probe", HUB_RATING, setting.at)
    assert setting.next() == At(AN_ANSWER, "as much as may be is under way")
    setting.gate.ended("probe")
    assert isinstance(setting.next(), Now)


@pytest.mark.parametrize(("proven", "most"), [(False, 1), (True, 16)])
def test_so_many_may_be_under_way(proven: bool, most: int) -> None:
    setting = Setting()
    setting.gate.circuits.proven = proven
    for number in range(most):
        assert isinstance(setting.next(), Now), number
        setting.gate.started(str(number), HUB_RATING, setting.at)
        setting.clock.sleep(1)
    assert setting.next() == At(AN_ANSWER, "as much as may be is under way")
    assert setting.gate.in_flight == most


def test_what_was_let_out_and_never_handed_on_is_not_under_way() -> None:
    setting = Setting()
    for number in range(3):
        setting.gate.started(str(number), HUB_RATING, setting.at)
    setting.gate.forget_unsent({"1"})
    assert setting.gate.in_flight == 1


# --- refusals, pace, token, lease


def test_a_kind_that_is_refused_as_a_whole_waits_for_another_run() -> None:
    setting = Setting()
    setting.gate.refusals.rejected[HUB_RATING] = Brake.restored(refused=20, accepted=False).refused()
    found = setting.next()
    assert isinstance(found, At)
    assert found.moment == AN_ANSWER
    assert isinstance(setting.gate.next(POINT_RATING, setting.at), Now)


def test_a_firewalls_pause_holds_everything() -> None:
    setting = Setting()
    watch = setting.gate.refusals
    watch.record(HUB_RATING, Outcome.ACCEPTED, at=setting.at, words="")
    for _ in range(10):
        watch.record(HUB_RATING, Outcome.FORBIDDEN, at=setting.at, words="")
    found = setting.gate.next(POINT_RATING, setting.at)
    assert isinstance(found, At)
    assert found.moment == setting.at + 60
    assert not found.paced


def test_the_pace_is_a_matter_of_moments() -> None:
    setting = Setting()
    setting.gate.rate_limiter = GcraRateLimiter(60)
    for number in range(2):
        setting.gate.started(str(number), HUB_RATING, setting.at)
    found = setting.next()
    assert isinstance(found, At)
    assert found.paced
    assert 0 < found.moment - setting.at <= 2.1


def test_without_a_token_one_is_asked_for_and_once() -> None:
    setting = Setting()
    setting.gate.tokens.token = None
    assert setting.next() == Now(None)
    setting.gate.started("token", None, setting.at)
    assert setting.next() == At(AN_ANSWER, "a token is on its way")


@pytest.mark.parametrize(("after_s", "kind_of"), [(1.9, At), (2.0, Now)])
def test_a_host_that_gives_no_token_is_left_alone_for_a_while(after_s: float, kind_of: type) -> None:
    setting = Setting()
    setting.gate.tokens.token = None
    setting.gate.tokens.circuit = setting.gate.tokens.circuit.failed(
        about=None, at=setting.at, uniform=lambda: 1.0
    )
    setting.clock.sleep(after_s)
    assert isinstance(setting.next(), kind_of)


@pytest.mark.parametrize(("after_s", "goes"), [(49.9, True), (50.0, False)])
def test_when_the_lease_ends_nothing_leaves_any_more(after_s: float, goes: bool) -> None:
    setting = Setting()
    setting.clock.sleep(after_s)
    assert (setting.gate.check_report() is None) is goes
    assert (setting.gate.check_lease() is None) is goes


def test_when_the_lease_is_revoked_nothing_leaves_any_more() -> None:
    setting = Setting()
    setting.gate.lease.revoke(LeaseLost("another delivers"))
    assert setting.gate.check_report() is not None
    assert setting.gate.check_lease() is not None
