"""Counts in the words that people read: boundary triples around one."""

from __future__ import annotations

import pytest

from report_service.domain.wording import agree, counted, share


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 reports"), (1, "1 report"), (2, "2 reports"), (1234, "1,234 reports")]
)
def test_a_count_has_its_noun_in_the_right_number(count: int, said: str) -> None:
    assert counted(count, "report") == said


@pytest.mark.parametrize(("count", "said"), [(0, "are"), (1, "is"), (2, "are")])
def test_a_verb_goes_with_its_count(count: int, said: str) -> None:
    assert agree(count, "is", "are") == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 1, "0 of 1 report is"),
        (1, 1, "1 of 1 report is"),
        (0, 2, "0 of 2 reports are"),
        (1, 2, "1 of 2 reports are"),
        (2, 2, "2 of 2 reports are"),
        (1200, 3000, "1,200 of 3,000 reports are"),
    ],
)
def test_a_part_of_all_is_said_in_one_piece(part: int, whole: int, said: str) -> None:
    assert share(part, whole, "report") == said
