"""What an answer of the API means for a report: the triage, in both envelopes.

| status      | envelope                                   | outcome      | for the report                      |
|-------------|--------------------------------------------|--------------|-------------------------------------|
| 2xx         | statusCode 2xx, or none but `data`; 1000   | ACCEPTED     | accepted                            |
| 2xx         | statusCode 4xx, 5xx; 2000-2999; 3000-3999  | as that code | a 200 that says no is a no          |
| 2xx         | none of these, no JSON, cut off            | UNREADABLE   | unknown end: same bytes again       |
| 400         | any; a more exact code in it wins          | REJECTED     | a person must change the data       |
| 401         | any                                        | UNAUTHORIZED | one new token, then the run stops   |
| 403         | any                                        | FORBIDDEN    | after 5, 15, 30 min, then daily     |
| 404         | any; or 0.9's 2003                         | NOT_FOUND    | as 403: it may become visible       |
| 409         | any; or 0.9's 2900                         | CONFLICT     | already reported, by us or another  |
| 429         | any                                        | THROTTLED    | wait, and slow down overall         |
| 408, 5xx    | any; or 0.9's 3000-3999                    | SERVER_ERROR | unknown end: same bytes again       |
| 3xx, 1xx    | never followed                             | MISDIRECTED  | as 403: the address is wrong        |
| other 4xx   | any                                        | REFUSED      | as 403: the API does not take it so |
| none        | never left (DNS, connect, TLS)             | NOT_SENT     | again, with back-off                |
| none        | time-out, reset, half an answer            | NO_ANSWER    | unknown end: same bytes again       |

Sources: the integration guide (statuses, envelope), OpenAPI 0.9 (`status_code`), and for what is not in
either the project's own decisions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DETAIL_LIMIT = 400
"""The most characters of the API's words that are kept as a reason."""


class Outcome(StrEnum):
    """How an attempt ended."""

    ACCEPTED = "accepted"  # the envelope says so
    REJECTED = "rejected"  # the data breaks a rule of the API
    UNAUTHORIZED = "unauthorized"  # the token is not accepted
    FORBIDDEN = "forbidden"  # the token lacks permission
    NOT_FOUND = "not_found"  # the hub or point is not known (yet)
    CONFLICT = "conflict"  # a report exists already
    THROTTLED = "throttled"  # too many requests
    SERVER_ERROR = "server_error"  # their fault; it may have been stored all the same
    UNREADABLE = "unreadable"  # a 2xx that cannot be understood
    MISDIRECTED = "misdirected"  # a redirect, which is never followed
    REFUSED = "refused"  # a 4xx that the guide does not know
    NOT_SENT = "not_sent"  # it never left
    NO_ANSWER = "no_answer"  # it left, and nothing usable came back

    @property
    def unknown_end(self) -> bool:
        """Say whether the report may have been stored although nobody said so (law 3)."""
        return self in {Outcome.SERVER_ERROR, Outcome.UNREADABLE, Outcome.NO_ANSWER}

    @property
    def settles(self) -> bool:
        """Say whether this answer ends all doubt about earlier attempts with the same bytes."""
        return self in {Outcome.ACCEPTED, Outcome.REJECTED, Outcome.CONFLICT}

    @property
    def api_down(self) -> bool:
        """Say whether it speaks of the API as a whole rather than of the report."""
        return self.unknown_end or self is Outcome.NOT_SENT

    @property
    def refusal(self) -> bool:
        """Say whether the API answered and would not take the report for a reason that is not its data."""
        return self in {Outcome.FORBIDDEN, Outcome.NOT_FOUND, Outcome.MISDIRECTED, Outcome.REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one request; `http_status` is None when nothing usable did."""

    http_status: int | None = None
    body: bytes = field(default=b"", repr=False)  # at most the client's cap; a token's is a secret
    sent: bool = True  # False: it failed before a byte of the request left
    detail: str = ""  # why nothing came back, or why the body was cut
    complete: bool = True  # False: the body was cut off, by them or by our cap
    retry_after_s: float | None = None
    server_date: datetime | None = None  # the Date header, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An answer, understood."""

    outcome: Outcome
    detail: str = ""  # the API's words, capped
    obelis_id: str | None = None  # the id that OBELIS gave the report
    echo: Mapping[str, object] | None = None  # the data that OBELIS says it stored


BY_STATUS: dict[int, Outcome] = {
    400: Outcome.REJECTED,
    401: Outcome.UNAUTHORIZED,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    408: Outcome.SERVER_ERROR,
    409: Outcome.CONFLICT,
    429: Outcome.THROTTLED,
}
"""The guide's statuses; 5xx, 3xx and the rest go by their hundred."""

BY_OCPI_CODE: dict[int, Outcome] = {
    1000: Outcome.ACCEPTED,
    2003: Outcome.NOT_FOUND,
    2900: Outcome.CONFLICT,
}
"""0.9's codes; the other 2xxx are errors of the client, 3xxx of the server, as in OCPI."""


def judge(answer: Answer) -> Verdict:
    """Say what an answer means, as the module's table has it."""
    if answer.http_status is None:
        return Verdict(outcome=Outcome.NO_ANSWER if answer.sent else Outcome.NOT_SENT, detail=_cap(answer.detail))
    envelope = _envelope(answer)
    outcome = _by_status(answer.http_status)
    if outcome is Outcome.ACCEPTED:
        outcome = _by_envelope(envelope) if envelope is not None else Outcome.UNREADABLE
    elif outcome is Outcome.REJECTED and envelope is not None:
        exact = _by_envelope(envelope)
        outcome = exact if exact not in {Outcome.ACCEPTED, Outcome.UNREADABLE} else outcome
    data = (envelope or {}).get("data")
    if outcome is not Outcome.ACCEPTED or not isinstance(data, dict):
        return Verdict(outcome=outcome, detail=_words(answer, envelope))
    identity = data.get("id")
    return Verdict(outcome=outcome, obelis_id=identity if isinstance(identity, str) else None, echo=data)


def excerpt(answer: Answer) -> str:
    """Return what is kept of an answer's body, or of why there was none."""
    return _cap(answer.body.decode("utf-8", "replace") or answer.detail)


def _by_status(status: int) -> Outcome:
    if status in BY_STATUS:
        return BY_STATUS[status]
    by_hundred = {2: Outcome.ACCEPTED, 4: Outcome.REFUSED, 5: Outcome.SERVER_ERROR}
    return by_hundred.get(status // 100, Outcome.MISDIRECTED)


def _by_envelope(envelope: Mapping[str, object]) -> Outcome:
    """Return what the codes in a readable body say; with two that differ, the no wins."""
    said = []
    if "status_code" in envelope:
        code = _whole(envelope["status_code"])
        said.append(BY_OCPI_CODE.get(code) or {2: Outcome.REJECTED, 3: Outcome.SERVER_ERROR}.get(code // 1000))
    if "statusCode" in envelope:
        code = _whole(envelope["statusCode"])
        said.append(_by_status(code) if 200 <= code < 600 else None)
    if not said and isinstance(envelope.get("data"), dict):
        return Outcome.ACCEPTED
    if not said or None in said:
        return Outcome.UNREADABLE
    return next((one for one in said if one and one is not Outcome.ACCEPTED), Outcome.ACCEPTED)


def _envelope(answer: Answer) -> dict[str, object] | None:
    if not answer.complete:
        return None
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    return int(value) if isinstance(value, int) or (value.isascii() and value.isdigit()) else 0


def _words(answer: Answer, envelope: Mapping[str, object] | None) -> str:
    """Return the API's own reason: its message and, in 0.9's form, each field that it objects to."""
    if envelope is None:
        return _cap(answer.detail or answer.body.decode("utf-8", "replace"))
    words = [str(envelope.get("message") or envelope.get("status_message") or "")]
    data = envelope.get("data")
    for fault in data if isinstance(data, list) else []:
        if isinstance(fault, dict):
            field, value, why = (fault.get(name) for name in ("fieldName", "invalidValue", "message"))
            words.append(f"{field} = {value!r}: {why}")
    return _cap("; ".join(word for word in words if word) or answer.body.decode("utf-8", "replace"))


def _cap(text: str) -> str:
    text = " ".join(text.replace("\x00", "").split())
    return text if len(text) <= DETAIL_LIMIT else text[: DETAIL_LIMIT - 1] + "…"


def echo_differences(sent: bytes, echo: Mapping[str, object]) -> list[str]:
    """Name each field that OBELIS echoed otherwise than it was sent; fields that it left out do not count."""
    body: dict[str, object] = json.loads(sent)
    return [
        f"{name}: sent {value!r}, stored {echo[name]!r}"
        for name, value in body.items()
        if name in echo and _canonical(value) != _canonical(echo[name])
    ]


def _canonical(value: object) -> object:
    """Return a form in which equal values are equal: instants, numbers, and lists as sets."""
    if isinstance(value, dict):
        return frozenset((key, _canonical(item)) for key, item in value.items())
    if isinstance(value, list):
        return frozenset(_canonical(item) for item in value)
    if isinstance(value, str) and "T" in value:
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return value
    return value
