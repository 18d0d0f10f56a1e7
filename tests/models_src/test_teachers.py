# SPDX-License-Identifier: Apache-2.0
"""Networks that make masks: what they are asked, what they agree on, and what is written."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import contract as contracts
from harness import metrics, model_file
from harness.errors import HarnessError
from models_src import inference, teachers
from models_src.datasets import manifest
from tests.models_src.conftest import segmodel, write_pairs


def test_a_teacher_s_mask_has_the_picture_s_size_and_is_the_mean_with_the_mirror_image_s(
    exported: Path, folders: tuple[Path, Path]
) -> None:
    image = manifest.load(folders[1]).samples[0].read()[0]
    file = model_file.find(exported, "fp32")
    network = inference.load(file)

    def alone(picture: np.ndarray) -> np.ndarray:
        plane = inference.probability(network, file.contract, picture)
        return contracts.frame_probability(file.contract, plane, picture.shape[:2])

    mirrored = alone(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
    assert np.allclose(teachers.load(str(exported), mirrored=False)(image), alone(image), atol=1e-6)
    assert np.allclose(teachers.load(str(exported))(image), (alone(image) + mirrored) / 2, atol=1e-6)
    assert np.array_equal(
        teachers.load(f"{exported / 'model.fp32.tflite'},{exported / 'contract.toml'}")(image),
        teachers.load(str(exported))(image),
    )


def test_the_mean_of_teachers_and_how_far_the_least_agreeing_two_agree() -> None:
    planes = [np.zeros((4, 4), np.float32) for _ in range(3)]
    planes[0][:2], planes[1][:2], planes[2][:1] = 0.9, 0.6, 0.9

    mean, agreement = teachers.mean([lambda image, p=p: p for p in planes], np.zeros((4, 4, 3), np.uint8))

    assert np.allclose(mean, np.mean(planes, axis=0))
    assert agreement == metrics.iou(planes[0] > 0.5, planes[2] > 0.5) == 0.5
    assert teachers.mean([lambda image: planes[0]], np.zeros((4, 4, 3), np.uint8))[1] == 1


def test_the_command_writes_a_pair_folder_and_goes_on_with_what_is_missing(exported: Path, tmp_path: Path) -> None:
    pictures = write_pairs(tmp_path / "people", 4, seed=9) / "images"
    asked = ["data", "label", pictures, "--teacher", exported, "--out", tmp_path / "out"]

    assert segmodel(*asked).exit_code == 0
    first = {path: path.read_bytes() for path in sorted((tmp_path / "out").rglob("*.*"))}
    (tmp_path / "out" / "masks" / "p2.png").unlink()
    assert segmodel(*asked).exit_code == 0

    assert first == {path: path.read_bytes() for path in sorted((tmp_path / "out").rglob("*.*"))}
    assert len(manifest.load(tmp_path / "out").samples) == 4
    with (tmp_path / "out" / teachers.TABLE).open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["p0", "p1", "p2", "p3"]


def test_people_without_masks_are_cut_out_by_teachers(exported: Path, tmp_path: Path) -> None:
    """The tiny network's masks are no good, but of one teacher all agree."""
    pictures = write_pairs(tmp_path / "people", 8, seed=9) / "images"

    result = segmodel(
        "synth", "--scenario", "selfie", "--people", pictures, "--teacher", exported, "--count", 2,
        "--out", tmp_path / "out", "--side", 96, "--processes", 1,
    )  # fmt: skip

    masks = [cv2.imread(str(path), 0) for path in (tmp_path / "out.people" / "masks").iterdir()]
    if any((mask > 127).mean() > 0.05 for mask in masks):
        assert result.exit_code == 0, result.output
        assert len(manifest.load(tmp_path / "out").samples) == 2
    else:
        assert "no people to cut out" in result.output


def test_a_teacher_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="nothing"):
        teachers.load(str(tmp_path / "nothing.tflite"))
