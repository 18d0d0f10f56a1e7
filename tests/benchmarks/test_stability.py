# SPDX-License-Identifier: Apache-2.0
"""``benchmarks/stability.py``: which pixels count, and what their change is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from harness import resources
from tests import scripts


@pytest.fixture(scope="module")
def stability() -> ModuleType:
    return scripts.load("benchmarks/stability.py")


def pictures() -> list[np.ndarray]:
    """Noise, before which a bright square moves on the left; the right half rests."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(4):
        frame = np.clip(100 + rng.normal(0, 2, (80, 160, 3)), 0, 255)
        frame[30:50, 10 + 5 * number : 30 + 5 * number] = 240
        found.append(frame.astype(np.uint8))
    return found


def test_noise_is_no_change_and_what_moves_counts_for_nothing(stability: ModuleType) -> None:
    before, now = pictures()[:2]

    same = stability.unchanged(before, now, 4.0)

    assert same[:, 90:].all()
    assert not same[30:50, 10:35].any()


def test_the_change_is_that_of_the_resting_pixels(stability: ModuleType) -> None:
    """A teacher that flickers by 0.1 on the right and by 0.9 where the square moves."""
    calls = iter(range(9))

    def flickering(image: np.ndarray) -> np.ndarray:
        odd = next(calls) % 2
        plane = np.zeros(image.shape[:2], np.float32)
        plane[:, 80:] = 0.5 + 0.1 * odd
        plane[30:50, 10:35] = 0.9 * odd
        return plane

    change, edge, share = stability.changes(flickering, pictures(), 4.0)

    assert 0.5 < share < 1
    assert edge == pytest.approx(100, abs=0.1)
    assert change == pytest.approx(100 * 80 / (160 * share), rel=0.05)


def test_models_stand_below_each_other(tmp_path: Path) -> None:
    video = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 80))
    for frame in pictures():
        video.write(frame)
    video.release()
    script = scripts.REPOSITORY / "benchmarks/stability.py"
    command = [sys.executable, str(script), str(resources.default_model()), "--video"]

    done = subprocess.run([*command, tmp_path / "v.avi"], check=False, capture_output=True, text=True)
    wrong = subprocess.run([*command, tmp_path / "none.avi"], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "v.avi, 4 frames" and "near the edge" in done.stdout
    assert wrong.returncode == 2 and "none.avi" in wrong.stderr
