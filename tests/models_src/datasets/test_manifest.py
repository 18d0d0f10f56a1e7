# SPDX-License-Identifier: Apache-2.0
"""Several sets in one: what an epoch draws of each, and parts that share nobody."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from models_src.datasets import manifest, split
from models_src.datasets.manifest import Dataset, Source
from models_src.datasets.sample import Sample
from tests.models_src.conftest import REPOSITORY, segmodel

from . import made


def written(folder: Path, *sources: dict[str, object]) -> Path:
    path = folder / "mixed.yaml"
    path.write_text(yaml.safe_dump({"sources": list(sources)}))
    return path


def test_a_manifest_mixes_sets_of_several_formats(tmp_path: Path) -> None:
    made.pairs(tmp_path / "pairs", range(4))
    made.coco(tmp_path / "coco", range(3))
    made.write(tmp_path / "rooms" / "room.png", made.picture(0))

    found = manifest.load(
        written(
            tmp_path,
            {"data": "pairs", "match": "p[12]"},
            {"data": "coco", "weight": 2},
            {"data": "rooms", "format": "nobody"},
        )
    )

    assert [sample.name for sample in found.samples] == ["p1", "p2", "p0", "p1", "p2", "p999", "room"]
    assert found.drawn == 2 + 8 + 1
    assert found.samples[-1].mask is None


def test_pictures_are_chosen_by_a_table_a_list_and_their_groups(tmp_path: Path) -> None:
    folder = made.pairs(tmp_path / "set", range(4))
    (folder / "agreement.csv").write_text("name,agreement\np0,0.9\np1,0.2\np2,0.85\n")
    (tmp_path / "names.txt").write_text("p2\np3\n")
    where = {"table": "agreement.csv", "name": "name", "column": "agreement", "least": 0.85}

    def names(**options: object) -> list[str]:
        return [s.name for s in manifest.load(written(tmp_path, {"data": "set", **options})).samples]

    assert names(where=where) == ["p0", "p2"]
    assert names(only="names.txt") == ["p2", "p3"]
    (source,) = manifest.load(written(tmp_path, {"data": "set", "group": "(p)[01]"})).sources
    assert [sample.group for sample in source.samples] == ["p", "p", "p2", "p3"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"data": "nowhere"}, "no such file"),
        ({"data": "set", "weight": 0}, "weight is a number above 0"),
        ({"data": "set", "weight": "much"}, "weight is a number above 0"),
        ({"data": "set", "weight": 0.4}, "weight 0.4 of 1 pictures shows none"),
        ({"data": "set", "colour": "red"}, "no option colour"),
        ({"data": "set", "format": "pairs", "masks": 3}, "masks is a name, not 3"),
        ({"data": "set", 3: 4}, "no option 3"),
        ({"data": "numbers", "people": 1}, r"people is a list of whole numbers, such as \[1\], not 1"),
        ({"data": "project", "classes": "person_poly"}, "classes is a list of names"),
        ({"data": "project", "classes": ["person_poly", "persn"]}, "no class persn; its classes: person_bmp, cat"),
        ({"data": "coco", "classes": ["person", "persn"]}, "no category persn; its categories: cat, person"),
        ({"data": "set", "only": "none.txt"}, "none.txt: cannot be read"),
        ({"data": "set", "where": {"table": "t"}}, "`where` has column, least, name, table"),
        ({"data": "set", "group": "("}, "regular expression"),
        ({"data": "set", "match": "nothing"}, "no picture is left"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_told(source: dict[str, object], told: str, tmp_path: Path) -> None:
    made.pairs(tmp_path / "set", [0])
    made.labels(tmp_path / "numbers", [0])
    made.supervisely(tmp_path / "project", [0])
    made.coco(tmp_path / "coco", [0])

    with pytest.raises(HarnessError, match=told):
        manifest.load(written(tmp_path, source))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs/data").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_manifest_is_readable(path: Path, tmp_path: Path) -> None:
    """With small sets where it names its own, made as it says that they are."""
    copy = tmp_path / "checkout/configs/data" / path.name
    copy.parent.mkdir(parents=True)
    shutil.copy(path, copy)
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
    for source in sources:
        folder = (copy.parent / source["data"]).resolve()
        assert folder.is_relative_to(tmp_path / "shared") or folder.is_relative_to(tmp_path / "checkout/runs")
        if source.get("format") == "nobody":
            for seed in range(8):
                made.write(folder / f"r{seed}.jpg", made.picture(seed))
            continue
        made.pairs(folder, range(8))
        (folder / "masks").rename(folder / source.get("masks", "masks"))
        if rule := source.get("where"):
            lines = [f"p{seed},{rule['least'] + (0.01 if seed % 2 else -0.01)}" for seed in range(8)]
            (folder / rule["table"]).write_text("\n".join([f"{rule['name']},{rule['column']}", *lines]) + "\n")

    result = segmodel("data", "verify", copy, "--json")

    assert result.exit_code == 0, result.output
    chosen = sum(4 if "where" in source else 8 for source in sources)
    assert json.loads(result.stdout) == {"pictures": chosen, "sources": len(sources)}


def test_options_of_a_format_are_none_of_a_manifest(tmp_path: Path) -> None:
    made.pairs(tmp_path / "set", [0])

    with pytest.raises(HarnessError, match="is a manifest; format and options"):
        manifest.load(written(tmp_path, {"data": "set"}), people=(1,))


def test_all_that_is_wrong_with_the_sources_is_told_at_once(tmp_path: Path) -> None:
    made.pairs(tmp_path / "set", [0, 1])
    (tmp_path / "set" / "images" / "p1.png").write_bytes(b"")

    with pytest.raises(HarnessError) as caught:
        manifest.load(
            written(tmp_path, {"data": "one"}, {"data": "set"}, {"data": "two"}, {"data": "set", "weight": 0})
        )

    text = str(caught.value)
    for told in ("4 faults", "one: no such file", "two: no such file", "weight is a number", "p1.png: cannot be read"):
        assert told in text, text


@pytest.mark.parametrize("text", ["[", "sources: 3", "sources: []", "sources: [{weight: 1}]", "- data: set"])
def test_what_is_no_manifest_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)

    with pytest.raises(HarnessError, match=r"m\.yaml: "):
        manifest.load(path)


def test_the_pictures_of_a_folder_are_all_there_are_with_masks_or_without(tmp_path: Path) -> None:
    made.pairs(tmp_path, range(4))
    for mask in ("p1.png", "p2.png"):
        (tmp_path / "masks" / mask).unlink()
    made.write(tmp_path / "images" / "p3.jpg", made.picture(3))

    names = ["p0.png", "p1.png", "p2.png", "p3.jpg", "p3.png"]
    assert [path.name for path in manifest.images(tmp_path)] == names
    assert [path.name for path in manifest.images(tmp_path / "images")] == names


def test_the_pictures_of_a_dataset_are_none_if_something_is_wrong_with_it(tmp_path: Path) -> None:
    made.supervisely(tmp_path, range(3))
    assert [path.name for path in manifest.images(tmp_path)] == ["p0.png", "p1.png", "p2.png"]

    (tmp_path / "ds1" / "ann" / "p1.png.json").unlink()
    with pytest.raises(HarnessError, match=r"p1\.png: has no annotation"):
        manifest.images(tmp_path)
    with pytest.raises(HarnessError, match="no pictures: .*not known as pictures"):
        manifest.images(tmp_path / "ds1")


def of_sizes(*sources: tuple[int, float]) -> Dataset:
    made_up = (Sample(str(k), Path(str(k)), None, str(k)) for k in range(sum(n for n, _ in sources)))
    return Dataset(tuple(Source(Path("s"), tuple(next(made_up) for _ in range(n)), w) for n, w in sources))


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0.1, 4)), min_size=1, max_size=4), st.integers(0, 99))
@settings(deadline=None)
def test_an_epoch_shows_every_picture_as_often_as_its_weight_says(sizes: list[tuple[int, float]], seed: int) -> None:
    dataset = of_sizes(*sizes)

    shown = Counter(dataset.epoch(seed, 3).tolist())

    first = 0
    for (count, weight), source in zip(sizes, dataset.sources, strict=True):
        times = [shown[k] for k in range(first, first + count)]
        assert sum(times) == source.drawn == round(count * weight)
        assert max(times) - min(times) <= 1
        first += count
    assert np.array_equal(dataset.epoch(seed, 3), dataset.epoch(seed, 3))


def test_epochs_differ_in_order_and_in_what_half_a_set_is() -> None:
    dataset = of_sizes((40, 0.5))

    epochs = [dataset.epoch(1, k) for k in range(16)]

    assert len({tuple(epoch) for epoch in epochs}) == 16
    assert len({frozenset(epoch) for epoch in epochs}) == 16
    assert set(np.concatenate(epochs)) == set(range(40))


def test_no_group_is_in_both_parts_and_the_parts_are_a_set(tmp_path: Path) -> None:
    for k in range(60):
        made.write(tmp_path / "set" / "images" / f"person{k // 3}_{k}.png", made.picture(k))
        made.write(tmp_path / "set" / "masks" / f"person{k // 3}_{k}.png", made.person(k))

    counts = split.write(tmp_path / "set", tmp_path / "parts", "*", 0.25, "(.*)_[0-9]+", 0, {})

    parts = {name: manifest.load(tmp_path / "parts" / f"{name}.yaml").samples for name in counts}
    groups = {name: {sample.group for sample in samples} for name, samples in parts.items()}
    assert counts == {name: len(samples) for name, samples in parts.items()}
    assert sum(counts.values()) == 60 and not groups["train"] & groups["val"]
    assert 1 <= len(groups["val"]) <= 10


@given(st.lists(st.text(), unique=True, max_size=30), st.floats(0, 1), st.integers(0, 5))
def test_the_part_of_a_group_is_the_same_whoever_asks(groups: list[str], share: float, seed: int) -> None:
    parts = {group: split.part_of(group, share, seed) for group in groups}

    assert parts == {group: split.part_of(group, share, seed) for group in reversed(groups)}
    assert all(part == "train" for part in parts.values()) or share > 0
