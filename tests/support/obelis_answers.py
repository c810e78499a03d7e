"""Answers of OBELIS in both of its forms, and what each of them means: the table that the tests go through."""

from __future__ import annotations

import json
from dataclasses import dataclass

from report_service.domain.responses import ApiResponse, Outcome

OBELIS_ID = "191e7db7-1bea-44db-9e52-2ddab118d699"
STORED: dict[str, object] = {"id": OBELIS_ID, "month": "10-2026", "rating": 2}
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def guide(code: int | None, *, message: str = "so it is", data: object = None) -> bytes:
    """Return a body in the form of the integration guide."""
    body: dict[str, object] = {"timestamp": "2026-11-02T09:00:00.501Z", "message": message}
    body |= {} if data is None else {"data": data}
    return json.dumps(body | ({} if code is None else {"statusCode": code})).encode()


def ocpi(code: int, *, message: str = "so it is", data: object = None) -> bytes:
    """Return a body in the form of version 0.9."""
    return json.dumps({"status_code": code, "status_message": message, "data": data}).encode()


@dataclass(frozen=True)
class Case:
    """One answer, and its outcome."""

    name: str
    answer: ApiResponse
    outcome: Outcome


def case(name: str, status: int | None, body: bytes, outcome: Outcome, *, complete: bool = True) -> Case:
    return Case(name, ApiResponse(http_status=status, body=body, complete=complete), outcome)


CASES = [
    # it worked
    case("200, guide", 200, guide(200, data=STORED), Outcome.ACCEPTED),
    case("201, guide", 201, guide(201, data=STORED), Outcome.ACCEPTED),
    case("200, guide, without the optional code", 200, guide(None, data=STORED), Outcome.ACCEPTED),
    case("201, guide, without data", 201, guide(200), Outcome.ACCEPTED),
    case("201, 0.9: done", 201, ocpi(1000, data=STORED), Outcome.ACCEPTED),
    case("200, 0.9: done", 200, ocpi(1000), Outcome.ACCEPTED),
    # a 200 that says no
    case("200, 0.9: invalid body", 200, ocpi(2001), Outcome.REJECTED),
    case("200, 0.9: no such location", 200, ocpi(2003), Outcome.NOT_FOUND),
    case("200, 0.9: already reported", 200, ocpi(2900), Outcome.CONFLICT),
    case("200, 0.9: another client error", 200, ocpi(2000), Outcome.REJECTED),
    case("200, 0.9: a server error", 200, ocpi(3000), Outcome.SERVER_ERROR),
    case("200, guide: 400", 200, guide(400), Outcome.REJECTED),
    case("200, guide: 401", 200, guide(401), Outcome.UNAUTHORIZED),
    case("200, guide: 403", 200, guide(403), Outcome.FORBIDDEN),
    case("200, guide: 404", 200, guide(404), Outcome.NOT_FOUND),
    case("200, guide: 409", 200, guide(409), Outcome.CONFLICT),
    case("200, guide: 429", 200, guide(429), Outcome.THROTTLED),
    case("200, guide: 500", 200, guide(500), Outcome.SERVER_ERROR),
    case("200, guide: 400, data all the same", 200, guide(400, data=STORED), Outcome.REJECTED),
    # a 2xx that cannot be understood
    case("200, empty", 200, b"", Outcome.UNREADABLE),
    case("204, no content", 204, b"", Outcome.UNREADABLE),
    case("200, HTML", 200, HTML, Outcome.UNREADABLE),
    case("200, half an answer", 200, guide(200, data=STORED)[:-20], Outcome.UNREADABLE),
    case("200, cut off after a whole envelope", 200, guide(200, data=STORED), Outcome.UNREADABLE, complete=False),
    case("200, words and nothing else", 200, guide(None), Outcome.UNREADABLE),
    case("200, data without content", 200, guide(None, data={}), Outcome.UNREADABLE),
    case("200, a code that is none", 200, guide(0), Outcome.UNREADABLE),
    case("200, guide: a redirect", 200, guide(302), Outcome.UNREADABLE),
    case("200, 0.9: an unknown code", 200, ocpi(4000), Outcome.UNREADABLE),
    case("200, a no and a yes under one name", 200, b'{"statusCode": 400, ' + guide(200)[1:], Outcome.UNREADABLE),
    case("200, a list", 200, json.dumps([STORED]).encode(), Outcome.UNREADABLE),
    # their statuses
    case("400, guide", 400, guide(400), Outcome.REJECTED),
    case("400, guide, without the optional code", 400, guide(None), Outcome.REJECTED),
    case("400, HTML", 400, HTML, Outcome.REJECTED),
    case("400, half an answer", 400, guide(400)[:-5], Outcome.REJECTED),
    case("400, 0.9: invalid body", 400, ocpi(2001), Outcome.REJECTED),
    case("400, that says 200", 400, guide(200, data=STORED), Outcome.REJECTED),
    case("400, 0.9: already reported", 400, ocpi(2900), Outcome.CONFLICT),
    case("400, 0.9: no such location", 400, ocpi(2003), Outcome.NOT_FOUND),
    case("401", 401, guide(401), Outcome.UNAUTHORIZED),
    case("403", 403, guide(403), Outcome.FORBIDDEN),
    case("400, about the month", 400, guide(400, message="only for the previous month"), Outcome.OUT_OF_WINDOW),
    case("404", 404, guide(404), Outcome.NOT_FOUND),
    case("404, of a proxy", 404, HTML, Outcome.NOT_FOUND),
    case("404, that says 200", 404, guide(200, data=STORED), Outcome.NOT_FOUND),
    case("409", 409, guide(409), Outcome.CONFLICT),
    case("409, empty", 409, b"", Outcome.CONFLICT),
    case("429", 429, guide(429), Outcome.THROTTLED),
    case("429, of the firewall", 429, HTML, Outcome.THROTTLED),
    case("500", 500, guide(500), Outcome.SERVER_ERROR),
    case("502", 502, HTML, Outcome.SERVER_ERROR),
    case("503", 503, b"", Outcome.SERVER_ERROR),
    case("504", 504, HTML, Outcome.SERVER_ERROR),
    case("500, that says 200", 500, guide(200, data=STORED), Outcome.SERVER_ERROR),
    # statuses that the guide does not know
    case("408", 408, b"", Outcome.SERVER_ERROR),
    case("405", 405, b"", Outcome.REFUSED),
    case("413", 413, HTML, Outcome.REFUSED),
    case("301", 301, b"", Outcome.MISDIRECTED),
    case("307, that says 200", 307, guide(200, data=STORED), Outcome.MISDIRECTED),
    case("103", 103, b"", Outcome.MISDIRECTED),
    case("600", 600, b"", Outcome.MISDIRECTED),
    # nothing came back
    Case("time-out", ApiResponse(detail="no whole answer within 25 s"), Outcome.NO_ANSWER),
    Case("reset", ApiResponse(detail="ReadError: Connection reset by peer"), Outcome.NO_ANSWER),
    Case("no such host", ApiResponse(sent=False, detail="ConnectError: name not known"), Outcome.NOT_SENT),
]
"""In the order of the table in the domain's `answers`; `name`s are unique."""
