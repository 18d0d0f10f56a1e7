# SPDX-License-Identifier: Apache-2.0
"""Runtime `swift`: a child behind pipes draws what the core draws; whatever becomes of it is one clear error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import contract as contracts
from harness import resources, runtime, suite
from harness.model_file import VARIANTS
from harness.request import LANES
from harness.runtime import Options, RuntimeCrash, RuntimeFailure
from harness.runtimes.swift import VARIABLE, SwiftRuntime
from harness.supervisor import Supervisor, WorkerFailure
from tests import programs
from tests.harness import commands

MODEL = resources.default_model() / "model.fp32.tflite"
CONTRACT = contracts.parse((MODEL.parent / "contract.toml").read_text(encoding="utf-8"))
CLASS = "harness.runtimes.swift:SwiftRuntime"


def a_program(folder: Path, script: str) -> str:
    """A program that is not segbench-swift."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


# --- without the program -------------------------------------------------------------------------


def test_it_is_registered() -> None:
    assert runtime.registered()["swift"].value == CLASS


def test_where_it_is_not_built_the_remedy_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))

    found = SwiftRuntime.availability()

    assert found.version is None
    assert "swift build -c release --product segbench-swift" in found.remedy
    with pytest.raises(RuntimeFailure, match="segbench-swift is not built; .*swift build"):
        SwiftRuntime().activate(MODEL, CONTRACT, Options())


def test_a_program_that_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, a_program(tmp_path, "exit 3"))

    found = SwiftRuntime.availability()

    assert found.version is None
    assert found.remedy.startswith(f"{tmp_path}/program does not run; ")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no such library' >&2; exit 3", "exited with status 3; last words: no such library"),
        ("kill -9 $$", "was killed by signal 9"),
        ("yes", r"answered what is no reply; is it segbench-swift\?"),
        (r"printf '\004\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0nope'; cat", "answered what is no reply"),
        (r"printf '\002\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0[]'; cat", "answered what is no reply"),
        ("printf 12345", "exited with status 0"),
    ],
    ids=["ends", "is killed", "goes on and on", "no JSON", "no object", "is cut short"],
)
def test_a_child_that_misbehaves_is_a_crash_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str
) -> None:
    monkeypatch.setenv(VARIABLE, a_program(tmp_path, script))

    with pytest.raises(RuntimeCrash, match=said):
        SwiftRuntime().activate(MODEL, CONTRACT, Options())


def test_its_crash_is_called_so_by_the_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, a_program(tmp_path, "echo out of order >&2; exit 3"))

    with (
        Supervisor(CLASS, tmp_path / "log", timeout=30) as worker,
        pytest.raises(WorkerFailure, match="last words: out of order") as caught,
    ):
        activate(worker)

    assert caught.value.kind == "crash"


# --- with it -------------------------------------------------------------------------------------


def activate(worker: Supervisor) -> dict[str, object]:
    text = CONTRACT.to_toml()
    return worker.request("activate", path=str(MODEL), contract=text, feed=text, threads=1, delegate="cpu")


@pytest.fixture(scope="module")
def shipped() -> suite.Suite:
    return suite.find("portraits")


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_draws_what_the_core_draws_bit_for_bit(shipped: suite.Suite, variant: str) -> None:
    """Probability in both lanes, input, alpha and composite of every picture."""
    programs.segbench_swift()
    path = MODEL.with_name(f"model.{variant}.tflite")
    pair = [runtime.find(name)() for name in ("core", "swift")]
    facts = [one.activate(path, CONTRACT, Options()) for one in pair]
    try:
        assert len(shipped.cases) > 20
        for case in shipped.cases:
            frames = [one.decode(case.image.path) for one in pair]
            tensor = contracts.preprocess(CONTRACT, frames[0])
            for first, second in (
                [one.infer_image(frame).probability for one, frame in zip(pair, frames, strict=True)],
                [one.infer_tensor(tensor).probability for one in pair],
            ):
                assert first.tobytes() == second.tobytes(), case.id
            taps = [one.tap(frame) for one, frame in zip(pair, frames, strict=True)]
            assert taps[0].keys() == taps[1].keys() == {"input", "alpha", "composite"}
            for stage, array in taps[0].items():
                assert array.shape == taps[1][stage].shape
                assert array.tobytes() == taps[1][stage].tobytes(), (case.id, stage)
        assert facts[0].actual == facts[1].actual
        assert [entry["shape"] for entry in facts[0].inputs] == [entry["shape"] for entry in facts[1].inputs]
        assert [entry["shape"] for entry in facts[0].outputs] == [entry["shape"] for entry in facts[1].outputs]
    finally:
        for one in pair:
            one.deactivate()


@pytest.fixture
def running() -> Iterator[SwiftRuntime]:
    programs.segbench_swift()
    one = SwiftRuntime()
    one.activate(MODEL, CONTRACT, Options())
    yield one
    one.deactivate()


@pytest.mark.system
def test_stages_are_stamped_by_this_process_s_clock_and_without_the_pipe(running: SwiftRuntime) -> None:
    frame = np.zeros((1080, 1920, 3), np.uint8)
    running.infer_image(frame)

    before = time.perf_counter_ns()
    found = running.infer_image(frame)
    after = time.perf_counter_ns()

    assert before <= found.start_ns
    assert found.start_ns + found.total_ns <= after
    assert list(found.stages_ns) == ["preprocess", "invoke", "postprocess"]
    assert all(duration > 0 for duration in found.stages_ns.values())
    assert sum(found.stages_ns.values()) == found.total_ns


@pytest.mark.system
def test_bad_requests_are_errors_and_leave_it_usable(running: SwiftRuntime) -> None:
    with pytest.raises(RuntimeFailure, match="invoke: 4 values in"):
        running.invoke(np.zeros((1, 1, 1, 4), np.float32))

    assert running.infer_image(np.zeros((40, 30, 3), np.uint8)).probability.shape == (
        CONTRACT.input_height,
        CONTRACT.input_width,
    )


@pytest.mark.system
@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        (Path("none.tflite"), Options(), "none.tflite: no such model file"),
        (Path(__file__), Options(), "not a TFLite model|damaged"),
        (MODEL, Options(delegate="abacus"), "cpu, gpu or npu, not on abacus"),
    ],
    ids=["no file", "no model", "no such delegate"],
)
def test_what_it_cannot_load_is_named(path: Path, options: Options, said: str) -> None:
    programs.segbench_swift()

    with pytest.raises(RuntimeFailure, match=said):
        SwiftRuntime().activate(path, CONTRACT, options)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.system
def test_a_killed_child_is_a_crash(tmp_path: Path, shipped: suite.Suite) -> None:
    programs.segbench_swift()
    with Supervisor(CLASS, tmp_path / "log", timeout=30) as worker:
        activate(worker)
        [child] = children(worker.pid)
        os.kill(child, signal.SIGKILL)

        with pytest.raises(WorkerFailure, match="was killed by signal 9") as caught:
            worker.request("infer", lane="image", case="a", image=str(shipped.cases[0].image.path), out=str(tmp_path))

    assert caught.value.kind == "crash"


@pytest.mark.system
def test_memory_is_the_child_s(tmp_path: Path) -> None:
    programs.segbench_swift()
    with Supervisor(CLASS, tmp_path / "log", timeout=30) as worker:
        activate(worker)
        [child] = children(worker.pid)
        told = worker.request("peak")

        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    assert 0.8 * peak <= told["peak_bytes"] <= peak


@pytest.mark.system
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_worker(tmp_path: Path, how: signal.Signals) -> None:
    programs.segbench_swift()
    with Supervisor(CLASS, tmp_path / "log", timeout=30) as worker:
        activate(worker)
        [child] = children(worker.pid)

        os.kill(worker.pid, how)

        deadline = time.monotonic() + 10
        while not gone(child):
            assert time.monotonic() < deadline, "it outlived its worker"


@pytest.mark.system  # half a minute
def test_a_comparison_of_every_kind_of_code_passes_as_a_command(tmp_path: Path) -> None:
    """Keras, C++ and Swift over the shipped suite, as the command line runs them."""
    labels = ["keras", "core", "swift"]
    told = {VARIABLE: programs.segbench_swift()}

    done = commands.run("compare", *labels, "--profile", "none", "--out", tmp_path / "out", "--json", **told)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(run["label"], run["reference"], run["verdict"]) for run in found["runs"]] == [
        (label, label == "keras", "PASS") for label in labels
    ]
    gated = [row for row in found["rows"] if row["limit"]]
    assert {(row["run"], row["lane"]) for row in gated} == {(label, lane) for label in labels[1:] for lane in LANES}
    assert {row["verdict"] for row in gated} == {"PASS"}
    left = commands.bundles_in(tmp_path / "out")
    assert left.keys() == {(label, lane) for label in labels for lane in LANES}
    for lane in LANES:
        for case in left["keras", lane].cases():
            drawn = [left[label, lane].tensor(case["id"]) for label in labels]
            assert drawn[1].tobytes() == drawn[2].tobytes(), case["id"]
            assert drawn[0].tobytes() != drawn[1].tobytes(), "the reference was drawn by the core"
    for one in left.values():
        one.verify()
        assert one.complete


@pytest.mark.system
def test_harness_runtimes_says_that_it_is_available() -> None:
    program = programs.segbench_swift()
    command = [sys.executable, "-c", "from harness.cli import main; main()", "runtimes", "--json"]

    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, VARIABLE: program})

    [row] = [row for row in json.loads(done.stdout) if row["runtime"] == "swift"]
    assert row["version"].startswith("segbench-swift ")
    assert row["variants"] == list(VARIANTS)
