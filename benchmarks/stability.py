# SPDX-License-Identifier: Apache-2.0
"""How much do masks of a real video change where the picture does not? Several models on the same frames.

    python benchmarks/stability.py models/portrait peers/selfie.tflite,peers/selfie.toml --video call.mp4

For each model: the mean absolute change of the probability from frame to frame, in 1/1000, over the pixels whose
surroundings do not change, and the same near the mask's edge, where flicker is seen. Where the picture changes is told
by the pictures alone, so that all models are judged on the same pixels: by the mean absolute difference of 5 × 5
pixels' brightness, which has to be below ``--still`` (in 1/255) within 8 pixels around as well.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from harness.errors import HarnessError
from models_src import teachers

_EDGE = (0.05, 0.95)  # probabilities between which a pixel is near the edge, in either frame


def frames(path: Path, most: int) -> Iterator[np.ndarray]:
    """RGB pictures of a video.

    Raises:
        HarnessError: it cannot be read.
    """
    video = cv2.VideoCapture(str(path))
    number = 0
    while number < most:
        there, frame = video.read()
        if not there:
            break
        number += 1
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    if number < 2:
        raise HarnessError(f"{path}: cannot be read as a video of two frames or more")


def unchanged(before: np.ndarray, now: np.ndarray, still: float) -> np.ndarray:
    """Where two RGB pictures show the same but for noise; bool ``(H, W)``."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (before, now)]
    difference = cv2.blur(np.abs(cv2.blur(grey[1], (3, 3)) - cv2.blur(grey[0], (3, 3))), (5, 5))
    return cv2.dilate(difference, np.ones((17, 17), np.uint8)) < still


def changes(teacher: teachers.Teacher, pictures: list[np.ndarray], still: float) -> tuple[float, float, float]:
    """Mean change over the unchanged pixels and over those near the edge, in 1/1000, and the share of pixels that are
    unchanged."""
    total = near_total = 0.0
    count = near_count = pixels = 0
    last = teacher(pictures[0])
    for before, now in itertools.pairwise(pictures):
        mask = teacher(now)
        same = unchanged(before, now, still)
        difference = np.abs(mask - last)
        near = same & (np.maximum(mask, last) > _EDGE[0]) & (np.minimum(mask, last) < _EDGE[1])
        total, count = total + float(difference[same].sum()), count + int(same.sum())
        near_total, near_count = near_total + float(difference[near].sum()), near_count + int(near.sum())
        pixels += same.size
        last = mask
    return 1000 * total / max(1, count), 1000 * near_total / max(1, near_count), count / pixels


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL[,CONTRACT]")
    parser.add_argument("--video", type=Path, action="append", required=True, help="repeatable")
    parser.add_argument("--still", type=float, default=4.0, help="brightness, of 255  [default: 4]")
    parser.add_argument("--frames", type=int, default=10_000, help="at most so many of each video")
    options = parser.parse_args()
    try:
        loaded = {name: teachers.load(name, mirrored=False) for name in options.models}
        for path in options.video:
            pictures = list(frames(path, options.frames))
            print(f"{path.name}, {len(pictures)} frames")
            for name, teacher in loaded.items():
                still, edge, share = changes(teacher, pictures, options.still)
                masks = f"{still:8.2f}   near the edge {edge:8.2f}"
                print(f"  {name.partition(',')[0]:40} {masks}   ({share:.0%} of the pixels are unchanged)")
    except HarnessError as error:
        print(f"stability.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
