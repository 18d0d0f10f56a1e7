# SPDX-License-Identifier: Apache-2.0
"""``index.html``: what the page shows and in what order; the template says how it looks.

The page is streamed: cases are drawn one after the other while it is written, so that 2,000 of them need no
more memory than 20. Everything that comes from a comparison is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.comparison import Comparison, Row, RunSummary
from harness.report import cases, devices, environment, figures, live, overview, pictures, plots, speed, timing
from harness.report.engine import engine
from harness.report.evidence import Evidence
from harness.report.overview import Index
from harness.verdict import Verdict

MOST_PICTURED = 50
"""The worst cases that are shown in pictures; the tables hold all of them."""

_MOST_ROWS = 300


def chunks(comparison: Comparison, found: Index, evidence: Evidence) -> Iterator[str]:
    """The page's text, piece by piece."""
    return engine().get_template("index.html.j2").generate(_context(comparison, found, evidence))


def _context(comparison: Comparison, found: Index, evidence: Evidence) -> dict[str, Any]:
    entries = cases.worst_first(comparison)
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
        "timing": None if comparison.of_live_runs else timing.figures_of(comparison, evidence),
        "speed": speed,
        "conditions": environment.conditions(comparison),
        "devices": devices.cards(comparison, found),
        "device_columns": devices.COLUMNS,
        "note": devices.note,
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


# --- live ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Live:
    columns: tuple[str, ...]
    text_columns: tuple[str, ...]
    rows: list[tuple[RunSummary, list[str]]]
    ratios: plots.Strips | None
    differences: list[tuple[str, Row]]
    stages: list[timing.StageRow]
    series: list[timing.Series]


def _live(comparison: Comparison, evidence: Evidence) -> _Live:
    shown = {run.label: run.live.stages for run in comparison.runs if run.live and run.live.stages}
    series = []
    for run in comparison.runs:
        table = evidence.samples(run.label) if run.live else None
        times = np.sort(table["presented_ns"].to_numpy(np.float64)) if table is not None else np.empty(0)
        if len(times) > 1:
            series.append(timing.series(run.label, times[1:], np.diff(times), "intervals"))
    return _Live(
        live.COLUMNS,
        live.TEXT_COLUMNS,
        [(run, live.cells(run, intervals=True)) for run in comparison.runs],
        timing.ratio_strips(live.beside(comparison, "ratio"), comparison.reference.label, "times as much"),
        [(name, row) for name, rows in live.beside(comparison, "difference").items() for row in rows],
        list(timing.stage_rows(shown, {})),
        series,
    )
