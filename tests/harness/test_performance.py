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

STARTS = 6
QUIET = [1.0] * 9


def timed(
    folder: Path, label: str, frame_ms: float, machine: Sequence[float], starts: Sequence[float] = (1.0,) * STARTS
) -> bundle.Bundle:
    """A run whose blocks take ``frame_ms`` each, times what the machine was like in that block, in every start, times
    what that start was like. The reference was started first in every other."""
    noise = np.random.default_rng(len(label))
    samples = []
    for start, luck in enumerate(starts):
        for block, factor in enumerate(machine):
            for frame in range(4):
                total = 1e6 * frame_ms * factor * luck * noise.normal(1, 0.001)
                stages = {"preprocess_ns": 0.3, "invoke_ns": 0.5, "postprocess_ns": 0.2}
                samples.append(
                    {"phase": "steady", "restart": start, "block": block, "case": "a", "start_ns": 1 + frame}
                    | {column: round(share * total) for column, share in stages.items()}
                    | {"total_ns": round(total)}
                )
    protocol = {"profile": "quick", "count": 64, "duration_s": 6.0, "timer": {}}
    outputs = {"a": np.zeros((2, 2), np.float32)}
    turns = [{"restart": k, "turn": (k + (label == "reference") + 1) % 2} for k in range(STARTS)]
    facts = {"protocol": protocol, "timing": {"starts": turns}}
    return bundle.open(write(folder / f"{label}.run", outputs, samples, label=label, **facts))


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


def test_what_the_order_of_the_starts_does_is_taken_out(tmp_path: Path) -> None:
    """Whichever process was started later is 2 % faster: B in the first start, A in the second, and so on."""
    reference = timed(tmp_path, "reference", 4.0, QUIET, [1.0, 0.98] * 3)
    slow = verdict(reference, timed(tmp_path, "slow", 4.2, QUIET, [0.98, 1.0] * 3))
    same = verdict(reference, timed(tmp_path, "same", 4.0, QUIET, [0.98, 1.0] * 3))

    for row, truth in ((slow, 1.05), (same, 1.0)):
        assert row.interval is not None
        assert truth - 0.002 < row.interval[0] < truth < row.interval[1] < truth + 0.002
    assert (slow.verdict, same.verdict) == (Verdict.FAIL, Verdict.PASS)


def test_looking_into_the_stages_too_hardly_makes_a_slow_frame_harder_to_find(tmp_path: Path) -> None:
    """An interval just beyond the gate, which plain Holm over four rows would call inconclusive."""
    luck = np.exp(np.array([-1, -1, 0, 0, 1, 1]) * 0.02)
    reference, slow = timed(tmp_path, "reference", 4.0, QUIET), timed(tmp_path, "slow", 4.2, QUIET, list(luck))

    row = verdict(reference, slow)
    effect, _ = performance.effects(reference, slow)["total"]

    assert 0.025 / 4 < effect.p_slower(0.02) < 0.025 / 1.3
    assert row.verdict is Verdict.FAIL
