# SPDX-License-Identifier: Apache-2.0
"""Which explanation is given for which difference, and that none is given where the bundles tell of none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import compare, gates, suite_making
from harness.comparison import Comparison, Finding
from harness.runs import open_runs
from harness.suite import Suite
from tests.harness.bundles import CONTRACT, FRAME, write

GATES = """\
version: 1
gates:
- {row: '*/max_abs', max: 0.05}
- {row: '*/gt_iou_delta', min: -0.01}
"""
MODEL = {"name": "m", "variant": "fp32", "format": "tflite", "sha256": "5e" * 32, "bytes": 1, "contract": CONTRACT}
SAME, FAR = 0.0, 0.2
LOW = np.array([0.48, 0.52], np.float32)


def outputs(shift: float = SAME) -> dict[str, np.ndarray]:
    """A person in the lower half, drawn with this error in every pixel."""
    p = np.full((16, 12), 0.1, np.float32)
    p[8:] = 0.9
    return {case: p + np.where(p > 0.5, -shift, shift).astype(np.float32) for case in ("a", "b")}


def run(folder: Path, label: str, lanes: dict[str, dict[str, np.ndarray]], **about: Any) -> list[Path]:
    return [
        write(folder / f"{label}-{lane}.run", made, label=label, lane=lane, session=label, **about)
        for lane, made in lanes.items()
    ]


def judged(folder: Path, paths: list[Path], suite: Suite | None = None) -> Comparison:
    (folder / "gates.yaml").write_text(GATES, encoding="utf-8")
    return compare.compare(open_runs(paths), gates.load(folder / "gates.yaml"), "test", "harness", suite)


def findings(folder: Path, lanes: dict[str, dict[str, np.ndarray]], **about: Any) -> list[Finding]:
    """What is found about a run with these outputs; the reference's are right."""
    paths = run(folder, "keras", {"tensor": outputs(), "image": outputs()}) + run(folder, "core", lanes, **about)
    return judged(folder, paths).findings


def test_nothing_is_explained_where_nothing_differs(tmp_path: Path) -> None:
    assert findings(tmp_path, {"tensor": outputs(), "image": outputs()}) == []


def test_a_run_that_fails_from_the_picture_alone_is_fed_something_else(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, {"tensor": outputs(), "image": outputs(FAR)})

    assert (finding.run, finding.title) == ("core", "The network agrees, its input does not")
    assert "pooled/max_abs is 0.2 where 0.05 is allowed" in finding.evidence


@pytest.mark.parametrize("image", [SAME, FAR])
def test_a_run_that_fails_on_the_same_tensor_is_another_network(tmp_path: Path, image: float) -> None:
    (finding,) = findings(tmp_path, {"tensor": outputs(FAR), "image": outputs(image)})

    assert finding.title == "The network itself differs"
    assert "pooled/max_abs is 0.2" in finding.evidence


def test_without_the_tensor_lane_the_input_is_not_blamed(tmp_path: Path) -> None:
    assert findings(tmp_path, {"image": outputs(FAR)}) == []


def test_accuracy_is_no_evidence_about_the_input(tmp_path: Path) -> None:
    # It is taken in the image lane alone: failing there and not in the tensor lane means nothing.
    truth = np.zeros(FRAME, bool)
    truth[FRAME[0] // 2 :] = True
    picture = np.zeros((*FRAME, 3), np.uint8)
    suite = suite_making.write(
        tmp_path / "suite", "figures", [suite_making.Entry(case, picture, truth) for case in ("a", "b")]
    )
    # Errors within the tolerance of the tensors, on the wrong side of the threshold.
    unsure, worse = ({case: np.where(p > 0.5, p, low) for case, p in outputs().items()} for low in LOW)
    paths = run(tmp_path, "keras", {"tensor": unsure, "image": unsure})
    paths += run(tmp_path, "core", {"tensor": worse, "image": worse})

    result = judged(tmp_path, paths, suite)

    assert [row.row for row in result.rows if row.verdict == "FAIL"] == ["pooled/gt_iou_delta"]
    assert result.findings == []


def test_pixels_that_flip_far_from_the_threshold_are_no_jitter(tmp_path: Path) -> None:
    flipped = outputs()
    flipped["a"] = 1 - flipped["a"]

    titles = [f.title for f in findings(tmp_path, {"tensor": outputs(), "image": flipped})]

    assert titles == ["The network agrees, its input does not", "Pixels far from the threshold change sides"]


def test_pixels_that_flip_near_the_threshold_are_jitter(tmp_path: Path) -> None:
    near, other = ({"a": np.full((4, 4), p, np.float32)} for p in (0.52, 0.48))
    paths = run(tmp_path, "keras", {"image": near}) + run(tmp_path, "core", {"image": other})

    result = judged(tmp_path, paths)

    assert next(r.value for r in result.rows if r.row == "pooled/flipped") == 16
    assert result.findings == []


def test_a_file_that_is_not_the_listed_one_is_named(tmp_path: Path) -> None:
    lanes = {"tensor": outputs(), "image": outputs()}

    (finding,) = findings(tmp_path, lanes, model=MODEL | {"listed": False})

    assert "model.json" in finding.title
    assert "5e5e5e5e5e5e" in finding.evidence


@pytest.mark.parametrize("listed", [True, None])
def test_a_file_that_is_listed_or_of_which_nothing_is_known_is_not(tmp_path: Path, listed: bool | None) -> None:
    assert findings(tmp_path, {"image": outputs()}, model=MODEL | {"listed": listed}) == []


def test_a_contract_that_differs_is_named_key_by_key(tmp_path: Path) -> None:
    other = CONTRACT.replace("scale = 0.00392156862745098", "scale = 1.0").replace("threshold = 0.5", "threshold = 0.4")

    (finding,) = findings(tmp_path, {"image": outputs()}, model=MODEL | {"contract": other})

    assert "scale is (1.0, 1.0, 1.0) here" in finding.evidence
    assert "threshold is 0.4 here and 0.5 in the reference" in finding.evidence
    assert "offset" not in finding.evidence


def test_outputs_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    broken = {case: np.full((16, 12), np.nan, np.float32) for case in ("a", "b")}

    (finding,) = findings(tmp_path, {"tensor": outputs(), "image": broken})

    assert finding.title == "The output holds NaN or infinity"
    assert finding.evidence.startswith("2 outputs, first a in the image lane")
