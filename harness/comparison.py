# SPDX-License-Identifier: Apache-2.0
"""The result of a comparison: verdicts and figures, derived from run bundles and gates; plain data.

``comparison.json`` is this, field for field. Figures that do not exist are ``None`` (JSON has no NaN), with a
note that says why. Nothing here reads or computes; :mod:`harness.compare` makes it, the report shows it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.verdict import Verdict

SCHEMA = "comparison/1"


@dataclass(frozen=True)
class Limit:
    """A tolerance: the value must not be above ``max``, or not below ``min``; beyond ``warn`` it is a WARN. A stage
    that is slower by at most ``floor_ms`` milliseconds passes, whatever the ratio."""

    min: float | None = None
    max: float | None = None
    warn: float | None = None
    floor_ms: float | None = None


@dataclass(frozen=True)
class Row:
    """One figure and what the gates say of it.

    Attributes:
        run: label of the run that is judged, such as ``tflite:int8``.
        lane: ``tensor``, ``image``, or ``timing`` for how fast it is.
        row: ``pooled/<metric>`` over all cases, ``case/<case>/<metric>``, ``stage/<stage>/<metric>``, or
            ``latency/<stage>/ratio``; of camera applications ``live/<figure>``, and beside the reference
            ``live/<figure>/ratio`` or ``live/<figure>/difference``.
        value: the figure; None where there is none.
        limit: the tolerance that applies; None for a figure that is only reported.
        would_pass: the smallest tolerance with which this row passes; None where the row has no limit.
        interval: 95 % confidence interval of the value, where it has one.
    """

    run: str
    lane: str
    row: str
    value: float | None
    limit: Limit | None
    verdict: Verdict
    would_pass: float | None = None
    note: str = ""
    interval: tuple[float, float] | None = None

    @property
    def of_performance(self) -> bool:
        """Whether it says how fast, and not how equal."""
        return self.lane == "timing"


@dataclass(frozen=True)
class CaseResult:
    """One case of one run in one lane, against the reference and the ground truth.

    ``metrics`` against the reference's output: ``max_abs, p99_abs, mean_abs, psnr, cosine, mask_iou, flipped``
    (a count of pixels) and ``flip_margin``; against ground truth, absent where the case has none: ``gt_iou,
    gt_boundary_iou``. The reference's own results carry only the latter.
    """

    run: str
    lane: str
    case: str
    verdict: Verdict
    metrics: dict[str, float | None]
    note: str = ""


@dataclass(frozen=True)
class Start:
    """One timed start of a run's process. Times in milliseconds.

    Attributes:
        restart: its number, from 0.
        frames: steady frames that were timed in it.
        cold_start: from the beginning of the process to the first mask.
        load, first: time to load the model, and the first inference after it.
        p50: median of the steady frames; None where they are too few.
        drift: how far that median changed from the first third of them to the last, a share; above 0: slower.
        drifted: whether the change is beyond chance, and large enough to matter.
        outliers: steady frames far from the rest. They are counted, and stay in every figure.
    """

    restart: int
    frames: int
    cold_start: float | None
    load: float | None
    first: float | None
    p50: float | None
    drift: float | None
    drifted: bool
    outliers: int


@dataclass(frozen=True)
class Paced:
    """A run at a camera's rate. Times in milliseconds.

    Attributes:
        fps: the rate at which frames came; None where too few came to tell.
        frames, dropped: those that were worked on, and those that came meanwhile and were given up for a newer one.
        late_p50, late_p90: from when a frame came to when work on it began.
        p50, p90: from when a frame came to its mask.
    """

    fps: float | None
    frames: int
    dropped: int
    late_p50: float | None
    late_p90: float | None
    p50: float | None
    p90: float | None


@dataclass(frozen=True)
class Sustained:
    """A run without a pause. Times in milliseconds.

    Attributes:
        seconds: from the first frame to the last one.
        first, last: median of the first third of the frames, and of the last.
        drifted: whether they differ beyond chance, and by enough to matter.
    """

    seconds: float
    frames: int
    p50: float | None
    first: float | None
    last: float | None
    drifted: bool


@dataclass(frozen=True)
class Latency:
    """Steady-state latency of the image lane in milliseconds, at the host where the run was made.

    Attributes:
        n: number of timed frames.
        p50, p90: of the whole frame (preprocess + invoke + postprocess); p90 is None where n is too small.
        stages: p50 of each stage alone, in order: ``preprocess``, ``invoke``, ``postprocess``.
        fps: frames per second of wall time over the steady phase, everything included.
        load, first: time to load the model, and the first inference after it.
        note: why the figures are not to be trusted; empty where they are.
        starts: the process's timed starts, one by one.
        paced, sustained: the phases of those names, where they were asked for.
    """

    n: int
    p50: float | None
    p90: float | None
    stages: dict[str, float]
    fps: float | None
    load: float | None
    first: float | None
    note: str = ""
    starts: list[Start] = field(default_factory=list)
    paced: list[Paced] = field(default_factory=list)
    sustained: Sustained | None = None


@dataclass(frozen=True)
class Live:
    """What a camera application did, at the host where it ran.

    Attributes:
        mode: ``synced`` or ``low_latency``.
        source: ``camera:<index>``, ``video:<name>`` or ``suite:<id>``.
        paced_fps: rate at which a file was played; None for a camera, and where frames were taken as fast as drawn.
        captured, inferred, presented, dropped, hidden: frames, as counted by the application.
        seconds: from the first frame captured to the last one shown.
        captured_fps, inferred_fps, presented_fps: the counts over ``seconds``; None where nothing was shown.
        mask_age_mean, mask_age_max: frames by which the masks were older than their pictures; None without a mask.
        aged: share of the pictures with a mask whose mask was older.
        p50, p90, p99: milliseconds from capture to screen; None where there are too few pictures.
        stages: median of each stage in milliseconds, in order.
        note: why the times are not to be trusted; empty where they are.
        intervals: 95 % confidence intervals of the rates, the share of frames dropped (``dropped_share``), the mean
            mask age and the percentiles, by name; a recording that is too short has none.
    """

    mode: str
    background: str
    source: str
    paced_fps: float | None
    captured: int
    inferred: int
    presented: int
    dropped: int
    hidden: int
    seconds: float
    captured_fps: float | None
    inferred_fps: float | None
    presented_fps: float | None
    mask_age_mean: float | None
    mask_age_max: int | None
    aged: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    stages: dict[str, float]
    note: str = ""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def dropped_share(self) -> float | None:
        """Share of the captured frames that were never shown."""
        return self.dropped / self.captured if self.captured else None


@dataclass(frozen=True)
class RunSummary:
    """One compared run: its facts and its verdict.

    Attributes:
        label: what the tables call it; unique within a comparison.
        bundles: path of the bundle of each lane, relative to the report's folder where it lies inside it.
        facts: ``run.json`` of one of its bundles (model, runtime, device, …) without the list of cases and what
            only a resumed run needs.
        pooled: lane -> metric -> figure over all cases (the metrics of :class:`CaseResult`; mask_iou also as
            ``mask_iou_min``, the worst case).
        error: why the run is INVALID; empty otherwise.
        live: figures of a camera application; None for a run of a suite, and where there are none.
    """

    label: str
    reference: bool
    verdict: Verdict
    bundles: dict[str, str]
    facts: dict[str, Any]
    pooled: dict[str, dict[str, float | None]]
    latency: Latency | None
    peak_memory_bytes: int | None
    error: str = ""
    live: Live | None = None


@dataclass(frozen=True)
class Finding:
    """One explanation of a difference: what was found, what shows it, what to do."""

    run: str
    title: str
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Comparison:
    """Two or more runs judged against the first one.

    Attributes:
        suite: ``id``, ``sha256`` and number of ``cases``.
        gates: ``name``, ``version`` and ``sha256`` of the gates file.
        command: what to type to repeat it.
    """

    name: str
    created_at: str
    command: str
    tool: dict[str, Any]
    suite: dict[str, Any]
    gates: dict[str, Any]
    verdict: Verdict
    runs: list[RunSummary]
    rows: list[Row] = field(default_factory=list)
    cases: list[CaseResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    schema: str = SCHEMA

    def __bool__(self) -> bool:
        return self.verdict in (Verdict.PASS, Verdict.WARN)

    @property
    def reference(self) -> RunSummary:
        return next(run for run in self.runs if run.reference)

    @property
    def only_slow(self) -> bool:
        """Whether everything that fails is a matter of speed."""
        slow = any(row.of_performance and row.verdict is Verdict.FAIL for row in self.rows)
        unequal = any(row.verdict is Verdict.FAIL for row in self.rows if not row.of_performance)
        return slow and not unequal and all(case.verdict is not Verdict.FAIL for case in self.cases)

    @property
    def of_live_runs(self) -> bool:
        """Whether camera applications stand side by side here, instead of runs of a suite that are judged."""
        return bool(self.runs[0].facts.get("kind") == "live")

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"


def from_json(text: str) -> Comparison:
    """Read ``comparison.json`` back.

    Raises:
        ValueError: it has another schema.
    """
    data = json.loads(text)
    if data.get("schema") != SCHEMA:
        raise ValueError(f"comparison has schema {data.get('schema')!r}, this version reads {SCHEMA!r}")
    data["verdict"] = Verdict(data["verdict"])
    data["runs"] = [_run(r) for r in data["runs"]]
    data["rows"] = [
        Row(
            **{
                **r,
                "verdict": Verdict(r["verdict"]),
                "limit": r["limit"] and Limit(**r["limit"]),
                "interval": r.get("interval") and tuple(r["interval"]),
            }
        )
        for r in data["rows"]
    ]
    data["cases"] = [CaseResult(**{**c, "verdict": Verdict(c["verdict"])}) for c in data["cases"]]
    data["findings"] = [Finding(**f) for f in data["findings"]]
    return Comparison(**data)


def _run(table: dict[str, Any]) -> RunSummary:
    latency, live = table["latency"], table.get("live")
    parts = {"latency": latency and _latency(latency), "live": live and _live(live)}
    return RunSummary(**{**table, **parts, "verdict": Verdict(table["verdict"])})


def _live(table: dict[str, Any]) -> Live:
    return Live(**{**table, "intervals": {name: tuple(ends) for name, ends in table.get("intervals", {}).items()}})


def _latency(table: dict[str, Any]) -> Latency:
    sustained = table.get("sustained")
    phases = {
        "starts": [Start(**start) for start in table.get("starts", [])],
        "paced": [Paced(**paced) for paced in table.get("paced", [])],
        "sustained": sustained and Sustained(**sustained),
    }
    return Latency(**{**table, **phases})


def read(path: str | Path) -> Comparison:
    return from_json(Path(path).read_text(encoding="utf-8"))
