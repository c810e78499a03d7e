"""What a person is shown of a month: it fits, it groups, and it says what to do."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from report_service.cli.render import console_on, local, month_view
from report_service.domain.delivery import State
from report_service.domain.forecast import Forecast
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.ports import DeliveryStatus, MonthCounts
from report_service.services.status import MonthStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MONTH = ReportMonth(2026, 10)
WINDOW = SubmissionWindow.of(MONTH)
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def standing(
    number: int, state: State, reason: str = "", next_attempt_at: datetime | None = None
) -> DeliveryStatus:
    subject = f"191e7db7-1bea-44db-9e52-2ddab118d{number:03d}"
    return DeliveryStatus(
        key=DeliveryKey(MONTH, POINT_RATING, subject),
        state=state,
        reason=reason,
        next_attempt_at=next_attempt_at,
        in_doubt=False,
        drift=state is State.ACCEPTED,
    )


def shown(
    states: Mapping[State, int],
    outstanding: Sequence[DeliveryStatus] = (),
    *,
    at: datetime = AT,
    drifted: int = 0,
    outlook: Forecast | None = None,
    everything: bool = False,
) -> str:
    """Return the view of a month on a terminal of 80 columns, without colour."""
    status = MonthStatus(
        month=MONTH,
        endpoint="https://qa-api.obelis-deutschlandnetz.de",
        window=WINDOW,
        at=at,
        month_counts=MonthCounts(month=MONTH, by_kind={POINT_RATING: states}, drifted=drifted, in_doubt=0),
        outstanding=list(outstanding),
        outlook=outlook,
        last_run=None,
        implausible=[],
    )
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(month_view(status, everything=everything))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_every_state_has_its_line_in_80_columns() -> None:
    lines = shown(dict.fromkeys(State, 12_345)).splitlines()

    table = [line.split() for line in lines[3:18]]
    assert table[2] == ["due", "148,140", "148,140"]
    assert [" ".join(row[:-2]) for row in table[3:]] == [state.value.replace("_", " ") for state in State]
    assert all(row[-2:] == ["12,345", "12,345"] for row in table[3:])
    assert max(map(len, lines)) <= 80


def test_states_that_no_report_is_in_have_no_line() -> None:
    text = shown({State.ACCEPTED: 3})

    assert "accepted" in text
    assert "waived" not in text
    assert text.endswith("Complete: 3 of 3 reports are in.")


def test_what_needs_a_person_comes_before_what_only_needs_time() -> None:
    reports = [standing(number, state, "why") for number, state in enumerate(State)]

    lines = shown(dict.fromkeys(State, 1), reports).splitlines()

    heads = [line.removesuffix(" (1)") for line in lines if line.endswith(" (1)")]
    assert heads[:3] == ["rejected", "invalid", "awaiting data"]
    assert heads[-3:] == ["pending", "in flight", "retrying"]
    assert len(heads) == len(State)


def test_many_for_one_reason_are_one_entry_of_which_five_are_named() -> None:
    reports = [standing(number, State.AWAITING_DATA, "no row") for number in range(12)]

    short = shown({State.AWAITING_DATA: 12}, reports)
    long = shown({State.AWAITING_DATA: 12}, reports, everything=True)

    assert short.count("no row") == long.count("no row") == 1
    assert short.count("/point_rating/") == 5
    assert "    ... and 7 more\n" in short
    assert f"To see each: report-service status --month {MONTH} --all" in short
    assert long.count("/point_rating/") == 12
    assert "--all" not in long


def test_the_most_frequent_reasons_come_first_and_eight_are_named() -> None:
    reports = [standing(number, State.INVALID, f"reason {number:02}") for number in range(10)]
    reports += [standing(number, State.INVALID, "often") for number in range(10, 12)]

    text = shown({State.INVALID: 12}, reports)

    assert text.index("often") < text.index("reason 00")
    assert text.count("  reason ") == 7
    assert "  ... and 3 more reasons\n" in text
    assert "--all" in text


def test_a_key_is_on_one_line_however_narrow_the_terminal() -> None:
    key = str(standing(1, State.INVALID).key)

    assert f"    {key}\n" in shown({State.INVALID: 1}, [standing(1, State.INVALID, "long " * 40)])


def test_what_the_api_says_is_no_markup() -> None:
    assert "  say [/bold] and [red]" in shown(
        {State.REJECTED: 1}, [standing(1, State.REJECTED, "say [/bold] and [red]")]
    )


def test_reports_that_are_tried_again_say_when() -> None:
    later = AT + timedelta(minutes=30)
    one = [standing(1, State.RETRYING, "no hub", AT)]

    assert "  -> tried again Sun 22 Nov 2026 13:00\n" in shown({State.RETRYING: 1}, one)
    assert "  -> tried again from Sun 22 Nov 2026 13:00 to Sun 22 Nov 2026 13:30\n" in shown(
        {State.RETRYING: 2}, [*one, standing(2, State.RETRYING, "no hub", later)]
    )


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (WINDOW.opens - timedelta(seconds=1), "window opens Sun 01 Nov 2026 01:00"),
        (WINDOW.opens, "window open until Tue 01 Dec 2026 00:00, 29 days left"),
        (WINDOW.closes - timedelta(hours=30), "window open until Tue 01 Dec 2026 00:00, 30 hours left"),
        (WINDOW.closes, "window closed Tue 01 Dec 2026 00:00"),
    ],
)
def test_the_head_says_how_much_time_is_left(at: datetime, says: str) -> None:
    assert says in shown({State.PENDING: 1}, at=at).splitlines()


@pytest.mark.parametrize(("in_time", "says"), [(True, ""), (False, ", after the window closes")])
def test_the_head_says_by_when_what_can_be_sent_is_in(in_time: bool, says: str) -> None:
    text = shown({State.PENDING: 1}, outlook=Forecast(done_at=AT, in_time=in_time))

    assert f"what can be sent is in by Sun 22 Nov 2026 13:00{says}" in text.splitlines()


@pytest.mark.parametrize(
    ("states", "drifted", "says"),
    [
        ({}, 0, "Nothing is known of this month: no run has planned it yet, or the inventory is empty."),
        ({}, 0, "-> report-service run --month 2026-10 --dry-run tells which."),
        ({State.WAIVED: 1, State.ACCEPTED: 1}, 0, "Complete: 2 of 2 reports are in."),
        ({State.ACCEPTED: 1, State.INVALID: 1}, 0, "Not complete: 1 of 2 reports are in. 1 needs a person."),
        ({State.PENDING: 1, State.REJECTED: 2}, 0, "0 of 3 reports are in. 2 need a person. 1 is on the way."),
        ({State.RETRYING: 2}, 0, "Not complete: 0 of 2 reports are in. 2 are on the way."),
        ({State.ACCEPTED: 2}, 1, "All 2 reports are in, but not with the figures of today."),
        ({State.ACCEPTED: 2}, 1, "1 changed after delivery."),
    ],
)
def test_the_verdict_says_what_is_the_matter(states: dict[State, int], drifted: int, says: str) -> None:
    assert says in " ".join(shown(states, drifted=drifted).split("\n"))


def test_instants_are_told_as_berlins_clocks_show_them() -> None:
    assert local(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == "Thu 02 Jul 2026 00:30"


def test_what_is_no_terminal_gets_lines_that_are_not_cut() -> None:
    out = io.StringIO()

    console_on(out).print("word " * 30)

    assert out.getvalue().count("\n") == 1
