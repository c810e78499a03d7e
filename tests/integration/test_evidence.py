"""The chain of evidence: written with each outcome, on both databases, and no byte of it can change unseen."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from report_service.domain.evidence import first_misfit, genesis
from report_service.errors import LeaseLost
from report_service.mock_api.injected_faults import InjectedFault
from tests.support.ledger_desk import MONTH, NO, NOW, TIME_OUT, YES, Desk, later, row
from tests.support.simulation import World, site

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.adapters.db.engine import Store

BEGINS = genesis("mock", "CPO1", str(MONTH))


def misfit(desk: Desk) -> str | None:
    return first_misfit(desk.ledger.evidence.links(MONTH), BEGINS)


def filled(store: Store) -> Desk:
    desk = Desk(store)
    desk.plan({"a": row(1), "b": row(2), "c": row(3)})
    desk.deliver({"a": YES, "b": NO, "c": TIME_OUT})
    desk.deliver({"c": YES}, at=later(3600))
    return desk


def test_each_answer_to_a_report_is_a_link_and_a_tokens_is_none(store: Store) -> None:
    desk = filled(store)
    token = desk.start(None)
    desk.ledger.attempts.record([], [token], lease=desk.lease)
    desk.ledger.attempts.record([desk.ended(token, None, YES)], [], lease=desk.lease)

    links = list(desk.ledger.evidence.links(MONTH))

    told = [(one.entry.position, one.entry.report_key[-1], one.entry.outcome) for one in links]
    assert told == [(1, "a", "accepted"), (2, "b", "rejected"), (3, "c", "no_answer"), (4, "c", "accepted")]
    assert [one.entry.http_status for one in links] == [200, 400, None, 200]
    assert links[0].entry.sha256 == desk.row("a").payload_sha256
    assert links[0].entry.at == NOW
    assert "rating too bad" in links[1].entry.answer
    assert desk.ledger.evidence.head(MONTH) == links[-1].digest
    assert misfit(desk) is None


def test_a_month_without_an_answer_has_no_head(store: Store) -> None:
    assert Desk(store).ledger.evidence.head(MONTH) is None


@pytest.mark.parametrize(
    "column", ["report_key", "request_id", "verb", "path", "sha256", "http_status", "outcome", "answer", "digest"]
)
def test_whatever_is_changed_in_the_store_is_named(store: Store, column: str) -> None:
    desk = filled(store)
    value = "299" if column == "http_status" else "'x'"
    with store.write() as connection:
        connection.execute(text(f"UPDATE evidence SET {column} = {value} WHERE position = 2"))

    found = misfit(desk)

    assert found is not None
    assert found.startswith("link 2 (")


def test_a_time_that_is_changed_is_named(store: Store) -> None:
    desk = filled(store)
    with store.write() as connection:
        at = connection.execute(text("SELECT at FROM evidence WHERE position = 4")).scalar_one()
        connection.execute(text("UPDATE evidence SET at = :at WHERE position = 2"), {"at": at})

    assert str(misfit(desk)).startswith("link 2 (")


def test_a_link_that_is_taken_out_is_named(store: Store) -> None:
    desk = filled(store)
    with store.write() as connection:
        connection.execute(text("DELETE FROM evidence WHERE position = 2"))

    assert "link 2" in str(misfit(desk))
    assert "says that it is number 3: links were taken out" in str(misfit(desk))


def test_the_chain_of_another_month_or_operator_does_not_pass(store: Store) -> None:
    links = list(filled(store).ledger.evidence.links(MONTH))

    for begins in (genesis("mock", "CPO2", str(MONTH)), genesis("mock", "CPO1", "2026-09")):
        assert "link 1 (" in str(first_misfit(links, begins))


def test_a_late_answer_of_a_former_holder_is_a_link_too(store: Store) -> None:
    former = Desk(store)
    former.plan({"a": row(1)})
    (due,) = former.due()
    (start,) = former.send([due])
    former.ledger.leases.release(former.lease)
    now = Desk(store)
    with pytest.raises(LeaseLost):
        former.ledger.attempts.record([former.ended(start, due, YES)], [], lease=former.lease)

    (link,) = now.ledger.evidence.links(MONTH)
    assert (link.entry.request_id, link.entry.outcome) == (start.request.request_id, "accepted")


def test_an_answer_is_kept_up_to_its_limit_and_fit_for_any_store(store: Store) -> None:
    desk = Desk(store)
    desk.plan({"a": row(1)})
    (due,) = desk.due()
    (start,) = desk.send([due])
    ended = desk.ended(start, due, YES)
    ended = replace(ended, full_answer="a\0" + "b" * 70_000)
    desk.ledger.attempts.record([ended], [], lease=desk.lease)

    (link,) = desk.ledger.evidence.links(MONTH)
    assert link.entry.answer == ("a\N{REPLACEMENT CHARACTER}" + "b" * 70_000)[: 64 * 1024]
    assert misfit(desk) is None


def test_two_that_write_at_once_follow_each_other(store: Store) -> None:
    desk = Desk(store)
    subjects = [f"{number:02}" for number in range(40)]
    desk.plan({subject: row(1) for subject in subjects})
    due = desk.due()
    starts = desk.send(due)
    ended = [desk.ended(start, delivery, YES) for start, delivery in zip(starts, due, strict=True)]

    def write(mine: int) -> None:
        for one in ended[mine::2]:
            desk.ledger.attempts.record([one], [], lease=desk.lease)

    threads = [Thread(target=write, args=[mine]) for mine in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [link.entry.position for link in desk.ledger.evidence.links(MONTH)] == list(range(1, 41))
    assert misfit(desk) is None


def test_a_run_keeps_every_answer_in_full_where_an_attempt_keeps_an_excerpt(tmp_path: Path) -> None:
    with site(tmp_path, World(faults=[InjectedFault.parse("huge=0.02@hotline_rating")])).process() as process:
        process.run()
        ledger = process.service.ledger
        (hotline,) = ledger.history.reports(MONTH)[:1]
        links = ledger.evidence.links(MONTH)

        said = [fields["evidence_head"] for fields in process.events.of("run.completed")]

    assert (len(links), said) == (11, [links[-1].digest])
    (link,) = [link for link in links if link.entry.report_key == str(hotline.key)]
    assert len(hotline.attempts[0].answer or "") <= 400 < len(link.entry.answer)
    assert (link.entry.verb, link.entry.path) == ("POST", hotline.path)
    assert first_misfit(links, genesis("mock", "MOCK", str(MONTH))) is None
