# SPDX-License-Identifier: Apache-2.0
"""``index.html``: what the page shows and in what order; the template says how it looks.

The page is streamed: cases are drawn one after the other while it is written, so that 2,000 of them need no
more memory than 20. Everything that comes from a comparison is escaped by the template engine.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.comparison import CaseResult, Comparison, RunSummary
from harness.contract import crop_to_content
from harness.errors import HarnessError
from harness.report import figures, overview, pictures, plots
from harness.report.evidence import Evidence
from harness.report.overview import ATTENTION, Index
from harness.verdict import Verdict, worst

MOST_PICTURED = 50
"""The worst cases that are shown in pictures; the tables hold all of them."""

_MOST_ROWS = 300
_OPEN = 3


def chunks(comparison: Comparison, found: Index, evidence: Evidence) -> Iterator[str]:
    """The page's text, piece by piece."""
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        error=figures.error,
        iou=figures.iou,
        ms=figures.milliseconds,
        mb=figures.megabytes,
        rate=figures.rate,
        share=figures.share,
        metric=lambda value, name: figures.metric(name, value),
    )
    return environment.get_template("index.html.j2").generate(_context(comparison, found, evidence))


def _context(comparison: Comparison, found: Index, evidence: Evidence) -> dict[str, Any]:
    order = _worst_first(comparison)
    rows = overview.gated_rows(found)
    return {
        "comparison": comparison,
        "figures": figures,
        "overview": overview,
        "headline": overview.headline(comparison),
        "speed": overview.speed(comparison),
        "columns": overview.matrix_columns(comparison),
        "matrix": overview.matrix(comparison, found),
        "agreement": _agreement(comparison),
        "errors": _error_plot(comparison, found),
        "stages": _stage_plot(comparison),
        "timing": _timing(comparison, evidence),
        "legend": pictures.legend(),
        "pictured": min(len(order), MOST_PICTURED),
        "cases": _cases(comparison, order[:MOST_PICTURED], evidence),
        "tables": [_CaseTable(lane, comparison, order) for lane in overview.lanes(comparison)],
        "total": len(order),
        "rows": rows[:_MOST_ROWS],
        "rows_left": max(0, len(rows) - _MOST_ROWS),
        "rows_passed": sum(row.verdict is Verdict.PASS for row in comparison.rows if overview.case_of(row) is not None),
        "environment": _environment(comparison),
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
    limits: list[plots.Tick]


def _error_plot(comparison: Comparison, found: Index) -> _Plot | None:
    """The largest error of each case, per run and lane."""
    series = {}
    for key, cases in found.cases.items():
        values = [v for case in cases if (v := case.metrics.get("max_abs")) is not None]
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
        rows.append(
            _PlotRow(run, f"{lane} lane", summary, axis.histogram(values), axis.at(limit) if limit else None)
        )
    return _Plot(rows, plots.decade_ticks(axis), [])


# --- speed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _StageRow:
    label: str
    parts: list[tuple[str, float, float]]
    """Name, width in percent of the slowest run's frame, milliseconds."""
    outside: float
    """Share of the frame that is not ``invoke``."""


def _stage_plot(comparison: Comparison) -> list[_StageRow]:
    timed = [(run.label, run.latency.stages) for run in comparison.runs if run.latency and run.latency.stages]
    longest = max((sum(stages.values()) for _, stages in timed), default=0.0)
    rows = []
    for label, stages in timed:
        total = sum(stages.values())
        if total > 0:
            parts = [(name, round(100 * value / longest, 2), value) for name, value in stages.items()]
            rows.append(_StageRow(label, parts, 1 - stages.get("invoke", 0.0) / total))
    return rows


@dataclass(frozen=True)
class _Series:
    label: str
    summary: str
    points: list[tuple[float, float]]
    seconds: list[plots.Tick]
    milliseconds: list[plots.Tick]


@dataclass(frozen=True)
class _Timing:
    plot: _Plot
    series: list[_Series]


def _timing(comparison: Comparison, evidence: Evidence) -> _Timing | None:
    """How the steady frames' latency is spread, and how it went over time."""
    steady = {}
    for run in comparison.runs:
        table = evidence.samples(run.label)
        if table is not None:
            frames = table[(table["phase"] == "steady") & table["total_ns"].notna()]
            if len(frames):
                start = frames["start_ns"].to_numpy(np.float64)
                steady[run.label] = (start - start.min()) / 1e9, frames["total_ns"].to_numpy(np.float64) / 1e6
    if not steady:
        return None
    axis = plots.log_axis([float(v) for _, ms in steady.values() for v in (ms.min(), ms.max())], 40)
    rows = []
    for label, (_, ms) in steady.items():
        low, middle, high = (figures.milliseconds(float(v)) for v in (ms.min(), np.median(ms), ms.max()))
        summary = f"{label}: {len(ms)} frames, {low} to {high} ms, median {middle} ms"
        rows.append(_PlotRow(label, f"{len(ms)} frames", summary, axis.histogram(ms), axis.at(float(np.median(ms)))))
    return _Timing(_Plot(rows, plots.round_ticks(axis), []), [_series(label, *s) for label, s in steady.items()])


def _series(label: str, seconds: np.ndarray, ms: np.ndarray) -> _Series:
    order = np.argsort(seconds, kind="stable")
    seconds, ms = np.nan_to_num(seconds[order]), ms[order]
    last, high = float(seconds.max()), 1.08 * float(ms.max())
    summary = f"{label}: {len(ms)} frames over {last:.1f} s, highest {figures.milliseconds(float(ms.max()))} ms"
    places = plots.points(seconds, ms, last, high)
    return _Series(label, summary, places, plots.linear_ticks(last, 6), plots.linear_ticks(high, 3))


# --- cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Order:
    """A case, the lane in which it looks worst, and its results by run and lane."""

    case: str
    verdict: Verdict
    lane: str
    results: dict[tuple[str, str], CaseResult]


def _worst_first(comparison: Comparison) -> list[_Order]:
    grouped: dict[str, dict[tuple[str, str], CaseResult]] = defaultdict(dict)
    for result in comparison.cases:
        grouped[result.case][result.run, result.lane] = result
    reference = comparison.reference.label
    keyed = []
    for case, results in grouped.items():
        judged = [r for r in results.values() if r.run != reference] or list(results.values())
        first = min(judged, key=_badness)
        keyed.append((_badness(first), _Order(case, worst(r.verdict for r in judged), first.lane, results)))
    return [order for _, order in sorted(keyed, key=lambda pair: pair[0])]


def _badness(result: CaseResult) -> tuple[float, ...]:
    """Sorts the worst first: by verdict, then by what the eye would see."""
    rank = 0 if result.verdict in ATTENTION else 1 if result.verdict is Verdict.WARN else 2
    iou, largest = result.metrics.get("mask_iou"), result.metrics.get("max_abs")
    return rank, -math.inf if iou is None else iou, -math.inf if largest is None else -largest


@dataclass(frozen=True)
class RunPictures:
    """What one run drew of a case; ``problem`` says why a picture is missing."""

    label: str
    reference: bool
    result: CaseResult | None
    mask: str = ""
    difference: str = ""
    pixels: tuple[pictures.Pixel, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class CasePictures:
    """One case in pictures.

    Attributes:
        aspect: width and height of the picture in pixels, which masks are stretched to.
        size: ``(height, width)`` of the reference's tensor; the worst pixels are counted in it.
    """

    number: int
    case: str
    verdict: Verdict
    lane: str
    open: bool
    aspect: tuple[int, int]
    size: tuple[int, int] | None
    image: str
    truth: str
    runs: list[RunPictures]

    @property
    def pixels(self) -> list[tuple[str, pictures.Pixel]]:
        return [(run.label, pixel) for run in self.runs for pixel in run.pixels]


def _cases(comparison: Comparison, order: list[_Order], evidence: Evidence) -> Iterator[CasePictures]:
    for number, entry in enumerate(order, 1):
        yield _case(comparison, number, entry, evidence)


def _case(comparison: Comparison, number: int, entry: _Order, evidence: Evidence) -> CasePictures:
    reference, _ = _tensor(evidence, comparison.reference, entry)
    image, truth = evidence.image(entry.case), evidence.truth(entry.case)
    frame = evidence.frame(entry.case) or (image.shape[:2] if image is not None else None)
    size = (reference.shape[0], reference.shape[1]) if reference is not None else None
    height, width = frame or size or (1, 1)
    return CasePictures(
        number,
        entry.case,
        entry.verdict,
        entry.lane,
        number <= _OPEN,
        (width, height),
        size,
        pictures.thumbnail(image) if image is not None else "",
        pictures.mask(truth) if truth is not None else "",
        [_run(run, reference, entry, evidence, (height, width)) for run in comparison.runs],
    )


def _run(
    run: RunSummary, reference: np.ndarray | None, entry: _Order, evidence: Evidence, frame: tuple[int, int]
) -> RunPictures:
    result = entry.results.get((run.label, entry.lane))
    plane, problem = (reference, "") if run.reference else _tensor(evidence, run, entry)
    if plane is None:
        return RunPictures(run.label, run.reference, result, problem=problem or "it left no mask")
    contract = evidence.contract(run.label)

    def shown(array: np.ndarray) -> np.ndarray:
        return crop_to_content(contract, array, frame) if contract else array

    drawn = pictures.mask(shown(plane))
    if run.reference or reference is None:
        return RunPictures(run.label, run.reference, result, drawn)
    if plane.shape != reference.shape:
        sizes = " and ".join(f"{w} × {h}" for h, w in (plane.shape, reference.shape))
        return RunPictures(run.label, False, result, drawn, problem=f"masks of different sizes: {sizes}")
    threshold = contract.threshold if contract else 0.5
    differs = pictures.difference(shown(plane), shown(reference), threshold)
    return RunPictures(run.label, False, result, drawn, differs, tuple(pictures.worst_pixels(plane, reference)))


def _tensor(evidence: Evidence, run: RunSummary, entry: _Order) -> tuple[np.ndarray | None, str]:
    try:
        return evidence.tensor(run.label, entry.lane, entry.case), ""
    except HarnessError as error:
        return None, str(error)


class _CaseTable:
    """All cases of one lane: a head, and rows made while they are written."""

    def __init__(self, lane: str, comparison: Comparison, order: list[_Order]) -> None:
        self.lane = lane
        self.runs = [
            run for run in comparison.runs if any((run.label, lane) in entry.results for entry in order)
        ]
        self._order = order

    def rows(self) -> Iterator[tuple[int, _Order, list[tuple[RunSummary, CaseResult | None]]]]:
        for number, entry in enumerate(self._order, 1):
            yield number, entry, [(run, entry.results.get((run.label, self.lane))) for run in self.runs]


# --- environment ---------------------------------------------------------------------------------


def _environment(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Name of each property and its value in each run; one value where all runs share it."""
    table: dict[str, list[str]] = {}
    for run in comparison.runs:
        for name, value in _properties(run).items():
            table.setdefault(name, []).append(value)
    return [(name, values[:1] if len(set(values)) == 1 else values) for name, values in table.items()]


def _properties(run: RunSummary) -> dict[str, str]:
    facts = run.facts
    model, runtime, device = (facts.get(part) or {} for part in ("model", "runtime", "device"))
    return {
        "model": _words(model.get("name"), model.get("variant"), model.get("format")),
        "model sha256": model.get("sha256") or "",
        "model size": _unit(figures.megabytes(model.get("bytes")), "MB"),
        "runtime": _words(runtime.get("name"), runtime.get("version")),
        "requested": _flat(runtime.get("requested")),
        "actual": _flat(runtime.get("actual")),
        "device": _words(device.get("kind"), device.get("model"), "emulated" if device.get("emulated") else None),
        "processor": _words(device.get("cpu"), device.get("arch"), _unit(str(device.get("cores") or ""), "cores")),
        "system": _words(device.get("os")),
        "build": _flat(facts.get("build")),
        "protocol": _flat(facts.get("protocol")),
        "conditions": _flat(facts.get("conditions")),
        "session": _flat(facts.get("session")),
        "started": _words(facts.get("started_at")),
        "recorded with": _flat(facts.get("tool")),
        "peak memory": _unit(figures.megabytes(run.peak_memory_bytes), "MB"),
        "bundles": ", ".join(run.bundles.values()),
    }


def _words(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part not in (None, ""))


def _unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if text and text != figures.NONE else text


def _flat(value: Any) -> str:
    """Nested facts in one line: ``threads 2, before load 0.31``."""
    if not isinstance(value, dict):
        return "" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)
    parts = [f"{key} {_flat(inner)}" for key, inner in value.items() if inner not in (None, "", {}, [])]
    return ", ".join(parts)
