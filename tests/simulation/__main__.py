"""Simulate months: `python -m tests.simulation --months 1000`, or one again, with its log: `--seed 4711`."""

from __future__ import annotations

import argparse
import os
import random
import sys

from tests.simulation.draw import draw
from tests.simulation.hunt import Tally, hunt
from tests.simulation.laws import check
from tests.simulation.month import simulate
from tests.simulation.shrink import shrink


def main() -> int:
    """Return 0 if no month broke a law."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--months", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=random.randrange(10**9), help="the first one's seed")
    parser.add_argument("--seed", type=int, help="show this month, and what it takes to break its law")
    parser.add_argument("--until-broken", action="store_true", help="stop at the first month that breaks a law")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    given = parser.parse_args()
    if given.seed is not None:
        return replay(given.seed)
    return search(given.first, given.months, jobs=given.jobs, until_broken=given.until_broken)


def search(first: int, months: int, *, jobs: int, until_broken: bool) -> int:
    """Simulate many months; name those that broke a law."""
    print(f"months {first} to {first + months - 1}, {jobs} at once")
    tally, every = Tally(), max(months // 20, 1)
    for outcome in hunt(range(first, first + months), jobs=jobs):
        tally.add(outcome)
        for broken in outcome.broken[:2]:
            print(f"  seed {outcome.seed}: {broken}", flush=True)
        if tally.months % every == 0:
            print(f"  {tally.months:,} of {months:,}", file=sys.stderr, flush=True)
        if tally.failed and until_broken:
            break
    print("\n".join(tally.lines()))
    return 1 if tally.failed else 0


def replay(seed: int) -> int:
    """Show a month's log, the laws that it broke, and the least that breaks the first of them."""
    month = simulate(draw(seed))
    for at, who, what in month.world.trace:
        print(f"{at:12.3f} {who:12} {what}")
    broken = check(month)
    for each in broken:
        print(each)
    if broken:
        small = shrink(month.scenario, broken[0].law)
        print(f"the least that breaks law {broken[0].law}:\n{small!r}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
