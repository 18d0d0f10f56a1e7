# SPDX-License-Identifier: Apache-2.0
"""`segbench` and `segbench-swift`: run bundles without Python are what Python's are, whatever happens on the way."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness import bundle, model_file, resources, suite, suite_making
from harness.model_file import VARIANTS
from harness.request import LANES
from tests import programs
from tests.harness.bundles import LITTER, NO_LITTER, listed_beside, put_beside
from tests.harness.commands import bundles_in
from tests.harness.commands import run as run_harness
from tests.harness.cuts import IDENTITY, cut_off, put_down

MODEL = resources.default_model() / "model.fp32.tflite"


@dataclass(frozen=True)
class Program:
    """A program with the command line of segbench."""

    name: str
    label: str
    path: str

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        words = [self.path, *map(str, arguments)]
        return subprocess.run(
            words, env=programs.environment(), capture_output=True, text=True, timeout=180, check=False
        )

    def bench(
        self, cases: Path, out: Path, *more: str | Path, model: Path = MODEL, profile: str = "none"
    ) -> subprocess.CompletedProcess[str]:
        return self("--model", model, "--suite", cases, "--out", out, "--profile", profile, *more)


@pytest.fixture(scope="module", params=["segbench", pytest.param("segbench-swift", marks=pytest.mark.system)])
def program(request: pytest.FixtureRequest) -> Program:
    if request.param == "segbench-swift":
        return Program("segbench-swift", "swift", programs.segbench_swift())
    return Program("segbench", "segbench", programs.segbench())


def figures(count: int) -> list[suite_making.Entry]:
    """Small pictures of several sizes: a bright figure on dark ground."""
    random = np.random.default_rng(7)
    entries = []
    for number in range(count):
        height, width = 96 + number % 3, 80 + number % 2
        mask = np.zeros((height, width), bool)
        mask[20:90, 15 : 60 + number % 9] = True
        image = np.where(mask[..., None], 200, 40) + random.integers(-20, 20, (height, width, 3))
        entries.append(
            suite_making.Entry(
                f"figure-{number}", image.astype(np.uint8), mask, ("dark", "naïve"), 'drawn "here"\n\x01'
            )
        )
    return entries


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed suite of six pictures."""
    return suite_making.write(tmp_path_factory.mktemp("suite") / "figures", "figures", figures(6), packed=True).root


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed suite that takes long enough to be interrupted."""
    return suite_making.write(tmp_path_factory.mktemp("suite") / "many", "many", figures(60), packed=True).root


@pytest.fixture(scope="module")
def done(program: Program, cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete run of both lanes."""
    out = tmp_path_factory.mktemp("done") / "out"
    ended = program.bench(cases, out)
    assert ended.returncode == 0, ended.stderr
    return out


def assert_same_tensors(found: bundle.Bundle, expected: bundle.Bundle) -> None:
    ids = [case["id"] for case in expected.cases()]
    assert [case["id"] for case in found.cases()] == ids
    assert ids
    for case in ids:
        assert found.tensor(case).tobytes() == expected.tensor(case).tobytes(), case


# --- what it leaves ------------------------------------------------------------------------------


def test_a_run_leaves_one_verified_bundle_per_lane(program: Program, done: Path, cases: Path) -> None:
    found = bundles_in(done)

    assert set(found) == {(program.label, "tensor"), (program.label, "image")}
    assert len({b.facts["session"]["id"] for b in found.values()}) == 1
    for one in found.values():
        one.verify()
        assert one.complete
        assert one.path.name == f"{one.facts['run_id']}.run"
        assert one.facts["suite"] == {
            "id": "figures",
            "sha256": suite.load(cases).sha256,
            "cases": [
                {"id": c.id, "input_sha256": c.image.sha256, "height": c.height, "width": c.width, "tags": list(c.tags)}
                for c in suite.load(cases).cases
            ],
        }


@pytest.fixture(scope="module", params=[1, 2])
def python(request: pytest.FixtureRequest, cases: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """Number of threads, and the folder of Python's run of every variant with them."""
    out = tmp_path_factory.mktemp("python") / "out"
    specs = [f"tflite:{variant}" for variant in VARIANTS]
    arguments = ("--suite", cases, "--profile", "none", "--threads", str(request.param), "--out", out)
    ended = run_harness("run", *specs, *arguments)
    assert ended.returncode == 0, ended.stderr
    return request.param, out


def kind(value: object) -> type:
    """A JSON value's type; 10 and 10.0 are the same there."""
    return float if type(value) is int else type(value)


@pytest.mark.parametrize("python", [1], indirect=True)
def test_run_json_has_the_keys_that_python_writes(program: Program, done: Path, python: tuple[int, Path]) -> None:
    folder = python[1]

    for lane in LANES:
        ours = bundles_in(done)[program.label, lane].facts
        theirs = bundles_in(folder)["tflite:fp32", lane].facts
        assert ours.keys() == theirs.keys()
        for key in ("session", "suite", "model", "device", "protocol", "conditions", "timing", "memory"):
            assert ours[key].keys() == theirs[key].keys(), key
        assert ours["device"] == theirs["device"]
        assert ours["model"]["sha256"] == theirs["model"]["sha256"]
        assert ours["runtime"]["requested"] == theirs["runtime"]["requested"]
        assert ours["tool"]["version"] == harness.__version__
        assert {name: kind(value) for name, value in ours["protocol"].items()} == {
            name: kind(value) for name, value in theirs["protocol"].items()
        }


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_lanes_are_python_s_bit_for_bit(
    program: Program, cases: Path, python: tuple[int, Path], tmp_path: Path, variant: str
) -> None:
    threads, folder = python

    ours = program.bench(
        cases, tmp_path / "out", "--threads", str(threads), model=MODEL.with_name(f"model.{variant}.tflite")
    )

    assert ours.returncode == 0, ours.stderr
    label = program.label if variant == "fp32" else f"{program.label}:{variant}"
    for lane in LANES:
        found = bundles_in(tmp_path / "out")[label, lane]
        assert_same_tensors(found, bundles_in(folder)[f"tflite:{variant}", lane])
        expected = model_file.find(resources.default_model(), variant).facts()
        assert {key: found.facts["model"][key] for key in expected} == expected | {"name": f"model.{variant}"}


@pytest.mark.parametrize("python", [1], indirect=True)
def test_compare_takes_its_bundles_beside_python_s(
    program: Program, done: Path, cases: Path, python: tuple[int, Path], tmp_path: Path
) -> None:
    ended = run_harness(
        *("compare", *sorted(python[1].glob("tflite-fp32-*.run")), *sorted(done.glob("*.run"))),
        *("--suite", cases, "--out", tmp_path / "report"),
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert program.label in ended.stdout


def test_a_timed_run_reaches_its_profile_and_stamps_every_stage(program: Program, cases: Path, tmp_path: Path) -> None:
    ended = program.bench(cases, tmp_path / "out", "--lane", "image", profile="quick")

    assert ended.returncode == 0, ended.stderr
    found = bundles_in(tmp_path / "out")[program.label, "image"]
    found.verify()
    samples = found.samples()
    assert samples["seq"].tolist() == list(range(len(samples)))
    assert samples["phase"].tolist()[:6] == ["cold"] + 5 * ["warm"]
    steady = samples[samples["phase"] == "steady"]
    assert len(steady) >= 64
    assert steady["start_ns"].iloc[-1] - steady["start_ns"].iloc[0] >= 5e9
    assert steady["case"].tolist()[:7] == [*(f"figure-{n}" for n in range(6)), "figure-0"]
    assert steady["block"].is_monotonic_increasing
    assert steady["block"].iloc[-1] > 3
    assert (samples["restart"] == 0).all()
    assert (samples[["preprocess_ns", "invoke_ns", "postprocess_ns"]] > 0).all(axis=None)
    assert (samples[["preprocess_ns", "invoke_ns", "postprocess_ns"]].sum(axis=1) <= samples["total_ns"]).all()
    assert found.facts["protocol"]["warmup"] == 5
    assert found.facts["memory"]["peak_bytes"] > 10 << 20
    assert found.facts["timing"]["first_inference_ns"] == samples["total_ns"].iloc[0]
    assert found.facts["conditions"].keys() == {"before", "during", "after"}
    assert found.facts["conditions"]["during"][0]["restart"] == 0


def test_a_motion_suite_has_the_hash_that_python_gives_it(program: Program, tmp_path: Path) -> None:
    made = run_harness("suite", "motion", "--out", tmp_path / "motion", "--frames", "2", "--size", "160x96")
    assert made.returncode == 0, made.stderr
    packed = suite_making.pack(suite.load(tmp_path / "motion"), tmp_path / "packed")

    ended = program.bench(packed.root, tmp_path / "out", "--lane", "tensor")

    assert ended.returncode == 0, ended.stderr
    assert bundles_in(tmp_path / "out")[program.label, "tensor"].facts["suite"]["sha256"] == packed.sha256


def test_output_is_json_where_asked_for(program: Program, cases: Path, tmp_path: Path) -> None:
    ended = program.bench(cases, tmp_path / "out", "--lane", "tensor", "--json", "--label", "c++ core")

    [row] = json.loads(ended.stdout)
    assert (row["label"], row["lane"], row["status"], row["error"]) == ("c++ core", "tensor", "complete", None)
    assert bundle.open(row["bundle"]).label == "c++ core"


def test_no_progress_is_shown_where_nobody_watches(program: Program, cases: Path, tmp_path: Path) -> None:
    ended = program.bench(cases, tmp_path / "out", "--lane", "tensor")

    # LiteRT may write a line of its own.
    assert [line for line in ended.stderr.splitlines() if not line.startswith("INFO: Created TensorFlow")] == []


def ptrace(request: int, pid: int) -> None:
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    assert call(request, pid, None, None) == 0, os.strerror(ctypes.get_errno())


@pytest.mark.system
@pytest.mark.skipif(sys.platform != "linux", reason="processes are traced in another way than on Linux")
def test_a_debugger_is_told(cases: Path, tmp_path: Path) -> None:
    seize, interrupt_it, detach = 0x4206, 0x4207, 17
    process = subprocess.Popen(
        [programs.segbench_swift(), "--model", MODEL, "--suite", cases, "--out", tmp_path / "out", "--profile", "none"],
        env=programs.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ptrace(seize, process.pid)
    deadline = time.monotonic() + 60
    while not any(b'"before"' in path.read_bytes() for path in tmp_path.glob("out/*-tensor-*.run/run.json")):
        assert time.monotonic() < deadline
    ptrace(interrupt_it, process.pid)
    os.waitpid(process.pid, 0)
    ptrace(detach, process.pid)

    assert process.wait() == 0
    found = bundles_in(tmp_path / "out")
    assert found["swift", "tensor"].facts["conditions"]["before"]["debugger"] is True
    assert found["swift", "image"].facts["conditions"]["before"].keys() >= {"debugger", "available_memory_bytes"}


# --- interruptions -------------------------------------------------------------------------------


def interrupt(program: Program, cases: Path, out: Path, pattern: str, how: signal.Signals) -> int:
    """Start a run, and stop it as soon as it has written a file; its exit status."""
    process = subprocess.Popen(
        [program.path, "--model", str(MODEL), "--suite", str(cases), "--out", str(out), "--profile", "none"],
        env=programs.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Where the tests run in the background, Ctrl-C is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread only
    )
    deadline = time.monotonic() + 60
    while not list(out.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} within a minute"
        assert process.poll() is None, "it ended too early"
    process.send_signal(how)
    return process.wait(timeout=60)


@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)], ids=["killed", "Ctrl-C"]
)
@pytest.mark.parametrize(
    "moment",
    ["*-tensor-*.run", "*-tensor-*.run/tensors/figure-9.npy", "*-image-*.run/tensors/figure-9.npy"],
    ids=["at once", "in the first lane", "in the second lane"],
)
def test_the_same_command_completes_an_interrupted_run_to_the_same_result(
    program: Program, many: Path, tmp_path: Path, how: signal.Signals, status: int, moment: str
) -> None:
    assert program.bench(many, tmp_path / "whole").returncode == 0

    assert interrupt(program, many, tmp_path / "out", moment, how) == status
    assert not list(tmp_path.glob("out/*-image-*.run/checksums.txt"))

    resumed = program.bench(many, tmp_path / "out")

    assert resumed.returncode == 0, resumed.stderr
    expected, found = bundles_in(tmp_path / "whole"), bundles_in(tmp_path / "out")
    assert expected.keys() == found.keys()
    for key, reference in expected.items():
        found[key].verify()
        assert_same_tensors(found[key], reference)
    samples = found[program.label, "image"].samples()
    assert sorted(samples["case"]) == sorted(case["id"] for case in found[program.label, "image"].cases())
    assert samples["seq"].tolist() == list(range(60))


def test_a_resumed_run_tells_which_start_a_frame_is_of(program: Program, many: Path, tmp_path: Path) -> None:
    interrupt(program, many, tmp_path / "out", "*-image-*.run/tensors/figure-9.npy", signal.SIGKILL)

    assert run_harness("run", "--resume", tmp_path / "out").returncode == 2, "which is another program"
    assert program.bench(many, tmp_path / "out").returncode == 0

    found = bundles_in(tmp_path / "out")[program.label, "image"]
    samples = found.samples()
    assert found.facts["protocol"]["restarts"] == 2
    assert samples["restart"].is_monotonic_increasing
    assert set(samples["restart"]) == {0, 1}
    assert samples.loc[samples["phase"] == "cold", "restart"].tolist() == [0, 1]


@pytest.mark.parametrize("lane", LANES)
def test_a_bundle_cut_off_after_any_of_its_files_is_incomplete_and_completed_by_the_same_command(
    program: Program, cases: Path, done: Path, tmp_path: Path, lane: str
) -> None:
    whole = bundles_in(done)[program.label, lane]
    states = list(cut_off(whole.path))
    assert len(states) >= 20

    for number, (name, files) in enumerate(states):
        folder = tmp_path / f"{number}" / whole.path.name
        put_down(files, folder)
        if "run.json" in files:
            begun = bundle.open(folder)
            assert not (begun.complete and begun.has_checksums), name

        ended = program.bench(cases, folder.parent, "--lane", lane)

        assert ended.returncode == 0, f"{name}: {ended.stderr}"
        [found] = bundles_in(folder.parent).values()
        assert found.complete, name
        found.verify()
        assert_same_tensors(found, whole)
        assert "run.json" not in files or found.path == folder
        if lane == "image":
            assert found.samples()["case"].tolist() == [case["id"] for case in whole.cases()], name


@pytest.mark.parametrize("more", [["--threads", "2"], ["--label", "other"]], ids=["other threads", "another label"])
def test_another_command_does_not_finish_an_interrupted_run(
    program: Program, many: Path, tmp_path: Path, more: list[str]
) -> None:
    interrupt(program, many, tmp_path / "out", "*-image-*.run/tensors/figure-9.npy", signal.SIGKILL)

    ended = program.bench(many, tmp_path / "out", *more)

    assert ended.returncode == 2
    assert "interrupted run of something else" in ended.stderr


@pytest.mark.parametrize("key", IDENTITY)
def test_another_machine_system_build_or_release_does_not_finish_an_interrupted_run(
    program: Program, cases: Path, done: Path, tmp_path: Path, key: str
) -> None:
    whole = bundles_in(done)[program.label, "image"].path
    folder = tmp_path / "out" / whole.name
    put_down(dict(cut_off(whole))["before samples.csv, 1 files"], folder)
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    part, name = key.split(".")
    facts[part][name] = "another"
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")

    ended = program.bench(cases, tmp_path / "out")

    assert ended.returncode == 2
    assert f"interrupted run of something else, with another {key}; finish it" in ended.stderr


def test_a_run_is_not_finished_with_another_litert_though_one_of_its_lanes_had_loaded_none(
    program: Program, cases: Path, done: Path, tmp_path: Path
) -> None:
    for lane, version in (("image", None), ("tensor", "another")):
        whole = bundles_in(done)[program.label, lane].path
        folder = tmp_path / "out" / whole.name
        put_down(dict(cut_off(whole))["before samples.csv, 1 files"], folder)
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        facts["runtime"]["version"] = version
        (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    ended = program.bench(cases, tmp_path / "out")

    assert ended.returncode == 2
    assert f"{folder}: is an interrupted run of something else, with another runtime.version; finish it" in ended.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("names", [(*LITTER, *NO_LITTER), ("__MACOSX",)], ids=["files", "a file of the folder's name"])
def test_what_macos_leaves_beside_files_is_not_of_the_bundle(
    program: Program, cases: Path, done: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    whole = bundles_in(done)[program.label, "image"].path
    folder = tmp_path / "out" / whole.name
    put_down(dict(cut_off(whole))["before samples.csv, 1 files"], folder)
    put_beside(folder, names)

    assert program.bench(cases, tmp_path / "out", "--lane", "image").returncode == 0

    bundle.open(folder).verify()
    assert listed_beside(folder, names) == [name for name in names if name in NO_LITTER]


def test_a_suite_that_changed_meanwhile_is_another(program: Program, many: Path, cases: Path, tmp_path: Path) -> None:
    interrupt(program, many, tmp_path / "out", "*-image-*.run/tensors/figure-9.npy", signal.SIGKILL)

    assert program.bench(cases, tmp_path / "out").returncode == 2


def test_results_are_never_overwritten(program: Program, done: Path, cases: Path) -> None:
    before = {path: path.read_bytes() for path in done.rglob("*") if path.is_file()}

    ended = program.bench(cases, done)

    assert ended.returncode == 2
    assert "holds results already; choose another folder with --out" in ended.stderr
    assert {path: path.read_bytes() for path in done.rglob("*") if path.is_file()} == before


# --- bad input -----------------------------------------------------------------------------------


def assert_refused(ended: subprocess.CompletedProcess[str], out: Path, *words: str) -> None:
    """One clear error, and nothing of a run is left."""
    assert ended.returncode == 2, ended.stderr + ended.stdout
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"{Path(ended.args[0]).name}: ")
    assert ended.stderr.count("\n") == 1
    for word in words:
        assert word in ended.stderr
    assert not out.exists()


def edit_index(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    table = json.loads((root / "suite.json").read_text(encoding="utf-8"))
    change(table)
    (root / "suite.json").write_text(json.dumps(table), encoding="utf-8")


def cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def replace_image(root: Path, data: bytes) -> None:
    """Another file for the first case, with its hash put right."""
    (root / "images/figure-0.npy").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_index(root, lambda table: table["cases"][0]["image"].update(file_sha256=digest))


def npy(array: np.ndarray) -> bytes:
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda root: cut(root / "images/figure-2.npy", 5000), "figure-2.npy: the file was changed"),
        (lambda root: cut(root / "masks/figure-2.npy", 0), "masks/figure-2.npy: the file was changed"),
        (lambda root: (root / "images/figure-3.npy").unlink(), "figure-3.npy: cannot read"),
        (lambda root: (root / "suite.json").unlink(), "harness suite pack"),
        (lambda root: cut(root / "suite.json", 700), "not readable JSON"),
        (lambda root: (root / "suite.json").write_bytes(b"[" * 100_000), "nested too deeply"),
        (lambda root: edit_index(root, lambda table: table.pop("id")), "id is missing"),
        (lambda root: edit_index(root, lambda table: table.update(cases=[])), "at least one case"),
        (lambda root: edit_index(root, lambda table: table["cases"][1].pop("tags")), "cases.1.tags is missing"),
        (lambda root: edit_index(root, lambda table: table["cases"][1].update(width=0)), "cases.1.width"),
        (lambda root: edit_index(root, lambda table: table["cases"][1].update(id="../x")), "cases.1.id"),
        (lambda root: edit_index(root, lambda table: table["cases"][1].update(id="FIGURE-0")), "more than one case"),
        (
            lambda root: edit_index(root, lambda t: t["cases"][0]["image"].update(file="images/../../x.npy")),
            "cases.0.image.file",
        ),
        (
            lambda root: edit_index(root, lambda t: t["cases"][0]["image"].update(sha256="0" * 64)),
            "the sha256 of its pixels",
        ),
        (lambda root: replace_image(root, b"no array"), "not a readable NPY file"),
        (lambda root: replace_image(root, npy(np.zeros((96, 80, 3), np.float32))), "expected |u1"),
        (lambda root: replace_image(root, npy(np.zeros((80, 96, 3), np.uint8))), "expected uint8 pixels of shape"),
        (lambda root: replace_image(root, npy(np.zeros((96, 80, 3), np.uint8))[:-1]), "its shape says"),
        (lambda root: replace_image(root, npy(np.asfortranarray(np.zeros((96, 80, 3), np.uint8)))), "Fortran"),
    ],
)
def test_a_damaged_suite_is_refused(
    program: Program, cases: Path, tmp_path: Path, damage: Callable[[Path], Any], word: str
) -> None:
    root = shutil.copytree(cases, tmp_path / "suite")
    damage(root)

    assert_refused(program.bench(root, tmp_path / "out"), tmp_path / "out", word)


def test_a_suite_of_png_files_is_refused_with_the_remedy(program: Program, tmp_path: Path) -> None:
    root = suite_making.write(tmp_path / "png", "figures", figures(1)).root

    assert_refused(program.bench(root, tmp_path / "out"), tmp_path / "out", "harness suite pack")


@pytest.mark.parametrize("file", ["suite.json", "images/figure-0.npy", "masks/figure-0.npy"])
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_suite_with_any_byte_changed_is_refused_or_the_same(
    program: Program, cases: Path, tmp_path: Path, file: str, data: st.DataObject
) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    root = shutil.copytree(cases, tmp_path / "suite")
    content = bytearray((root / file).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    (root / file).write_bytes(content)

    ended = program.bench(root, tmp_path / "out", "--lane", "tensor")

    if ended.returncode == 0:  # a blank, a tag's or a provenance's letter
        [found] = bundles_in(tmp_path / "out").values()
        assert file == "suite.json"
        assert found.facts["suite"]["sha256"] == suite.load(root).sha256
    else:
        assert_refused(ended, tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--model is missing"),
        (["--threads", "x"], "--threads"),
        (["--profile", "long"], "none, quick"),
        (["--lane", "sound"], "tensor, image"),
        (["--accelerator", "abacus"], "cpu, gpu, npu"),
        (["--frames", "3"], "no such option: --frames"),
        (["model.tflite"], "what is model.tflite?"),
    ],
)
def test_a_wrong_command_line_is_named(program: Program, arguments: list[str], word: str, tmp_path: Path) -> None:
    if arguments:
        arguments = [*arguments, "--model", str(MODEL), "--suite", "x", "--out", str(tmp_path / "out")]

    assert_refused(program(*arguments), tmp_path / "out", word)


def test_a_missing_model_is_refused(program: Program, cases: Path, tmp_path: Path) -> None:
    ended = program.bench(cases, tmp_path / "out", model=tmp_path / "none.tflite")

    assert_refused(ended, tmp_path / "out", "none.tflite: cannot read", "--model")


def test_a_contract_that_is_wrong_is_refused(program: Program, cases: Path, tmp_path: Path) -> None:
    (tmp_path / "contract.toml").write_text('schema = "segmentation-contract/1"\n', encoding="utf-8")

    ended = program.bench(cases, tmp_path / "out", "--contract", tmp_path / "contract.toml")

    assert_refused(ended, tmp_path / "out", "contract.toml", "missing")


def test_a_damaged_model_is_a_failed_run(program: Program, cases: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.tflite").write_bytes(MODEL.read_bytes()[:100_000])

    ended = program.bench(cases, tmp_path / "out", model=tmp_path / "cut.tflite")

    assert ended.returncode == 4
    assert "cut.tflite" in ended.stdout
    for found in bundles_in(tmp_path / "out").values():
        found.verify()
        assert (found.facts["status"], found.facts["error"]["kind"]) == ("failed", "model")


def test_a_missing_library_is_a_failed_run_that_says_where_it_was_looked_for(
    program: Program, cases: Path, tmp_path: Path
) -> None:
    ended = program.bench(cases, tmp_path / "out", "--litert", tmp_path / "libNone.so")

    assert ended.returncode == 4
    assert "libNone.so" in ended.stdout
    assert {b.facts["error"]["kind"] for b in bundles_in(tmp_path / "out").values()} == {"runtime"}


def test_a_folder_that_cannot_be_made_is_named(program: Program, cases: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    ended = program.bench(cases, tmp_path / "file" / "out")

    assert ended.returncode == 2
    assert "cannot make the folder" in ended.stderr


def test_help_and_version_say_what_it_is(program: Program) -> None:
    described, version = program("--help"), program("--version")

    assert described.returncode == version.returncode == 0
    for option in ("--model", "--suite", "--weight-cache", "Exit status"):
        assert option in described.stdout
    assert version.stdout == f"{program.name}, version {harness.__version__}\n"
