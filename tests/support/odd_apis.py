"""What may stand between the service and a well-behaved API: see `World.interpose`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from report_service.domain.responses import ApiResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.ports import Request
    from tests.support.simulation import World

PAGE = b"<html><body>Request blocked</body></html>"


def is_report(request: Request) -> bool:
    return request.token is not None


def stores_and_says_nothing(request: Request, answer: Callable[[], ApiResponse]) -> ApiResponse:
    """Store every report, and answer 201 without a body; a second one is answered 409 as ever."""
    said = answer()
    return (
        replace(said, http_status=201, body=b"") if is_report(request) and said.http_status in {200, 201} else said
    )


@dataclass
class FailsFirst:
    """Answers 503 to the first try of each report."""

    seen: set[bytes] = field(default_factory=set)

    def __call__(self, request: Request, answer: Callable[[], ApiResponse]) -> ApiResponse:
        told = request.path.encode() + request.body
        if is_report(request) and told not in self.seen:
            self.seen.add(told)
            return ApiResponse(http_status=503, body=b"busy")
        return answer()


@dataclass
class Firewall:
    """Answers 403 with a page while more than so many requests came within a minute."""

    world: World
    per_minute: int
    arrived: deque[float] = field(default_factory=deque)
    blocked: int = 0

    def __call__(self, _request: Request, answer: Callable[[], ApiResponse]) -> ApiResponse:
        now = self.world.monotonic()
        self.arrived.append(now)
        while self.arrived[0] <= now - 60:
            self.arrived.popleft()
        if len(self.arrived) > self.per_minute:
            self.blocked += 1
            return ApiResponse(http_status=403, body=PAGE)
        return answer()
