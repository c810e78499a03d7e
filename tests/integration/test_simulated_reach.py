"""What an endpoint did in the past holds nothing up for ever, and a run that could send nothing says so."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.errors import ApiUnavailable
from report_service.mock_api.injected_faults import InjectedFault
from report_service.mock_api.latency import constant
from tests.support.simulation import World, operator, site

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.domain.responses import ApiResponse
    from report_service.ports import ReportApi, Request

NEXT_MONTH = ReportMonth(2026, 11)


class AnswersTogether(World):
    """Answers whatever is under way at each whole second."""

    def answer(self, api: ReportApi, request: Request) -> tuple[ApiResponse, float]:
        answer, _ = super().answer(api, request)
        now = self.monotonic()
        return answer, floor(now) + 1.001 - now


def test_an_endpoint_down_to_the_end_of_a_month_is_tried_again_in_the_next(tmp_path: Path) -> None:
    world = World(latency=constant(0.2), faults=[InjectedFault.parse(f"503@{HUB_RATING}")])
    place = site(tmp_path, world, hubs=60)
    with place.process() as process:
        for _ in range(4):
            process.run()
        world.mock.set_faults([])
        world.turn_to(datetime(2026, 12, 2, 9, tzinfo=UTC))
        place.store(operator(hubs=60, month=NEXT_MONTH))
        assert process.run(NEXT_MONTH).complete, process.states(NEXT_MONTH)


def test_a_run_that_the_tokens_host_of_before_keeps_from_sending_is_halted(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("503=600@token")])
    with site(tmp_path, world).process() as process:
        process.run(patience_s=0)
        world.turn(30)
        second = process.run(patience_s=0)
        assert second.stats is not None
        assert second.stats.requests == 0
        assert isinstance(second.error, ApiUnavailable)


def test_rejections_that_come_together_with_the_one_that_brakes_are_put_off_too(tmp_path: Path) -> None:
    world = AnswersTogether(faults=[InjectedFault.parse(f"400@{AD_HOC_TARIFF}")])
    with site(tmp_path, world, hubs=50).process() as process:
        process.run(patience_s=0)
        assert State.REJECTED not in process.states()
