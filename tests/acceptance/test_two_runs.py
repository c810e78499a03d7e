"""Two runs started together on one store: one delivers, the other finds that all is done."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from report_service.mock_api.operator import made_up_operator
from tests.support.processes import MONTH

if TYPE_CHECKING:
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli

MANY = 81


def test_every_report_is_sent_once_and_both_end_truthfully(cli: Cli, start_mock: StartMock) -> None:
    mock = start_mock("--latency", "100ms")
    cli = cli.using(**mock.settings)
    cli.stock(made_up_operator(MONTH, hubs=8, points_per_hub=7, provider_groups=8))

    ended = [cli.end(process) for process in [cli.start("run"), cli.start("run")]]

    assert [done.code for done in ended] == [0, 0]
    requests = Counter((line["key"], line["ruling"]) for line in mock.lines() if line["key"])
    assert len(requests) == MANY
    assert {ruling for _, ruling in requests} == {"created"}
    assert set(requests.values()) == {1}
    last = [done.events("run.completed")[0] for done in ended]
    assert [line["delivered"] for line in last] == [MANY, MANY]
    assert min(line["sent"] for line in last) == 0
    assert any(done.events("lease.waiting") for done in ended)
    assert cli.states() == {"accepted": MANY}
