"""What the mock says, in either of the API's two forms.

| ruling       | guide | 0.9: HTTP, code | said when                                                     |
|--------------|-------|-----------------|---------------------------------------------------------------|
| CREATED      | 200   | 201, 1000       | the report is stored                                          |
| CORRECTED    | 200   | 200, 1000       | the stored report is replaced                                 |
| INVALID      | 400   | 200, 2001       | the body breaks a rule, or its month is not the previous one  |
| UNKNOWN      | 404   | 200, 2003       | no such hub or point, or nothing to correct                   |
| DUPLICATE    | 409   | 200, 2900       | reported already                                              |
| UNAUTHORIZED | 401   | 401, 2000       | no valid token, or wrong credentials                          |
| NO_ROUTE     | 404   | 404, 2000       | no such path                                                  |
| NOT_ALLOWED  | 405   | 405, 2000       | the path knows other verbs                                    |
| LIMITED      | 429   | 429, 2000       | too many requests                                             |

The guide's statuses are its own; of 0.9's codes it stated 1000, 2001, 2003 and 2900, the rest is OCPI's.
A token is answered in the same form in both (TOKEN, 200).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from report_service.mock_api.rules import BrokenRule


class Dialect(StrEnum):
    """Which form the API's answers take."""

    GUIDE = "guide"  # the integration guide's: `statusCode`, and HTTP statuses that mean it
    V0_9 = "0.9"  # OpenAPI 0.9's: `status_code`, and failures as HTTP 200


class Decision(StrEnum):
    """What the mock decided about a request, whatever form it says it in."""

    TOKEN = "token"  # noqa: S105 -- a name, not a secret
    CREATED = "created"
    CORRECTED = "corrected"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"
    UNAUTHORIZED = "unauthorized"
    NO_ROUTE = "no_route"
    NOT_ALLOWED = "not_allowed"
    LIMITED = "limited"
    FAULT = "fault"  # an injected fault came before the API's own rules


@dataclass(frozen=True, slots=True, kw_only=True)
class MockAnswer:
    """One answer, for a server or an in-process transport to give; `delay_s` is theirs to sleep."""

    http_status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False  # close the connection instead of answering
    cut: bool = False  # close it after half the body; Content-Length promises all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A ruling and what it is about, before it is put in either form."""

    ruling: Decision
    text: str = "Request was processed successfully"
    data: Mapping[str, object] | None = None
    violations: Sequence[BrokenRule] = ()


_GUIDE: dict[Decision, int] = {
    Decision.CREATED: 200,
    Decision.CORRECTED: 200,
    Decision.INVALID: 400,
    Decision.UNKNOWN: 404,
    Decision.DUPLICATE: 409,
    Decision.UNAUTHORIZED: 401,
    Decision.NO_ROUTE: 404,
    Decision.NOT_ALLOWED: 405,
    Decision.LIMITED: 429,
}
_V0_9: dict[Decision, tuple[int, int]] = {
    Decision.CREATED: (201, 1000),
    Decision.CORRECTED: (200, 1000),
    Decision.INVALID: (200, 2001),
    Decision.UNKNOWN: (200, 2003),
    Decision.DUPLICATE: (200, 2900),
    Decision.UNAUTHORIZED: (401, 2000),
    Decision.NO_ROUTE: (404, 2000),
    Decision.NOT_ALLOWED: (405, 2000),
    Decision.LIMITED: (429, 2000),
}


def render(reply: Reply, dialect: Dialect, at: datetime) -> MockAnswer:
    """Put a reply in a dialect's form, stamped with `at` (UTC)."""
    if reply.ruling is Decision.TOKEN:
        return json_answer(200, reply.data or {})
    text = "; ".join([reply.text, *(f"{found.field} {found.message}" for found in reply.violations)])
    if dialect is Dialect.GUIDE:
        status = _GUIDE[reply.ruling]
        return json_answer(status, envelope(dialect, status, text, at, data=reply.data))
    status, code = _V0_9[reply.ruling]
    listed = [
        {"fieldName": found.field, "invalidValue": found.value, "message": found.message}
        for found in reply.violations
    ]
    return json_answer(status, envelope(dialect, code, reply.text, at, data=reply.data or listed or None))


def envelope(dialect: Dialect, code: int, text: str, at: datetime, *, data: object = None) -> dict[str, object]:
    """Wrap an answer; `code` is the dialect's own, an HTTP status in the guide's."""
    names = ("statusCode", "message") if dialect is Dialect.GUIDE else ("status_code", "status_message")
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {} if data is None else {"data": data}
    return content | {"timestamp": stamp, names[1]: text, names[0]: code}


def json_answer(status: int, content: object) -> MockAnswer:
    """Return an answer whose body is JSON."""
    return MockAnswer(
        http_status=status,
        body=json.dumps(content, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/json"},
    )
