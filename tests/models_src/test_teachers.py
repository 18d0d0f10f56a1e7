# SPDX-License-Identifier: Apache-2.0
"""Networks that make masks: what they are asked, what they agree on, and what is written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from harness import contract as contracts
from harness import metrics, model_file
from harness.errors import HarnessError
from models_src import inference, teachers
from models_src.datasets import manifest
from tests.models_src.conftest import REPOSITORY, segmodel, write_pairs


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


# --- sets of pictures without masks, by teachers that stand in ------------------------------------

PORTRAIT = REPOSITORY / "models" / "portrait"


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every teacher takes what is bright for a person, as it is in the generated portraits."""
    monkeypatch.setattr(teachers, "load", lambda spec: lambda image: (image.min(axis=2) > 100).astype(np.float32))


def label(pictures: Path, out: Path, teacher: Path = PORTRAIT) -> Result:
    return segmodel("data", "label", pictures, "--teacher", teacher, "--out", out)


@pytest.mark.usefixtures("bright")
def test_masks_of_other_teachers_or_other_pictures_are_not_kept(tmp_path: Path) -> None:
    pictures, out = write_pairs(tmp_path / "people", 3, seed=9) / "images", tmp_path / "out"
    assert label(pictures, out).exit_code == 0

    for changed in (
        label(pictures, out, PORTRAIT / "model.fp16.tflite"),
        label(write_pairs(tmp_path / "others", 2, seed=9, prefix="q") / "images", out),
        label(pictures, tmp_path / "people"),
    ):
        assert changed.exit_code == 2 and "choose another --out" in changed.stderr, changed.output
    (pictures / "p1.png").write_bytes((pictures / "p2.png").read_bytes())
    assert label(pictures, out).exit_code == 0
    assert (out / "masks" / "p1.png").read_bytes() == (out / "masks" / "p2.png").read_bytes()


@pytest.mark.usefixtures("bright")
def test_all_pictures_that_cannot_be_read_are_named_and_the_others_have_masks(tmp_path: Path) -> None:
    pictures, out = write_pairs(tmp_path / "people", 4, seed=9) / "images", tmp_path / "out"
    for name in ("p0.png", "p2.png"):
        (pictures / name).write_bytes(b"no picture")

    result = label(pictures, out)

    assert result.exit_code == 2 and "p0.png" in result.stderr and "p2.png" in result.stderr
    assert [sample.name for sample in manifest.load(out).samples] == ["p1", "p3"]


@pytest.mark.usefixtures("bright")
def test_pictures_of_the_same_name_are_named(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_pairs(tmp_path / folder, 1, seed=9)
    (tmp_path / "both.yaml").write_text("sources: [{data: a}, {data: b}]")

    result = label(tmp_path / "both.yaml", tmp_path / "out")

    assert result.exit_code == 2
    assert all(str(tmp_path / folder / "images" / "p0.png") in result.stderr for folder in ("a", "b"))


def synth(pictures: Path, out: Path) -> Result:
    return segmodel(
        "synth", "--scenario", "selfie", "--people", pictures, "--teacher", PORTRAIT, "--count", 2,
        "--out", out, "--side", 96, "--processes", 1,
    )  # fmt: skip


@pytest.mark.usefixtures("bright")
def test_people_without_masks_are_cut_out_by_teachers(tmp_path: Path) -> None:
    pictures = write_pairs(tmp_path / "people", 4, seed=9) / "images"

    result = synth(pictures, tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert len(manifest.load(tmp_path / "out").samples) == 2


def test_people_whom_the_teachers_do_not_see_are_not_cut_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teachers, "load", lambda spec: lambda image: np.zeros(image.shape[:2], np.float32))
    pictures = write_pairs(tmp_path / "people", 4, seed=9) / "images"

    result = synth(pictures, tmp_path / "out")

    assert result.exit_code == 2 and "no people to cut out" in result.stderr


def test_a_teacher_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="nothing"):
        teachers.load(str(tmp_path / "nothing.tflite"))
