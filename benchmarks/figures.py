"""Figures: several runs of one measurement, what was wanted, and whether it was met."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure should be."""

    bound: float
    at_least: bool = False  # else: at most
    every: bool = False  # each run must meet it, not only the median

    def met(self, values: Sequence[float]) -> bool:
        """Return True if runs of a measurement, at least one, meet it."""
        judged = values if self.every else [median(values)]
        return all(value >= self.bound if self.at_least else value <= self.bound for value in judged)

    def __str__(self) -> str:
        bound = f"{self.bound:,g}" if self.bound < 1000 else f"{self.bound:,.0f}"
        return f"{'>=' if self.at_least else '<='} {bound}" + (" in every run" if self.every else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement, run several times."""

    name: str
    unit: str
    values: tuple[float, ...] = ()  # none: it was not measured, and `note` says why
    target: Target | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return `met`, `NOT MET` or `not measured`; nothing for a figure that is only there to compare with."""
        if not self.values:
            return "not measured"
        if self.target is None:
            return ""
        return "met" if self.target.met(self.values) else "NOT MET"

    @property
    def cells(self) -> tuple[str, ...]:
        """Return it as a row: name, target, median, spread, verdict, note."""
        shown = f"{_digits(median(self.values))} {self.unit}".rstrip() if self.values else "-"
        spread = f"{_digits(min(self.values))} .. {_digits(max(self.values))}" if len(self.values) > 1 else ""
        return self.name, str(self.target or ""), shown, spread, self.verdict, self.note

    def as_json(self) -> dict[str, object]:
        """Return it for a program."""
        return {
            "name": self.name,
            "unit": self.unit,
            "target": str(self.target) if self.target else None,
            "median": median(self.values) if self.values else None,
            "values": list(self.values),
            "verdict": self.verdict,
            "note": self.note,
        }


HEADINGS = ("measurement", "target", "median", "spread", "verdict", "note")


def all_met(figures: Iterable[Figure]) -> bool:
    """Return True if every figure with a target was measured and meets it."""
    return all(figure.verdict == "met" for figure in figures if figure.target is not None)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Return the ratio of each pair of runs, made right after each other.

    The machine is noisier than what is compared: medians of either side divided by each other would mix runs of
    a quiet minute with those of a busy one.
    """
    return tuple(one / other for one, other in zip(ours, theirs, strict=True))


def table(figures: Iterable[Figure]) -> str:
    """Return a Markdown table that is also legible as it is."""
    rows = [HEADINGS, *(figure.cells for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"| {line} |" for line in lines)


def _digits(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3g}"
