# SPDX-License-Identifier: Apache-2.0
"""Smoothing takes flicker away, and neither comes late nor costs accuracy; short versions of benchmarks/flicker.py."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

from harness import motion_metrics, resources, suite, suite_motion
from harness.cli import main
from tests import scripts

segcore = pytest.importorskip("segcore", reason="the core is not built: it needs a C++17 compiler")

MODEL = str(resources.default_model() / "model.int8.tflite")


@pytest.fixture(scope="module")
def flicker() -> ModuleType:
    return scripts.load("benchmarks/flicker.py")


@pytest.mark.parametrize("movement", suite_motion.MOVEMENTS)
def test_smoothing_does_what_is_wanted_of_it(flicker: ModuleType, movement: str) -> None:
    suites = [flicker.generated(seed, movement, frames=40, fps=15, height=180, width=320) for seed in (0, 1)]

    off, on = (
        flicker.mean([flicker.judge(flicker.alphas(MODEL, each.images, smooth=smooth), each) for each in suites])
        for smooth in (False, True)
    )

    assert off.flicker > 0
    assert on.flicker <= off.flicker / 3
    assert movement == "still" or on.lag < 0.5
    assert on.iou >= off.iou - 0.005
    assert flicker.holds(off, on)


@pytest.mark.parametrize("age", [1, 2])
def test_a_mask_of_an_earlier_frame_lags_by_its_age(flicker: ModuleType, age: int) -> None:
    sequence = flicker.generated(1, "sway", frames=40, fps=15, height=180, width=320)
    alpha = flicker.alphas(MODEL, sequence.images, smooth=True)

    late, own = flicker.judge(alpha, sequence, age), flicker.judge(alpha, sequence)

    assert late.lag == pytest.approx(age, abs=0.15)
    assert late.iou < own.iou


@pytest.mark.parametrize(
    ("on", "good"),
    [
        ((0.3, 0.4, 0.896), True),
        ((0.3, float("nan"), 0.9), True),
        ((0.4, 0.1, 0.9), False),
        ((0.3, 0.6, 0.9), False),
        ((0.3, 0.1, 0.89), False),
    ],
)
def test_a_verdict_needs_all_three(flicker: ModuleType, on: tuple[float, float, float], good: bool) -> None:
    assert flicker.holds(flicker.Steadiness(1.0, 0.0, 0.9), flicker.Steadiness(*on)) is good


def test_the_benchmark_reads_a_suite_and_prints_what_it_measured(
    flicker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "moving")
    options = ["--movement", "sway", "--frames", "12", "--fps", "15", "--size", "160x90"]
    assert CliRunner().invoke(main, ["suite", "motion", "--out", out, *options]).exit_code == 0
    monkeypatch.setattr(sys, "argv", ["flicker.py", out, "--model", MODEL])

    flicker.main()

    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("sway")]
    assert [row[1] for row in rows] == ["synced", "synced", "low", "low", "low", "low"]
    (sequence,) = flicker.recorded(suite.find(out))
    alpha = flicker.alphas(MODEL, sequence.images, smooth=True)
    assert rows[1][3] == f"{motion_metrics.flicker(alpha, sequence.unchanged):.3f}"
    assert rows[1][5] == f"{100 * motion_metrics.mean_iou(alpha > 127, sequence.truth):.2f}"


def test_the_benchmark_says_when_a_suite_does_not_move(
    flicker: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["flicker.py", "portraits"])

    assert flicker.main() == 2
    assert "not a motion suite; make one with: harness suite motion" in capsys.readouterr().err


def test_generated_sequences_are_what_the_command_writes(flicker: ModuleType, tmp_path: Path) -> None:
    size = {"height": 90, "width": 160}
    made = suite_motion.make(tmp_path / "s", ["leave"], frames=3, fps=5, seed=3, **size)

    (recorded,) = flicker.recorded(made)
    generated = flicker.generated(3, "leave", frames=3, fps=5, **size)

    for name in ("images", "truth", "unchanged"):
        assert np.array_equal(getattr(recorded, name), getattr(generated, name))
