# SPDX-License-Identifier: Apache-2.0
"""What the page draws of how fast runs were: from a comparison's figures, and the samples of its bundles.

Knows clocks and no masks; how a figure looks is the template's business, where its marks lie that of ``plots``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness import conditions, stats
from harness.comparison import Comparison, Paced, Row, RunSummary, Start, Sustained
from harness.report import figures, overview, plots, speed
from harness.report.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("preprocess", "invoke", "postprocess")
_BETWEEN = "between them"
_WORTH_SHOWING = 0.001  # of a frame


@dataclass(frozen=True)
class Timing:
    """The figures of the page's section on speed, each empty or None where there is nothing to draw.

    Attributes:
        starts: a run, the number of a start of its process that was timed, from 1, and what is told of it.
        paced, sustained: runs with what they tell of each rate and of the long phase.
    """

    ratios: plots.Strips | None
    distribution: plots.Curves | None
    series: list[Series]
    accuracy: plots.Scatter | None
    stages: list[StageRow]
    starts: list[tuple[RunSummary, int, Start]]
    beginnings: plots.Strips | None
    paced: list[tuple[RunSummary, Paced]]
    sustained: list[tuple[RunSummary, Sustained]]
    long_series: list[Series]
    sizes: plots.Strips | None


def figures_of(comparison: Comparison, evidence: Evidence) -> Timing:
    """Everything there is to draw; samples are read once for each run."""
    tables = {run.label: evidence.samples(run.label) for run in comparison.runs}
    steady, sustained = (_phase(tables, phase) for phase in ("steady", "sustained"))
    timed = [(run, run.latency) for run in comparison.runs if run.latency]
    starts = [(run, n, start) for run, latency in timed for n, start in enumerate(latency.starts, 1)]
    return Timing(
        ratios=_ratios(comparison),
        distribution=_distribution(steady),
        series=[_over_starts(label, frames) for label, frames in steady.items()],
        accuracy=_accuracy(comparison),
        stages=list(_stages(comparison, steady)),
        starts=starts,
        beginnings=_beginnings(starts),
        paced=[(run, rate) for run, latency in timed for rate in latency.paced],
        sustained=[(run, latency.sustained) for run, latency in timed if latency.sustained],
        long_series=[_sustained(label, frames) for label, frames in sustained.items()],
        sizes=_sizes(comparison),
    )


def _phase(tables: dict[str, pd.DataFrame | None], phase: str) -> dict[str, pd.DataFrame]:
    """The frames of one phase of each run that has any, in the order of time."""
    parts = {
        label: table[(table["phase"] == phase) & table["total_ns"].notna() & table["start_ns"].notna()]
        for label, table in tables.items()
        if table is not None
    }
    return {label: part.sort_values("start_ns", kind="stable") for label, part in parts.items() if len(part)}


def _ms(nanoseconds: pd.Series) -> np.ndarray:
    return nanoseconds.to_numpy(np.float64) / 1e6


# --- beside the reference ------------------------------------------------------------------------


def _ratios(comparison: Comparison) -> plots.Strips | None:
    """How many times as long each stage takes."""
    groups: dict[str, list[Row]] = {}
    for row in comparison.rows:
        if stage := speed.stage_of(row):
            groups.setdefault("whole frame" if stage == "total" else stage, []).append(row)
    return ratio_strips(groups, comparison.reference.label, "times as long")


def ratio_strips(groups: dict[str, list[Row]], reference: str, unit: str) -> plots.Strips | None:
    """Ratios on one logarithmic axis: interval, estimate, and the gate; None where no row has an interval.

    Args:
        groups: heading -> rows; those without an interval are left out.
        unit: what a ratio says, such as ``times as long``.
    """
    shown = {name: [row for row in rows if row.interval and row.value] for name, rows in groups.items()}
    shown = {name: rows for name, rows in shown.items() if rows}
    rows = [row for group in shown.values() for row in group]
    if not rows:
        return None
    ends = [end for row in rows for end in (*(row.interval or ()), row.value or 1.0) if np.isfinite(end)]
    axis = plots.log_axis([1.0, *ends], 200, [gate for row in rows if (gate := _gate(row))])
    strips = {name: [_ratio_strip(row, name, axis, reference, unit) for row in group] for name, group in shown.items()}
    return plots.Strips(unit, strips, plots.fine_ticks(axis), axis.at(1.0))


def _gate(row: Row) -> float | None:
    return None if row.limit is None else row.limit.min if row.limit.max is None else row.limit.max


def _ratio_strip(row: Row, what: str, axis: plots.LogAxis, reference: str, unit: str) -> plots.Strip:
    low, high = row.interval or (1.0, 1.0)
    itself, gate = overview.metric_of(row) == "noise", _gate(row)
    accepted = f", accepted {overview.limit_text(row)}, {row.verdict}" if gate else ""
    return plots.Strip(
        row.run,
        f"{'beside itself' if itself else str(row.verdict) if gate else 'not gated'}, {speed.times(row)}",
        f"{row.run}, {what}: {speed.times(row)} {unit} {'beside itself' if itself else f'as {reference}'}{accepted}",
        dots=[axis.at(row.value or 1.0)],
        band=(axis.at(low), axis.at(high)),
        gate=axis.at(gate) if gate else None,
    )


def _accuracy(comparison: Comparison) -> plots.Scatter | None:
    """IoU against the true masks over the median frame, of the runs on the reference's machine whose times are valid;
    None for fewer than two that have both."""
    here = conditions.machine(comparison.reference.facts)
    both = [
        (run, run.latency.p50, truth)
        for run in comparison.runs
        if run.latency and run.latency.p50 and not run.latency.note and conditions.machine(run.facts) == here
        if (truth := overview.truth(run, "gt_iou")) is not None
    ]
    if len(both) < 2:
        return None
    milliseconds, ious = [ms for _, ms, _ in both], [iou for _, _, iou in both]
    front = plots.front(milliseconds, ious)
    labels = [
        f"{run.label}: IoU {figures.iou(iou)} in {figures.milliseconds(ms)} ms"
        + (", on the front" if k in front else "")
        for k, (run, ms, iou) in enumerate(both)
    ]
    return plots.scatter(milliseconds, ious, front, labels)


# --- one run -------------------------------------------------------------------------------------


def _distribution(steady: dict[str, pd.DataFrame]) -> plots.Curves | None:
    """Share of the steady frames that took no longer, per run."""
    spread = {label: _ms(frames["total_ns"]) for label, frames in steady.items()}
    if not spread:
        return None
    axis = plots.log_axis([float(end) for ms in spread.values() for end in (ms.min(), ms.max())], 200)
    curves = []
    for label, ms in spread.items():
        middle, low, high = (figures.milliseconds(float(v)) for v in (np.median(ms), ms.min(), ms.max()))
        summary = f"{label}: {len(ms)} frames, {low} to {high} ms, median {middle} ms"
        curves.append(plots.Curve(label, summary, plots.steps(axis, *stats.ecdf(ms))))
    return plots.Curves(curves, plots.fine_ticks(axis))


@dataclass(frozen=True)
class StageRow:
    """The stages of one run's frame.

    Attributes:
        parts: name of each stage, its width in percent of the longest row, its median in milliseconds, and its share
            of all frames' time where that is known.
        outside: share of all steady frames' time that is not ``invoke``; None without samples.
    """

    label: str
    parts: list[tuple[str, float, float, float | None]]
    outside: float | None


def stage_rows(medians: dict[str, dict[str, float]], shares: dict[str, dict[str, float]]) -> Iterator[StageRow]:
    """Rows on one scale.

    Args:
        medians: run -> stage -> milliseconds.
        shares: run -> stage -> share of all frames' time, where known.
    """
    longest = max((sum(stages.values()) for stages in medians.values()), default=0.0)
    for label, stages in medians.items():
        if sum(stages.values()) > 0:
            known = shares.get(label, {})
            # Of 99 %: the narrowest stage is drawn one pixel wide, and must not push the last to a line of its own.
            parts = [(name, round(99 * v / longest, 2), v, known.get(name)) for name, v in stages.items()]
            yield StageRow(label, parts, 1 - known["invoke"] if "invoke" in known else None)


def _stages(comparison: Comparison, steady: dict[str, pd.DataFrame]) -> Iterator[StageRow]:
    medians = {run.label: dict(run.latency.stages) for run in comparison.runs if run.latency}
    medians = {label: {s: stages[s] for s in STAGES if s in stages} for label, stages in medians.items()}
    shares = {}
    for label, frames in steady.items():
        known = frames[[f"{stage}_ns" for stage in medians.get(label, {})]].dropna()
        total = frames.loc[known.index, "total_ns"]
        if known.empty or total.sum() <= 0:
            continue
        between = (total - known.sum(axis=1)).clip(lower=0)
        shares[label] = {str(name).removesuffix("_ns"): float(known[name].sum() / total.sum()) for name in known}
        rest = float(between.sum() / total.sum())
        if rest >= _WORTH_SHOWING:
            medians[label][_BETWEEN], shares[label][_BETWEEN] = float(between.median()) / 1e6, rest
    return stage_rows(medians, shares)


@dataclass(frozen=True)
class Series:
    """How something went over time, in percent of its chart.

    Attributes:
        notes: what is flagged, in words.
        outliers: points far from the rest of their start.
        spans: each start from its first point to its last.
        trends: from the median of the first third to that of the last, where it drifted.
    """

    label: str
    summary: str
    notes: list[str]
    points: list[tuple[float, float]]
    outliers: list[tuple[float, float]]
    spans: list[tuple[float, float]]
    trends: list[tuple[float, float, float, float]]
    seconds: list[plots.Tick]
    milliseconds: list[plots.Tick]


def series(label: str, at_ns: np.ndarray, lasted_ns: np.ndarray, what: str, starts: np.ndarray | None = None) -> Series:
    """Points over time, their outliers and drifts.

    Args:
        at_ns, lasted_ns: shape (n,), in time order, n ≥ 1.
        what: what a point is, in the plural.
        starts: for each point which start of the process it is of; None: nothing is flagged.
    """
    seconds, ms = (at_ns - at_ns[0]) / 1e9, lasted_ns / 1e6
    last, high = float(seconds[-1]) or 1e-3, 1.08 * (float(ms.max()) or 1e-3)
    far = np.zeros(len(ms), bool)
    spans, trends, notes = [], [], []
    numbers = np.empty(0, np.int64) if starts is None else np.unique(starts)
    for number, start in enumerate(numbers, 1):
        own = np.flatnonzero(starts == start)
        far[own] = stats.outlying(ms[own])
        spans.append((round(100 * seconds[own[0]] / last, 2), round(100 * seconds[own[-1]] / last, 2)))
        drift = stats.drift(ms[own])
        if drift and drift.flagged:
            third = len(own) // 3
            ends = [(own[:third], own[third // 2]), (own[-third:], own[-third // 2])]
            (x1, y1), (x2, y2) = [
                (100 * seconds[at] / last, 100 - 100 * float(np.median(ms[part])) / high) for part, at in ends
            ]
            trends.append((round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2)))
            change = figures.change(drift.change)
            notes.append(f"start {number} drifts {change}" if len(numbers) > 1 else f"drifts {change}")
    if far.any():
        notes.append(f"{far.sum()} outliers ({figures.share(float(far.mean()))})")
    summary = f"{label}: {len(ms)} {what} over {last:.1f} s, highest {figures.milliseconds(float(ms.max()))} ms"
    return Series(
        label,
        "; ".join([summary, *notes]),
        notes,
        plots.points(seconds[~far], ms[~far], last, high),
        plots.points(seconds[far], ms[far], last, high, 300),
        spans,
        trends,
        plots.linear_ticks(last, 6),
        plots.linear_ticks(high, 4),
    )


def _over_starts(label: str, frames: pd.DataFrame) -> Series:
    starts = frames["restart"].fillna(0).to_numpy(np.int64)
    at, lasted = (frames[name].to_numpy(np.float64) for name in ("start_ns", "total_ns"))
    return series(label, at, lasted, "frames", starts)


def _sustained(label: str, frames: pd.DataFrame) -> Series:
    at, lasted = (frames[name].to_numpy(np.float64) for name in ("start_ns", "total_ns"))
    return series(label, at, lasted, "frames", np.zeros(len(at), np.int64))


# --- beginnings, memory and size -----------------------------------------------------------------

_BEGINNINGS = {"cold_start": "process to first mask", "load": "loading the model", "first": "first inference"}


def _beginnings(starts: list[tuple[RunSummary, int, Start]]) -> plots.Strips | None:
    """Cold start, load and first inference: a dot for each start."""
    told: dict[str, dict[str, list[float]]] = {name: {} for name in _BEGINNINGS}
    for run, _, start in starts:
        for name in _BEGINNINGS:
            if (value := getattr(start, name)) is not None and value > 0:
                told[name].setdefault(run.label, []).append(value)
    values = [v for runs in told.values() for each in runs.values() for v in each]
    if not values:
        return None
    axis = plots.log_axis(values, 40)
    groups = {
        _BEGINNINGS[name]: [_dots(label, each, _BEGINNINGS[name], axis) for label, each in runs.items()]
        for name, runs in told.items()
        if runs
    }
    return plots.Strips("milliseconds", groups, plots.fine_ticks(axis))


def _dots(label: str, values: list[float], what: str, axis: plots.LogAxis) -> plots.Strip:
    low, middle, high = (figures.milliseconds(float(v)) for v in (min(values), np.median(values), max(values)))
    said = f"{middle} ms ({low} – {high})" if len(values) > 1 else f"{middle} ms"
    return plots.Strip(label, said, f"{label}, {what}: {said}", [axis.at(v) for v in values])


def _sizes(comparison: Comparison) -> plots.Strips | None:
    """Peak memory of the process and size of the model's file, as bars."""
    told = {
        "peak memory": {run.label: run.peak_memory_bytes for run in comparison.runs if run.peak_memory_bytes},
        "model file": {run.label: size for run in comparison.runs if (size := overview.model_bytes(run))},
    }
    groups = {}
    for what, runs in told.items():
        largest = max(runs.values(), default=1)
        if runs:
            groups[what] = [
                plots.Strip(
                    label,
                    f"{figures.megabytes(value)} MB",
                    f"{label}, {what}: {figures.megabytes(value)} MB",
                    bar=round(100 * value / largest, 2),
                )
                for label, value in runs.items()
            ]
    return plots.Strips("", groups, []) if groups else None
