# SPDX-License-Identifier: Apache-2.0
"""Scenes: what is a person in them and what is not, and that a seed decides everything."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from models_src.datasets import manifest
from models_src.datasets.sample import GreyMask, Sample
from models_src.synth import camera, dataset, people, props, scene
from models_src.synth.people import Cutout
from tests.models_src.conftest import segmodel, write_pairs

GREEN = np.array([0.0, 1.0, 0.0], np.float32)
seeds = st.integers(0, 2**32)


def half_body() -> Cutout:
    """A green head and shoulders whose old picture ended below."""
    alpha = np.zeros((120, 100), np.float32)
    cv2.ellipse(alpha, (50, 38), (22, 30), 0, 0, 360, 1.0, -1)
    cv2.rectangle(alpha, (40, 60), (60, 80), 1.0, -1)
    cv2.ellipse(alpha, (50, 120), (48, 42), 0, 0, 360, 1.0, -1)
    rows = np.flatnonzero(alpha.any(axis=1))
    alpha = alpha[rows[0] :]
    return Cutout("half", "half", np.ones((*alpha.shape, 3), np.float32) * GREEN, alpha, (False, False, True, False))


def full_body() -> Cutout:
    alpha = np.zeros((200, 60), np.float32)
    cv2.ellipse(alpha, (30, 100), (28, 99), 0, 0, 360, 1.0, -1)
    return Cutout("full", "full", np.ones((200, 60, 3), np.float32) * GREEN, alpha, (False, False, False, False))


# --- people --------------------------------------------------------------------------------------


def test_somebody_is_cut_out_with_the_borders_where_the_picture_ended(tmp_path: Path) -> None:
    mask = np.zeros((80, 90), np.uint8)
    mask[20:, 10:60] = 255
    cv2.imwrite(str(tmp_path / "p.png"), np.full((80, 90, 3), 99, np.uint8))
    cv2.imwrite(str(tmp_path / "m.png"), mask)

    found = people.cut_out(Sample("p", tmp_path / "p.png", GreyMask(tmp_path / "m.png"), "g"))

    assert found is not None
    assert found.alpha.shape == (60, 50) and found.group == "g"
    assert found.cut == (False, False, True, False)


@pytest.mark.parametrize("size", [(0, 0), (4, 4), (20, 60)])
def test_nobody_and_people_too_small_to_be_enlarged_are_left_out(size: tuple[int, int], tmp_path: Path) -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[: size[0], : size[1]] = 255
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((100, 100, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "m.png"), mask)

    assert people.cut_out(Sample("p", tmp_path / "p.png", GreyMask(tmp_path / "m.png"), "p")) is None


def test_a_head_is_found_by_the_outline_of_head_and_shoulders() -> None:
    head = people.find_head(half_body().alpha)

    assert head is not None
    assert head.x == pytest.approx(50, abs=2) and head.width == pytest.approx(45, abs=4)
    assert head.top == 0 and head.height == pytest.approx(60, abs=8)


def test_an_outline_without_a_neck_has_no_head() -> None:
    assert people.find_head(full_body().alpha) is None
    assert people.find_head(np.ones((80, 80), np.float32)) is None
    assert people.find_head(np.zeros((80, 80), np.float32)) is None


def test_a_speck_above_the_hair_is_no_head() -> None:
    alpha = np.zeros((80, 80), np.float32)
    alpha[0, 40] = alpha[40:, 20:60] = 1
    assert people.find_head(alpha) is None


# --- scenes --------------------------------------------------------------------------------------


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that takes what there is, and no light, tint or shadow: green is a person, exactly."""
    monkeypatch.setattr(camera, "take", lambda image, mask, rng: (image, mask, {}))
    monkeypatch.setattr(scene, "_lit", lambda image, rng: image)
    monkeypatch.setattr(scene, "_shadow", lambda image, alpha, rng: image)
    monkeypatch.setattr(scene.compositing, "match_light", lambda colours, alpha, behind, strength: colours)
    monkeypatch.setattr(scene.backgrounds, "draw", lambda paths, h, w, rng: (np.zeros((h, w, 3), np.float32), "black"))
    monkeypatch.setattr(props, "_material", lambda rng: np.array([1, 0, 1], np.float32))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("scenario", scene.SCENARIOS)
def test_the_mask_is_the_people_and_nothing_else(scenario: str) -> None:
    """Chairs and headsets are magenta here: neither is part of the mask, whoever is behind or before them."""
    seen = set()
    for seed in range(60):
        made = scene.compose(
            scene.SCENARIOS[scenario], lambda rng: [half_body(), full_body()][int(rng.integers(2))], [], 160, seed
        )
        green = made.image[..., 1].astype(int)
        assert np.abs(green - made.mask).max() <= 2
        assert made.mask.max() > 250
        seen |= set(made.facts["props"])
    assert scenario != "videocall" or seen == {"chair", "headset"}


@pytest.mark.usefixtures("plain")
@given(seeds)
@settings(max_examples=60, deadline=None)
def test_an_edge_that_was_cut_is_never_seen(seed: int) -> None:
    """Half a body reaches the picture's lower border."""
    made = scene.compose(scene.SCENARIOS["videocall"], lambda rng: half_body(), [], 160, seed)

    worn = "headset" in made.facts["props"]
    columns = np.flatnonzero((made.mask > 127).any(axis=0))
    lowest = [np.flatnonzero(made.mask[:, x] > 127)[-1] for x in columns]
    assert max(lowest) == made.mask.shape[0] - 1
    shoulders = [y for y in lowest if y > 0.9 * made.mask.shape[0]]
    assert len(shoulders) > 0.5 * len(lowest) or worn


@given(seeds, st.sampled_from(list(scene.SCENARIOS)))
@settings(max_examples=20, deadline=None)
def test_a_scene_is_a_function_of_its_seed(seed: int, scenario: str) -> None:
    first, second = (scene.compose(scene.SCENARIOS[scenario], lambda rng: half_body(), [], 128, seed) for _ in range(2))

    assert np.array_equal(first.image, second.image) and np.array_equal(first.mask, second.mask)
    assert first.facts == second.facts
    assert max(first.image.shape) == 128 and first.image.shape[:2] == first.mask.shape


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_what_moves_moves_in_the_mask_too(seed: int) -> None:
    """White is a person on black: the mask of the picture is what the picture shows of it, up to exposure and noise."""
    mask = np.zeros((90, 90), np.float32)
    mask[30:60, 30:60] = 1
    image, taken, told = camera.take(np.repeat(mask[..., None], 3, axis=2), mask, np.random.default_rng(seed))

    assert image.min() >= 0 and image.max() <= 1 and taken.min() >= 0 and taken.max() <= 1
    reach = told.get("motion", 0) + 3 * told.get("softness", 0) + 2
    far = cv2.dilate(mask, np.ones((int(2 * reach) + 1,) * 2)) == 0
    assert not (taken[far] > 0.02).any()
    assert taken.sum() == pytest.approx(mask.sum(), rel=0.02)


# --- sets ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("people"), 12, seed=3)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def make(folder: Path, source: Path, processes: int = 1, **changes: object) -> Path:
    options = dataset.Options(**{"scenario": "videocall", "count": 6, "seed": 5, "side": 96, **changes})
    dataset.write(folder, options, manifest.load(source).samples, [], processes=processes)
    return folder


def test_a_set_is_the_same_bytes_for_the_same_seed_and_any_number_of_processes(source: Path, tmp_path: Path) -> None:
    first = contents(make(tmp_path / "a", source))

    assert first == contents(make(tmp_path / "b", source, processes=2))
    assert (
        first["images/videocall_5_000000.jpg"]
        != contents(make(tmp_path / "c", source, seed=6))["images/videocall_6_000000.jpg"]
    )
    lines = [json.loads(line) for line in first["scenes.jsonl"].splitlines()]
    assert [line["seed"] for line in lines] == [[5, k] for k in range(6)]
    assert len(manifest.load(tmp_path / "a").samples) == 6


def test_a_set_that_was_interrupted_goes_on(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(make(tmp_path / "whole", source))
    written = []

    class Stopped(BaseException):
        pass

    def stop_at_three(done: int, total: int) -> None:
        written.append(done)
        if done == 3:
            raise Stopped

    options = dataset.Options("videocall", 6, 5, 96)
    people_in = manifest.load(source).samples
    with pytest.raises(Stopped):
        dataset.write(tmp_path / "part", options, people_in, [], stop_at_three, processes=1)
    assert not (tmp_path / "part" / "scenes.jsonl").exists()
    dataset.write(tmp_path / "part", options, people_in, [], lambda done, total: written.append(done), processes=1)

    assert contents(tmp_path / "part") == whole
    dataset.write(tmp_path / "part", options, people_in, [], lambda done, total: pytest.fail("made again"))


def test_another_set_is_never_written_over(source: Path, tmp_path: Path) -> None:
    make(tmp_path / "set", source)

    with pytest.raises(HarnessError, match=r"differs in seed \(there: 5, asked for: 6\); .* another --out"):
        make(tmp_path / "set", source, seed=6)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("")
    with pytest.raises(HarnessError, match="holds something that is no set of scenes; choose another --out"):
        make(tmp_path / "other", source)
    with pytest.raises(HarnessError, match="no people to cut out"):
        dataset.write(tmp_path / "none", dataset.Options("selfie", 1), [], [])


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_set_is_not_that_of_people_whose_pictures_or_masks_have_changed(folder: str, tmp_path: Path) -> None:
    people_in = write_pairs(tmp_path / "people", 2, seed=3)
    make(tmp_path / "set", people_in, count=1)
    changed = people_in / folder / "p0.png"
    cv2.imwrite(str(changed), 255 - cv2.imread(str(changed), cv2.IMREAD_UNCHANGED))

    with pytest.raises(HarnessError, match="holds a set that differs in people; ask for"):
        make(tmp_path / "set", people_in, count=1)


def test_the_command_makes_parts_that_share_nobody(source: Path, tmp_path: Path) -> None:
    seen = {}
    for part in ("train", "val"):
        out = tmp_path / part
        result = segmodel(
            "synth", "--scenario", "group", "--people", source, "--count", 8, "--out", out, "--part", part,
            "--val", 0.4, "--side", 96, "--processes", 1,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        lines = [json.loads(line) for line in (out / "scenes.jsonl").read_text().splitlines()]
        seen[part] = {name for line in lines for name in line["people"]}

    assert seen["train"] and seen["val"] and not seen["train"] & seen["val"]
