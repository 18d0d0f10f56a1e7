# SPDX-License-Identifier: Apache-2.0
"""What is called slower, of bundles whose blocks took turns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness import bundle, gates, performance, resources
from harness.comparison import Row
from harness.performance import Timed
from harness.verdict import Verdict

from .bundles import write

STARTS = 5
QUIET = [1.0] * 9


def timed(folder: Path, label: str, frame_ms: float, machine: Sequence[float]) -> bundle.Bundle:
    """A run whose blocks take ``frame_ms`` each, times what the machine was like in that block, in every start."""
    noise = np.random.default_rng(len(label))
    samples = [
        {
            "phase": "steady", "restart": start, "block": block, "case": "a", "start_ns": 1 + frame,
            "total_ns": round(1e6 * frame_ms * factor * noise.normal(1, 0.001)),
        }
        for start in range(STARTS) for block, factor in enumerate(machine) for frame in range(4)
    ]  # fmt: skip
    protocol = {"profile": "quick", "count": 64, "duration_s": 6.0, "timer": {}}
    outputs = {"a": np.zeros((2, 2), np.float32)}
    return bundle.open(write(folder / f"{label}.run", outputs, samples, label=label, protocol=protocol))


def verdict(reference: bundle.Bundle, run: bundle.Bundle) -> Row:
    """The row of the whole frame, by the shipped gates: 2 % and a floor of 0.05 ms."""
    rows = performance.judge([Timed(run.label, "fp32", reference, run)], gates.load(resources.default_gates()))
    return next(row for row in rows if row.row == "latency/total/ratio")


def test_slower_by_more_than_the_gate_fails(tmp_path: Path) -> None:
    row = verdict(timed(tmp_path, "reference", 4.0, QUIET), timed(tmp_path, "slow", 4.2, QUIET))

    assert row.verdict is Verdict.FAIL
    assert row.interval is not None
    assert 1.02 < row.interval[0] <= 1.05 <= row.interval[1]


def test_a_difference_below_the_floor_never_fails(tmp_path: Path) -> None:
    """5 % of 0.4 ms are 0.02 ms: nobody sees that."""
    assert (
        verdict(timed(tmp_path, "reference", 0.4, QUIET), timed(tmp_path, "slow", 0.42, QUIET)).verdict is Verdict.PASS
    )


def test_a_machine_that_changes_its_speed_does_not_hide_what_is_slower(tmp_path: Path) -> None:
    """In one pair of each start it changes between the two: the medians of all blocks say that the slower is faster."""
    ours = [1.0] * 4 + [2.0] * 4
    reference, slow = (timed(tmp_path, "reference", 4.0, [*ours, 2.0]), timed(tmp_path, "slow", 4.2, [*ours, 1.0]))

    assert np.median(slow.samples()["total_ns"]) < np.median(reference.samples()["total_ns"])
    assert verdict(reference, slow).verdict is Verdict.FAIL
