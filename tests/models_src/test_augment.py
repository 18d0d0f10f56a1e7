# SPDX-License-Identifier: Apache-2.0
"""Random changes to a training pair."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import contract as contracts
from harness.errors import HarnessError
from models_src import augment, compositing, config
from tests.models_src.conftest import portrait


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


@pytest.mark.parametrize("size", [(48, 40), (150, 200), (150, 40), (48, 200), (96, 80)])
def test_without_transforms_the_whole_picture_is_only_resized_as_the_contract_has_it(size: tuple[int, int]) -> None:
    image, mask = portrait(np.random.default_rng(0))  # 96 x 80: smaller, larger, one of each, and the same
    for whole, made in zip((image, mask), augment.make([], 0.0, size)(image, mask, (1, 0, 0)), strict=True):
        assert np.abs(made.astype(int) - contracts.resize(whole, *size)).max() <= 1


@pytest.mark.parametrize("spec", [{"name": "NoSuchTransform"}, {"name": "Compose"}, {"name": "Affine", "rotate": "x"}])
def test_a_transform_that_cannot_be_built_is_refused_by_name(spec: dict[str, str]) -> None:
    with pytest.raises(HarnessError, match=spec["name"]):
        augment.make([spec], 0.0, (8, 8))


@pytest.mark.parametrize("name", ["Affine", "ToSepia"])
def test_an_argument_that_a_transform_does_not_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(HarnessError, match=rf"AUGMENT\.TRANSFORMS: {name} has no argument rotaet; it has .*p"):
        augment.make([{"name": name, "rotaet": 3, "p": 0.5}], 0.0, (8, 8))


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


# --- another background ---------------------------------------------------------------------------


def test_a_person_before_another_background_stays_where_it_is_and_the_rest_is_new() -> None:
    image, mask = portrait(np.random.default_rng(0))
    room = np.full((70, 200, 3), (10, 200, 40), np.uint8)

    for seed in range(5):
        changed, truth = augment.replace_background(image, mask, room, np.random.default_rng(seed))

        assert changed.shape == image.shape and np.array_equal(truth, mask)
        away, inside = cv2.dilate(mask, np.ones((7, 7))) == 0, cv2.erode(mask, np.ones((7, 7))) > 0
        assert np.abs(changed[away].astype(int) - (10, 200, 40)).max() <= 1
        assert np.abs(changed[inside].astype(int) - (10, 200, 40)).max(axis=1).min() > 20


def test_a_share_of_the_people_gets_another_background(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "room.png"), np.full((40, 40, 3), (0, 255, 0), np.uint8))
    image, mask = portrait(np.random.default_rng(0))
    make = augment.make([], 0.0, (96, 80), [tmp_path / "room.png"], 0.5)

    replaced = [(make(image, mask, (seed,))[0][mask == 0] == (0, 255, 0)).mean() > 0.5 for seed in range(60)]

    assert 15 <= sum(replaced) <= 45
    nobody = np.zeros_like(mask)
    assert all((make(image, nobody, (seed,))[0] == image).all() for seed in range(9))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32).map(np.random.default_rng))
def test_the_foreground_of_a_mixture_is_what_was_mixed_in(rng: np.random.Generator) -> None:
    """Two plain colours, mixed by a soft matte: known to the matte's edge and beyond."""
    alpha = cv2.GaussianBlur((np.hypot(*np.mgrid[-40:40, -40:40]) < 20).astype(np.float32), (0, 0), 2)
    person, behind = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    image = compositing.over(
        np.ones((80, 80, 3), np.float32) * person, alpha, np.ones((80, 80, 3), np.float32) * behind
    )

    found = compositing.foreground(image.astype(np.float32), alpha)

    assert np.abs(found[alpha > 0.1] - person).max() < 0.12
    again = compositing.over(found, alpha, np.ones((80, 80, 3), np.float32) * behind)
    assert np.abs(again - image).max() < 0.06


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32).map(np.random.default_rng), st.floats(0, 1))
def test_light_is_moved_towards_the_scene_s(rng: np.random.Generator, strength: float) -> None:
    person = np.clip(rng.uniform(0.2, 0.8, 3) + rng.normal(0, 0.05, (30, 30, 3)), 0, 1).astype(np.float32)
    scene = np.clip(rng.uniform(0.2, 0.8, 3) + rng.normal(0, 0.05, (30, 30, 3)), 0, 1).astype(np.float32)
    alpha = np.ones((30, 30), np.float32)

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        means = [cv2.cvtColor(x.astype(np.float32), cv2.COLOR_RGB2LAB).mean(axis=(0, 1)) for x in (a, b)]
        return float(np.linalg.norm(means[0] - means[1]))

    moved = compositing.match_light(person, alpha, scene, strength)

    assert apart(moved, scene) <= apart(person, scene) * (1 - strength) + 2.5
