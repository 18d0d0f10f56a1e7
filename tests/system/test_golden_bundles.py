# SPDX-License-Identifier: Apache-2.0
"""Bundles of one packed suite, written by Python, C++ and Swift, are of one format and say the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import bundle, resources, suite, suite_making
from harness.request import LANES
from tests import programs
from tests.harness.commands import bundles_in
from tests.harness.commands import run as run_harness

pytestmark = pytest.mark.system

MODEL = resources.default_model() / "model.int8.tflite"
WRITERS = {"Python": "core:int8", "C++": "segbench:int8", "Swift": "swift:int8"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a complete run of the whole shipped suite by each writer."""
    commands = [programs.segbench(), programs.segbench_swift()]
    root = tmp_path_factory.mktemp("golden")
    packed = suite_making.pack(suite.find("portraits"), root / "packed").root
    python = run_harness("run", "core:int8", "--suite", packed, "--profile", "none", "--out", root / "Python")
    assert python.returncode == 0, python.stderr
    for writer, command in zip(("C++", "Swift"), commands, strict=True):
        subprocess.run(
            [command, "--model", MODEL, "--suite", packed, "--profile", "none", "--out", root / writer],
            check=True,
            env=programs.environment(),
            capture_output=True,
        )
    return root


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_keeps_the_schema_and_its_checksums(written: Path, writer: str) -> None:
    found = bundles_in(written / writer)

    assert set(found) == {(WRITERS[writer], lane) for lane in LANES}
    for one in found.values():
        one.verify()
        assert one.complete


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("writer", ["C++", "Swift"])
def test_they_say_the_same_of_suite_and_model_and_draw_the_same_bit_for_bit(
    written: Path, writer: str, lane: str
) -> None:
    reference = bundles_in(written / "Python")["core:int8", lane]
    found = bundles_in(written / writer)[WRITERS[writer], lane]

    assert found.facts["suite"] == reference.facts["suite"]
    for key in ("sha256", "contract", "activations", "ops", "variant", "bytes", "format"):
        assert found.facts["model"][key] == reference.facts["model"][key]
    assert found.facts["device"] == reference.facts["device"]
    assert len(list(reference.cases())) > 20
    for case in reference.cases():
        assert found.tensor(case["id"]).tobytes() == reference.tensor(case["id"]).tobytes(), case["id"]


def test_they_compare_equal(written: Path, tmp_path: Path) -> None:
    paths = [path for writer in WRITERS for path in sorted((written / writer).glob("*.run"))]

    ended = run_harness("compare", *paths, "--suite", written / "packed", "--out", tmp_path / "report")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for label in ("segbench:int8", "swift:int8"):
        [row] = [line.split() for line in ended.stdout.splitlines() if line.startswith(label)]
        assert row[1:5] == ["PASS", "PASS", "0", "1"], "verdicts, greatest error and mask IoU"
    assert all(bundle.open(path).complete for path in paths)
