# SPDX-License-Identifier: Apache-2.0
"""What the pipelines feed to a training and its validation."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness import contract as contracts
from harness.errors import HarnessError
from models_src import augment, config, pipeline
from models_src.datasets import manifest
from models_src.datasets.sample import read_image
from tests.models_src.conftest import SMOKE


def _batches(folder: Path, epochs: range) -> list[tuple[np.ndarray, np.ndarray]]:
    cfg = config.load(SMOKE)
    make = partial(augment.make, cfg.AUGMENT.TRANSFORMS, 0.5, (64, 64))
    contract = config.contract(cfg, "logit")
    return list(pipeline.training_set(manifest.load(folder), contract, make, 4, 3, epochs).as_numpy_iterator())


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


def test_what_a_picture_is_prepared_with_is_made_once_in_each_thread(folders: tuple[Path, Path]) -> None:
    """A threading.local would be empty at every call from a thread of TensorFlow's, and a teacher loaded anew."""
    made = []

    def make() -> augment.Augment:
        made.append(threading.get_ident())
        return augment.make([], 0.0, (64, 64))

    contract = config.contract(config.load(SMOKE), "logit")
    batches = pipeline.training_set(manifest.load(folders[0]), contract, make, 4, 3, range(4))

    assert len(list(batches)) == 16
    assert len(made) == len(set(made)), "64 pictures, and no thread made its own twice"


def test_validation_is_the_contracts_preprocessing_of_the_whole_picture(folders: tuple[Path, Path]) -> None:
    contract = config.contract(config.load(SMOKE), "logit")
    samples = manifest.load(folders[1]).samples
    images = np.concatenate([image for image, _ in pipeline.validation_set(samples, contract, 2).as_numpy_iterator()])
    expected = [contracts.preprocess(contract, read_image(sample.image)) for sample in samples]
    assert np.array_equal(images, np.concatenate(expected))


def test_fewer_pairs_than_a_batch_are_an_error_that_says_what_to_lower() -> None:
    with pytest.raises(HarnessError, match="BATCH_SIZE"):
        pipeline.steps_per_epoch(3, 4)


def test_a_teacher_sees_the_augmented_picture_and_its_answer_is_a_second_mask(folders: tuple[Path, Path]) -> None:
    cfg = config.load(SMOKE)
    contract = config.contract(cfg, "logit")
    make = partial(augment.make, cfg.AUGMENT.TRANSFORMS, 0.5, (64, 64))

    def brightness() -> pipeline.Teacher:
        return lambda image: image[..., 0].astype(np.float32) / 255

    dataset = pipeline.training_set(manifest.load(folders[0]), contract, make, 4, 3, range(1), brightness)
    image, truth = next(dataset.as_numpy_iterator())

    assert truth.shape == (4, 64, 64, 2)
    assert np.allclose(truth[..., 1], (image[..., 0] + 1) / 2, atol=1e-6)
    assert np.array_equal(truth[..., :1], _batches(folders[0], range(1))[0][1])


def test_a_last_batch_that_is_filled_up_has_pictures_of_no_weight(folders: tuple[Path, Path]) -> None:
    contract = config.contract(config.load(SMOKE), "logit")
    samples = manifest.load(folders[1]).samples

    batches = list(pipeline.validation_set(samples, contract, 4, full=True).as_numpy_iterator())

    assert [len(image) for image, _, _ in batches] == [4, 4]
    assert np.concatenate([weight for _, _, weight in batches]).tolist() == [1.0] * 5 + [0.0] * 3
    plain = np.concatenate([image for image, _ in pipeline.validation_set(samples, contract, 4).as_numpy_iterator()])
    assert np.array_equal(np.concatenate([image for image, _, _ in batches])[:5], plain)
