# SPDX-License-Identifier: Apache-2.0
"""The guided filter draws masks' edges where the pictures have theirs."""

from __future__ import annotations

import numpy as np
import pytest

from harness import metrics, resources, suite

segcore = pytest.importorskip("segcore", reason="the core is not built: it needs a C++17 compiler")


def test_the_guided_filter_gains_boundary_iou_on_the_portraits_and_loses_no_iou() -> None:
    segmenter = segcore.Segmenter.from_file(str(resources.default_model() / "model.int8.tflite"))
    refiners = [segcore.Refiner(segcore.RefinerOptions(smooth=False, guided=guided)) for guided in (False, True)]
    figures = []
    for case in suite.find(suite.DEFAULT).cases:
        frame = segcore.Frame(case.read_image(), segcore.PixelFormat.RGB)
        mask, truth = segmenter.run(frame), case.read_mask()
        drawn = [refiner.upsample(mask, frame) > 127 for refiner in refiners]
        figures.append([(metrics.iou(each, truth), metrics.boundary_iou(each, truth)) for each in drawn])

    (iou, boundary), (guided_iou, guided_boundary) = np.mean(figures, axis=0)

    assert guided_boundary > boundary + 0.03
    assert guided_iou > iou
