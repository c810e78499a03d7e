"""Whatever a row does stays with its report, whatever a source does with its kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from report_service.domain.inventory import Inventory
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.planning import Payload, SourceFinding
from report_service.errors import SourceUnavailable
from report_service.services.planning.findings import NO_ROW, SEVERAL_ROWS, Findings, as_kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from report_service.domain.kinds import Kind
    from report_service.domain.reports import Report

MONTH = ReportMonth(2026, 10)
A, B, C = (f"00000000-0000-4000-8000-00000000000{last}" for last in "abc")


class Rows:
    """A source and a renderer: rows of (hub, rating), an error in their midst; rating 5 cannot be rendered."""

    def __init__(self, *rows: tuple[str, object] | Exception) -> None:
        self._rows = rows

    def rows(self, _kind: Kind, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        for row in self._rows:
            if isinstance(row, Exception):
                raise row
            yield {"month": str(month), "hub_id": row[0], "rating": row[1]}

    def create(self, report: Report) -> Payload:
        if "5" in repr(report.figures["rating"]):
            raise ZeroDivisionError("a bug")
        return Payload(path="/x", body=b"{}", sha256="00")


def found(source: Rows, *, held: set[str] | None = None) -> tuple[dict[str, SourceFinding], set[str], list[str]]:
    """Return what is found of A, B and C, what has several rows, and what is noted."""
    noted = list[str]()
    findings = Findings(
        source=source,  # type: ignore[arg-type]
        renderer=source,  # type: ignore[arg-type]
        inventory=Inventory.read(MONTH, hubs=[], points=[], provider_groups=[]),
        kind=HUB_RATING,
        breach=lambda _kind, _body: "",
        note=noted.append,
        note_down=noted.append,
    )
    return dict(findings.of({A, B, C}, held=held or set(), kept=set())), findings.several, noted


def test_a_row_that_breaks_our_own_code_is_a_fault_of_its_report() -> None:
    by_subject, _, noted = found(Rows((A, 1), (B, 5), (C, 2)))
    assert [by_subject[each].payload is not None for each in (A, B, C)] == [True, False, True]
    assert by_subject[B].reason == "the row cannot be read: ZeroDivisionError: a bug"
    assert by_subject[B].raw is not None
    assert noted == []


def test_a_source_that_fails_says_nothing_of_what_it_did_not_give() -> None:
    down = SourceUnavailable("it is down", hint="start it")
    by_subject, _, noted = found(Rows((A, 1), (B, 2), down), held={B})
    assert by_subject[A].payload is not None
    for each in (B, C):
        assert by_subject[each] == SourceFinding(reason="it is down", unread=True)
    assert noted == ["it is down. start it"]


def test_what_had_several_rows_is_believed_when_all_were_read() -> None:
    by_subject, several, _ = found(Rows((A, 1), (B, 1), (B, 2), (C, 1), (C, 2)), held={A, B})
    assert by_subject[A].payload is not None
    assert by_subject[B] == SEVERAL_ROWS
    assert by_subject[C].payload is not None
    assert several == {C}


def test_what_no_row_is_about_has_none() -> None:
    assert found(Rows((A, 1)))[0][B] == NO_ROW


def test_any_row_can_be_kept() -> None:
    kept = as_kept({"half": "\ud800", "odd": b"\xff", "list": ["\udfff"], "none": None})
    assert kept.encode()
    assert json.loads(kept) == {"half": "\ud800", "odd": "b'\\xff'", "list": ["\udfff"], "none": None}
