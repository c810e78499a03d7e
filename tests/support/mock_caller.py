"""A client of a mock in process, and bodies that it accepts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from report_service.domain.kinds import Kind
    from report_service.mock_api.answers import MockAnswer
    from report_service.mock_api.app import MockObelis

PREFIX = "/ocpi/bob/2.2/debob-reports"
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
POINT = "38032faa-7d39-47d2-a8cf-7408f3f23258"
CREDENTIALS = {"client_id": "test-client", "client_secret": "test-secret", "cpo_id": "DEABC"}

PATHS = {
    HOTLINE_RATING: f"{PREFIX}/hotline-ratings",
    NONDISCRIMINATORY_ACCESS: f"{PREFIX}/nondiscriminatory-access",
    HUB_RATING: f"{PREFIX}/charginghub/{HUB}/ratings",
    AD_HOC_TARIFF: f"{PREFIX}/charginghub/{HUB}/ad-hoc-tariff",
    POINT_RATING: f"{PREFIX}/charginghub/{HUB}/chargingpoint/{POINT}/ratings",
}
_PRICE: dict[str, object] = {
    "cost": 59,
    "additionalCosts": [{"description": "blocking fee per minute", "cost": 10}],
    "validFrom": "2026-10-01T00:00:00.000Z",
    "validTo": "2026-10-31T23:59:59.999Z",
}
BODIES: dict[Kind, dict[str, object]] = {
    HOTLINE_RATING: {"month": "10-2026", "hotlineCalls": 120, "fcrRate": 0.85, "asa": 31, "rating": 2},
    NONDISCRIMINATORY_ACCESS: {
        "month": "10-2026",
        "providerGroup": "DEVFL",
        **_PRICE,
        "contractualBasis": "ROAMING_CONTRACT",
        "reasoningDifferentCosts": "volume",
    },
    HUB_RATING: {"month": "10-2026", "rating": 1},
    AD_HOC_TARIFF: {"month": "10-2026", **_PRICE},
    POINT_RATING: {"month": "10-2026", "rating": 6, "totalComplaints": 0},
}
SUBJECTS = {
    HOTLINE_RATING: "",
    NONDISCRIMINATORY_ACCESS: "/DEVFL",
    HUB_RATING: f"/{HUB}",
    AD_HOC_TARIFF: f"/{HUB}",
    POINT_RATING: f"/{POINT}",
}


def without(body: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in names}


def said(answer: MockAnswer) -> Any:  # noqa: ANN401 -- JSON
    return json.loads(answer.body)


class Caller:
    """Calls a mock with a token of its own."""

    def __init__(self, mock: MockObelis) -> None:
        self.mock = mock
        self.token = said(self.ask_token())["token"]

    def ask_token(self, **other: object) -> MockAnswer:
        body = json.dumps({**CREDENTIALS, **other}).encode()
        return self.mock.handle("POST", "/token", {"Content-Type": "application/json"}, body)

    def send(
        self, method: str, path: str, content: object, *, headers: Mapping[str, str] | None = None
    ) -> MockAnswer:
        """Send JSON, or bytes as they are; headers replace or add to the usual ones."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        usual = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        return self.mock.handle(method, path, {**usual, **(headers or {})}, body)

    def create(self, kind: Kind, **other: object) -> MockAnswer:
        """POST a good report, or one with other fields."""
        return self.send("POST", PATHS[kind], {**BODIES[kind], **other})

    def correct(self, kind: Kind, month: str = "10-2026", /, **other: object) -> MockAnswer:
        """PUT a good correction, or one with other fields."""
        group = "/DEVFL" if kind is NONDISCRIMINATORY_ACCESS else ""
        body = {**without(BODIES[kind], "month", "providerGroup"), **other}
        return self.send("PUT", f"{PATHS[kind]}{group}/{month}", body)
