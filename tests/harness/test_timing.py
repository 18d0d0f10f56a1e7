# SPDX-License-Identifier: Apache-2.0
"""Runtimes timed beside each other: real workers, and what they leave in their bundles."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import bundle, comparison, measure, suite_making
from harness.verdict import Verdict

from .commands import bundles_in, run


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small pictures of different sizes."""
    random = np.random.default_rng(3)
    pictures = {side: random.integers(0, 256, (side, side, 3), np.uint8) for side in (40, 60, 90)}
    everything = {side: np.ones((side, side), bool) for side in pictures}
    entries = [suite_making.Entry(f"size-{side}", pictures[side], everything[side]) for side in pictures]
    return suite_making.write(tmp_path_factory.mktemp("suite") / "sizes", "sizes", entries).root


@pytest.fixture(scope="module")
def timed(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runtimes and one that fails on the way, timed together."""
    out = tmp_path_factory.mktemp("timed") / "out"
    done = run(
        *("bench", "tflite:int8", "faulty", "tflite", "--suite", cases, "--profile", "quick", "--out", out),
        *("--paced", "100", "--sustained", "0.02"),
        FAULTY_AT="40",
        FAULTY_HOW="raise",
    )
    assert done.returncode == 4, done.stderr
    return out


def samples(folder: Path, label: str) -> pd.DataFrame:
    return bundles_in(folder)[label, "image"].samples()


def steady(folder: Path, label: str) -> pd.DataFrame:
    return samples(folder, label).query("phase == 'steady'")


def test_blocks_take_turns_in_mirrored_order(timed: Path) -> None:
    """A B B A: in even blocks the first named comes first, in odd ones last, and none overlaps another."""
    a, b = (steady(timed, label).groupby(["restart", "block"]) for label in ("tflite:int8", "tflite"))
    starts, ends = [], []
    for arm in (a, b):
        starts.append(arm["start_ns"].min())
        ends.append(arm["start_ns"].max() + arm["total_ns"].last())
    assert list(starts[0].index) == list(starts[1].index)
    for restart, block in starts[0].index:
        first, second = (0, 1) if block % 2 == 0 else (1, 0)
        assert ends[first][restart, block] <= starts[second][restart, block]


def test_every_start_of_the_process_is_cold_warm_and_steady(timed: Path) -> None:
    restarts = measure.PROFILES["quick"].restarts
    for label in ("tflite:int8", "tflite"):
        found = bundles_in(timed)[label, "image"]
        counts = found.samples().groupby(["restart", "phase"]).size().unstack()
        assert len(counts) == restarts
        assert (counts["cold"] == 1).all()
        assert (counts["warm"] >= 8).all()
        assert counts["steady"].sum() >= measure.PROFILES["quick"].count
        timing = found.facts["timing"]["starts"]
        assert [start["restart"] for start in timing] == list(range(restarts))
        assert all(s["cold_start_ns"] > s["load_ns"] + s["first_inference_ns"] for s in timing)


def test_the_summary_of_the_steady_phase_is_that_of_its_samples(timed: Path) -> None:
    for label in ("tflite:int8", "tflite"):
        frames, told = steady(timed, label), bundles_in(timed)[label, "image"].facts["timing"]["steady"]
        ordered = sorted(frames["total_ns"])
        wall = sum(
            block["start_ns"].iloc[-1] + block["total_ns"].iloc[-1] - block["start_ns"].iloc[0]
            for _, block in frames.groupby(["restart", "block"])
        )
        assert told["frames"] == len(frames)
        assert told["p50_ns"] == ordered[-(-len(frames) // 2) - 1]
        assert told["fps"] == pytest.approx(len(frames) / (wall / 1e9))


def test_one_that_fails_is_named_and_the_others_are_timed_to_the_end(timed: Path) -> None:
    found = bundles_in(timed)
    failed = found["faulty", "image"].facts

    assert (failed["status"], failed["error"]["kind"]) == ("failed", "runtime")
    assert "the accelerator went away" in failed["error"]["message"]
    assert len(found["faulty", "image"].samples()) > 0, "what was timed before is kept"
    assert found["tflite", "image"].complete
    assert comparison.read(timed / "comparison.json").verdict is Verdict.INVALID


def test_every_frame_is_of_the_case_of_middle_size(timed: Path) -> None:
    found = bundles_in(timed)["tflite", "image"]

    assert found.facts["protocol"]["frame"] == "size-60"
    assert set(found.samples()["case"]) == {"size-60"}


def test_workers_are_pinned_alike_and_conditions_are_recorded(timed: Path) -> None:
    facts = [bundles_in(timed)[label, "image"].facts for label in ("tflite:int8", "tflite")]

    assert facts[0]["protocol"]["cpus"] == facts[1]["protocol"]["cpus"]
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1:
        assert len(facts[0]["protocol"]["cpus"]) == 1
    during = facts[0]["conditions"]["during"]
    assert len(during) == measure.PROFILES["quick"].restarts
    assert all(0 <= told["other_processes"] <= (os.cpu_count() or 1) for told in during)
    assert {"before", "after"} <= facts[0]["conditions"].keys()


def test_paced_frames_begin_when_due_and_those_that_came_too_late_are_counted(timed: Path) -> None:
    paced = samples(timed, "tflite").query("phase == 'paced'")
    period = 1e7

    due = paced["due_ns"] - paced["due_ns"].iloc[0]
    assert (due % period == 0).all()
    assert (paced["start_ns"] >= paced["due_ns"]).all()
    assert (paced["presented_ns"] >= paced["start_ns"] + paced["total_ns"]).all()
    # Frames that were due between two that ran are those that the later one says were dropped.
    assert (np.diff(due) / period - 1 == paced["dropped"].iloc[1:]).all()


def test_which_process_is_started_first_changes_from_start_to_start(timed: Path) -> None:
    a, b = (
        samples(timed, label).query("phase == 'cold'").groupby("restart")["start_ns"].min()
        for label in ("tflite:int8", "tflite")
    )

    first = (a < b).tolist()
    assert len(first) == 6
    assert all(now != then for now, then in itertools.pairwise(first))
    turns = [
        [start["turn"] for start in bundles_in(timed)[label, "image"].facts["timing"]["starts"]]
        for label in ("tflite:int8", "tflite")
    ]
    assert [ours < theirs for ours, theirs in zip(*turns, strict=True)] == first


def test_a_sustained_phase_lasts_as_long_as_asked(timed: Path) -> None:
    sustained = samples(timed, "tflite").query("phase == 'sustained'")

    assert sustained["start_ns"].iloc[-1] - sustained["start_ns"].iloc[0] >= 0.5e9


def test_a_named_case_is_timed_and_an_unknown_one_is_a_usage_error(cases: Path, tmp_path: Path) -> None:
    done = run("bench", "tflite", "--suite", cases, "--frame", "nobody", "--out", tmp_path / "out")

    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert not list(tmp_path.rglob("*.run"))


def test_times_alone_are_compared_and_masks_are_not(timed: Path) -> None:
    result = comparison.read(timed / "comparison.json")

    rows = {(row.run, row.row): row for row in result.rows}
    total = rows["tflite", "latency/total/ratio"]
    assert total.interval is not None
    low, high = total.interval
    assert low <= total.value <= high  # type: ignore[operator]
    assert not [row for row in result.rows if not row.of_performance]
    assert bundle.open(next(iter((timed / "runs").glob("tflite-image*.run")))).facts["protocol"]["parity"] is False
