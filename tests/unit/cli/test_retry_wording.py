"""What `retry` tells a person: a line a report, as long as somebody reads them."""

from __future__ import annotations

import pytest

from report_service.cli.retry import SHOWN, told
from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.months import ReportMonth
from report_service.services.retry import PutBack

MONTH = ReportMonth(2026, 10)


def put_back(number: int) -> PutBack:
    key = DeliveryKey.parse(f"2026-10/hub_rating/{number:08}-1bea-44db-9e52-2ddab118d699")
    return PutBack(key=key, before=State.REJECTED, after=State.PENDING, reason="")


@pytest.mark.parametrize(("count", "lines"), [(SHOWN - 1, SHOWN - 1), (SHOWN, SHOWN), (SHOWN + 1, SHOWN + 1)])
def test_so_many_reports_are_listed_and_the_rest_is_counted(count: int, lines: int) -> None:
    *listed, _next, _daemon = told(
        [put_back(number) for number in range(count)], MONTH, "rejected", 15
    ).splitlines()

    assert len(listed) == lines
    assert (listed[-1] == "... and 1 more; --json lists all of them") is (count > SHOWN)


def test_reports_of_two_months_are_sent_by_two_runs() -> None:
    other = PutBack(
        key=DeliveryKey.parse("2026-09/hotline_rating"), before=State.RETRYING, after=State.RETRYING, reason="busy"
    )
    text = told([put_back(1), other], MONTH, "rejected", 1)

    assert "2026-09/hotline_rating: due at once (was: busy)" in text
    assert "report-service run --month 2026-10 and report-service run --month 2026-09" in text
    assert text.endswith("within 1 minute.")
