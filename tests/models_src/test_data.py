# SPDX-License-Identifier: Apache-2.0
"""Pair folders, augmentation and pipelines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import contract as contracts
from harness.errors import HarnessError
from models_src import augment, config, data
from tests.models_src.conftest import SMOKE, portrait, write_pairs


def test_pairs_are_matched_by_stem_and_filtered_by_pattern(tmp_path: Path) -> None:
    write_pairs(write_pairs(tmp_path, 3, seed=1, prefix="selfie_"), 2, seed=2, prefix="street_")
    assert [pair.image.stem for pair in data.find_pairs(tmp_path, "street_*")] == ["street_0", "street_1"]
    assert all(image.stem == mask.stem for image, mask in data.find_pairs(tmp_path))


def test_all_bad_files_are_named_in_one_error(tmp_path: Path) -> None:
    write_pairs(tmp_path, 6, seed=1)
    (tmp_path / "masks" / "p0.png").unlink()
    (tmp_path / "images" / "p1.png").unlink()
    (tmp_path / "images" / "p2.png").write_bytes(b"\x89PNG no picture")
    cv2.imwrite(str(tmp_path / "masks" / "p3.png"), np.zeros((5, 7), np.uint8))
    cv2.imwrite(str(tmp_path / "images" / "p4.jpg"), np.zeros((96, 80, 3), np.uint8))
    (tmp_path / "masks" / "p5.png").write_bytes(b"")
    with pytest.raises(HarnessError, match="6 bad files") as caught:
        data.find_pairs(tmp_path)
    for name in ("images/p0.png", "masks/p1.png", "images/p2.png", "masks/p3.png", "images/p4.png", "masks/p5.png"):
        assert name in str(caught.value)


def test_a_folder_without_pairs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such folder"):
        data.find_pairs(tmp_path)
    write_pairs(tmp_path, 1, seed=1)
    with pytest.raises(HarnessError, match="nothing_"):
        data.find_pairs(tmp_path, "nothing_*")


@pytest.fixture(scope="module")
def changed() -> augment.Augment:
    cfg = config.defaults()
    return augment.make(cfg.AUGMENT.TRANSFORMS, 0.5, (64, 48))


@settings(max_examples=25, deadline=None)
@given(seed=st.lists(st.integers(0, 2**32), min_size=1, max_size=3))
def test_augmentation_is_a_function_of_its_seed(changed: augment.Augment, seed: list[int]) -> None:
    image, mask = portrait(np.random.default_rng(0))
    first, second = changed(image, mask, seed), changed(image, mask, seed)
    assert first[0].shape == (64, 48, 3) and first[1].shape == (64, 48)
    assert first[0].dtype == first[1].dtype == np.uint8
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_augmentation_differs_between_epochs_and_keeps_picture_and_mask_together(changed: augment.Augment) -> None:
    image, mask = portrait(np.random.default_rng(0))
    results = [changed(image, mask, (1, epoch, 0)) for epoch in range(20)]
    assert len({result.tobytes() for result, _ in results}) > 10  # now and then nothing is drawn
    for result, truth in results:  # the person is brighter than the background, whatever was done to both
        assert result[truth > 200].mean() > result[truth < 50].mean() + 30


def test_without_transforms_the_whole_picture_is_only_resized() -> None:
    image, mask = portrait(np.random.default_rng(0))
    result, truth = augment.make([], 0.0, (48, 40))(image, mask, (1, 0, 0))
    assert np.array_equal(truth, contracts.resize(mask, 48, 40))
    assert np.abs(result.astype(int) - contracts.resize(image, 48, 40)).max() <= 1


@pytest.mark.parametrize("spec", [{"name": "NoSuchTransform"}, {"name": "Compose"}, {"name": "Affine", "rotate": "x"}])
def test_a_transform_that_cannot_be_built_is_refused_by_name(spec: dict[str, str]) -> None:
    with pytest.raises(HarnessError, match=spec["name"]):
        augment.make([spec], 0.0, (8, 8))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), left=st.integers(0, 60), top=st.integers(0, 40), body=st.integers(60, 120))
def test_a_full_body_is_cropped_to_its_upper_part_with_the_head(seed: int, left: int, top: int, body: int) -> None:
    mask = np.zeros((160, 100), np.uint8)
    mask[top : top + body, left : left + 30] = 255
    image = np.repeat(mask[..., None], 3, axis=2)
    crop, truth = augment.crop_head_and_shoulders(image, mask, np.random.default_rng(seed))
    assert np.array_equal(crop[..., 0], truth)
    assert truth[-1].any() and not np.array_equal(truth.shape, mask.shape)
    assert np.count_nonzero(truth.max(axis=1)) <= 0.6 * body + 2
    assert top == 0 or truth.shape[0] < top + body


def test_a_portrait_and_an_empty_picture_are_not_cropped() -> None:
    image, mask = portrait(np.random.default_rng(0))
    for truth in (mask, np.zeros_like(mask)):
        crop, _ = augment.crop_head_and_shoulders(image, truth, np.random.default_rng(0))
        assert crop is image


def _batches(folder: Path, epochs: range) -> list[tuple[np.ndarray, np.ndarray]]:
    cfg = config.load(SMOKE)
    make = partial(augment.make, cfg.AUGMENT.TRANSFORMS, 0.5, (64, 64))
    contract = config.contract(cfg, "logit")
    return list(data.training_set(data.find_pairs(folder), contract, make, 4, 3, epochs).as_numpy_iterator())


def test_the_training_set_of_an_epoch_does_not_depend_on_where_training_began(folders: tuple[Path, Path]) -> None:
    whole, later = _batches(folders[0], range(2)), _batches(folders[0], range(1, 2))
    assert len(whole) == 8 and len(later) == 4  # 17 pairs: four full batches an epoch
    for (image, mask), (image_later, mask_later) in zip(whole[4:], later, strict=True):
        assert np.array_equal(image, image_later) and np.array_equal(mask, mask_later)
    assert not np.array_equal(whole[0][0], whole[4][0])


def test_training_batches_are_normalised_pictures_with_masks_from_zero_to_one(folders: tuple[Path, Path]) -> None:
    image, mask = _batches(folders[0], range(1))[0]
    assert image.shape == (4, 64, 64, 3) and mask.shape == (4, 64, 64, 1)
    assert image.dtype == mask.dtype == np.float32
    assert -1 <= image.min() < -0.5 and 0.2 < image.max() <= 1 and mask.min() == 0 and mask.max() == 1


def test_validation_is_the_contracts_preprocessing_of_the_whole_picture(folders: tuple[Path, Path]) -> None:
    contract = config.contract(config.load(SMOKE), "logit")
    pairs = data.find_pairs(folders[1])
    images = np.concatenate([image for image, _ in data.validation_set(pairs, contract, 2).as_numpy_iterator()])
    expected = [contracts.preprocess(contract, data.read_image(pair.image)) for pair in pairs]
    assert np.array_equal(images, np.concatenate(expected))


def test_fewer_pairs_than_a_batch_are_an_error_that_says_what_to_lower() -> None:
    with pytest.raises(HarnessError, match="BATCH_SIZE"):
        data.steps_per_epoch(3, 4)


def test_pictures_without_people_join_the_training_set_with_empty_masks(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "room.png"), np.full((30, 40, 3), 128, np.uint8))
    (pair,) = data.find_negatives(tmp_path)
    image, mask = data.read_pair(pair)
    assert image.shape == (30, 40, 3) and mask.shape == (30, 40) and not mask.any()
    (tmp_path / "other.png").write_bytes(b"")
    with pytest.raises(HarnessError, match=r"other\.png"):
        data.find_negatives(tmp_path)
