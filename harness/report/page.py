# SPDX-License-Identifier: Apache-2.0
"""``index.html``: what the page shows and in what order; the template says how it looks.

The page is streamed: cases are drawn one after the other while it is written, so that 2,000 of them need no
more memory than 20. Everything that comes from a comparison is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.comparison import Comparison, RunSummary
from harness.report import cases, environment, figures, live, overview, pictures, plots
from harness.report.evidence import Evidence
from harness.report.overview import Index
from harness.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

MOST_PICTURED = 50
"""The worst cases that are shown in pictures; the tables hold all of them."""

_MOST_ROWS = 300


def chunks(comparison: Comparison, found: Index, evidence: Evidence) -> Iterator[str]:
    """The page's text, piece by piece."""
    engine = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    engine.filters.update(
        error=figures.error,
        iou=figures.iou,
        ms=figures.milliseconds,
        mb=figures.megabytes,
        rate=figures.rate,
        share=figures.share,
        metric=lambda value, name: figures.metric(name, value),
    )
    return engine.get_template("index.html.j2").generate(_context(comparison, found, evidence))


def _context(comparison: Comparison, found: Index, evidence: Evidence) -> dict[str, Any]:
    entries = cases.worst_first(comparison)
    steady = _steady(comparison, evidence)
    rows = overview.gated_rows(found)
    return {
        "comparison": comparison,
        "figures": figures,
        "overview": overview,
        "headline": overview.headline(comparison),
        "columns": overview.matrix_columns(comparison),
        "matrix": overview.matrix(comparison, found),
        "agreement": _agreement(comparison),
        "errors": _error_plot(comparison, found),
        "stages": _stage_plot(comparison, steady),
        "latencies": _latency_plot(comparison, steady),
        "series": [_latencies(label, frames) for label, frames in steady.items()],
        "live": _live(comparison, evidence) if comparison.of_live_runs else None,
        "legend": pictures.legend(),
        "pictured": min(len(entries), MOST_PICTURED),
        "cases": cases.in_pictures(comparison, entries[:MOST_PICTURED], evidence),
        "tables": cases.tables(comparison, overview.lanes(comparison), entries),
        "total": len(entries),
        "rows": rows[:_MOST_ROWS],
        "rows_left": max(0, len(rows) - _MOST_ROWS),
        "rows_passed": sum(row.verdict is Verdict.PASS for row in comparison.rows if overview.case_of(row) is not None),
        "environment": environment.table(comparison),
        # Read last: by then everything that is missing has been noticed.
        "problems": lambda: list(evidence.problems),
    }


# --- agreement -----------------------------------------------------------------------------------


def _agreement(comparison: Comparison) -> list[tuple[RunSummary, str, dict[str, float | None]]]:
    pairs = [(run, lane) for run in comparison.runs for lane in overview.LANES]
    return [(run, lane, run.pooled[lane]) for run, lane in pairs if run.pooled.get(lane)]


@dataclass(frozen=True)
class _PlotRow:
    label: str
    detail: str
    summary: str
    histogram: plots.Histogram
    mark: float | None


@dataclass(frozen=True)
class _Plot:
    rows: list[_PlotRow]
    ticks: list[plots.Tick]


def _error_plot(comparison: Comparison, found: Index) -> _Plot | None:
    """The largest error of each case, per run and lane."""
    series = {}
    for key, results in found.cases.items():
        values = [v for case in results if (v := case.metrics.get("max_abs")) is not None]
        if values:
            series[key] = values
    if not series:
        return None
    limits = {
        (row.run, row.lane): row.limit.max
        for rows in found.gated.values()
        for row in rows
        if overview.metric_of(row) == "max_abs" and row.limit and row.limit.max
    }
    axis = plots.log_axis([v for values in series.values() for v in values], 4, list(limits.values()))
    rows = []
    for (run, lane), values in series.items():
        low, middle, high = (figures.error(v) for v in (min(values), float(np.median(values)), max(values)))
        limit = limits.get((run, lane))
        summary = f"{run}, {lane} lane: {len(values)} cases, largest error {low} to {high}, median {middle}"
        rows.append(_PlotRow(run, f"{lane} lane", summary, axis.histogram(values), axis.at(limit) if limit else None))
    return _Plot(rows, plots.decade_ticks(axis))


# --- speed ---------------------------------------------------------------------------------------


def _steady(comparison: Comparison, evidence: Evidence) -> dict[str, pd.DataFrame]:
    """The steady frames of each run that was timed."""
    tables = {run.label: evidence.samples(run.label) for run in comparison.runs}
    steady = {
        label: table[(table["phase"] == "steady") & table["total_ns"].notna() & table["start_ns"].notna()]
        for label, table in tables.items()
        if table is not None
    }
    return {label: frames for label, frames in steady.items() if len(frames)}


@dataclass(frozen=True)
class _StageRow:
    """The stages of one run's frame.

    Attributes:
        parts: name of each stage, its width in percent of the longest row, and its median in milliseconds.
        outside: share of all steady frames' time that is not ``invoke``; None without samples.
    """

    label: str
    parts: list[tuple[str, float, float]]
    outside: float | None


def _stage_plot(comparison: Comparison, steady: dict[str, pd.DataFrame]) -> list[_StageRow]:
    timed = [(run.label, run.latency.stages) for run in comparison.runs if run.latency]
    longest = max((sum(stages.values()) for _, stages in timed), default=0.0)
    return [
        _StageRow(
            label,
            [(name, round(100 * value / longest, 2), value) for name, value in stages.items()],
            1 - float(steady[label]["invoke_ns"].sum() / steady[label]["total_ns"].sum()) if label in steady else None,
        )
        for label, stages in timed
        if sum(stages.values()) > 0
    ]


def _latency_plot(comparison: Comparison, steady: dict[str, pd.DataFrame]) -> _Plot | None:
    """How the steady frames' latency is spread."""
    spread = {label: frames["total_ns"].to_numpy(np.float64) / 1e6 for label, frames in steady.items()}
    if not spread:
        return None
    medians = {run.label: run.latency.p50 for run in comparison.runs if run.latency}
    axis = plots.log_axis([float(v) for ms in spread.values() for v in (ms.min(), ms.max())], 40)
    rows = []
    for label, ms in spread.items():
        middle = medians.get(label)
        low, high = figures.milliseconds(float(ms.min())), figures.milliseconds(float(ms.max()))
        summary = f"{label}: {len(ms)} frames, {low} to {high} ms, median {figures.milliseconds(middle)} ms"
        mark = axis.at(middle) if middle else None
        rows.append(_PlotRow(label, f"{len(ms)} frames", summary, axis.histogram(ms), mark))
    return _Plot(rows, plots.round_ticks(axis))


@dataclass(frozen=True)
class _Series:
    label: str
    summary: str
    points: list[tuple[float, float]]
    seconds: list[plots.Tick]
    milliseconds: list[plots.Tick]


def _latencies(label: str, frames: pd.DataFrame) -> _Series:
    """How one run's latency went over time."""
    frames = frames.sort_values("start_ns", kind="stable")
    return _series(label, frames["start_ns"].to_numpy(np.float64), frames["total_ns"].to_numpy(np.float64), "frames")


def _series(label: str, at_ns: np.ndarray, lasted_ns: np.ndarray, what: str) -> _Series:
    seconds, ms = (at_ns - at_ns[0]) / 1e9, lasted_ns / 1e6
    last, high = float(seconds[-1]), 1.08 * float(ms.max())
    summary = f"{label}: {len(ms)} {what} over {last:.1f} s, highest {figures.milliseconds(float(ms.max()))} ms"
    places = plots.points(seconds, ms, last, high)
    return _Series(label, summary, places, plots.linear_ticks(last, 6), plots.linear_ticks(high, 4))


# --- live ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Live:
    columns: tuple[str, ...]
    text_columns: tuple[str, ...]
    rows: list[tuple[RunSummary, list[str]]]
    stages: list[_StageRow]
    series: list[_Series]


def _live(comparison: Comparison, evidence: Evidence) -> _Live:
    shown = {run.label: run.live.stages for run in comparison.runs if run.live and run.live.stages}
    longest = max((sum(stages.values()) for stages in shown.values()), default=0.0)
    stages = [
        # Of 99 %, so that the narrowest stage, drawn one pixel wide, does not push the last one to a line of its own.
        _StageRow(label, [(n, round(99 * v / (longest or 1), 2), v) for n, v in stages.items()], None)
        for label, stages in shown.items()
    ]
    series = []
    for run in comparison.runs:
        table = evidence.samples(run.label) if run.live else None
        times = np.sort(table["presented_ns"].to_numpy(np.float64)) if table is not None else np.empty(0)
        if len(times) > 1:
            series.append(_series(run.label, times[1:], np.diff(times), "intervals"))
    rows = [(run, live.cells(run)) for run in comparison.runs]
    return _Live(live.COLUMNS, live.TEXT_COLUMNS, rows, stages, series)
