"""`report-service mock-api` with the latency of a ledger, as the integration guide asks for."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import text

from report_service.adapters.db.engine import Store
from tests.support.processes import CREDENTIALS, mock_api

if TYPE_CHECKING:
    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli, Mock


def test_the_latency_is_sampled_from_the_durations_in_a_ledger(
    cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    slow = cli.using(**start_mock("--latency", "250ms").settings)
    slow.stock(figures)
    assert slow("run").code == 0

    with mock_api(cli, "--latency-from", cli.settings["STORE__URL"], log=cli.folder / "mock.jsonl") as mock:
        assert 0.25 <= _token_takes_s(mock) < 2


def test_a_ledger_without_durations_is_refused(sqlite_cli: Cli) -> None:
    with closing(Store(sqlite_cli.settings["STORE__URL"])) as store, store.write() as connection:
        connection.execute(text("SELECT 1"))
    sqlite_cli("db", "upgrade")

    done = sqlite_cli("mock-api", "--port", 0, "--latency-from", sqlite_cli.settings["STORE__URL"])

    assert done.code == 2
    assert "holds no durations yet" in done.err


def _token_takes_s(mock: Mock) -> float:
    body = {name.removeprefix("OBELIS__").lower(): value for name, value in CREDENTIALS.items()}
    request = urllib.request.Request(
        f"{mock.url}/token", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
    return time.perf_counter() - began
