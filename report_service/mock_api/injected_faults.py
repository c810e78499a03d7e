"""The mock's bad days: faults by chance, or by script.

A fault is written `WHAT[+done][=VALUE][:PROBABILITY][@TARGET[/SUBJECT]][#N[-M]]`, for example

    503:0.05                    one report request in twenty is answered 503
    429=5@hub_rating#1-3        the first three hub ratings: 429 with Retry-After: 5
    lost@point_rating/<id>#1    the first request for that point is carried out, its answer never arrives
    401@token                   no tokens any more

| WHAT     | what happens                                   | VALUE               | carried out |
|----------|------------------------------------------------|---------------------|-------------|
| 300..599 | that status; a 3xx points to another host      | Retry-After, s      | no          |
| drop     | the connection is closed without an answer     |                     | no          |
| lost     | the same as drop+done                          |                     | yes         |
| cut      | half the answer, then the connection is closed |                     | yes         |
| html     | 200 with a page of HTML                        |                     | no          |
| no       | 200 whose envelope says no                     | the envelope's code | no          |
| huge     | the true answer, with padding                  | MiB (8)             | yes         |
| slow     | the true answer, late                          | s late (60)         | yes         |
| altered  | the answer shows other whole numbers than sent |                     | yes         |

`+done` has the request carried out first, so that the fault hides the true answer. TARGET is a kind of report
or `token`; without one, any report. `#N-M` counts the requests that match TARGET, from 1; `#N-` has no end.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.kinds import KIND_BY_NAME
from report_service.errors import BadInput
from report_service.mock_api.answers import Dialect, MockAnswer, envelope, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from random import Random

TOKEN = "token"  # noqa: S105 -- the name of the endpoint as a target

_SPEC = re.compile(
    r"(?P<what>[3-5]\d\d|drop|lost|cut|html|no|huge|slow|altered)(?P<done>\+done)?(=(?P<value>\d+(\.\d+)?))?"
    r"(:(?P<probability>[01](\.\d+)?|\.\d+))?(@(?P<target>\w+)(/(?P<subject>[^#\s]+))?)?"
    r"(#(?P<first>[1-9]\d*)(?P<range>-(?P<last>\d*))?)?",
    re.ASCII,
)
_CARRIED_OUT = {"altered", "cut", "huge", "slow"}
_DEFAULT_VALUE = {"huge": 8.0, "slow": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedFault:
    """One fault: what happens, how often, and to which requests."""

    what: str
    done: bool = False  # the request is carried out first
    value: float | None = None
    probability: float = 1.0
    target: str | None = None  # a kind, or `token`; None: any report
    subject: str | None = None
    first: int = 1
    last: int | None = None  # inclusive

    @classmethod
    def parse(cls, text: str) -> InjectedFault:
        """Read a fault as the module describes it; raise BadInput for anything else."""
        found = _SPEC.fullmatch(text.strip())
        if (
            not found
            or found["target"] not in (None, TOKEN, *KIND_BY_NAME)
            or float(found["probability"] or 1) > 1
        ):
            raise BadInput(
                f"{text!r} is not a fault",
                hint="Write faults as 503:0.05, lost:0.01 or 429=5@hub_rating#1-3: a status from 300 on, drop, "
                f"lost, cut, html, no, huge, slow or altered; targets are {TOKEN}, {', '.join(KIND_BY_NAME)}.",
            )
        what, first = found["what"], int(found["first"] or 1)
        last = found["last"] if found["range"] else found["first"]
        return cls(
            what="drop" if what == "lost" else what,
            done=bool(found["done"]) or what == "lost" or what in _CARRIED_OUT,
            value=float(found["value"]) if found["value"] else _DEFAULT_VALUE.get(what),
            probability=float(found["probability"] or 1),
            target=found["target"],
            subject=found["subject"],
            first=first,
            last=int(last) if last else None,
        )

    def matches(self, target: str, subject: str) -> bool:
        """Return True if a request is one of those that this fault counts."""
        aimed = target in KIND_BY_NAME if self.target is None else target == self.target
        return aimed and self.subject in (None, subject)

    def spoil(self, answer: MockAnswer, dialect: Dialect, at: datetime) -> MockAnswer:
        """Return what the client gets instead of `answer`."""
        value = self.value or 0
        match self.what:
            case "drop" | "cut":
                spoilt = replace(answer, drop=self.what == "drop", cut=self.what == "cut")
            case "slow":
                spoilt = replace(answer, delay_s=answer.delay_s + value)
            case "huge":
                padding = b'{"padding":"' + b"x" * int(value * 2**20) + b'",'
                spoilt = replace(answer, body=padding + answer.body[1:])
            case "altered":
                spoilt = replace(answer, body=_altered(answer.body))
            case "html":
                page = b"<!doctype html><html><body><h1>Down for maintenance</h1></body></html>"
                spoilt = MockAnswer(http_status=200, body=page, headers={"Content-Type": "text/html"})
            case "no":
                code = int(value) or (400 if dialect is Dialect.GUIDE else 2001)
                spoilt = json_answer(200, envelope(dialect, code, "An injected no", at))
            case status:
                spoilt = self._status(int(status), dialect, at)
        return spoilt

    def _status(self, status: int, dialect: Dialect, at: datetime) -> MockAnswer:
        code = status if dialect is Dialect.GUIDE else 3000 if status >= 500 else 2000
        answer = json_answer(status, envelope(dialect, code, f"An injected {status}", at))
        extra = {} if self.value is None else {"Retry-After": f"{self.value:g}"}
        if status < 400:
            extra["Location"] = "https://elsewhere.invalid/"
        return replace(answer, headers={**answer.headers, **extra})


def _altered(body: bytes) -> bytes:
    """Return an answer that shows each whole number of the report as one more than it is."""
    content = json.loads(body)
    shown = content.get("data") or {}
    data = {name: value + 1 if type(value) is int else value for name, value in shown.items()}
    return json.dumps(content | {"data": data}, separators=(",", ":")).encode()


class FaultInjector:
    """The faults in force; each counts the requests that match it since it was set."""

    def __init__(self, faults: Iterable[InjectedFault], random: Random) -> None:
        """Take the faults, the first that strikes wins; `random` decides those with a probability."""
        self._random = random
        self._counted: list[tuple[InjectedFault, int]] = []
        self.set(faults)

    def set(self, faults: Iterable[InjectedFault]) -> None:
        """Put these faults in place of those in force."""
        self._counted = [(fault, 0) for fault in faults]

    def strike(self, target: str, subject: str) -> InjectedFault | None:
        """Return the fault that befalls this request, if any."""
        struck = None
        for at, (fault, seen) in enumerate(self._counted):
            if not fault.matches(target, subject):
                continue
            number = seen + 1
            self._counted[at] = (fault, number)
            scripted = fault.first <= number and (fault.last is None or number <= fault.last)
            if scripted and (fault.probability >= 1 or self._random.random() < fault.probability):
                struck = struck or fault
        return struck
