# SPDX-License-Identifier: Apache-2.0
"""The format of run bundles: what is written, what is read back, and what is said of a damaged one."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import bundle as bundles
from harness import files
from harness.bundle import BundleError, BundleWriter
from harness.errors import InvalidError
from tests.harness.bundles import LITTER, NO_LITTER, facts, listed_beside, picture_hash, put_beside, write

OUTPUTS = {"a": np.full((4, 3), 0.25, np.float32), "b": np.arange(12, dtype=np.float32).reshape(4, 3) / 12}
SAMPLES = [
    {"phase": "cold", "restart": 0, "block": 0, "case": "a", "start_ns": 2**62, "total_ns": 7, "invoke_ns": 5},
    {"phase": "steady", "restart": 0, "block": 1, "case": "b", "start_ns": 2**62 + 7, "total_ns": 6, "invoke_ns": 4},
]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return write(tmp_path / "one.run", OUTPUTS, SAMPLES)


def zipped(folder: Path, top: str = "", extra: dict[str, bytes] | None = None) -> Path:
    """The folder as ``.run.zip``, below a top folder or not."""
    path = folder.with_name(folder.name + ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if top:
            archive.writestr(f"{top}/", b"")
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, top + "/" * bool(top) + file.relative_to(folder).as_posix())
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path


# --- what lies on the disk -----------------------------------------------------------------------


def test_a_finished_bundle_consists_of_the_files_of_the_format(made: Path) -> None:
    files = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}

    assert files == {"run.json", "samples.csv", "checksums.txt", "tensors/a.npy", "tensors/b.npy"}
    assert json.loads((made / "run.json").read_text(encoding="utf-8"))["status"] == "complete"


def test_checksums_list_every_other_file(made: Path) -> None:
    lines = (made / "checksums.txt").read_text(encoding="utf-8").splitlines()

    others = [p for p in made.rglob("*") if p.is_file() and p.name != "checksums.txt"]
    assert sorted(lines) == sorted(
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(made).as_posix()}" for p in others
    )


def test_a_tensor_can_be_read_without_numpy(made: Path) -> None:
    # What Swift and C++ do: magic, version 1.0, a header of a Python dictionary, then the numbers.
    data = (made / "tensors" / "b.npy").read_bytes()
    (length,) = struct.unpack_from("<H", data, 8)
    header = ast.literal_eval(data[10 : 10 + length].decode("latin1"))

    assert data[:8] == b"\x93NUMPY\x01\x00"
    assert header == {"descr": "<f4", "fortran_order": False, "shape": (4, 3)}
    assert list(struct.unpack("<12f", data[10 + length :])) == OUTPUTS["b"].ravel().tolist()


def test_samples_are_integer_nanoseconds_in_the_columns_of_the_format(made: Path) -> None:
    text = (made / "samples.csv").read_text(encoding="utf-8")

    assert text.splitlines()[0] == (
        "seq,phase,restart,block,case,due_ns,start_ns,preprocess_ns,invoke_ns,"
        "postprocess_ns,refine_ns,composite_ns,total_ns,presented_ns,dropped,mask_age,thermal"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["seq"] for row in rows] == ["0", "1"]
    assert rows[0]["start_ns"] == str(2**62)
    assert rows[0]["presented_ns"] == rows[0]["thermal"] == ""  # what does not apply is empty


# --- reading back --------------------------------------------------------------------------------

float_maps = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=6))


@settings(max_examples=30)
@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True), float_maps, min_size=1))
def test_tensors_are_read_back_bit_by_bit_from_folder_and_zip(outputs: dict[str, np.ndarray]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = write(Path(folder) / "x.run", outputs)
        for path in (written, zipped(written)):
            bundle = bundles.open(path)
            bundle.verify()
            assert [case["id"] for case in bundle.cases()] == list(outputs)
            for case, output in outputs.items():
                # NaN and signed zeros included.
                assert bundle.tensor(case).tobytes() == np.ascontiguousarray(output).tobytes()
                assert bundle.tensor(case).shape == output.shape


def test_a_transposed_array_is_written_in_c_order(tmp_path: Path) -> None:
    path = write(tmp_path / "x.run", {"a": OUTPUTS["b"].T})

    np.testing.assert_array_equal(bundles.open(path).tensor("a"), OUTPUTS["b"].T)
    assert b"'fortran_order': False" in (path / "tensors" / "a.npy").read_bytes()


@pytest.mark.parametrize(
    "pack",
    [
        lambda folder: folder,
        zipped,
        lambda folder: zipped(folder, top="one.run"),
        # As the Finder of macOS zips it.
        lambda folder: zipped(folder, top="one.run", extra={"__MACOSX/one.run/._run.json": b"\x00\x05\x16\x07"}),
    ],
    ids=["folder", "zip", "zip with top folder", "zip of macOS"],
)
def test_every_form_of_a_bundle_reads_the_same(made: Path, pack: Callable[[Path], Path]) -> None:
    bundle = bundles.open(pack(made))

    bundle.verify()
    assert bundle.facts == facts(status="complete", error=None)
    assert (bundle.label, bundle.lane, bundle.complete) == ("tflite", "image", True)
    assert [case["input_sha256"] for case in bundle.cases()] == [picture_hash("a"), picture_hash("b")]
    np.testing.assert_array_equal(bundle.tensor("b"), OUTPUTS["b"])
    samples = bundle.samples()
    assert list(samples.columns) == list(bundles.SAMPLE_FIELDS)
    assert samples["start_ns"].tolist() == [2**62, 2**62 + 7]  # more digits than a float holds
    assert samples["case"].tolist() == ["a", "b"]


@pytest.mark.parametrize("names", [(*LITTER, *NO_LITTER), ("__MACOSX",)], ids=["files", "a file of the folder's name"])
def test_what_macos_leaves_beside_files_is_not_of_the_bundle(tmp_path: Path, names: tuple[str, ...]) -> None:
    """As segbench and segbench-swift have it: tests/core/test_segbench.py."""
    begun = write(tmp_path / "x.run", OUTPUTS, SAMPLES, status="partial")
    put_beside(begun, names)

    BundleWriter(begun, bundles.open(begun).facts).finish("complete")

    bundles.open(begun).verify()
    bundles.open(zipped(begun, top="one.run")).verify()
    assert listed_beside(begun, names) == [name for name in names if name in NO_LITTER]


def test_case_names_of_digits_stay_names(tmp_path: Path) -> None:
    sample = {**SAMPLES[0], "case": "007"}

    samples = bundles.open(write(tmp_path / "x.run", {"007": OUTPUTS["a"]}, [sample])).samples()

    assert samples["case"].tolist() == ["007"]


def test_a_bundle_without_timed_frames_has_an_empty_table(tmp_path: Path) -> None:
    samples = bundles.open(write(tmp_path / "x.run", OUTPUTS, lane="tensor")).samples()

    assert list(samples.columns) == list(bundles.SAMPLE_FIELDS)
    assert samples["total_ns"].to_numpy(np.float64).shape == (0,)


# --- interruption --------------------------------------------------------------------------------


def test_a_bundle_says_partial_until_it_is_finished(tmp_path: Path) -> None:
    writer = BundleWriter(tmp_path / "x.run", facts())
    files.write_tensor(writer.tensor_path("a"), OUTPUTS["a"])

    bundle = bundles.open(writer.folder)

    assert bundle.facts["status"] == "partial"
    assert not bundle.complete
    np.testing.assert_array_equal(bundle.tensor("a"), OUTPUTS["a"])
    with pytest.raises(BundleError, match=r"case 'b' .*partial"):
        bundle.tensor("b")
    with pytest.raises(BundleError, match=r"checksums\.txt is missing"):
        bundle.verify()


def test_a_failed_bundle_says_why_and_keeps_what_there_is(tmp_path: Path) -> None:
    error = {"kind": "crash", "message": "killed by signal 11", "case": "b"}

    bundle = bundles.open(write(tmp_path / "x.run", {"a": OUTPUTS["a"]}, status="failed", error=error))

    bundle.verify()
    assert (bundle.facts["status"], bundle.facts["error"]) == ("failed", error)
    np.testing.assert_array_equal(bundle.tensor("a"), OUTPUTS["a"])


@pytest.mark.parametrize("tail", [b"", b"2,stea", b"2,steady,0,1,a,,1,2,3,4,,,10,,,,", b"\xff"])
def test_going_on_keeps_whole_samples_and_drops_the_line_that_was_cut(tmp_path: Path, tail: bytes) -> None:
    path = write(tmp_path / "x.run", OUTPUTS, SAMPLES, status="partial")
    with (path / "samples.csv").open("ab") as file:
        file.write(tail)

    writer = BundleWriter(path, facts())
    writer.add_samples([{**SAMPLES[0], "case": "c"}])

    assert bundles.open(path).samples()[["seq", "case"]].values.tolist() == [[0, "a"], [1, "b"], [2, "c"]]


def test_going_on_knows_what_was_done_and_clears_what_was_not(tmp_path: Path) -> None:
    path = write(tmp_path / "x.run", OUTPUTS, SAMPLES[:1], status="partial")
    half_written = path / "tensors" / ".c.npy.tmp123"
    half_written.write_bytes(b"half")

    image, tensor = BundleWriter(path, facts()), BundleWriter(path, facts(lane="tensor"))

    # The image lane needs a case's sample as well as its tensor.
    assert [image.done(case) for case in "abc"] == [True, False, False]
    assert [tensor.done(case) for case in "abc"] == [True, True, False]
    assert not half_written.exists()


def test_a_finished_bundle_that_is_opened_for_writing_is_partial_again(made: Path) -> None:
    BundleWriter(made, facts())

    assert not bundles.open(made).complete
    assert not (made / "checksums.txt").exists()


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(BundleError, match=r"x\.run.*--out"):
        BundleWriter(tmp_path / "file" / "x.run", facts())


def test_a_file_that_cannot_be_written_leaves_nothing_half_done(tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    target.mkdir()  # a rename onto it fails

    with pytest.raises(InvalidError, match=r"run\.json: cannot write.*--out"):
        files.write_file(target, b"{}")

    assert list(tmp_path.iterdir()) == [target]


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "tensors/a.npy").write_bytes(b"x"), r"tensors/a\.npy has changed"),
        (lambda f: (f / "tensors/a.npy").unlink(), r"tensors/a\.npy is missing"),
        (lambda f: (f / "tensors/c.npy").write_bytes(b"x"), r"tensors/c\.npy is not listed"),
        (lambda f: (f / "stages").mkdir() or (f / "stages/a.fit.npy").write_bytes(b""), r"stages/a\.fit\.npy is not"),
        (lambda f: (f / "samples.csv").open("a").write("\n"), r"samples\.csv has changed"),
        (lambda f: (f / "run.json").open("a").write("\n"), r"run\.json has changed"),
        (lambda f: (f / "checksums.txt").unlink(), r"checksums\.txt is missing"),
        (lambda f: (f / "checksums.txt").write_text("nonsense\n"), r"checksums\.txt"),
        (lambda f: (f / "checksums.txt").write_bytes(b"\xff\xfe"), r"checksums\.txt"),
    ],
)
def test_checksums_find_what_was_changed(made: Path, damage: Callable[[Path], object], message: str, form: str) -> None:
    damage(made)
    path = zipped(made) if form == "zip" else made

    with pytest.raises(BundleError, match=rf"one\.run.*{message}"):
        bundles.open(path).verify()


@pytest.mark.parametrize(
    ("change", "key"),
    [(lambda table, key=key: table.pop(key), key) for key in sorted(facts())]
    + [
        (lambda table: table["session"].pop("id"), "session.*id"),
        (lambda table: table["suite"]["cases"][1].pop("input_sha256"), r"suite\.cases\.1.*input_sha256"),
        (lambda table: table["model"].pop("sha256"), "model.*sha256"),
        (lambda table: table["model"].pop("contract"), "model.*contract"),
        (lambda table: table["runtime"].pop("actual"), "runtime.*actual"),
        (lambda table: table["device"].pop("emulated"), "device.*emulated"),
    ],
)
def test_a_missing_key_is_named(made: Path, change: Callable[[dict], object], key: str) -> None:
    table = json.loads((made / "run.json").read_text(encoding="utf-8"))
    change(table)
    (made / "run.json").write_text(json.dumps(table), encoding="utf-8")

    with pytest.raises(BundleError, match=rf"one\.run/run\.json: not a valid run bundle: .*{key}.* required"):
        bundles.open(made)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"schema": "run/2"}, "schema"),
        ({"status": "done"}, "status"),
        ({"lane": "both"}, "lane"),
        ({"kind": "video"}, "kind"),
        ({"run_id": "../x"}, "run_id"),
        ({"label": ""}, "label"),
        ({"model": "portrait"}, "model"),
        ({"error": {"kind": "crash"}}, "error"),
    ],
)
def test_a_value_of_another_kind_is_named(made: Path, change: dict, key: str) -> None:
    (made / "run.json").write_text(json.dumps(facts() | change), encoding="utf-8")

    with pytest.raises(BundleError, match=rf"not a valid run bundle: {key}"):
        bundles.open(made)


@pytest.mark.parametrize("change", [{"lane": "x" * 100_000}, {"model": "x" * 100_000}], ids=["lane", "model"])
def test_a_huge_value_is_not_repeated_in_full(made: Path, change: dict) -> None:
    (made / "run.json").write_text(json.dumps(facts() | change), encoding="utf-8")

    with pytest.raises(BundleError, match=rf"{next(iter(change))}: 'xxx.*xxx' is not ") as caught:
        bundles.open(made)
    assert len(str(caught.value)) < 500 + len(str(made))


def test_a_live_bundle_says_what_the_application_did(made: Path) -> None:
    live = {"mode": "synced", "background": "blur", "source": "camera:0", "paced_fps": None, "captured": 9,
            "inferred": 8, "presented": 8, "dropped": 1, "hidden": 0, "wall_ns": 300_000_000}  # fmt: skip
    camera = {"id": "camera:0", "sha256": None, "cases": []}
    (made / "run.json").write_text(json.dumps(facts(kind="live", suite=camera, live=live)), encoding="utf-8")

    assert bundles.open(made).facts["live"] == live


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"kind": "live"}, "top level: 'live' is a required property"),
        ({"kind": "live", "live": {"mode": "synced"}}, "live: 'background' is a required property"),
        ({"suite": {"id": "camera:0", "sha256": None, "cases": []}}, r"suite\.sha256"),
    ],
    ids=["counters left out", "counters incomplete", "a suite without a hash"],
)
def test_a_bundle_has_what_its_kind_needs(made: Path, changes: dict, key: str) -> None:
    (made / "run.json").write_text(json.dumps(facts(**changes)), encoding="utf-8")

    with pytest.raises(BundleError, match=rf"not a valid run bundle: {key}"):
        bundles.open(made)


def test_unknown_keys_are_ignored(made: Path) -> None:
    table = facts(battery=0.9, status="complete")
    table["device"]["colour"] = "blue"
    (made / "run.json").write_text(json.dumps(table), encoding="utf-8")

    assert bundles.open(made).facts["battery"] == 0.9


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"\x89PNG\r\n\x1a\n", b"[" * 100_000], ids=repr
)
def test_a_run_json_that_is_none_is_refused(made: Path, content: bytes) -> None:
    (made / "run.json").write_bytes(content)

    with pytest.raises(BundleError, match=r"one\.run.*run"):
        bundles.open(made)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.run").mkdir()
    (tmp_path / "text.run.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "other.run.zip", "w") as archive:
        archive.writestr("a/readme.txt", "no bundle")

    for name, message in {
        "empty.run": "no run.json",
        "text.run.zip": "not a run bundle",
        "other.run.zip": "no run.json",
        "none.run": "no such run bundle",
    }.items():
        with pytest.raises(BundleError, match=rf"{name}.*{message}"):
            bundles.open(tmp_path / name)


def npy(array: np.ndarray, pickles: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickles)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.array([[{}]], object), pickles=True), "damaged"),
        (npy(np.zeros((4, 3), np.float64)), r"float64 \(4, 3\)"),
        (npy(np.zeros((4, 3), ">f4")), "float32"),
        (npy(np.zeros((1, 4, 3), np.float32)), r"float32 \(1, 4, 3\)"),
        (npy(np.zeros((4, 3), np.uint8)), "uint8"),
        (npy(OUTPUTS["a"])[:-1], "damaged"),
        (npy(OUTPUTS["a"])[:40], "damaged"),
        (npy(OUTPUTS["a"]).replace(b"(4, 3)", b"(9**9,"), "damaged"),
        (npy(OUTPUTS["a"]).replace(b"(4, 3), }      ", b"(4444444, 3), }"), "damaged"),
        (b"", "damaged"),
        (b"\x89PNG\r\n\x1a\n" * 20, "damaged"),
    ],
)
def test_a_tensor_that_is_no_float32_map_is_refused(made: Path, content: bytes, message: str) -> None:
    (made / "tensors" / "a.npy").write_bytes(content)

    with pytest.raises(BundleError, match=rf"one\.run.*tensors/a\.npy .*{message}"):
        bundles.open(made).tensor("a")


def test_a_tensor_with_a_flipped_bit_is_read_or_refused(made: Path) -> None:
    whole, path = npy(OUTPUTS["a"]), made / "tensors" / "a.npy"
    bundle, refused = bundles.open(made), 0
    for position in range(128):  # the header; a flipped bit of the numbers gives other numbers
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            assert bundle.tensor("a").dtype == np.float32
        except BundleError:
            refused += 1

    assert 30 < refused < 128  # blanks that fill the header do not matter


def test_a_file_that_cannot_be_read_is_named(made: Path) -> None:
    (made / "tensors" / "a.npy").unlink()
    (made / "tensors" / "a.npy").mkdir()

    with pytest.raises(BundleError, match=r"tensors/a\.npy"):
        bundles.open(made).tensor("a")


SAMPLE_TEXT = (",".join(bundles.SAMPLE_FIELDS) + "\n0,steady,0,0,a" + 12 * ",soon" + "\n").encode()


@pytest.mark.parametrize(
    "content", [None, b"", b"seq,phase\n0,steady\n", SAMPLE_TEXT, b"\xff\xfe\x00", b'seq,"phase\n1']
)
def test_samples_that_are_none_are_refused(made: Path, content: bytes | None) -> None:
    (made / "samples.csv").unlink()
    if content is not None:
        (made / "samples.csv").write_bytes(content)

    with pytest.raises(BundleError, match=r"one\.run.*samples\.csv"):
        bundles.open(made).samples()


def test_a_zip_damaged_anywhere_is_read_right_or_refused(made: Path) -> None:
    path = zipped(made, top="one.run")
    whole = path.read_bytes()
    rng = np.random.default_rng(11)
    outcomes = {True: 0, False: 0}
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged[: rng.choice([len(damaged), rng.integers(len(damaged))], p=[0.8, 0.2])])
        try:
            bundle = bundles.open(path)
            bundle.verify()
            same = bundle.tensor("a").tobytes() == OUTPUTS["a"].tobytes()
        except BundleError:
            outcomes[False] += 1
        else:
            assert same
            outcomes[True] += 1

    assert outcomes[False] > 50  # most damage is found; the rest is in dates and attributes


@pytest.mark.parametrize(
    ("argument", "is_one"),
    [("x.run", True), ("a/x.run/", True), ("x.run.zip", True), ("keras", False), ("x.zip", False), ("run", False)],
)
def test_bundles_are_told_from_runtimes_by_their_ending(argument: str, is_one: bool) -> None:
    assert bundles.is_bundle(argument) is is_one
    assert bundles.is_bundle(Path(argument)) is is_one


def test_a_bundle_can_be_moved(made: Path, tmp_path: Path) -> None:
    bundles.open(made.rename(tmp_path / "two.run")).verify()
