"""The proof as one page: whole, harmless, and with what the month was like."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.proof.figures import Histogram, percentile
from report_service.services.proof.page import as_html
from report_service.services.proof.proof import gather
from tests.support.simulation import MONTH, OPENED, World, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.simulation import Process

EMPTY = {"meta", "link", "br"}


class Page(HTMLParser):
    """A page, read: its text, what it refers to, and whether each element ends."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.refers: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.refers += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += f" {data}"

    @property
    def text(self) -> str:
        return " ".join(self.words.split())


def page(process: Process) -> tuple[str, Page]:
    service = process.service
    proof = gather(service.ledger, MONTH, cpo_id="MOCK", at=process.world.now(), guard_s=60)
    html = as_html(proof)
    return html, Page(html)


def test_a_month_that_is_in_is_one_page_that_asks_for_nothing(tmp_path: Path) -> None:
    with site(tmp_path, World()).process() as process:
        process.run()
        html, found = page(process)
        head = process.service.ledger.evidence.head(MONTH)

    assert (found.open, found.refers) == ([], ["data:,"])
    assert not found.tags & {"script", "img", "iframe", "object", "form"}
    assert not re.search(r"url\(|@import|https?:", html)
    assert "default-src 'none'" in html
    assert "Complete: 11 of 11 reports are in." in found.text
    assert str(head) in found.text
    for part in ("Kinds and states", "11 in", "11 answers: half within", "Late, or in need of a person Nothing."):
        assert part in found.text
    assert "2 / 2" in found.text


def test_what_was_late_or_needs_a_person_is_told_with_its_reason(tmp_path: Path) -> None:
    world = World(
        OPENED + timedelta(days=9),
        faults=[
            InjectedFault.parse(fault)
            for fault in ("400@hotline_rating", "404@hub_rating#1", "altered@ad_hoc_tariff#1")
        ],
    )
    with site(tmp_path, world).process() as process:
        process.run(patience_s=0)
        _, found = page(process)

    assert "Not complete: 9 of 11 reports are in." in found.text
    assert "An injected 400 rejected 1 2026-10/hotline_rating" in found.text
    assert "in on day 11 of the window accepted 8 " in found.text
    assert re.search(r"the API stored otherwise: cost: sent (\d+), stored \d+; in on day 11", found.text)


def test_what_the_api_says_is_text_and_no_markup(tmp_path: Path) -> None:
    place = site(tmp_path, World(faults=[InjectedFault.parse("400@hotline_rating")]))
    with place.process() as process:
        process.run()
        place.ask("UPDATE deliveries SET detail = '<script>alert(1)</script>' WHERE kind = 'hotline_rating'")
        _, found = page(process)

    assert "script" not in found.tags
    assert "<script>alert(1)</script>" in found.text


def test_a_month_of_which_nothing_was_sent_says_so(tmp_path: Path) -> None:
    with site(tmp_path, World()).process() as process:
        process.run(send=False)
        _, found = page(process)

    assert "Nothing was delivered." in found.text
    assert "No request was answered." in found.text
    assert "Head of the chain of evidence: none" in found.text


@pytest.mark.parametrize(
    ("values", "filled"), [([], {}), ([5.0], {0: 1}), ([0.0, 48.0, 24.0, 24.5], {0: 1, 24: 2, 47: 1})]
)
def test_every_value_is_in_a_bin(values: list[float], filled: dict[int, int]) -> None:
    counts = Histogram.of(values).counts

    assert {at: count for at, count in enumerate(counts) if count} == filled


@pytest.mark.parametrize(("values", "half"), [([3.0], 3.0), ([1.0, 3.0], 2.0), ([1.0, 2.0, 9.0], 2.0)])
def test_half_of_the_values_lie_within_the_median(values: list[float], half: float) -> None:
    assert percentile(values, 50) == half
