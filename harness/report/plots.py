# SPDX-License-Identifier: Apache-2.0
"""The geometry of the page's plots: bins, ticks and points in percent of the plot; the template draws them.

Knows numbers only: no runs, no clocks, no SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in percent from its start."""

    at: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A bin: its left edge, width and height in percent of the plot, and how many values it holds."""

    left: float
    width: float
    height: float
    count: int


@dataclass(frozen=True)
class Histogram:
    """Bins of equal width on a logarithmic axis, scaled to the fullest bin of the row."""

    bars: list[Bar]
    n: int


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis over whole bins; values of 0 or below get a bin of their own at the left end.

    Attributes:
        low: logarithm (base 10) of the left edge.
        bins: number of bins, that of the zeros included.
        per_decade: bins per decade.
        zeros: whether the first bin holds the zeros.
    """

    low: float
    bins: int
    per_decade: int
    zeros: bool

    def at(self, value: float) -> float:
        """The place of a value in percent of the axis."""
        if value <= 0:
            return 50.0 / self.bins
        place = (math.log10(value) - self.low) * self.per_decade + self.zeros
        return 100.0 * min(max(place / self.bins, 0.0), 1.0)

    def histogram(self, values: Sequence[float]) -> Histogram:
        array = np.asarray(values, np.float64)
        positive = np.log10(array[array > 0])
        index = np.floor((positive - self.low) * self.per_decade + 1e-9).astype(int) + self.zeros
        counts = np.bincount(np.clip(index, 0, self.bins - 1), minlength=self.bins)
        if self.zeros:
            counts[0] += np.count_nonzero(array <= 0)
        top = counts.max()
        width = 100.0 / self.bins
        bars = [
            Bar(round(i * width, 3), round(width, 3), round(100 * int(c) / int(top), 2), int(c))
            for i, c in enumerate(counts)
            if c
        ]
        return Histogram(bars, len(array))


def log_axis(values: Sequence[float], per_decade: int, edges: Sequence[float] = ()) -> LogAxis:
    """An axis that holds all finite ``values`` and, where they are positive, the ``edges``."""
    array = np.asarray([*values, *(e for e in edges if e > 0)], np.float64)
    positive = array[array > 0]
    zeros = bool((np.asarray(values) <= 0).any())
    if not len(positive):
        return LogAxis(-7.0, 1 + per_decade, per_decade, True)
    low = math.floor(math.log10(positive.min()) * per_decade + 1e-9)
    high = math.floor(math.log10(positive.max()) * per_decade + 1e-9) + 1
    return LogAxis(low / per_decade, high - low + zeros, per_decade, zeros)


def decade_ticks(axis: LogAxis, most: int = 7) -> list[Tick]:
    """A tick at each power of ten, thinned to at most ``most``, and one for the zeros."""
    end = axis.low + (axis.bins - axis.zeros) / axis.per_decade
    decades = range(math.ceil(axis.low - 1e-9), math.floor(end + 1e-9) + 1)
    step = max(1, -(-len(decades) // most))
    ticks = [Tick(axis.at(10.0**d), f"1e{d}" if d else "1") for d in decades if d % step == 0]
    return [Tick(axis.at(0), "0"), *ticks] if axis.zeros else ticks


def round_ticks(axis: LogAxis, most: int = 6) -> list[Tick]:
    """Ticks at 1, 2, 5 times a power of ten (fewer where they would crowd) for an axis of plain numbers."""
    end = axis.low + (axis.bins - axis.zeros) / axis.per_decade
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(axis.low), math.ceil(end) + 1)
        values = [s * 10.0**d for d in decades for s in steps]
        values = [v for v in values if axis.low - 1e-9 <= math.log10(v) <= end + 1e-9]
        if len(values) <= most:
            break
    return [Tick(axis.at(v), f"{v:g}") for v in values]


def fine_ticks(axis: LogAxis, most: int = 6) -> list[Tick]:
    """As :func:`round_ticks`; where the axis spans less than a factor of three, round numbers at even distances."""
    low, high = (10.0 ** (axis.low + bins / axis.per_decade) for bins in (0, axis.bins - axis.zeros))
    if high / low >= 3:
        return round_ticks(axis, most)
    step = _round_step((high - low) / most)
    first = math.ceil(low / step - 1e-9)
    values = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return [Tick(axis.at(value), f"{value:.6g}") for value in values]


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= least * (1 - 1e-9))


def linear_ticks(high: float, most: int = 4) -> list[Tick]:
    """Round ticks from 0 to at most ``high``, in percent of ``high``."""
    if high <= 0:
        return [Tick(0, "0")]
    step = _round_step(high / most)
    return [Tick(100 * i * step / high, f"{i * step:g}") for i in range(int(high / step + 1e-9) + 1)]


def points(x: np.ndarray, y: np.ndarray, x_high: float, y_high: float, most: int = 600) -> list[tuple[float, float]]:
    """A series as places in percent (y from the top), thinned to the lowest and highest of each slice.

    The extremes of every slice are kept: an outlier is never thinned away.
    """
    keep = np.arange(len(x))  # of none, none
    if len(x) > most:
        slices = np.array_split(keep, most // 2)
        keep = np.unique([i for s in slices for i in (s[np.argmin(y[s])], s[np.argmax(y[s])])])
    left = 100 * x[keep] / (x_high or 1)
    top = 100 - 100 * y[keep] / (y_high or 1)
    return [(round(float(a), 2), round(float(b), 2)) for a, b in zip(left, top, strict=True)]


# --- rows of marks on one axis -------------------------------------------------------------------


@dataclass(frozen=True)
class Strip:
    """One row: any of dots, an interval, a gate, or a bar from the left, in percent of the axis.

    Attributes:
        detail: its figures, beside the label.
        summary: the row in words, for those who do not see it.
    """

    label: str
    detail: str
    summary: str
    dots: list[float] = field(default_factory=list)
    band: tuple[float, float] | None = None
    gate: float | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Strips:
    """Rows by group, on one axis.

    Attributes:
        even: the place that means "no difference"; None where nothing does.
    """

    unit: str
    groups: dict[str, list[Strip]]
    ticks: list[Tick]
    even: float | None = None


# --- curves --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    label: str
    summary: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """Curves in one chart; the vertical axis is a share, from 0 at the bottom to 100 %."""

    curves: list[Curve]
    ticks: list[Tick]


def steps(axis: LogAxis, values: np.ndarray, shares: np.ndarray) -> list[tuple[float, float]]:
    """Corners of a distribution function as places in percent (y from the top), from 0 to the last share.

    Args:
        values, shares: ascending, shape (n,), n ≥ 1.
    """
    corners, reached = [], 0.0
    for value, share in zip(values, shares, strict=True):
        at = round(axis.at(float(value)), 2)
        corners += [(at, round(100 - 100 * reached, 2)), (at, round(100 - 100 * float(share), 2))]
        reached = float(share)
    return corners


@dataclass(frozen=True)
class Trace:
    """One figure over time: the corners of its line in percent (y from the top), and both axes.

    Attributes:
        unit: of the horizontal axis.
    """

    label: str
    summary: str
    points: list[tuple[float, float]]
    x: list[Tick]
    y: list[Tick]
    unit: str


def trace(label: str, summary: str, x: np.ndarray, places: np.ndarray, y: list[Tick], unit: str) -> Trace:
    """A line that keeps each value until the next one.

    Args:
        x: ascending, from 0 or above, shape (n,), n ≥ 1.
        places: where each value lies, in percent from the bottom, shape (n,).
    """
    high = float(x[-1]) if x[-1] > 1e-9 else 1.0
    corners: list[tuple[float, float]] = []
    for at, place in zip(x, places, strict=True):
        left, top = round(100 * float(at) / high, 2), round(100 - float(place), 2)
        corners += [(left, corners[-1][1]), (left, top)] if corners else [(left, top)]
    return Trace(label, summary, corners, linear_ticks(high, 4), y, unit)


# --- one figure over another ---------------------------------------------------------------------


@dataclass(frozen=True)
class Scatter:
    """Numbered points in percent (y from the top), and the best of them joined.

    Attributes:
        labels: the points in words, in their order.
        numbers: place and text; points that lie on each other share one, and it is moved down where two numbers would.
        front: corners of the line through the best.
    """

    points: list[tuple[float, float]]
    numbers: list[tuple[float, float, str]]
    labels: list[str]
    front: list[tuple[float, float]]
    x: list[Tick]
    y: list[Tick]


def front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """The Pareto front: which entries no other beats, those of less cost first.

    One beats another if it costs no more and gains no less, and is better in one of the two.
    """
    best = -math.inf
    kept: list[int] = []
    for k in sorted(range(len(costs)), key=lambda k: (costs[k], -gains[k])):
        if gains[k] > best or (kept and (costs[k], gains[k]) == (costs[kept[-1]], best)):
            best = gains[k]
            kept.append(k)
    return kept


def scatter(costs: Sequence[float], gains: Sequence[float], best: Sequence[int], labels: list[str]) -> Scatter:
    """Gains over costs, the costs on a logarithmic axis; both axes hold a margin.

    Args:
        costs, gains: shape (n,), n ≥ 1; costs are above 0.
        best: :func:`front` of them.
    """
    axis = log_axis([0.95 * min(costs), 1.05 * max(costs)], 100)
    low, high = min(gains), max(gains)
    margin = 0.15 * (high - low) or 0.01
    low, span = low - margin, high - low + 2 * margin

    def above(gain: float) -> float:
        return 100 * (gain - low) / span

    points = [(round(axis.at(c), 2), round(100 - above(g), 2)) for c, g in zip(costs, gains, strict=True)]
    corners: list[tuple[float, float]] = []
    for k in best:
        corners += [(points[k][0], corners[-1][1]), points[k]] if corners else [(points[k][0], 100.0), points[k]]
    step = _round_step(span / 4)
    ticks = [k * step for k in range(math.ceil(low / step), math.floor((low + span) / step) + 1)]
    return Scatter(
        points,
        _numbers(points),
        labels,
        [*corners, (100.0, corners[-1][1])],
        fine_ticks(axis),
        [Tick(above(value), f"{value:.6g}") for value in ticks],
    )


def _numbers(points: list[tuple[float, float]], height: float = 9.0) -> list[tuple[float, float, str]]:
    together: dict[tuple[float, float], list[int]] = {}
    for number, (x, y) in enumerate(points, 1):
        near = (place for place in together if abs(place[0] - x) < 1 and abs(place[1] - y) < 3)
        together.setdefault(next(near, (x, y)), []).append(number)
    placed: list[tuple[float, float, str]] = []
    for (x, y), sharing in together.items():
        text, down = ", ".join(map(str, sharing)), y
        while any(-_width(text) < x - px < _width(other) and abs(down - py) < height for px, py, other in placed):
            down = round(down + height / 3, 2)
        placed.append((x, down, text))
    return placed


def _width(text: str) -> float:
    return 3 + 1.2 * len(text)  # with the gap to the dot, in percent of the page's usual width
