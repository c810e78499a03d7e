"""The ledger is read a page at a time, while reports of the last page are on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.bootstrap.rendering import routes_of
from report_service.bootstrap.service import build
from report_service.bootstrap.stores import intake_of
from report_service.domain.months import ReportMonth
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.mock_api.app import MockObelis
from report_service.mock_api.operator import made_up_operator
from report_service.ports import CompletedRequest
from report_service.services.delivery.backlog import PAGE
from report_service.settings import load_settings
from tests.support.fakes import FakeClock, NoBackground, RecordingEvents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from report_service.ports import ReportApi, Request, SendCheck


@dataclass
class SevenAtOnce:
    """RequestExecutor that have all ended when they are looked at: seven a turn, which is no divisor of a page."""

    api: ReportApi
    capacity: int = 7
    ended: list[CompletedRequest] = field(default_factory=list)

    def submit(self, request: Request, send_check: SendCheck) -> None:
        answer = self.api.exchange(request, send_check)
        self.ended.append(CompletedRequest(request=request, response=answer, started=1000.0, ended=1000.0))

    def completed(self, timeout_s: float) -> Sequence[CompletedRequest]:
        ended, self.ended = self.ended, []
        return ended

    def close(self) -> None:
        pass


class NoPace:
    def restore(self, sent: object, *, at: float) -> None:
        pass

    def wait_s(self, at: float) -> float:
        return 0.0

    def acquired(self, request_id: str, at: float) -> None:
        pass

    def completed(self, request_id: str, at: float) -> None:
        pass

    def throttled(self, at: float, *, retry_after_s: float | None = None, started: float | None = None) -> None:
        pass

    def slow_down(self, at: float, *, hold_s: float) -> float:
        return 2000.0

    def rate_per_minute(self, at: float) -> float:
        return 2000.0


def test_a_month_of_several_pages_is_sent_once(tmp_path: Path) -> None:
    clock = FakeClock()
    month = ReportMonth.previous(clock.now())
    store = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    environ = {"REPORT_SERVICE_OBELIS__MODE": "mock", "REPORT_SERVICE_STORE__URL": store}
    settings = load_settings(None, environ, default_files=())
    mock = MockObelis(clock=clock, routes=routes_of(settings), requests_per_minute=None)
    service = build(
        settings,
        events=RecordingEvents(),
        redact=str,
        clock=clock,
        background=NoBackground(),
        mock=mock,
        new_rate_limiter=NoPace,
        executor=SevenAtOnce,
        seed=1,
    )
    tables = made_up_operator(month, hubs=PAGE // 5)
    for name, rows in tables.items():
        values = [TABLE_SCHEMAS[name].read(row) for row in rows]
        intake_of(settings, service.store, clock).upsert(
            TABLE_SCHEMAS[name], [row for row in values if isinstance(row, dict)]
        )

    result = service.reconciler.reconcile(month, trigger="run", patience_s=0)
    service.close()

    assert result.complete
    assert result.stats is not None
    assert result.stats.sent == 1 + 30 + 10 * (PAGE // 5) == mock.stats()["reports"]
    assert mock.stats()["conflicts"] == 0
