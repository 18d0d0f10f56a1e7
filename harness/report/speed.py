# SPDX-License-Identifier: Apache-2.0
"""How fast each run is beside the reference, in words and cells. Reads a comparison; computes no verdict."""

from __future__ import annotations

from harness.comparison import Comparison, Row, RunSummary
from harness.verdict import Verdict


def ratio(comparison: Comparison, label: str, stage: str = "total") -> Row | None:
    """The row that says how many times as long a run takes; None where the two were not timed in one session,
    nor the reference recorded as a baseline."""
    rows = (row for row in comparison.rows if row.of_performance and row.run == label)
    names = (f"latency/{stage}/ratio", f"baseline/latency/{stage}/ratio")
    return next((row for row in rows if row.row in names and row.value is not None), None)


def only_timed(comparison: Comparison) -> bool:
    """Whether times alone were taken, and no masks compared."""
    return not comparison.cases and not any(run.pooled for run in comparison.runs) and not comparison.of_live_runs


def times(row: Row | None) -> str:
    """``0.187 (0.185 – 0.188)``: times as long as the reference, with its interval."""
    if row is None or row.value is None or row.interval is None:
        return "-"
    low, high = row.interval
    return f"{row.value:.3f} ({low:.3f} – {high:.3f})"


def sentences(comparison: Comparison) -> list[str]:
    """What follows from the times: who is too slow, what could not be decided, and, where times are all there is,
    how fast the others are."""
    reference = comparison.reference.label
    said = []
    for run in comparison.runs:
        row = ratio(comparison, run.label)
        stages = [r for r in comparison.rows if r.of_performance and r.run == run.label]
        slow = [r for r in stages if r.verdict is Verdict.FAIL]
        unsure = [r for r in stages if r.verdict is Verdict.WARN]
        if slow:
            what = ", ".join(f"{_stage(r)} {_change(r)}" for r in slow)
            said.append(f"{run.label} is slower than {reference}: {what}.")
        elif unsure:
            said.append(f"Whether {run.label} is slower than {reference} could not be decided here.")
        elif row is not None and only_timed(comparison):
            said.append(f"{run.label}: {_stage(row)} {_change(row)} beside {reference}.")
    return said


def not_invoke(run: RunSummary) -> float | None:
    """Share of the median frame that is not the network: why an application is slower than its benchmark."""
    if run.latency is None or not run.latency.p50 or "invoke" not in run.latency.stages:
        return None
    return max(0.0, 1.0 - run.latency.stages["invoke"] / run.latency.p50)


def stage_of(row: Row) -> str:
    """The stage whose time a row speaks of; empty where it speaks of something else."""
    parts = row.row.removeprefix("baseline/").split("/")
    return parts[1] if parts[0] == "latency" else ""


def name(row: Row) -> str:
    """What tables call a row of times: ``invoke, times as long``; empty where it is none."""
    stage = stage_of(row)
    whole = "whole frame" if stage == "total" else stage
    return f"{whole}, {'beside itself' if row.row.endswith('/noise') else 'times as long'}" if stage else ""


def _stage(row: Row) -> str:
    stage = stage_of(row)
    return "the frame takes" if stage == "total" else f"{stage} takes"


def _change(row: Row) -> str:
    low, high = row.interval or (row.value, row.value)
    return f"{row.value:.2f} times as long ({low:.2f} to {high:.2f})"
