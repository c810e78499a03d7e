"""What the API demands of a report's body: fields, strict JSON types and limits of OpenAPI 0.9.

Fields that 0.9 does not name are refused here, and null is no value: the real API may be kinder, a mock that
lets a slip through is of no use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import NoReturn

from report_service.domain.months import ReportMonth

INT32_MAX = 2**31 - 1

Rule = Callable[[object], str | None]
"""Says what is wrong with a value, or None."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One field that breaks a rule; `message` reads on after the field's name."""

    field: str
    value: object
    message: str


def _unknown(_value: object) -> str:
    return "is not a field of this report"


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a body, each with its rule."""

    required: Mapping[str, Rule]
    optional: Mapping[str, Rule]
    others: Rule = _unknown

    def violations(self, body: Mapping[str, object]) -> list[BrokenRule]:
        """Name everything in the body that breaks a rule."""
        found = [BrokenRule(name, None, "is missing") for name in self.required if name not in body]
        for name, value in body.items():
            rule = self.required.get(name) or self.optional.get(name) or self.others
            if wrong := rule(value):
                found.append(BrokenRule(name, value, wrong))
        if not found and {"validFrom", "validTo"} <= body.keys() and _validity(body) < 0:
            found.append(BrokenRule("validTo", body["validTo"], "must not be before validFrom"))
        return found


def parse_object(body: bytes) -> dict[str, object] | None:
    """Read a JSON object; None for anything else."""
    try:
        found = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def parse_month(value: object) -> ReportMonth | None:
    """Read a month in the API's form, `MM-yyyy`; None for anything else."""
    found = re.fullmatch(r"(0[1-9]|1[0-2])-(\d{4})", value, re.ASCII) if isinstance(value, str) else None
    return ReportMonth(int(found[2]), int(found[1])) if found and found[2] != "0000" else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _whole(low: int, high: int = INT32_MAX) -> Rule:
    def rule(value: object) -> str | None:
        # `type`, since to Python a bool is an int too
        fits = type(value) is int and low <= value <= high
        return None if fits else f"must be a whole number from {low} to {high}"

    return rule


def _number(high: float | None = None) -> Rule:
    def rule(value: object) -> str | None:
        fits = type(value) in (int, float) and isinstance(value, int | float) and isfinite(value) and value >= 0
        if fits and (high is None or value <= high):  # type: ignore[operator]  # `fits` says it is a number
            return None
        return "must be a number from 0" + (f" to {high:g}" if high is not None else "")

    return rule


def _text(pattern: str, meaning: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)

    def rule(value: object) -> str | None:
        return None if isinstance(value, str) and compiled.fullmatch(value) else f"must be {meaning}"

    return rule


def _month(value: object) -> str | None:
    return None if parse_month(value) else "must be a month as MM-yyyy"


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d((\.\d{1,6})?Z|\.\d\d)", re.ASCII)
"""As the guide has it, or as 0.9 describes it: two digits, no zone letter."""


def _instant(value: object) -> str | None:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return None
    return "must be a UTC date-time as 2024-02-22T11:39:56.501Z"


def _validity(body: Mapping[str, object]) -> float:
    start, end = (datetime.fromisoformat(str(body[name]).rstrip("Z")) for name in ("validFrom", "validTo"))
    return (end - start).total_seconds()


def _additional_costs(value: object) -> str | None:
    if not isinstance(value, list):
        return "must be a list"
    for at, entry in enumerate(value):
        wrong = _ADDITIONAL_COST.violations(entry) if isinstance(entry, dict) else None
        if wrong is None:
            return f"must hold objects; entry {at} is none"
        if wrong:
            return f"entry {at}: {wrong[0].field} {wrong[0].message}"
    if any(entry in value[:at] for at, entry in enumerate(value)):
        return "is a set: no entry may come twice"
    return None


_ADDITIONAL_COST = Shape({"description": _text(".+", "a text"), "cost": _whole(0)}, {})
_BASIS = _text("ROAMING_CONTRACT|BILATERAL_CONTRACT", "ROAMING_CONTRACT or BILATERAL_CONTRACT")
_GROUP = _text("[A-Z]{2}[A-Z0-9]{3}", "5 characters, country and provider id, as DEVFL")
_GRADE = {"rating": _whole(1, 6)}
_COST = {"cost": _whole(0), "validFrom": _instant, "validTo": _instant}
_COSTS = {"additionalCosts": _additional_costs}
_HOTLINE = {"hotlineCalls": _whole(0), "fcrRate": _number(1), "asa": _number()} | _GRADE
_REASON = {"reasoningDifferentCosts": _text(".*", "a text")}

# 0.9's hotline PUT kept the month in its body; its ad-hoc tariff listed a contractual basis without defining it.
_CORRECT: Mapping[str, Shape] = {
    "hotline_rating": Shape(_HOTLINE, {"month": _month}),
    "nondiscriminatory_access": Shape(_COST | {"contractualBasis": _BASIS}, _COSTS | _REASON),
    "hub_rating": Shape(_GRADE, {}),
    "ad_hoc_tariff": Shape(_COST, _COSTS | {"contractualBasis": _BASIS}),
    "point_rating": Shape(_GRADE | {"totalComplaints": _whole(0)}, {}),
}
"""By kind, bodies of a PUT: without what its path says."""

_CREATE: Mapping[str, Shape] = {
    kind: Shape(
        {**shape.required, "month": _month}
        | ({"providerGroup": _GROUP} if kind == "nondiscriminatory_access" else {}),
        shape.optional,
    )
    for kind, shape in _CORRECT.items()
}
"""By kind, bodies of a POST."""


def shape_of(kind: str, *, create: bool) -> Shape:
    """Return what a POST's or PUT's body must be; of a kind that 0.9 does not have, only the month is known."""
    if create:
        return _CREATE.get(kind) or Shape({"month": _month}, {}, _anything)
    return _CORRECT.get(kind) or Shape({}, {"month": _month}, _anything)


def _anything(_value: object) -> None:
    return None
