# SPDX-License-Identifier: Apache-2.0
"""The package as others get it: the wheel in an empty environment, and the original TFLite runtime in its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import comparison

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


def call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a clean copy of what git tracks."""
    sources = tmp_path_factory.mktemp("sources")
    tracked = call("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, sources / name)
    out = tmp_path_factory.mktemp("wheel")
    call(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, sources, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def environment_with(folder: Path, *install: str | Path) -> Path:
    call(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=folder.parent)
    call(UV, "pip", *install, "--quiet", "--python", folder, cwd=folder.parent)
    return folder / "bin"


def test_the_wheel_compares_keras_and_tflite_outside_a_checkout(wheel: Path, tmp_path: Path) -> None:
    binaries = environment_with(tmp_path / "venv", "sync", "--require-hashes", ROOT / "requirements.lock")
    call(UV, "pip", "install", "--quiet", "--no-deps", "--python", tmp_path / "venv", wheel, cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    call(binaries / "harness", "compare", "keras", "tflite", "--profile", "none", "--out", "out", cwd=elsewhere)

    result = comparison.read(elsewhere / "out" / "comparison.json")
    assert result
    assert result.suite["cases"] >= 16
    assert (elsewhere / "out" / "index.html").stat().st_size > 100_000


def test_a_plain_install_runs_and_compares_tflite_without_tensorflow(wheel: Path, tmp_path: Path) -> None:
    binaries = environment_with(tmp_path / "venv", "install", wheel)

    listed = json.loads(call(binaries / "harness", "runtimes", "--json", cwd=tmp_path).stdout)
    call(binaries / "harness", "compare", "tflite", "tflite:int8", "--profile", "none", "--out", "out", cwd=tmp_path)

    versions = {row["runtime"]: row["version"] for row in listed}
    assert versions["keras"] is None
    assert versions["tflite"].startswith("ai-edge-litert")
    assert comparison.read(tmp_path / "out" / "comparison.json")


def test_the_original_tflite_runtime_runs_in_an_environment_of_its_own(tmp_path: Path) -> None:
    harness = Path(sys.executable).parent / "harness"
    arguments = ("compare", "tflite", "tflite@tflite-runtime==2.14.0", "--profile", "none", "--out", "out")

    call(harness, *arguments, cwd=tmp_path)

    result = comparison.read(tmp_path / "out" / "comparison.json")
    assert result
    assert result.runs[1].facts["runtime"]["version"] == "tflite-runtime 2.14.0"


THREE_LINES = """\
def test_speed(harness_benchmark):
    measured = harness_benchmark()
    assert measured.latency.p50 > 0
"""


def test_three_lines_of_pytest_time_the_model_in_an_empty_project(wheel: Path, tmp_path: Path) -> None:
    binaries = environment_with(tmp_path / "venv", "install", wheel)
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_speed.py").write_text(THREE_LINES)

    without = call(binaries / "pytest", "-rs", cwd=project)
    call(
        binaries / "pytest", "--benchmark", "--benchmark-runtimes", "tflite:int8,core", "--benchmark-out", "out",
        cwd=project,
    )  # fmt: skip
    compared = call(binaries / "pytest-benchmark", "compare", "out/pytest-benchmark.json", cwd=project)

    assert re.search(r"\d+ skipped", without.stdout)
    assert "passed" not in without.stdout
    assert "Warning" not in without.stdout
    assert {f"test_speed[{target}]" in compared.stdout for target in ("tflite:int8", "core")} == {True}
    result = comparison.read(project / "out" / "test_speed-test_speed" / "comparison.json")
    assert [run.label for run in result.runs] == ["tflite:int8", "core"]
    assert (project / "out" / "test_speed-test_speed" / "index.html").stat().st_size > 10_000
