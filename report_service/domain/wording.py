"""Counts in the words that people read."""

from __future__ import annotations


def agree(count: int, singular: str, plural: str) -> str:
    """Return the form of a word that goes with a count: "is" with 1, "are" with 0 and 2."""
    return singular if count == 1 else plural


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: "1 report", "2 reports", "1,234 reports"."""
    return f"{count:,} {agree(count, noun, noun + 's')}"


def share(part: int, whole: int, noun: str) -> str:
    """Return a part of all with a noun and "is" or "are": "1 of 18 reports are", "0 of 1 report is"."""
    return f"{part:,} of {counted(whole, noun)} {agree(whole, 'is', 'are')}"
