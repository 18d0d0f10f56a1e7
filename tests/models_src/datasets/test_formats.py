# SPDX-License-Identifier: Apache-2.0
"""Every format gives the same pictures and masks, and everything that is wrong with a set is told at once."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import HarnessError
from models_src.datasets import formats, manifest, shapes

from . import made

SEEDS = range(6)


@pytest.mark.parametrize("name", made.WRITERS)
def test_a_set_in_any_format_is_known_and_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    folder = made.WRITERS[name](tmp_path / "set", SEEDS)

    assert formats.told_by(folder) == name
    samples = {sample.image.stem: sample for sample in manifest.load(folder).samples}

    for seed in SEEDS:
        image, mask = samples[f"p{seed}"].read()
        assert np.array_equal(image[..., ::-1], made.picture(seed))
        truth = made.person(seed)
        if name == "coco" and seed % 3 == 2:  # a polygon knows no pixels: those it runs through may differ
            assert np.abs(mask.astype(int) - truth).mean() < 1
            assert ((mask > 127) == (truth > 127)).mean() > 0.998
        else:
            assert np.array_equal(mask, truth)


def test_a_picture_without_a_person_is_part_of_a_coco_set(tmp_path: Path) -> None:
    samples = manifest.load(made.coco(tmp_path, SEEDS)).samples

    (nobody,) = [sample for sample in samples if sample.mask is None]
    assert nobody.image.stem == "p999" and not nobody.read()[1].any()


def test_soft_masks_stay_soft(tmp_path: Path) -> None:
    made.pairs(tmp_path, [1])
    soft = np.arange(made.HEIGHT * made.WIDTH, dtype=np.uint8).reshape(made.HEIGHT, made.WIDTH)
    made.write(tmp_path / "soft" / "p1.png", soft)

    (tmp_path / "masks").rename(tmp_path / "other")  # it is a set of pairs without a folder of the usual name too

    (sample,) = manifest.load(tmp_path, masks="soft").samples

    assert np.array_equal(sample.read()[1], soft)


def test_the_numbers_of_people_can_be_chosen(tmp_path: Path) -> None:
    (sample,) = manifest.load(made.labels(tmp_path, [3]), people=[1, 2]).samples

    mask = sample.read()[1]
    assert mask[:5].all() and np.array_equal(mask[5:], made.person(3)[5:])


def test_class_numbers_are_read_of_one_part(tmp_path: Path) -> None:
    folder = made.labels(tmp_path, [3])

    def names(**options: str) -> list[str]:
        return [sample.name for sample in manifest.load(folder, **options).samples]

    assert names() == names(part="train") == ["p3"]
    assert names(part="test") == ["t7"]
    with pytest.raises(HarnessError, match="images_prepped_val: no such folder"):
        names(part="val")
    for kind in ("images", "annotations"):
        shutil.rmtree(folder / f"{kind}_prepped_train")
    assert names() == ["t7"]
    with pytest.raises(HarnessError, match="images_prepped_train: no such folder"):
        names(part="train")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_run_lengths_are_decoded_as_they_were_encoded(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    bits = data.draw(st.integers(0, 2**32).map(np.random.default_rng)).random((height, width))
    mask = (bits < data.draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))).astype(np.uint8) * 255

    assert np.array_equal(shapes.run_lengths(made.counts(mask), height, width), mask)
    assert np.array_equal(shapes.run_lengths(made.packed_text(made.counts(mask)), height, width), mask)


def test_packed_run_lengths_of_the_reference_are_understood() -> None:
    """Strings of pycocotools 2.0.11: ``encode`` of a frame with a hole, and of a block of 3 x 100."""
    frame = np.ones((7, 5), np.uint8)
    frame[2:5, 1:4] = 0
    block = np.zeros((100, 9), np.uint8)
    block[:, 3:6] = 1

    assert np.array_equal(shapes.run_lengths(REFERENCE["frame"], 7, 5), frame * 255)
    assert np.array_equal(shapes.run_lengths(REFERENCE["block"], 100, 9), block * 255)


REFERENCE = {"frame": "093K0005", "block": "\\9\\9\\9"}


@given(st.integers(0, 2**32).map(np.random.default_rng))
@settings(max_examples=50, deadline=None)
def test_a_polygon_covers_its_area(rng: np.random.Generator) -> None:
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
    corners = np.stack([30 + 20 * np.cos(angles), 25 + 20 * np.sin(angles)], axis=1)
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2

    mask = shapes.polygon(corners, (), 50, 60) / 255

    around = np.hypot(*(corners - np.roll(corners, -1, axis=0)).T).sum()
    assert mask.sum() == pytest.approx(area, abs=0.2 * around)


def test_a_hole_is_left_out_and_what_is_outside_cut_off() -> None:
    square, hole = [[-10, -10], [20, -10], [20, 20], [-10, 20]], [[5, 5], [10, 5], [10, 10], [5, 10]]

    mask = shapes.polygon(square, [hole], 16, 16)

    assert mask.shape == (16, 16)
    assert not mask[6:9, 6:9].any() and (mask[:4] == 255).all()
    assert not shapes.polygon([[-9, -9], [-2, -9], [-2, -2]], (), 16, 16).any()


# --- what is wrong --------------------------------------------------------------------------------


def damage(folder: Path, name: str, count: int) -> list[str]:
    """Spoil so many samples of a set, each in one of several ways; returns what an error must name."""
    images = sorted(folder.rglob("p*.png"))
    images = [path for path in images if path.parent.name not in ("masks", "annotations_prepped_train")]
    named = []
    for number, image in enumerate(images[:count]):
        mask = {
            "pairs": folder / "masks" / image.name,
            "labels": folder / "annotations_prepped_train" / image.name,
            "supervisely": folder / "ds1" / "ann" / f"{image.name}.json",
        }.get(name)
        way = number % (5 if mask else 2)
        if way == 0:
            image.write_bytes(b"\x89PNG no picture")
        elif way == 1:
            image.write_bytes(b"")
        elif way == 2:
            mask.unlink()
        elif way == 3:
            mask.write_bytes(mask.read_bytes()[:40])
        else:
            made.write(image, np.zeros((9, 7, 3), np.uint8))
        named.append(f"p{number_of(image)}" if way != 2 else image.name)
    return named


def number_of(path: Path) -> str:
    return path.stem.removeprefix("p")


@pytest.mark.parametrize("name", made.WRITERS)
def test_a_hundred_bad_samples_are_named_in_one_error(name: str, tmp_path: Path) -> None:
    folder = made.WRITERS[name](tmp_path / "set", range(103))
    named = damage(folder, name, 100)

    with pytest.raises(HarnessError) as caught:
        manifest.load(folder)

    text = str(caught.value)
    assert "100 faults" in text
    assert all(f"{stem}." in text or stem in text for stem in named)


def test_however_many_bad_files_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(500):
        (tmp_path / "images" / f"p{number}.png").touch()

    with pytest.raises(HarnessError, match="500 faults") as caught:
        manifest.load(tmp_path)

    assert all(f"p{number}.png: has no mask" in str(caught.value) for number in range(500))


def test_annotations_that_contradict_themselves_are_named(tmp_path: Path) -> None:
    folder = made.coco(tmp_path / "set", range(3, 9))
    file = folder / "annotations" / "instances_some.json"
    table = json.loads(file.read_text())
    table["images"][0]["file_name"] = "../outside.png"
    table["images"].append(table["images"][1])
    del table["images"][2]["file_name"]
    table["annotations"][6]["segmentation"] = {"size": [60, 80], "counts": [5]}
    table["annotations"][8]["segmentation"] = [[1, 2, 3]]
    table["annotations"].append({"id": 7, "image_id": 4711, "category_id": 1, "segmentation": [[0, 0, 1, 0, 1, 1]]})
    file.write_text(json.dumps(table))

    with pytest.raises(HarnessError) as caught:
        manifest.load(folder)

    text = str(caught.value)
    for part in ("../outside.png", "p4.png: is listed twice", "image 2 lacks", "the run lengths are of 5 pixels",
                 "p7.png: a segmentation cannot be used", "4711"):  # fmt: skip
        assert part in text, part


HUGE = bytes(cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1]).replace(
    b"IHDR" + (1).to_bytes(4, "big") * 2, b"IHDR" + (60000).to_bytes(4, "big") * 2
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda thing: thing["bitmap"].update(data="no base64 !"), "p0"),
        (lambda thing: thing["bitmap"].update(data=thing["bitmap"]["data"][:20]), "p0"),
        (lambda thing: thing["bitmap"].update(origin=[70, 50]), "leaves the picture"),
        (lambda thing: thing["bitmap"].update(data=made.packed_bytes(HUGE)), "60000×60000 at"),
        (lambda thing: thing["bitmap"].update(origin=[float("inf"), 0]), "infinity"),
        (lambda thing: thing["bitmap"].pop("origin"), "lacks 'origin'"),
        (lambda thing: thing.update(geometryType="cuboid"), "drawn as cuboid"),
    ],
)
def test_a_bitmap_that_cannot_be_used_is_named(change, told: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = made.supervisely(tmp_path / "set", [0])
    file = folder / "ds1" / "ann" / "p0.png.json"
    table = json.loads(file.read_text())
    change(table["objects"][0])
    file.write_text(json.dumps(table))

    with pytest.raises(HarnessError, match="1 fault;") as caught:
        manifest.load(folder)

    assert told in str(caught.value) and str(file) in str(caught.value)


@pytest.mark.parametrize("transparent", [True, False])
@pytest.mark.parametrize("corner", [(0, 0), (made.WIDTH - 21, made.HEIGHT - 17)])
def test_a_bitmap_is_read_as_supervisely_s_own_tools_write_it(
    tmp_path: Path, corner: tuple[int, int], transparent: bool
) -> None:
    """One bit a pixel, of a palette whose first colour is transparent; its corner at the picture's border."""
    inside = np.zeros((17, 21), np.uint8)
    cv2.ellipse(inside, (10, 8), (10, 8), 0, 0, 360, 1, -1)
    picture, file = Image.fromarray(inside), io.BytesIO()
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(file, format="PNG", **({"transparency": 0} if transparent else {}))
    png = file.getvalue()
    assert (png[24], png[25], b"tRNS" in png) == (1, 3, transparent)  # bits of a pixel, palette

    folder = made.supervisely(tmp_path / "set", [0])
    annotation = folder / "ds1/ann/p0.png.json"
    table = json.loads(annotation.read_text())
    table["objects"][0]["bitmap"] = {"data": made.packed_bytes(png), "origin": list(corner)}
    annotation.write_text(json.dumps(table))
    (sample,) = manifest.load(folder).samples

    expected = np.zeros((made.HEIGHT, made.WIDTH), np.uint8)
    expected[corner[1] : corner[1] + 17, corner[0] : corner[0] + 21] = inside * 255
    assert np.array_equal(sample.read()[1], expected)


def test_datasets_inside_of_datasets_are_read_and_a_project_without_any_is_refused(tmp_path: Path) -> None:
    folder = made.supervisely(tmp_path / "set", [0, 1])
    (folder / "ds1").rename(tmp_path / "ds1")
    with pytest.raises(HarnessError, match="has no dataset"):
        manifest.load(folder)

    (folder / "outer" / "datasets").mkdir(parents=True)
    (tmp_path / "ds1").rename(folder / "outer" / "datasets" / "inner")

    samples = manifest.load(folder).samples
    assert [sample.name for sample in samples] == ["outer_datasets_inner_p0", "outer_datasets_inner_p1"]


def test_a_set_that_is_none_and_an_option_that_is_none_are_refused(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "nowhere", "no such file or folder"), (tmp_path, "not known as pictures")):
        with pytest.raises(HarnessError, match=told):
            manifest.load(path)
    made.pairs(tmp_path, [1])
    with pytest.raises(HarnessError, match=r"no option people; it has masks"):
        manifest.load(tmp_path, people=[1])
    with pytest.raises(HarnessError, match=r"unknown format 'voc'"):
        manifest.load(tmp_path, name="voc")
    with pytest.raises(HarnessError, match=r"no pictures match 'q\*'"):
        manifest.load(tmp_path, "q*")


def test_an_opaque_picture_is_no_cutout(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), made.picture(1))

    with pytest.raises(HarnessError, match=r"p\.png: has no transparency"):
        manifest.load(tmp_path)
