"""Draw a month from a seed: who runs where, what goes wrong when, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from report_service.domain.months import BERLIN, ReportMonth
from report_service.domain.timetable import Timetable
from tests.simulation.operator import KINDS, Size, store_of
from tests.simulation.scenario import LEAD_S, Deed, Machine, Scenario, window_of
from tests.simulation.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOUR_S, DAY_S = 3600.0, 86_400.0
MONTHS = ("2026-10", "2026-02", "2026-12", "2026-09")
"""An ordinary one, two whose windows hold a change of summer time, and one at the turn of the year."""
SIZES = (Size(3, 6, 6), Size(4, 5, 6), Size(6, 3, 4), Size(1, 25, 3))
KIND_NAMES = tuple(kind for kind, _ in KINDS.values())


class Span(NamedTuple):
    """When things go wrong: near `at`, and all of it over at `until`."""

    at: float
    until: float


class Sort(NamedTuple):
    """How one kind of weather is drawn."""

    weight: float
    targets: tuple[str | None, ...] = (None, None, *KIND_NAMES)
    shares: tuple[float, ...] = (1.0, 0.3)
    values: tuple[float, ...] = (0.0,)


TOKEN = ("token",)
WEATHER: dict[str, Sort] = {
    "unreachable": Sort(2, (None,)),
    "black_hole": Sort(1, (None, *KIND_NAMES)),
    "lost_request": Sort(1),
    "busy": Sort(3, (None, None, "token", *KIND_NAMES)),
    "busy_and_wrong_date": Sort(1, (None, "token"), values=(3_456_000.0, -3_456_000.0, 7200.0)),
    "firewall": Sort(1, (None,), (1.0,), (10.0, 30.0)),
    "forbidden": Sort(1, (None, *KIND_NAMES)),
    "no_such_path": Sort(0.5, KIND_NAMES),
    "not_found": Sort(1, ("hub_rating", "point_rating", None)),
    "bad_request": Sort(0.7, (None, *KIND_NAMES)),
    "storm": Sort(2, (None, "token"), (1.0, 0.3), (0.0, 20.0)),
    "redirect": Sort(0.5),
    "teapot": Sort(0.5),
    "false_200": Sort(1.5),
    "revoked": Sort(1, (None,), (1.0, 0.1)),
    "too_many_tokens": Sort(1, TOKEN),
    "lost_answer": Sort(4, (None, None, *KIND_NAMES), (1.0, 0.3, 0.1)),
    "late_answer": Sort(1, (None, *KIND_NAMES), (1.0, 0.2), (20.0, 24.9, 25.1, 60.0)),
    "error_after": Sort(2),
    "no_body": Sort(1),
    "odd_envelope": Sort(1),
    "page_200": Sort(1),
    "cut": Sort(1),
    "page_for_nothing": Sort(1),
    "tells_token": Sort(0.7, (None,)),
    "slow": Sort(1, (None,), (1.0,), (3.0, 24.0)),
    "wrong_date": Sort(1, (None, "token"), values=(3_456_000.0, -3_456_000.0, 86_400.0, -7200.0, 90.0)),
    "no_date": Sort(0.5, (None,)),
    "odd_token": Sort(0.5, TOKEN),
}


@lru_cache(maxsize=16)
def _release(month: str) -> float:
    """Return when a daemon begins to send, in true seconds."""
    timetable = Timetable(zone=BERLIN, day=1, hour=6, jitter_s=1800, guard_s=60, owner="MOCK")
    wanted = ReportMonth.parse(month)
    opens = window_of(month).opens
    return (timetable.release(wanted) - opens).total_seconds() + LEAD_S


def draw(seed: int) -> Scenario:
    """Return the month of a seed: the same one each time."""
    return _Drawing(seed).scenario()


class _Drawing:
    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.seed = seed
        self.month = random.choice(MONTHS)
        self.size = random.choice(SIZES)
        _, self.keys = store_of(self.month, self.size)
        self.replicas = random.choice((1, 1, 1, 1, 2, 2, 3))
        self.release = _release(self.month)
        self.spoilt = ""  # the one kind that is in trouble, where nothing else is
        window = window_of(self.month)
        self.closes = (window.closes - window.opens + timedelta(seconds=LEAD_S)).total_seconds()

    def scenario(self) -> Scenario:
        random = self.random
        plot: Callable[[], tuple[list[Deed], list[Weather], float, float | None]]
        plot = random.choices((self._opening, self._whole, self._turn, self._bulkhead), (47, 28, 20, 5))[0]
        one_machine = self.replicas == 1 or random.random() < 0.5
        machines = tuple(self._machine() for _ in range(1 if one_machine else self.replicas))
        self.release -= machines[0].offset_s
        deeds, weather, ends, well_since = plot()
        if well_since is not None:
            put_right = Deed(at=well_since - 60, what="set_clock", value=-machines[0].offset_s)
            machines = (Machine(offset_s=machines[0].offset_s), *machines[1:])
            deeds.append(put_right)
        return Scenario(
            seed=self.seed,
            month=self.month,
            size=self.size,
            zone=random.choice(("Europe/Berlin", "UTC")),
            dialect=random.choice(("guide", "ocpi")),
            limit_per_minute=random.choice((60, 120, 600, 2000)),
            sweep_minutes=random.choice((240, 720)) if well_since is None else 720,
            machines=machines,
            deeds=tuple(sorted(deeds, key=lambda deed: deed.at)),
            weather=tuple(weather),
            ends=ends,
            to_the_end=random.random() < 0.2,
            well_since=well_since,
            spoilt=self.spoilt,
            **self._world(),  # type: ignore[arg-type]
        )

    # --- the three plots

    def _opening(self) -> tuple[list[Deed], list[Weather], float, float | None]:
        """Tell of the first hours only."""
        span = Span(self.release, self.release + 5 * HOUR_S)
        deeds = [*self._starts(self.random.uniform(0, self.release)), *self._deeds(span)]
        return deeds, self._weather(span), self.release + self.random.uniform(1, 6) * HOUR_S, None

    def _whole(self) -> tuple[list[Deed], list[Weather], float, float | None]:
        """Tell of a bad beginning, and of two good days at the end."""
        well_since = self.closes - 2 * DAY_S - 600
        span = Span(self.release, self.release + self.random.choice((HOUR_S, HOUR_S, 6 * HOUR_S, 3 * DAY_S)))
        deeds = [*self._starts(self.random.uniform(0, self.release)), *self._deeds(span)]
        deeds += self._quiet(span.until + 2 * HOUR_S, well_since - 30)
        return deeds, self._weather(span), self.closes + HOUR_S, well_since

    def _quiet(self, since: float, until: float) -> list[Deed]:
        """Leave out the middle of the month: the replicas are stopped, or their machines sleep."""
        if self.random.random() < 0.5:
            stops = [Deed(at=since, what="stop", who=who) for who in range(self.replicas)]
            return [*stops, Deed(at=until, what="start")]
        sleeps = [Deed(at=since, what="freeze", who=who, for_s=until - since) for who in range(self.replicas)]
        return [*sleeps, Deed(at=until, what="start")]

    def _turn(self) -> tuple[list[Deed], list[Weather], float, float | None]:
        """Tell of the month's last hours, and of what follows the turn."""
        begins = self.closes - self.random.choice((600.0, HOUR_S, 4 * HOUR_S))
        span = Span(begins + 60, self.closes + 1200)
        deeds = [*self._starts(begins), *self._deeds(span)]
        return deeds, self._weather(span), self.closes + 2 * HOUR_S, None

    def _bulkhead(self) -> tuple[list[Deed], list[Weather], float, float | None]:
        """Let one kind be in trouble, and nothing else: the others must be in soon all the same."""
        self.spoilt = self.random.choice(KIND_NAMES)
        ends = self.release + 3 * HOUR_S
        names = self.random.choices(
            ("busy", "black_hole", "not_found", "bad_request", "forbidden", "error_after"), k=2
        )
        weather = [Weather(what=name, since=0.0, until=ends, target=self.spoilt, share=0.7) for name in names]
        slow = Deed(at=1.0, what="source_slow", key=self.spoilt, for_s=ends, value=self.random.choice((1.0, 75.0)))
        down = Deed(at=1.0, what="source_down", key=self.spoilt, for_s=ends)
        deeds = [*self._starts(0.0), self.random.choice((slow, down)), *self._crash(Span(self.release, ends))]
        return deeds, weather, ends, None

    def _starts(self, at: float) -> Iterator[Deed]:
        for who in range(self.replicas):
            yield Deed(at=at + self.random.uniform(0, 30), what="start", who=who)

    # --- what goes wrong

    def _weather(self, span: Span) -> list[Weather]:
        count = self.random.choice((1, 2, 2, 3, 4, 6))
        names = self.random.choices(list(WEATHER), [sort.weight for sort in WEATHER.values()], k=count)
        return [self._one_weather(name, WEATHER[name], span) for name in names]

    def _one_weather(self, name: str, sort: Sort, span: Span) -> Weather:
        since, until = self._while(span)
        return Weather(
            what=name,
            since=since,
            until=until,
            target=self.random.choice(sort.targets),
            share=self.random.choice(sort.shares),
            value=self.random.choice(sort.values),
        )

    def _while(self, span: Span) -> tuple[float, float]:
        since = self._moment(span)
        lasts = self.random.expovariate(1 / self.random.choice((3.0, 30.0, 300.0, HOUR_S, 6 * HOUR_S)))
        return since, min(since + lasts, span.until)

    def _moment(self, span: Span) -> float:
        """Return when something happens: mostly while reports go out, which takes a minute."""
        if self.random.random() < 0.65:
            return span.at + self.random.uniform(-20, 60)
        return self.random.uniform(span.at - 600, span.until - 60)

    def _deeds(self, span: Span) -> list[Deed]:
        drawn = (self.random.choice(_DRAWN)(self, span) for _ in range(self.random.choice((1, 2, 3, 5))))
        return [*self._crash(span), *(deed for deeds in drawn for deed in deeds)]

    def _crash(self, span: Span) -> list[Deed]:
        crash = Deed(
            at=span.at - self.random.uniform(0, 30),
            what="kill_at_switch",
            who=self.random.randrange(self.replicas),
            value=self.random.randrange(1, 260),
        )
        return [crash]

    def one(self, span: Span, what: str, **more: object) -> list[Deed]:
        who = self.random.randrange(self.replicas)
        return [Deed(at=self._moment(span), what=what, who=who, **more)]  # type: ignore[arg-type]

    def lasting(self, span: Span, what: str, **more: object) -> list[Deed]:
        since, until = self._while(span)
        return [Deed(at=since, what=what, for_s=until - since, **more)]  # type: ignore[arg-type]

    def freeze(self, span: Span) -> list[Deed]:
        lasts = self.random.choice((5.0, 49.0, 55.0, 61.0, 70.0, 200.0))
        return self.one(span, "freeze", for_s=lasts)

    def key(self) -> str:
        return self.random.choice(self.keys)

    def source(self) -> str:
        return self.random.choice(("inventory", *KIND_NAMES))

    def rows(self, span: Span, what: str) -> list[Deed]:
        """Take a report's figures away, or spoil them, and mostly bring them back."""
        key, at = self.key(), self._moment(span)
        deeds = [Deed(at=at, what=what, key=key)]
        if self.random.random() < 0.7:
            back = self.random.uniform(at, span.until)
            deeds.append(Deed(at=back, what="mend", key=key, value=self.random.randint(1, 6)))
        return deeds

    def emptied(self, span: Span) -> list[Deed]:
        table, at = self.random.choice((*KINDS, "hubs", "points", "provider_groups")), self._moment(span)
        back = min(at + self.random.choice((1.0, 60.0, HOUR_S)), span.until)
        return [Deed(at=at, what="empty", key=table), Deed(at=back, what="refill", key=table)]

    def restored(self, span: Span) -> list[Deed]:
        at = self._moment(span)
        back = self.random.uniform(at, min(at + 120, span.until))
        return [Deed(at=at, what="back_up"), Deed(at=back, what="restore_store")]

    def withdrawn(self, span: Span) -> list[Deed]:
        points = [key for key in self.keys if "/point_rating/" in key]
        return self.one(span, "withdraw_point", key=self.random.choice(points))

    # --- what the world is like

    def _machine(self) -> Machine:
        offset = self.random.choice((0.0, 0.0, 0.5, -0.5, 20.0, -20.0, 90.0, -300.0, 5400.0, -5400.0))
        return Machine(offset_s=offset, drift=self.random.choice((0.0, 0.0, 1e-4, -1e-4)))

    def _world(self) -> dict[str, object]:
        random = self.random
        if self.spoilt:
            return {}
        ids = [key.split("/")[2] for key in self.keys if "/hub_rating/" in key or "/point_rating/" in key]
        made: dict[str, object] = {}
        if random.random() < 0.15:
            known_at = self.release + random.choice((300.0, 900.0, HOUR_S))
            made["unregistered"] = tuple((each, known_at) for each in random.sample(ids, 2))
        if random.random() < 0.1:
            made["foreign"] = (self.key(),)
        if random.random() < 0.1:
            made["picky"] = (random.choice(ids),)
        return made


_DRAWN: tuple[Callable[[_Drawing, Span], list[Deed]], ...] = (
    lambda d, span: d.one(span, "kill"),
    lambda d, span: d.one(span, "kill_at_switch", value=d.random.randrange(1, 120)),
    lambda d, span: d.one(span, "terminate"),
    _Drawing.freeze,
    _Drawing.freeze,
    lambda d, span: d.one(span, "set_clock", value=d.random.choice((-3600.0, -90.0, -5.0, 5.0, 90.0, 3600.0))),
    lambda d, span: d.lasting(span, "store_away"),
    lambda d, span: d.lasting(span, "store_full"),
    lambda d, span: d.lasting(span, "store_slow", value=d.random.choice((0.2, 2.0, 9.0))),
    lambda d, span: d.one(span, "lose_commits", value=d.random.choice((1, 2))),
    _Drawing.restored,
    lambda d, span: d.lasting(span, "source_down", key=d.source()),
    lambda d, span: d.lasting(span, "source_slow", key=d.source(), value=d.random.choice((1.0, 30.0, 75.0))),
    lambda d, span: d.lasting(span, "source_odd", key=d.source()),
    _Drawing.emptied,
    lambda d, span: d.rows(span, "lose"),
    lambda d, span: d.rows(span, "spoil"),
    lambda d, span: d.one(span, "mend", key=d.key(), value=d.random.randint(1, 6)),
    _Drawing.withdrawn,
    lambda d, span: d.one(span, "waive", key=d.key()),
    lambda d, span: d.one(
        span, "run", for_s=d.random.choice((0.0, 60.0)), value=d.random.choice((0, 0, 0, 40, 200))
    ),
)
