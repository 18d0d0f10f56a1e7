# SPDX-License-Identifier: Apache-2.0
"""Holding runs against a baseline: masks, model and, on the machine that recorded it, speed. Reads bundles only.

Masks are judged by :func:`harness.compare.compare`, the recorded run as the reference. What the model file says of
itself is gated on every machine, in rows ``baseline/model/<figure>``; speed in ``baseline/latency/<stage>/ratio``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness import baseline as baselines
from harness import compare, performance
from harness.baseline import Baseline, Recorded
from harness.comparison import Comparison, Row, RunSummary
from harness.errors import ExitCode, HarnessError
from harness.gates import Gates, judge
from harness.runs import Run
from harness.suite import Suite
from harness.verdict import Verdict, exit_code, worst

MODEL_LANE = "model"
"""What the rows about the model file have for a lane."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Check:
    """What became of runs held against a baseline.

    Attributes:
        comparisons: by target, the run beside its recorded counterpart.
        speed: by target, what is to be said of speed: empty where it was gated, else why it was not.
        missing: targets of the baseline that no run was of.
    """

    baseline: Baseline
    comparisons: dict[str, Comparison]
    speed: dict[str, str]
    missing: list[str]

    @property
    def verdict(self) -> Verdict:
        return worst(comparison.verdict for comparison in self.comparisons.values())

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.worst([exit_code(c.verdict, c.only_slow) for c in self.comparisons.values()])


def check(
    baseline: Baseline,
    runs: Sequence[Run],
    gates: Gates,
    command: str,
    suite: Suite | None = None,
    other_machine: bool = False,
    progress: Progress = lambda label, done, total: None,
) -> Check:
    """Hold each run against the recorded one of the same target.

    Args:
        command: what to type to repeat it, for the reports.
        suite: ground truth; None where it is not at hand.
        other_machine: gate everything but speed where the machine is another one.

    Raises:
        HarnessError: a run has no counterpart, is of another suite, holds times alone where the other holds masks, was
            timed on another picture, or on another machine while ``other_machine`` is not given.
    """
    pairs = matched(baseline, runs)
    references = {recorded.target: baseline.open(recorded) for recorded, _ in pairs}
    speed = {
        recorded.target: _why_not_timed(baseline, references[recorded.target], run, other_machine)
        for recorded, run in pairs
    }
    comparisons = {}
    for recorded, run in pairs:
        reference = replace(references[recorded.target], label=f"{recorded.target} of {baseline.name}")
        ours = replace(run, label=recorded.target)
        found = compare.compare(
            [reference, ours], gates, f"{baseline.name}: {recorded.target}", command, suite, progress
        )
        rows = _model_rows(reference, ours, gates)
        if not speed[recorded.target]:
            timed = _speed_rows(reference, ours, gates)
            rows += timed
            speed[recorded.target] = "" if timed else "one of the two has fewer than two timed starts of its process"
        comparisons[recorded.target] = _with(found, rows)
    missing = [recorded.target for recorded in baseline.runs if recorded.target not in comparisons]
    return Check(baseline, comparisons, speed, missing)


def matched(baseline: Baseline, runs: Sequence[Run]) -> list[tuple[Recorded, Run]]:
    """Each run with its recorded counterpart, in the order of the runs; raises as :func:`check`."""
    baselines.check_runs(runs)
    by_target = {recorded.target: recorded for recorded in baseline.runs}
    theirs, ours = baseline.suite, runs[0].facts["suite"]
    if ours["sha256"] != theirs["sha256"]:
        raise HarnessError(
            f"the runs are of suite {ours['id']!r} ({ours['sha256'][:12]}), baseline {baseline.name!r} is of "
            f"{theirs['id']!r} ({theirs['sha256'][:12]}): run the same suite, or record a baseline of this one"
        )
    if unknown := [t for t in map(baselines.target, runs) if t not in by_target]:
        raise HarnessError(
            f"baseline {baseline.name!r} has no {', '.join(unknown)}; it has {', '.join(by_target)}: "
            "leave that run out, or record a baseline with it"
        )
    pairs = [(by_target[baselines.target(run)], run) for run in runs]
    for recorded, run in pairs:
        if recorded.masks != baselines.masks(run):
            here, there = ("this run", "the baseline") if recorded.masks else ("the baseline", "this run")
            remedy = "harness run" if recorded.masks else "harness bench"
            raise HarnessError(
                f"{recorded.target}: {here} holds times alone and {there} holds masks: "
                f"make the run with {remedy}, or record another baseline"
            )
    return pairs


def _why_not_timed(baseline: Baseline, reference: Run, run: Run, other_machine: bool) -> str:
    """Why speed is not gated; empty where it is."""
    for side, which in ((reference, "the baseline"), (run, "this run")):
        if not baselines.timed(side):
            return f"{which} was not timed"
    there, here = baselines.machine(reference), baselines.machine(run)
    # What only one of the two tells cannot differ.
    unlike = [key for key in there.keys() & here.keys() if there[key] != here[key]]
    if unlike:
        what = "; ".join(f"{key} was {there[key]}, is {here[key]}" for key in sorted(unlike))
        if not other_machine:
            raise HarnessError(
                f"baseline {baseline.name!r} was timed on another machine ({what}), where times are not comparable: "
                "record a baseline here, or gate everything but speed with --other-machine"
            )
        return f"another machine: {what}"
    pictures = [side.facts["protocol"].get("frame") for side in (reference, run)]
    if pictures[0] != pictures[1]:
        raise HarnessError(
            f"baseline {baseline.name!r} was timed on picture {pictures[0]!r}, this run on {pictures[1]!r}: "
            f"run it with --frame {pictures[0]}"
        )
    return ""


# --- rows ----------------------------------------------------------------------------------------


def _model_rows(reference: Run, run: Run, gates: Gates) -> list[Row]:
    """How much of each figure of the model file there is, as a share of what was recorded; 1 is as much."""
    rows = []
    theirs, ours = (_figures(side.facts["model"]) for side in (reference, run))
    for name in ours:
        then, now, row = theirs[name], ours[name], f"baseline/model/{name}"
        if then is None and now is None:
            continue
        if then and now is not None:
            limit = gates.limit(run.facts["model"]["variant"], MODEL_LANE, row)
            rows.append(judge(run.label, MODEL_LANE, row, now / then, limit, f"{now:,}, recorded {then:,}"))
        else:
            silent = "baseline" if then is None else "run"
            rows.append(judge(run.label, MODEL_LANE, row, None, None, f"the {silent} does not tell"))
    return rows


def _figures(model: dict[str, Any]) -> dict[str, int | None]:
    activations = model.get("activations") or {}
    return {
        "bytes": model["bytes"],
        "ops": model.get("ops"),
        "activation_tensors": activations.get("tensors"),
        "activation_bytes": activations.get("bytes"),
        "activation_peak_bytes": activations.get("peak_bytes"),
    }


def _speed_rows(reference: Run, run: Run, gates: Gates) -> list[Row]:
    variant = run.facts["model"]["variant"]
    timed = performance.Timed(run.label, variant, reference.lanes["image"], run.lanes["image"])
    return performance.judge_apart([timed], gates)


def _with(comparison: Comparison, rows: list[Row]) -> Comparison:
    """The comparison with more rows of its second run, and the verdicts that follow."""
    gated = [row.verdict for row in rows if row.limit or row.verdict is Verdict.INVALID]

    def judged(run: RunSummary) -> RunSummary:
        return run if run.reference else replace(run, verdict=worst([run.verdict, *gated]))

    return replace(
        comparison,
        verdict=worst([comparison.verdict, *gated]),
        runs=[judged(run) for run in comparison.runs],
        rows=[*comparison.rows, *rows],
    )
