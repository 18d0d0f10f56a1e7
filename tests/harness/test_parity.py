# SPDX-License-Identifier: Apache-2.0
"""Figures of one case and of all cases, held against the same computed on everything at once."""

from __future__ import annotations

import contextlib
import math
import tracemalloc
from collections.abc import Iterator

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import contract as contracts
from harness import metrics, parity

# Few distinct values: ties, exact agreement and pixels at the threshold come up often.
values = st.sampled_from([0.0, 0.25, 0.4999, 0.5, 0.5001, 0.75, 1.0]) | st.floats(0, 1, width=32)
Pair = tuple[np.ndarray, np.ndarray]


@st.composite
def any_cases(draw: st.DrawFn) -> list[Pair]:
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    maps = arrays.arrays(np.float32, shape, elements=values)
    return draw(st.lists(st.tuples(maps, maps), min_size=1, max_size=6))


def pooled(cases: list[Pair], threshold: float = 0.5, tolerance: float | None = 0.01) -> parity.Figures:
    pool = parity.Pool(sum(p.size for p, _ in cases))
    for p, r in cases:
        pool.add(parity.against_reference(p, r, threshold, tolerance), p, r)
    return pool.figures()


# --- one case ------------------------------------------------------------------------------------


@given(any_cases(), st.floats(0, 1), st.floats(0, 0.5))
def test_the_figures_of_a_case(cases: list[Pair], threshold: float, tolerance: float) -> None:
    p, r = cases[0]
    error = sorted(abs(float(a) - float(b)) for a, b in zip(p.ravel(), r.ravel(), strict=True))

    figures = parity.against_reference(p, r, threshold, tolerance)

    flipped, margin = metrics.flips(p, r, threshold, tolerance)
    assert figures == {
        "max_abs": error[-1],
        "p99_abs": error[math.ceil(0.99 * len(error)) - 1],
        "mean_abs": pytest.approx(math.fsum(error) / len(error)),
        "psnr": pytest.approx(metrics.psnr(p.astype(float) - r)) if any(error) else None,
        "cosine": metrics.cosine(p, r),
        "mask_iou": metrics.iou(p > threshold, r > threshold),
        "flipped": flipped.sum(),
        "flip_margin": margin if flipped.any() else None,
    }


def test_without_a_tolerance_there_is_no_flip_margin() -> None:
    p, r = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)

    assert parity.against_reference(p, r, 0.5, None)["flip_margin"] is None
    assert parity.against_reference(p, r, 0.5, 0.1)["flip_margin"] == 0.0


@contextlib.contextmanager
def passing_on() -> Iterator[None]:
    yield


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_not_finite_is_refused_with_the_number_of_pixels(bad: float) -> None:
    output = np.full((4, 5), 0.5, np.float32)
    parity.check_finite(output)
    output[1, 1:4] = bad

    # Through a context manager, which notes the way an exception takes on the exception itself.
    with pytest.raises(parity.NotFinite, match="3 pixels") as caught, passing_on():
        parity.check_finite(output)

    assert caught.value.count == 3


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_accuracy_is_taken_at_the_ground_truths_size(fit: str) -> None:
    contract = contracts.Contract(8, 8, "rgb", fit, "area", (1.0,) * 3, (0.0,) * 3, "probability", 0, 0.5)
    rng = np.random.default_rng(3)
    p, truth = rng.random((8, 8), np.float32), rng.random((60, 90)) > 0.5

    figures = parity.against_truth(contract, p, truth)

    mask = contracts.frame_probability(contract, p, (60, 90)) > 0.5
    assert figures == {
        "gt_iou": metrics.iou(mask, truth),
        "gt_boundary_iou": metrics.boundary_iou(mask, truth),
    }


# --- all cases -----------------------------------------------------------------------------------


@given(any_cases())
def test_pooled_figures_are_those_of_all_pixels_at_once(cases: list[Pair]) -> None:
    p = np.concatenate([a.ravel() for a, _ in cases]).astype(np.float64)
    r = np.concatenate([b.ravel() for _, b in cases]).astype(np.float64)
    error = np.abs(p - r)
    flipped = (p > 0.5) != (r > 0.5)
    ious = [metrics.iou(a > 0.5, b > 0.5) for a, b in cases]

    figures = pooled(cases)

    assert figures == {
        "max_abs": error.max(),
        "p99_abs": np.quantile(error, 0.99, method="inverted_cdf"),
        "mean_abs": pytest.approx(error.mean(), rel=1e-9),
        "psnr": pytest.approx(-10 * np.log10(np.mean(error**2)), rel=1e-9) if error.any() else None,
        "cosine": pytest.approx(metrics.cosine(p, r), abs=1e-12),
        "mask_iou": pytest.approx(np.mean(ious)),
        "mask_iou_min": min(ious),
        "flipped": flipped.sum(),
        "flip_margin": pytest.approx(np.mean(np.abs(r[flipped] - 0.5) <= 0.01)) if flipped.any() else None,
    }


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from(["random", "rising", "falling", "constant"]))
def test_the_pooled_percentile_is_exact_in_whatever_order_the_errors_come(seed: int, count: int, order: str) -> None:
    error = np.random.default_rng(seed).random((count, 10, 10), np.float32)
    if order == "constant":
        error[:] = 0.5
    elif order != "random":
        flat = np.sort(error, axis=None)
        error = (flat if order == "rising" else flat[::-1]).reshape(error.shape)
    zero = np.zeros((10, 10), np.float32)

    figures = pooled([(e, zero) for e in error])

    assert figures["p99_abs"] == np.quantile(error, 0.99, method="inverted_cdf")


def test_cases_that_were_left_out_do_not_shift_the_percentile() -> None:
    # The pool is told of 100 cases, but only 10 can be compared.
    error = np.random.default_rng(5).random((10, 20, 20), np.float32)
    zero = np.zeros((20, 20), np.float32)
    pool = parity.Pool(100 * 400)
    for e in error:
        pool.add(parity.against_reference(e, zero, 0.5, 0.1), e, zero)

    assert pool.figures()["p99_abs"] == np.quantile(error, 0.99, method="inverted_cdf")


def test_without_a_tolerance_the_pooled_margin_is_left_out() -> None:
    zero, one = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)

    figures = pooled([(zero, one), (one, one)], tolerance=None)

    assert figures["flipped"] == 4
    assert figures["flip_margin"] is None


def test_accuracy_is_the_mean_over_the_pictures_that_have_ground_truth() -> None:
    pool = parity.Pool(0)
    pool.add_truth({"gt_iou": 0.5, "gt_boundary_iou": 0.25})
    pool.add_truth({"gt_iou": 1.0, "gt_boundary_iou": 0.5})

    assert pool.figures() == {"gt_iou": 0.75, "gt_boundary_iou": 0.375}


def test_nothing_compared_has_no_figures() -> None:
    assert parity.Pool(100).figures() == {}


def test_the_memory_of_a_pool_does_not_grow_with_the_cases() -> None:
    # 400 cases of 100×100: all errors would take 16 MB as float32, the largest hundredth takes 0.16 MB.
    rng = np.random.default_rng(7)
    zero, output = np.zeros((100, 100), np.float32), np.empty((100, 100), np.float32)
    pool = parity.Pool(400 * zero.size)
    figures = parity.against_reference(zero, zero, 0.5, 0.1)
    tracemalloc.start()
    try:
        for number in range(400):
            rng.random(out=output, dtype=np.float32)
            output *= (number + 1) / 400  # rising: each case brings more of the largest
            pool.add(figures, output, zero)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2e6
