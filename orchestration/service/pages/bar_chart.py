"""Simple charts: bars of a label and a number each, and intervals around a value. Their templates draw them in SVG."""

import math
from collections.abc import Sequence
from typing import NamedTuple

MOST_BARS = 40


class Bar(NamedTuple):
    """Hold one bar; places are in percent of the chart's width."""

    label: str
    value: float
    start: float
    length: float


class Interval(NamedTuple):
    """Hold one interval; places are in percent of the chart's width."""

    low: float
    value: float
    high: float
    zero: float


def bars(rows: Sequence[tuple[str, float | None]]) -> list[Bar]:
    """Return the bars of the first 40 rows, from zero to their number; rows without a finite number are left out."""
    finite = [(label, float(value)) for label, value in rows if value is not None and math.isfinite(value)][:MOST_BARS]
    low = min((value for _, value in finite), default=0.0)
    scale = _Scale(min(low, 0.0), max((value for _, value in finite), default=0.0))
    return [Bar(label, value, scale(min(value, 0.0)), abs(scale(value) - scale(0.0))) for label, value in finite]


def intervals(rows: Sequence[tuple[float, float, float]]) -> list[Interval]:
    """Return intervals (low, value, high) on one scale that holds all of them and zero."""
    scale = _Scale(min((low for low, _, _ in rows), default=0.0), max((high for _, _, high in rows), default=0.0))
    return [Interval(scale(low), scale(value), scale(high), scale(0.0)) for low, value, high in rows]


class _Scale:
    """Turn numbers into percent of the width between the lowest, at most 0, and the highest, at least 0."""

    def __init__(self, low: float, high: float) -> None:
        self._low, high = min(low, 0.0), max(high, 0.0)
        self._width = (high - self._low) or 1.0

    def __call__(self, value: float) -> float:
        return round(100 * ((value - self._low) / self._width), 2)
