# SPDX-License-Identifier: Apache-2.0
"""How far two runs' masks agree, case by case and over all cases. Knows no clocks and no gates.

Cases are taken one at a time; what is kept of each is a few sums, so memory does not grow with the suite
(the pooled 99th percentile keeps the largest one percent of the errors, which it needs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from harness import contract as contracts
from harness import metrics

Figures = dict[str, float | None]

POOLED_PERCENTILE = 0.99


class NotFinite(Exception):
    """An output with NaN or infinity in it: outright FAIL.

    Attributes:
        count: number of such pixels.
    """

    def __init__(self, count: int) -> None:
        super().__init__(f"NaN or infinity in {count} pixels")
        self.count = count


def check_finite(probability: np.ndarray) -> None:
    """Raise :class:`NotFinite` where a probability map holds NaN or infinity."""
    count = int(np.count_nonzero(~np.isfinite(probability)))
    if count:
        raise NotFinite(count)


def against_reference(
    probability: np.ndarray, reference: np.ndarray, threshold: float, tolerance: float | None
) -> Figures:
    """One case against the reference's output, both float32 ``(h, w)``.

    Args:
        threshold: of the reference's contract.
        tolerance: accepted tensor error, for the flip margin (:func:`harness.metrics.flips`); None leaves it out.

    Returns:
        ``max_abs, p99_abs, mean_abs`` of the absolute error, ``psnr`` in dB (None where identical), ``cosine``,
        ``mask_iou``, ``flipped`` pixels and ``flip_margin`` (None where nothing flipped or no tolerance is known).
    """
    error = np.abs(probability.astype(np.float64) - reference)
    flipped, margin = metrics.flips(probability, reference, threshold, math.nan if tolerance is None else tolerance)
    return {
        "max_abs": float(error.max()),
        "p99_abs": float(np.quantile(error, POOLED_PERCENTILE, method="inverted_cdf")),
        "mean_abs": float(error.mean()),
        "psnr": _finite(metrics.psnr(error)),
        "cosine": metrics.cosine(probability, reference),
        "mask_iou": metrics.iou(probability > threshold, reference > threshold),
        "flipped": float(np.count_nonzero(flipped)),
        "flip_margin": None if tolerance is None else _finite(margin),
    }


def largest_difference(array: np.ndarray, reference: np.ndarray) -> float | None:
    """Largest absolute difference of two arrays of numbers; None where their shapes differ or one is not finite."""
    if array.shape != reference.shape:
        return None
    difference = np.abs(array.astype(np.float64) - reference.astype(np.float64))
    return _finite(float(difference.max(initial=0.0)))


def against_truth(contract: contracts.Contract, probability: np.ndarray, truth: np.ndarray) -> Figures:
    """One case against its ground truth, a boolean mask ``(H, W)``, at the ground truth's size.

    Returns:
        ``gt_iou`` and ``gt_boundary_iou``.
    """
    frame = (truth.shape[0], truth.shape[1])
    mask = contracts.frame_probability(contract, probability, frame) > contract.threshold
    return {"gt_iou": metrics.iou(mask, truth), "gt_boundary_iou": metrics.boundary_iou(mask, truth)}


@dataclass
class Pool:
    """Figures over all cases, from one case after the other.

    Args:
        pixels: number of compared pixels there will be in all; it fixes how many errors the percentile keeps.
    """

    pixels: int
    _cases: list[Figures] = field(default_factory=list)
    _largest: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    _pending: list[np.ndarray] = field(default_factory=list)
    _pixels: int = 0
    _error_sum: float = 0.0
    _square_sum: float = 0.0
    _dots: np.ndarray = field(default_factory=lambda: np.zeros(3))
    _within: float = 0.0

    def add(self, figures: Figures, probability: np.ndarray, reference: np.ndarray) -> None:
        """Take in one case: its figures, and the two maps they were computed from."""
        self._cases.append(figures)
        x, y = probability.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
        error = np.abs(x - y)
        self._pixels += error.size
        self._error_sum += float(error.sum())
        self._square_sum += float(error @ error)
        self._dots += (x @ y, x @ x, y @ y)
        if figures["flipped"]:
            margin = figures["flip_margin"]
            self._within += math.nan if margin is None else margin * figures["flipped"]
        self._keep_largest(error)

    def add_truth(self, figures: Figures) -> None:
        """Take in a case that has only ground truth to be held against (the reference itself)."""
        self._cases.append(figures)

    def figures(self) -> Figures:
        """The pooled figures: extremes and sums over all pixels, means of the IoUs over the cases."""
        pooled: Figures = {}
        if self._pixels:
            flipped = sum(c["flipped"] or 0.0 for c in self._with("flipped"))
            norm = math.sqrt(self._dots[1] * self._dots[2])
            mse = self._square_sum / self._pixels
            pooled = {
                "max_abs": max(c["max_abs"] or 0.0 for c in self._with("max_abs")),
                "p99_abs": self._percentile(),
                "mean_abs": self._error_sum / self._pixels,
                "psnr": -10.0 * math.log10(mse) if mse > 0 else None,
                "cosine": self._dots[0] / norm if norm else float(self._dots[1] == self._dots[2]),
                "mask_iou": self._mean("mask_iou"),
                "mask_iou_min": min(c["mask_iou"] or 0.0 for c in self._with("mask_iou")),
                "flipped": flipped,
                "flip_margin": _finite(self._within / flipped) if flipped else None,
            }
        if self._with("gt_iou"):
            pooled |= {"gt_iou": self._mean("gt_iou"), "gt_boundary_iou": self._mean("gt_boundary_iou")}
        return pooled

    def _with(self, name: str) -> list[Figures]:
        return [case for case in self._cases if name in case]

    def _mean(self, name: str) -> float:
        return float(np.mean([case[name] for case in self._with(name)]))

    def _keep_largest(self, error: np.ndarray) -> None:
        # The order statistic ⌈p·n⌉ from below is number n − ⌈p·n⌉ + 1 from above.
        keep = self.pixels - math.ceil(POOLED_PERCENTILE * self.pixels) + 1
        floor = self._largest.min() if self._largest.size >= keep else -1.0
        self._largest = np.concatenate([self._largest, error[error > floor]])
        if self._largest.size > 1.25 * keep:
            self._largest = np.partition(self._largest, -keep)[-keep:]

    def _percentile(self) -> float:
        rank = self._pixels - math.ceil(POOLED_PERCENTILE * self._pixels) + 1
        return float(np.partition(self._largest, -rank)[-rank])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
