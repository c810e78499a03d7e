"""Faults put into the service on purpose, each of which the simulated months must find.

Each is one exact replacement in one file; a test keeps them applicable. `make mutations` tries all and prints the
table: which law found it, after how many months.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault: what it is, in which file below `report_service/`, and the text that it replaces by another."""

    name: str
    file: str
    old: str
    new: str


ATTEMPTS = "adapters/db/attempts.py"
CLOCK = "domain/api_clock.py"
DELIVERY = "domain/delivery.py"
DISPATCHER = "services/delivery/dispatcher.py"
GATE = "services/delivery/gate.py"
LEASE = "adapters/db/lease.py"
LIMITER = "domain/rate_limiter.py"
MONTHS = "domain/months.py"
OUTCOMES = "services/delivery/outcomes.py"
PLANNING = "domain/planning.py"
RESPONSES = "domain/responses.py"

MUTATIONS = (
    Mutation(
        "the intent is not recorded",
        ATTEMPTS,
        "        if rows:\n            connection.execute(insert(attempts), rows)\n        sent =",
        "        sent =",
    ),
    Mutation(
        "every 2xx is trusted",
        RESPONSES,
        "    if outcome is Outcome.ACCEPTED:\n        outcome = _by_envelope(envelope)\n    elif",
        "    if outcome is Outcome.ACCEPTED:\n        pass\n    elif",
    ),
    Mutation(
        "a 2xx that nobody can read is an acceptance",
        RESPONSES,
        "said[0] if said else Outcome.UNREADABLE)",
        "said[0] if said else Outcome.ACCEPTED)",
    ),
    Mutation(
        "the month is ignored",
        MONTHS,
        "return self.first_send <= min(at, corrected) and max(at, corrected) < self.last_send",
        "return True",
    ),
    Mutation(
        "the window ends when the month does in the later zone",
        MONTHS,
        "closes=min(end.starts(BERLIN), end.starts(utc))",
        "closes=max(end.starts(BERLIN), end.starts(utc))",
    ),
    Mutation(
        "the window is not asked when a request leaves",
        DISPATCHER,
        "self.gate.check_report if windowed else self.gate.check_lease",
        "self.gate.check_lease",
    ),
    Mutation(
        "the API's clock is ignored",
        CLOCK,
        "        if evidence is None or not self.is_known(at):\n            return 0.0",
        "        return 0.0",
    ),
    Mutation("a wrong Date is believed for ever", CLOCK, "EVIDENCE_S = 900.0", "EVIDENCE_S = 9e9"),
    Mutation("anybody takes the lease", LEASE, "self._row, or_(ended, leases.c.holder == holder)", "self._row"),
    Mutation(
        "the fencing number is not looked at",
        LEASE,
        "return found is not None and tuple(found) == (lease.fence, lease.holder)",
        "return True",
    ),
    Mutation(
        "every 409 is ours",
        DELIVERY,
        "        Trigger.CONFLICT: State.ALREADY_REPORTED,",
        "        Trigger.CONFLICT: State.ACCEPTED,",
    ),
    Mutation(
        "no 409 is ours",
        DELIVERY,
        "    State.IN_FLIGHT: {Trigger.CONFLICT: State.ACCEPTED},",
        "    State.IN_FLIGHT: {Trigger.CONFLICT: State.REJECTED},",
    ),
    Mutation(
        "an unknown end is forgotten",
        DELIVERY,
        "    in_doubt = delivery.in_doubt or outcome.is_ambiguous",
        "    in_doubt = False",
    ),
    Mutation(
        "an unknown end is a failure when the window closes",
        DELIVERY,
        "    State.RETRYING: dict.fromkeys(_ROWS, State.RETRYING) | {Trigger.CLOSED: State.UNRESOLVED},",
        "    State.RETRYING: dict.fromkeys(_ROWS, State.RETRYING) | {Trigger.CLOSED: State.MISSED},",
    ),
    Mutation(
        "what a kill left in flight stays there",
        ATTEMPTS,
        "            for row, started_at in found:",
        "            for row, started_at in found[:0]:",
    ),
    Mutation(
        "what a kill left in flight was never sent",
        ATTEMPTS,
        "state=next_state(State.IN_FLIGHT, Trigger.DEFERRED, in_doubt=True).value,\n            in_doubt=True,",
        "state=next_state(State.IN_FLIGHT, Trigger.DEFERRED, in_doubt=True).value,\n            in_doubt=False,",
    ),
    Mutation(
        "other bytes replace those whose end is unknown",
        PLANNING,
        " or state is State.IN_FLIGHT or before.in_doubt",
        "",
    ),
    Mutation(
        "a time-out sent nothing",
        RESPONSES,
        "Outcome.NO_ANSWER if answer.sent else Outcome.NOT_SENT",
        "Outcome.NOT_SENT",
    ),
    Mutation(
        "their fault is the data's",
        RESPONSES,
        "5: Outcome.SERVER_ERROR}",
        "5: Outcome.REJECTED}",
    ),
    Mutation("an unknown hub is the data's fault", RESPONSES, "404: Outcome.NOT_FOUND", "404: Outcome.REJECTED"),
    Mutation(
        "there is no pace",
        LIMITER,
        "    def wait_s(self, at: float) -> float:\n",
        "    def wait_s(self, at: float) -> float:\n        return 0.0\n\n    def no(self, at: float) -> float:\n",
    ),
    Mutation(
        "a run forgets what was sent before it",
        LIMITER,
        "        for one in sorted(sent, key=lambda one: -one.started_ago_s):",
        "        for one in ():",
    ),
    Mutation(
        "the API's words are kept as they are",
        OUTCOMES,
        "            words = self.redact(excerpt(response))\n            after",
        "            words = excerpt(response)\n            after",
    ),
    Mutation(
        "a month is complete when one is missing",
        "ports/ledger.py",
        "self.count(DONE) == self.expected",
        "self.count(DONE) >= self.expected - 1",
    ),
    Mutation(
        "a row that was mended is not looked at again",
        DELIVERY,
        "    State.INVALID: _PLANNED | _ENDED,",
        "    State.INVALID: dict.fromkeys(_ROWS, State.INVALID) | _ENDED,",
    ),
    Mutation(
        "a row that came late is not looked at",
        DELIVERY,
        "    State.AWAITING_DATA: _PLANNED | _ENDED,",
        "    State.AWAITING_DATA: dict.fromkeys(_ROWS, State.AWAITING_DATA) | _ENDED,",
    ),
    Mutation(
        "one circuit breaker for all kinds",
        "services/delivery/circuits.py",
        "        return max(self.host.half_open_at, self.of(kind).half_open_at)",
        "        return max([self.host.half_open_at, *(each.half_open_at for each in self._kinds.values())])",
    ),
    Mutation(
        "what is left is not swept up",
        "domain/reconcile_rule.py",
        "    return sweep if closed else min(sweep, max(rest / SHARE_OF_REST, CLOSEST_SWEEP))",
        "    return COMPLETE_SWEEP * 999",
    ),
    Mutation(
        "back-off has no cap",
        DELIVERY,
        "delay = uniform() * min(self.cap_s, self.base_s * 2.0**doubled)",
        "delay = uniform() * self.base_s * 2.0 ** (doubled + 20)",
    ),
)
