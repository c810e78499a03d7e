"""How long the mock takes to answer: the guide asks for times sampled from those of real calls."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from random import Random

from report_service.errors import BadInput

Latency = Callable[[Random], float]
"""Draws one duration, in seconds."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_Z_95 = 1.6448536269514722  # the standard normal distribution's 95th percentile


def constant(seconds: float) -> Latency:
    """Take the same time for each answer; 0 for none at all."""
    return lambda _: seconds


def lognormal(*, median_s: float, p95_s: float) -> Latency:
    """Draw from the log-normal distribution with this median and 95th percentile."""
    mu, sigma = math.log(median_s), math.log(p95_s / median_s) / _Z_95
    return lambda random: random.lognormvariate(mu, sigma)


def recorded(durations_s: Sequence[float]) -> Latency:
    """Draw from durations that were measured; there must be at least one."""
    return lambda random: random.choice(durations_s)


def parse_latency(text: str) -> Latency:
    """Read `none`, `200ms`, `1.5s` or `lognormal:MEDIAN,P95`; raise BadInput for anything else."""
    if text == "none":
        return constant(0)
    name, _, rest = text.rpartition(":")
    times = [_seconds(part) for part in rest.split(",")]
    if ":" not in text and len(times) == 1 and times[0] is not None:
        return constant(times[0])
    if name == "lognormal" and len(times) == 2:
        median_s, p95_s = times
        if median_s and p95_s and median_s <= p95_s:
            return lognormal(median_s=median_s, p95_s=p95_s)
    raise BadInput(
        f"{text!r} is not a latency",
        hint="Write none, a duration as 200ms or 1.5s, or lognormal:MEDIAN,P95 as lognormal:200ms,800ms.",
    )


def _seconds(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else None
