"""Say whether all is ready for the next month: each part is tried by itself; nothing is planned or changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, NEEDS_A_PERSON
from report_service.domain.months import BERLIN, ReportMonth, SubmissionWindow
from report_service.domain.wording import agree, counted
from report_service.errors import ReportServiceError
from report_service.services.status import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from report_service.domain.contract import Comparison
    from report_service.domain.inventory import Inventory
    from report_service.domain.month_plan import Plan
    from report_service.ports import Clock, ReportApi, StatusQueries, StoreProbe

SKEW_S = 10.0
"""Clocks that are further apart are worth a word."""
DISK_LOW, DISK_FULL = 1_000_000_000, 100_000_000
"""Bytes: what a big month takes is about a tenth of the one, and the other is no room at all."""
FEW_OPERATORS = 3
"""So many are named."""
FEW_DAYS = 5
"""With fewer days left, what is outstanding is urgent."""


class Status(StrEnum):
    """How one part stands."""

    GREEN = "green"  # as it should be
    AMBER = "amber"  # works, but somebody should look
    RED = "red"  # the next month cannot be delivered so


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What trying one part came to."""

    name: str
    status: Status
    detail: str
    hint: str = ""  # the way out; "" when there is nothing to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """Tries every part that a delivery needs."""

    endpoint: str
    store: StoreProbe
    preview: Callable[[ReportMonth], Plan]  # reads the sources, and writes nothing
    inventory: Callable[[ReportMonth], Inventory]
    others: Callable[[], Sequence[str]]  # CPOs, whose reports to this endpoint are in this store
    status: StatusQueries
    api: ReportApi
    new_id: Callable[[], str]
    compare: Callable[[], Comparison] | None  # with obelis.openapi; None: it is not set
    clock: Clock
    guard_s: float
    first_month: ReportMonth | None

    def checks(self) -> Iterator[Check]:
        """Yield one check after the other, as they are done."""
        yield Check(name="configuration", status=Status.GREEN, detail=f"reports go to {self.endpoint}")
        yield from _tried("time zones", self._zones)
        usable = True
        for check in _tried("store", self._store):
            usable = usable and check.status is not Status.RED and check.name != "migrations"
            yield check
        yield from _tried("token", self._token)
        yield from _tried("contract", self._contract)
        if usable:
            yield from _tried("operators", self._operators)
            yield from _tried("sources", self._sources)
            yield from _tried("window", self._window)

    def _zones(self) -> Iterator[Check]:
        summer = BERLIN.utcoffset(datetime(2026, 7, 1, tzinfo=UTC).replace(tzinfo=None))
        if summer == timedelta(hours=2):
            yield Check(name="time zones", status=Status.GREEN, detail="Berlin's summer time is known")
        else:
            hint = "Install the package tzdata."
            yield Check(
                name="time zones", status=Status.RED, detail="Berlin's summer time is not known", hint=hint
            )

    def _store(self) -> Iterator[Check]:
        facts = self.store.facts()
        if facts.free_bytes is not None:
            yield _disk(facts.free_bytes)
        if facts.revision == facts.needed_revision:
            self.store.require_use()
            detail = f"{facts.place} can be written, its tables are this version's ({facts.revision})"
            yield Check(name="store", status=Status.GREEN, detail=detail)
            return
        detail = (
            f"{facts.place} is at revision {facts.revision or 'none'}, this version needs {facts.needed_revision}"
        )
        if facts.auto_upgrade:
            hint = "It is brought up to date at the next start (store.auto_upgrade); make a back-up before."
            yield Check(name="migrations", status=Status.AMBER, detail=detail, hint=hint)
        else:
            hint = "Make a back-up, then run `report-service db upgrade`."
            yield Check(name="migrations", status=Status.RED, detail=detail, hint=hint)

    def _token(self) -> Iterator[Check]:
        """Ask for a token: that proves name, route, TLS and credentials at once, and shows the server's clock."""
        answer = self.api.exchange(self.api.token_request(self.new_id()), lambda: None)
        at = self.clock.now()
        self.api.read_token(answer, at=self.clock.monotonic())
        yield Check(name="token", status=Status.GREEN, detail="the credentials bring a token")
        if answer.server_date is None:
            yield Check(name="clock", status=Status.GREEN, detail="the token's host tells no time")
            return
        skew_s = (answer.server_date - at).total_seconds()
        detail = f"ours and that of the token's host are {abs(skew_s):.0f} s apart"
        if abs(skew_s) < SKEW_S:
            yield Check(name="clock", status=Status.GREEN, detail=detail)
            return
        status = Status.AMBER if abs(skew_s) < self.guard_s else Status.RED
        yield Check(name="clock", status=status, detail=detail, hint="Set this machine's clock by NTP.")

    def _contract(self) -> Iterator[Check]:
        if self.compare is None:
            if self.endpoint != "mock":
                detail = "obelis.openapi is not set: paths and fields are as the guide and version 0.9 have them"
                hint = "Download the API's OpenAPI file, and compare it: report-service contract FILE"
                yield Check(name="contract", status=Status.AMBER, detail=detail, hint=hint)
            return
        found = self.compare()
        breaking = [finding for finding in found.findings if finding.kind.breaks]
        if not breaking:
            yield Check(name="contract", status=Status.GREEN, detail="the API takes what is sent")
            return
        detail = "; ".join(f"{finding.kind.replace('_', ' ')}: {finding.subject}" for finding in breaking)
        hint = "See `report-service contract` with the file that obelis.openapi names."
        yield Check(name="contract", status=Status.RED, detail=detail, hint=hint)

    def _sources(self) -> Iterator[Check]:
        """Read inventory and figures of the month that can be delivered now."""
        month = ReportMonth.previous(self.clock.now())
        if self.first_month is not None and month < self.first_month:
            yield Check(name="sources", status=Status.GREEN, detail=f"nothing is due before {self.first_month}")
            return
        plan = self.preview(month)
        if plan.down:
            hint = "Its kind of report waits; the others go out."
            yield Check(name="sources", status=Status.RED, detail="; ".join(plan.down), hint=hint)
            return
        if plan.doubt:
            hint = (
                f"See that the inventory is whole. If it is: report-service run --month {month} --accept-inventory"
                if plan.found > 1
                else "Import it: report-service import hubs.csv points.csv provider-groups.csv"
            )
            yield Check(
                name="sources",
                status=Status.AMBER if plan.found > 1 else Status.RED,
                detail=f"the inventory of {month} is in doubt: {plan.doubt}",
                hint=hint,
            )
            if plan.found <= 1:
                return
        elif plan.problem_count:
            detail = f"{counted(plan.problem_count, 'fault')} in the source; the first: {plan.problems[0]}"
            hint = f"`report-service run --month {month} --dry-run` names them."
            yield Check(name="sources", status=Status.AMBER, detail=detail, hint=hint)
        else:
            are = agree(plan.expected, "report is", "reports are")
            detail = f"inventory and figures of {month} can be read: {plan.expected:,} {are} due"
            yield Check(name="sources", status=Status.GREEN, detail=detail)
        if blocked := sum(plan.by_state[state] for state in NEEDS_A_PERSON):
            key, state, why = plan.blocked[0]
            detail = f"{blocked:,} of {plan.expected:,} reports cannot be sent; the first: {key} is {state}: {why}"
            hint = f"`report-service run --month {month} --dry-run` names them."
            yield Check(name="rows", status=Status.AMBER, detail=detail, hint=hint)
        else:
            yield Check(name="rows", status=Status.GREEN, detail=f"every report of {month} is done or can be sent")

    def _operators(self) -> Iterator[Check]:
        """Look for signs that the tables hold another CPO's hubs too: nothing in them says whose a hub is."""
        name, hint = "operators", "See README.md, Several operators."
        if others := self.others():
            detail = f"reports for the CPO {' and '.join(others)} are planned in this store, too"
            yield Check(name=name, status=Status.AMBER, detail=detail, hint=f"Is obelis.cpo_id right? {hint}")
            return
        points = self.inventory(ReportMonth.previous(self.clock.now())).points_by_operator()
        if len(points) > 1:
            shares = ", ".join(f"{operator} ({count:,})" for operator, count in points.most_common(FEW_OPERATORS))
            detail = f"the points' EVSE ids are of {len(points)} operators: {shares}"
            hint = f"If some are another CPO's, each would report the other's hubs. {hint} Else all is well."
            yield Check(name=name, status=Status.AMBER, detail=detail, hint=hint)
            return
        yield Check(name=name, status=Status.GREEN, detail="nothing says that these are several CPOs' hubs")

    def _window(self) -> Iterator[Check]:
        at = self.clock.now()
        month = ReportMonth.previous(at)
        window, counts = SubmissionWindow.of(month, guard_s=self.guard_s), self.status.month_counts(month)
        left = window.last_send - at
        until = f"reports for {month} can be sent until {iso(window.last_send)}"
        if self.first_month is not None and month < self.first_month:
            yield Check(name="window", status=Status.GREEN, detail=until)
        elif counts.complete:
            yield Check(name="window", status=Status.GREEN, detail=f"{month} is complete")
        elif left < timedelta(days=FEW_DAYS):
            missing = f"{counts.expected - counts.count(DONE):,} are not in" if counts.expected else "none is in"
            detail = f"{until}, {max(left.days, 0)} days left, and {missing}"
            yield Check(name="window", status=Status.RED, detail=detail, hint="report-service status says why.")
        else:
            yield Check(name="window", status=Status.GREEN, detail=f"{until}, {left.days} days left")


def worst(checks: Iterable[Check]) -> Status:
    """Return the status of the whole."""
    order = list(Status)
    return max((check.status for check in checks), key=order.index, default=Status.GREEN)


def _disk(free_bytes: int) -> Check:
    status = Status.GREEN if free_bytes >= DISK_LOW else Status.AMBER if free_bytes >= DISK_FULL else Status.RED
    hint = "" if status is Status.GREEN else "Make room, or move the store: without it nothing can be recorded."
    return Check(name="disk", status=status, detail=f"{free_bytes / 1e9:.1f} GB are free", hint=hint)


def _tried(name: str, probe: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield what a probe finds; what it raises is a red check, with its way out, and stops no other probe."""
    try:
        yield from probe()
    except ReportServiceError as exc:
        yield Check(name=name, status=Status.RED, detail=exc.message, hint=exc.hint or "")
