# SPDX-License-Identifier: Apache-2.0
"""The geometry of the page's plots: bins, ticks and points in percent of the plot; the template draws them.

Knows numbers only: no runs, no clocks, no SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


def linear_ticks(high: float, most: int = 4) -> list[Tick]:
    """Round ticks from 0 to at most ``high``, in percent of ``high``."""
    if high <= 0:
        return [Tick(0, "0")]
    raw = high / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw - 1e-12)
    return [Tick(100 * i * step / high, f"{i * step:g}") for i in range(int(high / step + 1e-9) + 1)]


def points(x: np.ndarray, y: np.ndarray, x_high: float, y_high: float, most: int = 600) -> list[tuple[float, float]]:
    """A series as places in percent (y from the top), thinned to the lowest and highest of each slice.

    The extremes of every slice are kept: an outlier is never thinned away.
    """
    keep = np.arange(len(x))
    if len(x) > most:
        slices = np.array_split(keep, most // 2)
        keep = np.unique([i for s in slices for i in (s[np.argmin(y[s])], s[np.argmax(y[s])])])
    left = 100 * x[keep] / (x_high or 1)
    top = 100 - 100 * y[keep] / (y_high or 1)
    return [(round(float(a), 2), round(float(b), 2)) for a, b in zip(left, top, strict=True)]
