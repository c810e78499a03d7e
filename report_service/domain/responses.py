"""What an answer of the API means for a report: the triage, in both envelopes.

| status      | envelope                                   | outcome      | for the report                      |
|-------------|--------------------------------------------|--------------|-------------------------------------|
| 2xx         | statusCode 2xx; 1000; no code but `data`   | ACCEPTED     | accepted                            |
| 2xx         | statusCode 4xx, 5xx; 2000-2999; 3000-3999  | as that code | a 200 that says no is a no          |
| 2xx         | none of these, no JSON, cut off            | UNREADABLE   | in doubt: the same bytes soon again |
| 400         | any; a more exact code in it wins          | REJECTED     | a person must change the data       |
| 400         | words that speak of the previous month     | OUT_OF_WINDOW| as 403: its clock or zone is another|
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
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from report_service.domain.evidence import ANSWER_LIMIT
from report_service.domain.field_errors import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

DETAIL_LIMIT = 400
"""The most characters of the API's words that are kept as a reason."""
ID_LIMIT = 200
"""The longest text that is taken for an id."""
DEPTH_LIMIT = 20
"""Answers are nested four deep; one that is nested deeper than this is not read, and exhausts no stack."""

_SAID_BY = frozenset({"statusCode", "status_code", "message", "status_message", "data"})
"""The names of the envelopes' fields: a body with one of them is the API's own."""
_SPEAKS_OF_THE_WINDOW = re.compile(
    r"(previous|last|past|current|future|following) (calendar )?month|vormonat|vorherigen monat"
    r"|(reporting|submission) (window|period)|berichtszeitraum",
    re.IGNORECASE,
)
"""How an API may say that a month cannot be reported now; the guide has the rule, and no words for it."""
_MAGIC = {b"\x1f\x8b": "gzip", b"\x89PNG": "a PNG image", b"%PDF": "a PDF", b"PK\x03\x04": "a ZIP archive"}
_CODE = re.compile(r"[1-9]\d{2,3}", re.ASCII)


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
    UNREADABLE = "unreadable"  # a 2xx in words that nobody announced: an answer, not an outage
    OUT_OF_WINDOW = "out_of_window"  # the month is not, or no longer, the previous one, says the API
    MISDIRECTED = "misdirected"  # a redirect, which is never followed
    REFUSED = "refused"  # a 4xx that the guide does not know
    NOT_SENT = "not_sent"  # it never left
    NO_ANSWER = "no_answer"  # it left, and nothing usable came back

    @property
    def is_ambiguous(self) -> bool:
        """Return True if the report may have been stored although nobody said so (law 3)."""
        return self in {Outcome.SERVER_ERROR, Outcome.UNREADABLE, Outcome.NO_ANSWER}

    @property
    def is_conclusive(self) -> bool:
        """Return True if this answer ends all doubt about earlier attempts with the same bytes."""
        return self in {Outcome.ACCEPTED, Outcome.REJECTED, Outcome.CONFLICT}

    @property
    def is_failure(self) -> bool:
        """Return True if the endpoint did not answer, or not for itself: its circuit breaker counts it."""
        return self in {Outcome.SERVER_ERROR, Outcome.NO_ANSWER, Outcome.NOT_SENT}

    @property
    def refusal(self) -> bool:
        """Return True if the API answered and would not take the report for a reason that is not its data."""
        return self in {
            Outcome.FORBIDDEN,
            Outcome.NOT_FOUND,
            Outcome.MISDIRECTED,
            Outcome.REFUSED,
            Outcome.OUT_OF_WINDOW,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """What came back for one request; `http_status` is None when nothing usable did."""

    http_status: int | None = None
    body: bytes = field(default=b"", repr=False)  # at most the client's cap; a token's is a secret
    sent: bool = True  # False: it failed before a byte of the request left
    cancelled: bool = False  # it was ours not to let it go: that says nothing of the API
    detail: str = ""  # why nothing came back, or why the body was cut
    complete: bool = True  # False: the body was cut off, by them or by our cap
    retry_after_s: float | None = None
    server_date: datetime | None = None  # the Date header, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """An answer, understood."""

    outcome: Outcome
    understood: bool = False  # the body is an envelope of the API's: it is the API that speaks
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


def classify(answer: ApiResponse) -> Classification:
    """Say what an answer means, as the module's table has it."""
    if answer.http_status is None:
        return Classification(
            outcome=Outcome.NO_ANSWER if answer.sent else Outcome.NOT_SENT, detail=_cap(answer.detail)
        )
    envelope = _envelope(answer)
    outcome = _by_status(answer.http_status)
    if outcome is Outcome.ACCEPTED:
        outcome = _by_envelope(envelope)
    elif outcome is Outcome.REJECTED:
        exact = _by_envelope(envelope)
        outcome = outcome if exact in {Outcome.ACCEPTED, Outcome.UNREADABLE} else exact
    understood = outcome is not Outcome.UNREADABLE and not _SAID_BY.isdisjoint(envelope)
    if outcome is not Outcome.ACCEPTED:
        words = _words(answer, envelope)
        if outcome is Outcome.REJECTED and _SPEAKS_OF_THE_WINDOW.search(words):
            outcome = Outcome.OUT_OF_WINDOW
        return Classification(outcome=outcome, understood=understood, detail=words)
    data = envelope.get("data")
    if not isinstance(data, dict):
        return Classification(outcome=outcome, understood=understood)
    return Classification(outcome=outcome, understood=understood, obelis_id=_identity(data.get("id")), echo=data)


def excerpt(answer: ApiResponse) -> str:
    """Return what is kept of an answer's body, or of why there was none."""
    return _cap(_text(answer.body) or answer.detail)


def full_text(answer: ApiResponse) -> str:
    """Return an answer's body as it came, or why there was none: what is kept as evidence."""
    return answer.body[:ANSWER_LIMIT].decode("utf-8", "replace") or answer.detail


def _by_status(status: int) -> Outcome:
    if status in BY_STATUS:
        return BY_STATUS[status]
    by_hundred = {2: Outcome.ACCEPTED, 4: Outcome.REFUSED, 5: Outcome.SERVER_ERROR}
    return by_hundred.get(status // 100, Outcome.MISDIRECTED)


def _by_envelope(envelope: Mapping[str, object]) -> Outcome:
    """Return what the codes in a body say; with two that differ, the no wins."""
    said = []
    if envelope.get("status_code") is not None:
        code = _whole(envelope["status_code"])
        by_thousand = {2: Outcome.REJECTED, 3: Outcome.SERVER_ERROR}.get(code // 1000, Outcome.UNREADABLE)
        said.append(BY_OCPI_CODE.get(code, by_thousand))
    if envelope.get("statusCode") is not None:
        code = _whole(envelope["statusCode"])
        said.append(_by_status(code) if code // 100 in {2, 4, 5} else Outcome.UNREADABLE)
    if not said and envelope.get("data") and isinstance(envelope["data"], dict):
        return Outcome.ACCEPTED
    return next((no for no in said if no is not Outcome.ACCEPTED), said[0] if said else Outcome.UNREADABLE)


def _envelope(answer: ApiResponse) -> Mapping[str, object]:
    """Return the body's object; an empty one, which says nothing, for a body that cannot be understood."""
    if not answer.complete:
        return {}
    try:
        found = json.loads(answer.body, object_pairs_hook=_each_name_once)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and _is_shallow(found, DEPTH_LIMIT) else {}


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object; refuse one that says two things under one name: which of them holds is anybody's guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in an object")
    return found


def _is_shallow(value: object, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_shallow(one, depth - 1) for one in inner)


def _whole(value: object) -> int:
    """Return a code, as a number or in digits; 0, which means nothing, for anything else."""
    if isinstance(value, str) and _CODE.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) else 0


def _identity(value: object) -> str | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= ID_LIMIT and text.isprintable() else None


def _words(answer: ApiResponse, envelope: Mapping[str, object]) -> str:
    """Return the API's own reason: its message and, in 0.9's form, each field that it objects to."""
    words = [str(envelope.get("message") or envelope.get("status_message") or "")]
    data = envelope.get("data")
    for fault in data if isinstance(data, list) else []:
        if isinstance(fault, dict):
            field, value, why = (fault.get(name) for name in ("fieldName", "invalidValue", "message"))
            words.append(f"{field} = {value!r}: {why}")
    said = "; ".join(word for word in words if word)
    return _cap(said or answer.detail or _text(answer.body))


def _text(body: bytes) -> str:
    """Return a body as text; of one that is none (compressed, an image) what it is and how long."""
    text = body.decode("utf-8", "replace")
    head = text[:1000]
    if head.isprintable() and "\ufffd" not in head:  # what nearly every answer is, and quick to see
        return text
    odd = sum(not (letter.isprintable() or letter.isspace()) or letter == "\ufffd" for letter in head)
    if 10 * odd <= len(head):
        return text
    sort = next((name for magic, name in _MAGIC.items() if body.startswith(magic)), "no text")
    return f"({len(body):,} bytes that are {sort}, beginning {body[:8].hex(' ')})"


def _cap(text: str) -> str:
    """Return text on one line, short, and fit for any store and any terminal."""
    words = " ".join(text[: 2 * DETAIL_LIMIT].split())
    if not words.isprintable():
        words = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)
    whole = len(words) <= DETAIL_LIMIT and len(text) <= 2 * DETAIL_LIMIT
    return words if whole else words[: DETAIL_LIMIT - 1] + "…"


def echo_differences(sent: bytes, echo: Mapping[str, object]) -> list[str]:
    """Name each field that OBELIS echoed otherwise than it was sent; what it left out or added does not count."""
    body: dict[str, object] = json.loads(sent)
    return [
        f"{name}: sent {shown(repr(value))}, stored {shown(repr(echo[name]))}"
        for name, value in body.items()
        if name in echo and not _agree(value, echo[name])
    ]


def _agree(sent: object, stored: object) -> bool:
    """Return True if two values mean the same: numbers, instants, and lists as sets."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        return all(name not in stored or _agree(value, stored[name]) for name, value in sent.items())
    if isinstance(sent, list) and isinstance(stored, list):
        return len(sent) == len(stored) and all(any(_agree(one, other) for other in stored) for one in sent)
    if isinstance(sent, str) and isinstance(stored, str):
        return sent == stored or _instant(sent) == _instant(stored) is not None
    return sent == stored and isinstance(sent, bool) == isinstance(stored, bool)


def _instant(text: str) -> datetime | None:
    """Return the instant that a text names, in UTC if it names no zone; None if it names none."""
    try:
        found = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
