# SPDX-License-Identifier: Apache-2.0
"""What a suite promises: it is made once, read exactly, and any change to it is noticed."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness import suite, suite_making
from harness.cli import main

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def picture(seed: int, height: int = 24, width: int = 36) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def disc(height: int = 24, width: int = 36) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (y - height // 2) ** 2 + (x - width // 2) ** 2 < (height // 3) ** 2


def save(path: Path, pixels: np.ndarray) -> None:
    """Write RGB, RGBA or grey pixels as an image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, codes[pixels.shape[2]])
    assert cv2.imwrite(str(path), stored)


def turn_by_exif(path: Path, orientation: int) -> None:
    """Put an EXIF orientation into a JPEG file."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])


@pytest.fixture
def made(tmp_path: Path) -> suite.Suite:
    """A suite of three cases, the last one without a mask."""
    entries = [
        suite_making.Entry("first", picture(1), disc(), ("a", "b"), "drawn"),
        suite_making.Entry("second", picture(2, 31, 17), disc(31, 17)),
        suite_making.Entry("third", picture(3), None),
    ]
    return suite_making.write(tmp_path / "suite", "drawn", entries)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class TestReading:
    def test_gives_back_what_was_written(self, made: suite.Suite) -> None:
        first, second, third = suite.load(made.root).cases
        assert np.array_equal(first.read_image(), picture(1))
        assert np.array_equal(first.read_mask(), disc())
        assert first.read_mask().dtype == bool
        assert (first.tags, first.provenance) == (("a", "b"), "drawn")
        assert (second.height, second.width) == (31, 17)
        assert third.mask is None

    def test_a_case_without_mask_says_so(self, made: suite.Suite) -> None:
        with pytest.raises(suite.SuiteError, match="third has no ground-truth mask"):
            made.cases[2].read_mask()

    def test_notices_a_changed_byte_and_names_the_file_and_the_remedy(self, made: suite.Suite) -> None:
        path = made.cases[0].image.path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(suite.SuiteError) as raised:
            made.cases[0].read_image()
        for part in (str(path), made.cases[0].image.file_sha256, "harness suite verify"):
            assert part in str(raised.value)

    def test_a_missing_file_is_named(self, made: suite.Suite) -> None:
        made.cases[1].image.path.unlink()
        with pytest.raises(suite.SuiteError, match=r"second\.png: cannot read"):
            made.cases[1].read_image()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda t: t.update(schema="segmentation-suite/2"), "schema"),
            (lambda t: t.update(cases=[]), "the suite is empty"),
            (lambda t: t["cases"][0].pop("height"), "cases.0: 'height' is a required property"),
            (lambda t: t["cases"][0]["image"].update(file="../outside.png"), "cases.0.image.file"),
            (lambda t: t["cases"][0].update(id="Second"), "more than one case is called second"),
            (lambda t: t["cases"][0]["mask"].update(sha256="abc"), "cases.0.mask"),
        ],
    )
    def test_refuses_an_invalid_description(self, made: suite.Suite, change, message: str) -> None:
        index = made.root / "suite.json"
        table = json.loads(index.read_text())
        change(table)
        index.write_text(json.dumps(table))
        with pytest.raises(suite.SuiteError) as raised:
            suite.load(made.root)
        assert message in str(raised.value)
        assert str(index) in str(raised.value)

    def test_ignores_unknown_keys(self, made: suite.Suite) -> None:
        index = made.root / "suite.json"
        index.write_text(json.dumps({**json.loads(index.read_text()), "comment": "hello"}))
        assert suite.load(made.root).sha256 == made.sha256

    @pytest.mark.parametrize("text", ["", "{", "\udcff"])
    def test_refuses_what_is_no_json(self, made: suite.Suite, text: str) -> None:
        (made.root / "suite.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(suite.SuiteError, match="not readable JSON"):
            suite.load(made.root)

    def test_finds_a_shipped_suite_by_name_and_others_by_folder(self, made: suite.Suite) -> None:
        assert suite.find("portraits").id == "portraits"
        assert suite.find(made.root).sha256 == suite.find(made.root / "suite.json").sha256 == made.sha256
        with pytest.raises(suite.SuiteError, match="no such suite; name a suite's folder or one of: portraits"):
            suite.find("nothing-of-that-name")
        with pytest.raises(suite.SuiteError, match="harness suite create"):
            suite.find(made.root / "images")


class TestIdentity:
    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t.update(id="other"),
            lambda t: t["cases"].reverse(),
            lambda t: t["cases"].pop(),
            lambda t: t["cases"][0]["tags"].append("new"),
            lambda t: t["cases"][0].update(provenance="elsewhere"),
            lambda t: t["cases"][0].update(mask=None),
            lambda t: t["cases"][0]["image"].update(sha256="0" * 64),
            lambda t: t["cases"][0].update(width=37),
        ],
    )
    def test_sha256_changes_when_anything_changes(self, made: suite.Suite, change) -> None:
        index = made.root / "suite.json"
        table = json.loads(index.read_text())
        change(table)
        index.write_text(json.dumps(table))
        assert suite.load(made.root).sha256 != made.sha256

    def test_pixels_are_hashed_as_rgb_bytes_row_by_row(self, tmp_path: Path) -> None:
        image = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
        made = suite_making.write(tmp_path / "s", "s", [suite_making.Entry("x", image, np.array([[True, False]]))])
        # printf '\1\2\3\4\5\6' | sha256sum; printf '\377\0' | sha256sum
        assert made.cases[0].image.sha256 == "7192385c3c0605de55bb9476ce1d90748190ecb32a8eed7f5207b30cf6a1fe89"
        assert made.cases[0].mask is not None
        assert made.cases[0].mask.sha256 == "ea5dbf9596d187e9500f23e9a680109475341cf4e81f7e043f7d97152c10772f"

    def test_the_same_pictures_give_the_same_bytes(self, made: suite.Suite, tmp_path: Path) -> None:
        entries = [
            suite_making.Entry(c.id, c.read_image(), c.read_mask() if c.mask else None, c.tags, c.provenance)
            for c in made.cases
        ]
        again = suite_making.write(tmp_path / "again", "drawn", entries)
        assert files(again.root) == files(made.root)


class TestWriting:
    def test_never_overwrites(self, made: suite.Suite) -> None:
        before = files(made.root)
        with pytest.raises(suite.SuiteError, match="never overwritten"):
            suite_making.write(made.root, "other", [suite_making.Entry("x", picture(1), None)])
        assert files(made.root) == before

    def test_an_error_half_way_leaves_nothing(self, tmp_path: Path) -> None:
        def entries():
            yield suite_making.Entry("x", picture(1), None)
            raise suite.SuiteError("no more")

        with pytest.raises(suite.SuiteError, match="no more"):
            suite_making.write(tmp_path / "out", "x", entries())
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("ids", "message"), [([], "is empty"), (["x", "X"], "more than one"), (["a/b"], "does not match")]
    )
    def test_refuses_what_makes_no_valid_suite(self, tmp_path: Path, ids: list[str], message: str) -> None:
        with pytest.raises(suite.SuiteError, match=message):
            suite_making.write(tmp_path / "out", "x", [suite_making.Entry(i, picture(1), None) for i in ids])
        assert list(tmp_path.iterdir()) == []

    def test_names_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(suite.SuiteError, match="choose another folder with --out"):
            suite_making.write(tmp_path / "file" / "out", "x", [suite_making.Entry("x", picture(1), None)])


class TestCreate:
    def test_applies_exif_orientation_to_images_and_masks(self, tmp_path: Path) -> None:
        image = np.zeros((32, 48, 3), np.uint8)
        image[:, :16] = 255  # bright on the left; turned clockwise, bright at the top
        for folder, pixels in (("images", image), ("masks", image[..., 0])):
            save(tmp_path / "in" / folder / "a.jpg", pixels)
            turn_by_exif(tmp_path / "in" / folder / "a.jpg", 6)
        case = suite_making.create(tmp_path / "in", tmp_path / "out").cases[0]
        assert (case.height, case.width) == (48, 32)
        assert case.read_image()[:14].min() > 200
        assert case.read_image()[18:].max() < 50
        assert case.read_mask()[:14].all()
        assert not case.read_mask()[18:].any()

    def test_drops_alpha_and_keeps_the_colours_under_it(self, tmp_path: Path) -> None:
        rgba = np.dstack([picture(4), np.full((24, 36), 7, np.uint8)])
        save(tmp_path / "in" / "a.png", rgba)
        case = suite_making.create(tmp_path / "in", tmp_path / "out").cases[0]
        assert np.array_equal(case.read_image(), rgba[..., :3])
        assert case.mask is None

    def test_stores_8_bit_rgb_whatever_the_depth(self, tmp_path: Path) -> None:
        save(tmp_path / "in" / "grey.png", picture(5)[..., 0])
        save(tmp_path / "in" / "deep.png", picture(6).astype(np.uint16) * 257)
        deep, grey = suite_making.create(tmp_path / "in", tmp_path / "out").cases
        assert np.array_equal(deep.read_image(), picture(6))
        assert np.array_equal(grey.read_image(), np.repeat(picture(5)[..., :1], 3, axis=2))

    @pytest.mark.parametrize(
        "mask",
        [
            disc().astype(np.uint8),
            disc().astype(np.uint8) * 255,
            np.where(disc(), 38, 12).astype(np.uint8),
            disc().astype(np.uint16),
            np.where(disc(), 40_000, 30_000).astype(np.uint16) + np.arange(36, dtype=np.uint16),
            np.where(disc(), 200, 90).astype(np.uint8) + np.arange(36, dtype=np.uint8),
        ],
        ids=["0/1", "0/255", "two values", "16-bit 0/1", "16-bit grey", "grey"],
    )
    def test_understands_masks_of_two_values_and_grey_ones(self, tmp_path: Path, mask: np.ndarray) -> None:
        save(tmp_path / "in/images/a.png", picture(1))
        save(tmp_path / "in/masks/a.png", mask)
        case = suite_making.create(tmp_path / "in", tmp_path / "out").cases[0]
        assert np.array_equal(case.read_mask(), disc())

    def test_lists_everything_that_is_wrong_at_once(self, tmp_path: Path) -> None:
        source = tmp_path / "in"
        for name in ("good", "lonely", "broken", "small", "labels", "twice"):
            save(source / "images" / f"{name}.png", picture(1))
        for name in ("good", "broken", "orphan", "twice"):
            save(source / "masks" / f"{name}.png", disc() * np.uint8(255))
        save(source / "images/twice.jpg", picture(1))
        save(source / "masks/small.png", disc(10, 10) * np.uint8(255))
        save(source / "masks/labels.png", (np.arange(24 * 36) % 3).astype(np.uint8).reshape(24, 36))
        broken = source / "images/broken.png"
        broken.write_bytes(broken.read_bytes()[:100])
        with pytest.raises(suite.SuiteError) as raised:
            suite_making.create(source, tmp_path / "out")
        lines = str(raised.value).splitlines()[1:]
        for part in (
            "images/broken.png: not a readable picture",
            "images/lonely.png: no mask of this name",
            "masks/orphan.png: no image of this name",
            "masks/small.png: is 10x10 pixels, its image 36x24",
            "masks/labels.png: neither a mask of two values nor a grey one",
            "images/twice.png: has the name of twice.jpg",
        ):
            assert sum(part in line for line in lines) == 1, part
        assert len(lines) == 6
        assert not (tmp_path / "out").exists()

    def test_names_cases_after_files_in_characters_that_every_system_takes(self, tmp_path: Path) -> None:
        save(tmp_path / "in" / "Ürlaub am Meer (1).png", picture(1))
        made = suite_making.create(tmp_path / "in", tmp_path / "My suite")
        assert made.cases[0].id == "rlaub-am-Meer-1"
        assert made.id == "My-suite"

    def test_refuses_names_that_become_the_same(self, tmp_path: Path) -> None:
        save(tmp_path / "in" / "a b.png", picture(1))
        save(tmp_path / "in" / "a-b.png", picture(2))
        with pytest.raises(suite.SuiteError, match="more than one picture would be called a-b"):
            suite_making.create(tmp_path / "in", tmp_path / "out")

    def test_refuses_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(suite.SuiteError, match="no pictures there"):
            suite_making.create(tmp_path, tmp_path / "out")

    def test_the_same_folder_gives_the_same_bytes(self, tmp_path: Path) -> None:
        for name in "cab":
            save(tmp_path / "in" / f"{name}.jpg", picture(ord(name)))
        one = suite_making.create(tmp_path / "in", tmp_path / "one", suite_id="s")
        two = suite_making.create(tmp_path / "in", tmp_path / "two", suite_id="s")
        assert files(one.root) == files(two.root)
        assert [case.id for case in one.cases] == ["a", "b", "c"]


class TestVerify:
    def test_a_sound_suite_has_no_problems(self, made: suite.Suite) -> None:
        (made.root / "PROVENANCE.md").write_text("for people")
        assert suite.verify(made) == []

    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def test_notices_any_changed_byte(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        root = tmp_path_factory.mktemp("verify") / "suite"
        made = suite_making.write(root, "s", [suite_making.Entry("x", picture(1), disc())])
        path = data.draw(st.sampled_from(sorted(root.rglob("*.png"))))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        assert [problem.split(":")[0] for problem in suite.verify(made)] == [str(path)]

    def test_lists_missing_and_stray_files_together(self, made: suite.Suite) -> None:
        made.cases[0].image.path.unlink()
        (made.root / "images" / "extra.png").write_bytes(b"")
        (made.root / "notes.txt").write_text("")
        problems = suite.verify(made)
        assert [problem.removeprefix(f"{made.root}/") for problem in problems] == [
            "images/first.png: cannot read: No such file or directory",
            "images/extra.png: not part of the suite",
            "notes.txt: not part of the suite",
        ]

    def test_notices_files_that_were_replaced_together_with_their_hash(self, made: suite.Suite) -> None:
        other = suite_making.write(
            made.root.parent / "other", "x", [suite_making.Entry("first", picture(9), disc() * 1)]
        )
        shutil.copy(other.cases[0].image.path, made.cases[0].image.path)
        index = made.root / "suite.json"
        table = json.loads(index.read_text())
        table["cases"][0]["image"]["file_sha256"] = other.cases[0].image.file_sha256
        index.write_text(json.dumps(table))
        (problem,) = suite.verify(suite.load(made.root))
        assert "the sha256 of its pixels" in problem

    def test_notices_a_mask_that_is_not_binary_or_not_of_its_image_size(self, made: suite.Suite) -> None:
        index = made.root / "suite.json"
        table = json.loads(index.read_text())
        grey = suite_making.write(made.root.parent / "g", "x", [suite_making.Entry("g", picture(1), disc())])
        save(grey.cases[0].image.path, picture(1)[..., 0])
        for case, source in ((0, grey.cases[0].image.path), (1, made.cases[0].image.path)):
            target = made.root / table["cases"][case]["mask"]["file"]
            pixels = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
            shutil.copy(source, target)
            table["cases"][case]["mask"].update(
                file_sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
                sha256=hashlib.sha256(pixels.tobytes()).hexdigest(),
            )
        index.write_text(json.dumps(table))
        not_binary, wrong_size = suite.verify(suite.load(made.root))
        assert "masks/first.png: a mask holds 0 and 255 only" in not_binary
        assert "masks/second.png: expected uint8 pixels of shape (31, 17), found uint8 (24, 36)" in wrong_size


class TestPack:
    @settings(max_examples=25, deadline=None)
    @given(
        image=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
        with_mask=st.booleans(),
    )
    def test_round_trips_bit_for_bit(
        self, tmp_path_factory: pytest.TempPathFactory, image: np.ndarray, with_mask: bool
    ) -> None:
        root = tmp_path_factory.mktemp("pack")
        mask = image[..., 0] > 99 if with_mask else None
        made = suite_making.write(root / "png", "s", [suite_making.Entry("x", image, mask, ("t",), "p")])
        packed = suite_making.pack(made, root / "npy")
        assert packed.packed
        assert not made.packed
        assert suite.verify(packed) == []
        assert packed.sha256 == made.sha256
        assert np.array_equal(packed.cases[0].read_image(), image)
        assert mask is None or np.array_equal(packed.cases[0].read_mask(), mask)

    def test_stores_plain_arrays_that_any_reader_of_npy_takes(self, made: suite.Suite, tmp_path: Path) -> None:
        packed = suite_making.pack(made, tmp_path / "npy")
        image = np.load(packed.root / "images" / "second.npy", allow_pickle=False)
        assert (image.dtype, image.shape, image.flags.c_contiguous) == (np.dtype(np.uint8), (31, 17, 3), True)
        assert sorted(path.name for path in packed.root.rglob("*.png")) == []

    def test_notices_a_damaged_array(self, made: suite.Suite, tmp_path: Path) -> None:
        packed = suite_making.pack(made, tmp_path / "npy")
        path = packed.cases[0].image.path
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(suite.SuiteError, match="the file was changed"):
            packed.cases[0].read_image()


class TestPortraits:
    def test_is_sound(self) -> None:
        assert suite.verify(suite.find("portraits")) == []

    def test_has_what_the_harness_needs_to_be_tried_on(self) -> None:
        cases = suite.find("portraits").cases
        tags = {tag for case in cases for tag in case.tags}
        assert len(cases) >= 16
        assert {"original", "composite", "no-person", "two-persons", "dark", "noisy", "grey", "video-call"} <= tags
        assert any(case.width > case.height for case in cases)
        assert any(case.width < case.height for case in cases)
        assert any(case.width % 2 and case.height % 2 for case in cases)
        assert all(case.mask and case.provenance for case in cases)

    def test_only_the_cases_without_a_person_have_empty_masks(self) -> None:
        for case in suite.find("portraits").cases:
            assert case.read_mask().any() == ("no-person" not in case.tags), case.id

    def test_is_small_enough_to_be_cloned(self) -> None:
        assert sum(len(data) for data in files(suite.find("portraits").root).values()) < 9_000_000


class TestGeneratedSuite:
    def test_is_of_the_asked_size_and_repeatable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(BENCHMARKS)
        from make_suite import make_suite

        one, two = (make_suite(30, tmp_path / name) for name in ("one", "two"))
        assert len(one.cases) == 30
        assert suite.verify(one) == []
        assert files(one.root) == files(two.root)
        assert len({case.image.sha256 for case in one.cases}) == 30


class TestCommand:
    def run(self, *arguments: str | Path):
        return CliRunner().invoke(main, ["suite", *map(str, arguments)])

    def test_list_and_show_name_the_shipped_suite(self) -> None:
        listed = json.loads(self.run("list", "--json").stdout)
        shown = json.loads(self.run("show", "portraits", "--json").stdout)
        assert [entry["id"] for entry in listed] == ["portraits"]
        assert len(shown["cases"]) == listed[0]["cases"]
        assert "astronaut" in self.run("show").stdout

    def test_create_verify_and_pack_work_together(self, tmp_path: Path) -> None:
        save(tmp_path / "in/images/a.png", picture(1))
        save(tmp_path / "in/masks/a.png", disc() * np.uint8(255))
        options = ("--tag", "t", "--provenance", "mine", "--id", "own")
        assert self.run("create", tmp_path / "in", "--out", tmp_path / "own", *options).exit_code == 0
        assert self.run("verify", tmp_path / "own").exit_code == 0
        assert self.run("pack", tmp_path / "own", "--out", tmp_path / "packed").exit_code == 0
        packed = json.loads(self.run("verify", tmp_path / "packed", "--json").stdout)
        assert (packed["id"], packed["packed"], packed["problems"]) == ("own", True, [])
        assert packed["sha256"] == suite.load(tmp_path / "own").sha256

    def test_verify_prints_a_line_per_problem_and_exits_with_2(self, made: suite.Suite) -> None:
        made.cases[0].image.path.write_bytes(b"")
        made.cases[1].image.path.unlink()
        result = self.run("verify", made.root)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert [line for line in result.stderr.splitlines() if "images/" in line and line.startswith("harness: ")]
        assert len(result.stderr.splitlines()) == 3
        assert len(json.loads(self.run("verify", made.root, "--json").stdout)["problems"]) == 2

    def test_bad_input_is_one_message_and_exit_status_2(self, made: suite.Suite, tmp_path: Path) -> None:
        for arguments in (
            ("show", "nothing-of-that-name"),
            ("create", made.root / "masks", "--out", made.root),
            ("pack", made.root, "--out", made.root),
            ("verify", tmp_path),
        ):
            result = self.run(*arguments)
            assert result.exit_code == 2, arguments
            assert result.stderr.startswith("harness: ")
            assert "Traceback" not in result.output
