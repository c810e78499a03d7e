"""`report-service explain`: the whole story of one report."""

from __future__ import annotations

import json as json_
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from report_service.cli.common import ledger_of
from report_service.cli.parameters import AsJson, report_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from report_service.services.explain import Story


def explain_report(
    ctx: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", autocompletion=report_keys, help="A report, as `status` names it.")
    ],
    json: AsJson = False,
) -> int:
    """Tell the whole story of one report: its row, what was sent, every answer, and what happens next."""
    from report_service.bootstrap.rendering import explaining_of
    from report_service.cli.render import console_on, state_text

    with ledger_of(ctx) as (settings, ledger, clock):
        story = explaining_of(settings, ledger).story(key, at=clock.now())
    if json:
        print(json_.dumps(story.as_json(), indent=2, ensure_ascii=False))
    else:
        console = console_on(sys.stdout)
        console.print(state_text(str(story.report.key), story.report.state), soft_wrap=True)
        for line in _lines(story):
            console.print(line, markup=False, soft_wrap=True)
    return 0


def _lines(story: Story) -> Iterator[str]:
    report = story.report
    if report.evidence is not None:
        yield f"  evidence: {report.evidence}" + (f", OBELIS's id {report.obelis_id}" if report.obelis_id else "")
    if story.reason:
        yield f"  {story.reason}"
    if story.waiver is not None:
        yield f"  waived by {story.waiver.declared_by}, {_at(story.waiver.declared_at)}: {story.waiver.reason}"
    if story.hand_in is not None:
        who, when = story.hand_in.declared_by, _at(story.hand_in.declared_at)
        yield f"  handed in by other means, says {who}, {when}: {story.hand_in.reference}"
    yield f"  -> {story.next}"
    yield from _row(story)
    yield from _sent(story)
    yield from _attempts(story)


def _row(story: Story) -> Iterator[str]:
    yield f"\nThe source's row ({story.table})"
    if story.row is None:
        yield "  none" if story.report.source is None else "  several"
        return
    width = max(map(len, story.row), default=0)
    yield from (
        f"  {name:{width}}  {value if value is not None else ''}".rstrip() for name, value in story.row.items()
    )
    yield from (f"  ! {fault}" for fault in story.faults)


def _sent(story: Story) -> Iterator[str]:
    report = story.report
    if report.body is None:
        return
    sent = any(one.payload_sha256 == report.payload_sha256 for one in report.attempts)
    said = "Sent to" if sent else "Corrected, so that it stands at" if report.attempts else "To be sent to"
    yield f"\n{said} {report.path} (sha256 {report.payload_sha256})"
    width = max(map(len, story.sent), default=0)
    yield from (f"  {name:{width}}  {_json(value)}" for name, value in story.sent.items())
    yield from (
        f"  ! {name}: delivered {_json(before)}, the source has {_json(now)} now"
        for name, before, now in story.differences
    )


def _attempts(story: Story) -> Iterator[str]:
    from report_service.services.explain import MEANINGS

    for number, one in enumerate(story.report.attempts, 1):
        ended = "in flight" if one.outcome is None else f"{one.outcome}, {MEANINGS[one.outcome]}"
        status = f" {one.http_status}" if one.http_status is not None else ""
        yield f"\nAttempt {number}, {_at(one.started_at)}: {one.verb}{status}, {ended}"
        yield f"  request id {one.request_id}"
        if one.body is not None:
            yield f"  sent {one.body.decode()}"
        if one.answer:
            yield f"  {one.answer}"


def _at(at: datetime) -> str:
    from report_service.domain.months import BERLIN

    return f"{at.astimezone(BERLIN):%a %d %b %Y %H:%M:%S}"


def _json(value: object) -> str:
    return json_.dumps(value, ensure_ascii=False)
