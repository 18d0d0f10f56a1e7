# SPDX-License-Identifier: Apache-2.0
"""How steady and how prompt masks of a motion suite are. NumPy only; knows no suites, models, files or clocks.

Sequences are arrays ``(frames, H, W)``: alpha uint8, masks bool and True where the person is.
"""

from __future__ import annotations

import math

import numpy as np

REACH = 5
"""Frames by which a lag is looked for, either way."""


def flicker(alpha: np.ndarray, unchanged: np.ndarray) -> float:
    """Mean absolute change of alpha from frame to frame, in 1/255, where nothing but noise changed.

    Args:
        alpha: uint8 ``(frames, H, W)``.
        unchanged: bool, same shape: True where neither the picture without its noise nor the true mask differs from
            the frame before. What it says of the first frame does not count.

    Returns:
        NaN where nothing is unchanged.
    """
    _same_shape(alpha, unchanged)
    total, count = 0, 0
    for before, now, where in zip(alpha[:-1], alpha[1:], unchanged[1:], strict=True):
        total += int(np.abs(now.astype(np.int16) - before)[where].sum(dtype=np.int64))
        count += np.count_nonzero(where)
    return total / count if count else math.nan


def mean_iou(masks: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the frames of the IoU in [0, 1] with the same frame's true mask; 1.0 for a frame with neither."""
    _same_shape(masks, truth)
    return float(np.mean([_iou(mask, true) for mask, true in zip(masks, truth, strict=True)]))


def lag(masks: np.ndarray, truth: np.ndarray, reach: int = REACH) -> float:
    """By how many frames the masks are behind: the shift that maximises the mean IoU with the true masks.

    Every shift is judged on the same masks, those ``reach`` frames away from both ends. Between whole frames two
    lines of equal and opposite slope are laid through the best shift and its neighbours, since the IoU of moving
    outlines falls off linearly to both sides (a parabola would pull towards the whole frame).

    Returns:
        Frames, positive where the masks are late; NaN where the truth does not move, or with fewer than
        ``2 * reach + 1`` frames.
    """
    _same_shape(masks, truth)
    inner = range(reach, len(masks) - reach)
    if not inner or (truth == truth[0]).all():
        return math.nan
    scores = np.array(
        [np.mean([_iou(masks[frame], truth[frame - shift]) for frame in inner]) for shift in range(-reach, reach + 1)]
    )
    # A truth that rests for a while gives equal scores: the shift nearest to none is meant.
    best = min(np.flatnonzero(scores == scores.max()).tolist(), key=lambda index: (abs(index - reach), index))
    if best in (0, 2 * reach):
        return float(best - reach)
    before, top, after = scores[best - 1 : best + 2].tolist()
    fall = top - min(before, after)
    return best - reach + ((after - before) / (2 * fall) if fall else 0.0)


def _iou(mask: np.ndarray, reference: np.ndarray) -> float:
    union = np.count_nonzero(mask | reference)
    return np.count_nonzero(mask & reference) / union if union else 1.0


def _same_shape(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape or a.ndim != 3:
        raise ValueError(f"expected two sequences of one shape (frames, H, W), got {a.shape} and {b.shape}")
