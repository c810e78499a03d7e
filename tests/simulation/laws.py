"""What must be true of every month, whatever befell it: the laws, held against the API's own record.

Each check yields what is broken, as (law, words). The service never sees what is compared here.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.simulation.obelis import MINUTE_S
from tests.simulation.store import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.month import SimulatedMonth
    from tests.simulation.obelis import Arrival

GUARD_S = 60.0
IN_TRANSIT_S = 26.0
"""How long after its departure a request may arrive."""
NO_EVIDENCE_AFTER_S = 900.0
DONE = {"accepted", "already_reported", "waived"}
MAY_BE_THERE = {"in_flight", "unresolved"}
AMBIGUOUS = {None, "no_answer", "server_error", "unreadable"}
ALARMS = {"data.missing", "report.invalid", "report.rejected", "report.stuck", "report.missed"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that a month broke."""

    law: str
    words: str

    def __str__(self) -> str:
        return f"law {self.law}: {self.words}"


@dataclass(slots=True)
class Findings:
    """A month, and what its ledger says at the end."""

    month: SimulatedMonth
    deliveries: dict[str, sqlite3.Row]
    attempts: list[sqlite3.Row]  # in the order in which they began
    text: str  # whatever could hold a secret

    @classmethod
    def of(cls, month: SimulatedMonth) -> Findings:
        with closing(sqlite3.connect(disk().path)) as live:
            live.row_factory = sqlite3.Row
            rows = live.execute("SELECT * FROM deliveries WHERE month = ?", (month.scenario.month,)).fetchall()
            attempts = live.execute("SELECT rowid, * FROM attempts ORDER BY rowid").fetchall()
        deliveries = {_key(row): row for row in rows}
        said = " ".join(str(value) for _, _, _, fields in month.events for value in fields.values())
        kept = " ".join(f"{row['answer']}" for row in attempts) + " ".join(f"{row['detail']}" for row in rows)
        return cls(month, deliveries, attempts, said + kept)


def check(month: SimulatedMonth) -> list[Broken]:
    """Return every law that a month broke."""
    findings = Findings.of(month)
    return [Broken(law, words) for law, rule in LAWS for words in rule(findings)]


def _key(row: sqlite3.Row) -> str:
    return f"{row['month']}/{row['kind']}" + (f"/{row['subject']}" if row["subject"] else "")


def _in_the_window(found: Findings) -> Iterator[str]:
    """Law 1: nothing arrives outside, as far as the sender could know."""
    scenario = found.month.scenario
    opens, closes = (scenario.window.opens - scenario.starts).total_seconds(), scenario.closes
    for arrival in _creations(found):
        if not opens <= arrival.at < closes:
            heard_ago_s = NO_EVIDENCE_AFTER_S if arrival.heard_ago_s is None else arrival.heard_ago_s
            knew = heard_ago_s < NO_EVIDENCE_AFTER_S - IN_TRANSIT_S
            if knew or abs(arrival.clock_off_s) < GUARD_S - IN_TRANSIT_S:
                yield f"{arrival.key} by {arrival.sender} arrived {arrival.at - closes:+.1f} s from the close"


def _nothing_lost(found: Findings) -> Iterator[str]:
    """Law 2: what arrived had its intent; every report has a row once the world was well."""
    attempts = {row["request_id"]: row for row in found.attempts}
    for arrival in found.month.obelis.arrivals:
        attempt = attempts.get(arrival.request_id)
        if attempt is None and not _forgotten(found, arrival.at):
            yield f"{arrival.key or 'a token request'} was sent without an intent"
        elif attempt is not None and arrival.key and attempt["payload_sha256"] != _sha256(arrival.body):
            yield f"{arrival.key}: other bytes were sent than intended"
    if found.month.scenario.well_since is not None:
        rows = {key for key, row in found.deliveries.items() if row["due"]}
        if lost := sorted(found.month.books.due - rows):
            yield f"{len(lost)} due reports have no row: {lost[0]}"


def _true_states(found: Findings) -> Iterator[str]:
    """Law 2: the ledger never lies about what the API has."""
    obelis = found.month.obelis
    for key, row in found.deliveries.items():
        stored, state = obelis.stored.get(key), row["state"]
        there = stored is not None or key in obelis.foreign
        if state == "accepted" and stored is None and not (there and _was_in_doubt(found, row)):
            yield f"{key} is accepted ({row['evidence']}), and the API has nothing of ours"
        elif state == "accepted" and stored and _sha256(stored.body) != row["payload_sha256"]:
            yield f"{key} is accepted, and the API has other bytes"
        elif state == "already_reported" and not there:
            yield f"{key} is already_reported, and the API has none"
        elif stored and _denies(row) and not (_forgotten(found, stored.at) or _called_wrong(found.month, key)):
            yield f"{key} is {state} without doubt, and the API has it"


def _was_in_doubt(found: Findings, row: sqlite3.Row) -> bool:
    """Return True if a report has an attempt of unknown end: then a 409 is taken for ours."""
    return any(one["delivery_id"] == row["id"] and one["outcome"] in AMBIGUOUS for one in found.attempts)


def _denies(row: sqlite3.Row) -> bool:
    """Return True if the ledger is sure that the API does not have a report."""
    return row["state"] not in DONE | MAY_BE_THERE and not row["in_doubt"]


def _at_most_one_effect(found: Findings) -> Iterator[str]:
    """Law 3: an unknown end is settled by the same bytes, and what is known to be there is not sent again."""
    by_report: dict[int, list[sqlite3.Row]] = defaultdict(list)
    for row in found.attempts:
        if row["delivery_id"] is not None and row["verb"] == "POST":
            by_report[row["delivery_id"]].append(row)
    for rows in by_report.values():
        doubted: str | None = None  # the bytes of an attempt whose end is unknown
        for row in rows:
            if doubted is not None and row["payload_sha256"] != doubted:
                yield f"{row['path']}: other bytes went out while an attempt's end was unknown"
            if row["outcome"] in AMBIGUOUS:
                doubted = row["payload_sha256"]
            elif row["outcome"] in {"accepted", "conflict", "rejected"}:
                doubted = None
        done = [at for at, row in enumerate(rows) if row["outcome"] in {"accepted", "conflict"}]
        if done and done[0] != len(rows) - 1 and not found.month.restored:
            yield f"{rows[0]['path']}: sent again after it was known to be there"


def _a_2xx_is_no_acceptance(found: Findings) -> Iterator[str]:
    """Law 4: an attempt is accepted only if the API did what it was asked to."""
    effects = {arrival.request_id: arrival for arrival in found.month.obelis.arrivals}
    for row in found.attempts:
        arrival = effects.get(row["request_id"])
        if row["outcome"] == "accepted" and (
            arrival is None or arrival.effect not in {"stored", "token", "corrected"}
        ):
            yield f"{row['path']}: accepted, and the API did {arrival.effect if arrival else 'not see it'}"


def _below_the_limit(found: Findings) -> Iterator[str]:
    """Law 5: fewer than the limit arrive in any minute, whoever sends them."""
    limit, times = found.month.scenario.limit_per_minute, [one.at for one in found.month.obelis.arrivals]
    for last, at in enumerate(times):
        first = last - limit + 1
        if first < 0 or at - times[first] >= MINUTE_S:
            continue
        if not any(times[first] - MINUTE_S <= moment <= at for moment in found.month.restored):
            yield f"{limit} requests arrived within {at - times[first]:.1f} s"
            return


def _no_secret_told(found: Findings) -> Iterator[str]:
    """Law 6: neither the log nor the ledger holds a secret."""
    for secret in (*found.month.obelis.tokens, "s3cret-of-the-operator"):
        if secret in found.text:
            yield f"a secret was told: {secret[:6]}..."


def _complete_means_delivered(found: Findings) -> Iterator[str]:
    """Law 7: whoever says complete is right."""
    for at, who, lacking in found.month.claims:
        if lacking:
            yield f"{who} at {at:.0f}: complete, and {len(lacking)} are not there: {min(lacking)}"


def _nothing_stops_for_ever(found: Findings) -> Iterator[str]:
    """Law 8: two good days are enough for all that needs no person, and what needs one was told of."""
    month = found.month
    yield from month.world.bugs
    if month.scenario.well_since is None:
        return
    told = {str(fields.get("key")) for _, _, event, fields in month.events if event in ALARMS}
    shrunk = any(event == "inventory.shrunk" for _, _, event, _ in month.events)
    for key in sorted(month.lacking()):
        row = found.deliveries.get(key)
        state = row["state"] if row else "nowhere"
        if key not in told and not shrunk:
            yield f"{key} never arrived ({state}), and nobody was told"
        elif not _needs_a_person(month, key, shrunk=shrunk):
            yield f"{key} never arrived ({state}) in two good days"


def _trouble_stays_with_its_kind(found: Findings) -> Iterator[str]:
    """Law 8: while one kind is in trouble, all the others are in within hours."""
    month, spoilt = found.month, found.month.scenario.spoilt
    if spoilt:
        late = sorted(key for key in month.lacking() if key.split("/")[1] != spoilt)
        if late:
            yield f"{spoilt} is in trouble, and {len(late)} other reports are held up: {late[0]}"


def _needs_a_person(month: SimulatedMonth, key: str, *, shrunk: bool) -> bool:
    """Return True if a report had no usable figures, or the API called them wrong (as it may without a reason)."""
    return shrunk or key in month.books.unusable or _called_wrong(month, key)


def _called_wrong(month: SimulatedMonth, key: str) -> bool:
    arrivals = (one for one in month.obelis.arrivals if one.key == key)
    return any(one.effect == "implausible" or one.weather == "bad_request" for one in arrivals)


def _creations(found: Findings) -> Iterator[Arrival]:
    return (one for one in found.month.obelis.arrivals if one.key is not None and one.verb == "POST")


def _forgotten(found: Findings, at: float) -> bool:
    """Return True if the store was put back to a state from before a moment."""
    return any(at <= restored + IN_TRANSIT_S for restored in found.month.restored)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def seconds(month: SimulatedMonth, text: str) -> float:
    """Return a moment that the ledger names, in true seconds."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - month.scenario.starts).total_seconds()


LAWS: tuple[tuple[str, Callable[[Findings], Iterator[str]]], ...] = (
    ("1", _in_the_window),
    ("2", _nothing_lost),
    ("2", _true_states),
    ("3", _at_most_one_effect),
    ("4", _a_2xx_is_no_acceptance),
    ("5", _below_the_limit),
    ("6", _no_secret_told),
    ("7", _complete_means_delivered),
    ("8", _nothing_stops_for_ever),
    ("8", _trouble_stays_with_its_kind),
)
