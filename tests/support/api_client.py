"""Clients of the API over a function in place of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import httpx

from report_service.adapters.obelis.auth import ClientCredentials
from report_service.adapters.obelis.client import HttpReportApi
from report_service.ports import Request
from tests.support.fakes import FakeClock

TOKEN = "tok.en-1234567890"
SECRET = 'test-"secret"-äöü'
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


def allowed() -> None:
    return None


def a_request(**changes: object) -> Request:
    fields: dict[str, object] = {
        "request_id": "7e1f6f4e-0000-4000-8000-000000000001",
        "verb": "POST",
        "path": "/reports",
        "body": b'{"month":"10-2026"}',
        "token": TOKEN,
    }
    return Request(**{**fields, **changes})  # type: ignore[arg-type]


def credentials() -> ClientCredentials:
    return ClientCredentials(
        token_url="https://auth.example/oauth/token?pool=1",
        client_id="client-1",
        client_secret=lambda: SECRET,
        cpo_id="DEABC",
    )


class Api:
    """Make clients over a function in place of a network, and close them."""

    def __init__(self) -> None:
        self.made: list[HttpReportApi] = []

    def over(
        self,
        handler: Handler | httpx.BaseTransport,
        headers: Mapping[str, str] | None = None,
        unread: str = "",
    ) -> HttpReportApi:
        transport = handler if isinstance(handler, httpx.BaseTransport) else httpx.MockTransport(handler)
        api = HttpReportApi(
            base_url="https://api.example",
            credentials=credentials(),
            transports=lambda: transport,
            clock=FakeClock(),
            timeout_s=25,
            correlation_id="c0ffee00-0000-4000-8000-000000000000",
            headers=headers,
            unread=unread,
        )
        self.made.append(api)
        return api
