# SPDX-License-Identifier: Apache-2.0
"""Comparing run bundles: opens them, holds each against the first, and lets the gates judge.

Reads bundles only, never a live runtime: one from a phone and one made a second ago take the same path. The
suite is read for the ground truth its cases carry; without it those figures are left out. Camera applications have
no tensors: their figures stand side by side, with wide gates.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from harness import bundle as bundles
from harness import device, diagnose, latency, live, live_performance, parity, performance
from harness.comparison import CaseResult, Comparison, Limit, Live, Row, RunSummary
from harness.errors import HarnessError
from harness.gates import Gates, judge
from harness.runs import Run
from harness.suite import Suite
from harness.verdict import Verdict, worst

LANES = ("tensor", "image")


def compare(
    runs: Sequence[Run],
    gates: Gates,
    name: str,
    command: str,
    suite: Suite | None = None,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> Comparison:
    """Hold every run against the first.

    Args:
        runs: two or more for parity; a single one is reported alone.
        command: what to type to repeat the comparison, for the report.
        suite: ground truth; None where it is not at hand.
        progress: told label, cases done and cases in all.
    """
    if not runs:
        raise HarnessError("nothing to compare: name at least one run")
    reference = runs[0]
    if reference.kind == "live":
        judged = [_side_by_side(reference, run, gates) for run in runs]
    else:
        judged = [_Judge(reference, run, gates, suite).judge(progress) for run in runs]
    _add_accuracy_deltas(judged, gates)
    _add_performance(judged, gates)
    summaries = [_summary(result, result.run is reference) for result in judged]
    others = summaries[1:] or summaries
    facts = reference.facts
    return Comparison(
        name=name,
        created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command,
        tool=device.tool(),
        suite={
            "id": facts["suite"]["id"],
            "sha256": facts["suite"]["sha256"],
            "cases": len(facts["suite"]["cases"]),
        },
        gates=gates.facts(),
        verdict=worst([summary.verdict for summary in others] + [_soundness(summaries[0])]),
        runs=summaries,
        rows=[row for result in judged for row in result.rows],
        cases=[case for result in judged for case in result.cases],
        findings=[f for result in judged for f in diagnose.explain(reference, result.run, result.rows, result.cases)],
    )


@dataclass
class _Result:
    """What judging one run gave."""

    run: Run
    rows: list[Row]
    cases: list[CaseResult]
    pooled: dict[str, parity.Figures]
    live: Live | None = None
    problem: str = ""


def _side_by_side(reference: Run, run: Run, gates: Gates) -> _Result:
    """The figures of a camera application, and how they are beside the reference's."""
    result = _Result(run, [], [], {})
    if _error(run):
        return result
    try:
        bundle, theirs = (next(iter(each.lanes.values())) for each in (run, reference))
        result.live = figures = live.summarise(bundle)
        beside = (
            [] if run is reference or not _sound(theirs) else live_performance.judge(run.label, theirs, bundle, gates)
        )
    except bundles.BundleError as error:
        result.problem = str(error)
        return result
    numbers = {name: v for name, v in vars(figures).items() if v is None or isinstance(v, (int, float))}
    numbers |= {"dropped_share": figures.dropped_share}
    numbers |= {f"{stage}_ms": value for stage, value in figures.stages.items()}
    for name, value in numbers.items():
        limit = Limit(min=1.0) if name == "presented" else None
        row = judge(run.label, "image", f"live/{name}", value if value is None else float(value), limit)
        if row.verdict is Verdict.FAIL:
            row = dataclasses.replace(row, verdict=Verdict.INVALID, note="no picture was shown")
        result.rows.append(row)
    result.rows = live_performance.with_intervals(result.rows, figures.intervals) + beside
    return result


def _sound(bundle: bundles.Bundle) -> bool:
    """Whether a camera application's bundle has figures."""
    try:
        return bool(bundle.complete and live.summarise(bundle).presented)
    except bundles.BundleError:
        return False


class _Judge:
    """Judges one run against the reference, lane by lane and case by case."""

    def __init__(self, reference: Run, run: Run, gates: Gates, suite: Suite | None) -> None:
        self.reference, self.run, self.gates = reference, run, gates
        self.truth = {case.id: case for case in suite.cases if case.mask} if suite else {}
        model = run.facts["model"]
        self.variant = model["variant"] if model else "unknown"
        self.size = (1, 1)
        self.result = _Result(run, [], [], {})

    def judge(self, progress: Callable[[str, int, int], None]) -> _Result:
        lanes = [lane for lane in LANES if lane in self.run.lanes and lane in self.reference.lanes]
        if self.run is not self.reference and not lanes:
            self._row("tensor", "pooled/compared", 0.0, Limit(min=1.0), "no lane in common with the reference")
        # Accuracy is a property of the model, not of the lane: it is taken once, in the lane of an application.
        accuracy_lane = lanes[-1] if lanes else None
        for lane in lanes:
            if _has_masks(self.run.lanes[lane]) or _has_masks(self.reference.lanes[lane]):
                self._lane(lane, lane == accuracy_lane, progress)
        return self.result

    def _lane(self, lane: str, accuracy: bool, progress: Callable[[str, int, int], None]) -> None:
        theirs, ours = self.reference.lanes[lane], self.run.lanes[lane]
        expected = {case["id"]: case["input_sha256"] for case in ours.cases()}
        cases = list(theirs.cases())
        self.size = self._output_size(theirs)
        pool = parity.Pool(len(cases) * math.prod(self.size))
        compared = 0
        for number, case in enumerate(cases):
            progress(self.run.label, number, len(cases))
            result = self._case(lane, case, expected.get(case["id"]), accuracy, pool)
            compared += result.verdict is not Verdict.INVALID
            self.result.cases.append(result)
        if self.run is not self.reference:
            self._row(lane, "pooled/compared", float(compared), Limit(min=float(max(1, len(cases)))))
        if lane == "image" and self.run is not self.reference:
            self._stages(theirs, ours)
        self.result.pooled[lane] = pooled = pool.figures()
        for metric, value in pooled.items():
            self._row(lane, f"pooled/{metric}", value, self._limit(lane, f"pooled/{metric}"))

    def _case(
        self, lane: str, case: dict[str, Any], input_sha256: str | None, accuracy: bool, pool: parity.Pool
    ) -> CaseResult:
        name = case["id"]
        figures: parity.Figures = {}
        try:
            if input_sha256 is None:
                raise bundles.BundleError("the run has no such case")
            if input_sha256 != case["input_sha256"]:
                raise bundles.BundleError("the picture is not the one the reference saw")
            probability = self.run.lanes[lane].tensor(name)
            parity.check_finite(probability)
            if self.run is not self.reference:
                figures = self._parity(lane, name, probability, pool)
            if accuracy and name in self.truth and self.run.contract:
                truth = parity.against_truth(self.run.contract, probability, self.truth[name].read_mask())
                pool.add_truth(truth)
                figures |= truth
        except parity.NotFinite as error:
            note = f"NaN or infinity in {error.count} pixels"
            row = judge(self.run.label, lane, f"case/{name}/not_finite", float(error.count), Limit(max=0.0), note)
            self.result.rows.append(row)
            return CaseResult(self.run.label, lane, name, Verdict.FAIL, figures, note)
        except bundles.BundleError as error:
            return CaseResult(self.run.label, lane, name, Verdict.INVALID, figures, str(error))
        verdicts = [Verdict.PASS]
        for metric, value in figures.items():
            limit = self._limit(lane, f"case/{name}/{metric}")
            if limit:
                verdicts.append(self._row(lane, f"case/{name}/{metric}", value, limit).verdict)
        return CaseResult(self.run.label, lane, name, worst(verdicts), figures)

    def _stages(self, theirs: bundles.Bundle, ours: bundles.Bundle) -> None:
        """How far what the stages left differs, for those that both bundles keep."""
        for stage in bundles.STAGES:
            row, differences = f"stage/{stage}/max_abs", []
            for case in theirs.cases():
                reference = theirs.stage(case["id"], stage)
                mine = None if reference is None else ours.stage(case["id"], stage)
                if reference is None or mine is None:
                    continue
                difference = parity.largest_difference(mine, reference)
                if difference is None:
                    note = f"case {case['id']}: {mine.shape} and {reference.shape} cannot be compared"
                    judged = self._row("image", row, None, None, note)
                    self.result.rows[-1] = dataclasses.replace(judged, verdict=Verdict.INVALID)
                    break
                differences.append(difference)
            else:
                if differences:
                    largest, note = max(differences), f"over {len(differences)} cases"
                    self._row("image", row, largest, self._limit("image", row), note)

    def _parity(self, lane: str, name: str, probability: np.ndarray, pool: parity.Pool) -> parity.Figures:
        reference = self.reference.lanes[lane].tensor(name)
        try:
            parity.check_finite(reference)
        except parity.NotFinite:
            raise bundles.BundleError("the reference's output is not finite here") from None
        if reference.shape != self.size:
            raise bundles.BundleError(f"the reference's output is {reference.shape}, its first one is {self.size}")
        if reference.shape != probability.shape:
            raise bundles.BundleError(f"the output is {probability.shape}, the reference's is {reference.shape}")
        threshold = self.reference.contract.threshold if self.reference.contract else 0.5
        tolerance = self.gates.tensor_tolerance(self.variant, lane)
        figures = parity.against_reference(probability, reference, threshold, tolerance)
        pool.add(figures, probability, reference)
        return figures

    @staticmethod
    def _output_size(bundle: bundles.Bundle) -> tuple[int, int]:
        for case in bundle.cases():
            try:
                height, width = bundle.tensor(case["id"]).shape
            except bundles.BundleError:
                continue
            return height, width
        return 1, 1

    def _limit(self, lane: str, row: str) -> Limit | None:
        return self.gates.limit(self.variant, lane, row) if self.run is not self.reference else None

    def _row(self, lane: str, row: str, value: float | None, limit: Limit | None, note: str = "") -> Row:
        judged = judge(self.run.label, lane, row, value, limit, note)
        if row.endswith("/compared") and judged.verdict is Verdict.FAIL:
            judged = dataclasses.replace(judged, verdict=Verdict.INVALID)
        self.result.rows.append(judged)
        return judged


def _has_masks(bundle: bundles.Bundle) -> bool:
    """Whether a bundle was made to be compared: one of ``harness bench`` holds times alone."""
    return bool(bundle.facts["protocol"].get("parity", True))


def _add_accuracy_deltas(judged: list[_Result], gates: Gates) -> None:
    """The accuracy of each run less the reference's, as a row of its own that the gates may limit."""
    reference = next((p["gt_iou"] for p in judged[0].pooled.values() if "gt_iou" in p), None)
    for result in judged[1:]:
        for lane, pooled in result.pooled.items():
            if reference is not None and pooled.get("gt_iou") is not None:
                delta = pooled["gt_iou_delta"] = pooled["gt_iou"] - reference  # type: ignore[operator]
                model = result.run.facts["model"]
                limit = gates.limit(model["variant"], lane, "pooled/gt_iou_delta")
                result.rows.append(judge(result.run.label, lane, "pooled/gt_iou_delta", delta, limit))


def _add_performance(judged: list[_Result], gates: Gates) -> None:
    """How fast each run was beside the reference, where both were timed in one session to the end."""
    reference = judged[0].run.lanes.get("image")
    timed = []
    for result in judged[1:]:
        bundle = result.run.lanes.get("image")
        if reference is None or bundle is None or not performance.paired(reference, bundle):
            continue
        if reference.complete and bundle.complete and bundle.facts["protocol"]["count"]:
            timed.append(performance.Timed(result.run.label, bundle.facts["model"]["variant"], reference, bundle))
    by_label = {result.run.label: result for result in judged}
    for row in performance.judge(timed, gates):
        by_label.get(row.run, judged[0]).rows.append(row)


def _summary(result: _Result, reference: bool) -> RunSummary:
    run, facts = result.run, result.run.facts
    error = result.problem or _error(run)
    judged = [row.verdict for row in result.rows if row.limit or row.verdict is Verdict.INVALID]
    verdicts = judged + [case.verdict for case in result.cases]
    if not verdicts and not any(map(_has_masks, run.lanes.values())):
        verdicts = [Verdict.PASS]  # timed alone, or in another session: nothing that could fail
    verdict = Verdict.INVALID if error else worst(verdicts)
    return RunSummary(
        label=run.label,
        reference=reference,
        verdict=verdict,
        bundles={lane: str(bundle.path) for lane, bundle in run.lanes.items()},
        facts=_public(facts),
        pooled=result.pooled,
        latency=latency.summarise(run.lanes.get("image")) if run.kind == "suite" else None,
        peak_memory_bytes=facts["memory"].get("peak_bytes"),
        error=error,
        live=result.live,
    )


def _public(facts: dict[str, Any]) -> dict[str, Any]:
    """What a report repeats of ``run.json``: not the list of cases, nor how to resume (it names local folders)."""
    suite = {name: value for name, value in facts["suite"].items() if name != "cases"}
    return {name: value for name, value in facts.items() if name != "request"} | {"suite": suite}


def _soundness(reference: RunSummary) -> Verdict:
    """What the reference adds to the overall verdict: nothing while it is whole and finite."""
    return reference.verdict if reference.verdict in (Verdict.INVALID, Verdict.FAIL) else Verdict.PASS


def _error(run: Run) -> str:
    for lane, bundle in run.lanes.items():
        if bundle.facts["status"] == "failed":
            return str((bundle.facts.get("error") or {}).get("message", "failed"))
        if not bundle.complete and run.kind == "live":
            return "the application was cut off and left no complete bundle: run it again"
        if not bundle.complete and bundle.facts["device"]["kind"] != "desktop":
            return f"the {lane} lane is incomplete: let the run finish on the device, and import it again"
        if not bundle.complete:
            return f"the {lane} lane is incomplete: finish it with --resume {bundle.path.parent}"
    return ""


def relative_bundles(comparison: Comparison, folder: Path) -> Comparison:
    """The comparison with its bundles' paths relative to the report's folder where they lie inside it."""

    def shorten(path: str) -> str:
        resolved = Path(path).resolve()
        inside = resolved.is_relative_to(folder.resolve())
        return resolved.relative_to(folder.resolve()).as_posix() if inside else str(resolved)

    runs = [dataclasses.replace(r, bundles={k: shorten(v) for k, v in r.bundles.items()}) for r in comparison.runs]
    return dataclasses.replace(comparison, runs=runs)
