# SPDX-License-Identifier: Apache-2.0
"""`--stages` keeps what lies between the stages of a frame, and a comparison names the first one that differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import bundle, comparison, contract, resources, suite, suite_making
from harness.verdict import Verdict

from .commands import bundles_in, run

pytest.importorskip("ai_edge_litert", reason="needs LiteRT: pip install ai-edge-litert")


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> suite.Suite:
    """Two cases of the shipped suite."""
    cases = suite.find("portraits").cases[:2]
    entries = [suite_making.Entry(case.id, case.read_image(), case.read_mask()) for case in cases]
    return suite_making.write(tmp_path_factory.mktemp("suite") / "two", "two", entries)


@pytest.fixture(scope="module")
def reference(portraits: suite.Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    done = run("run", "tflite", "--suite", portraits.root, "--profile", "none", "--stages", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_input_and_alpha_of_every_case_are_kept_as_the_contract_defines_them(
    portraits: suite.Suite, reference: Path
) -> None:
    bundles = bundles_in(reference)
    image = bundles["tflite", "image"]
    rules = contract.read(resources.default_model() / "contract.toml")

    for case in portraits.cases:
        frame = case.read_image()
        kept, alpha = image.stage(case.id, "input"), image.stage(case.id, "alpha")
        assert np.array_equal(kept, contract.preprocess(rules, frame)[0])
        assert np.array_equal(alpha, contract.frame_alpha(rules, image.tensor(case.id), frame.shape[:2]))
        assert bundles["tflite", "tensor"].stage(case.id, "input") is None
    image.verify()


def test_without_the_option_a_bundle_keeps_no_stages(portraits: suite.Suite, tmp_path: Path) -> None:
    run("run", "tflite", "--suite", portraits.root, "--profile", "none", "--lane", "image", "--out", tmp_path / "out")

    [kept] = bundles_in(tmp_path / "out").values()
    assert [kept.stage(portraits.cases[0].id, stage) for stage in bundle.STAGES] == [None] * len(bundle.STAGES)


def test_a_comparison_names_the_first_stage_that_differs(
    portraits: suite.Suite, reference: Path, tmp_path: Path
) -> None:
    bundles = sorted(reference.glob("*.run"))

    run("compare", *bundles, "swapped", "--suite", portraits.root, "--profile", "none", "--stages", "--out", tmp_path)

    result = comparison.read(tmp_path / "comparison.json")
    rows = {row.row: row for row in result.rows if row.run == "swapped"}
    assert rows["stage/input/max_abs"].verdict is Verdict.FAIL
    assert "The stages part at 'input'" in " ".join(finding.evidence for finding in result.findings)


def test_stages_of_different_shapes_are_invalid_and_not_equal(
    portraits: suite.Suite, reference: Path, tmp_path: Path
) -> None:
    from harness import compare, gates
    from harness.runs import open_runs

    done = run("run", "tflite", "--suite", portraits.root, "--profile", "none", "--stages", "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "b").glob("*image*.run")
    np.save(path / "stages" / f"{portraits.cases[0].id}.alpha.npy", np.zeros((3, 3), np.uint8))
    bundle.BundleWriter(path, bundle.open(path).facts).finish("complete")

    runs = open_runs([*sorted(reference.glob("*.run")), *sorted((tmp_path / "b").glob("*.run"))])
    result = compare.compare(runs, gates.load(resources.default_gates()), "stages", "")

    row = next(row for row in result.rows if row.row == "stage/alpha/max_abs")
    assert row.verdict is Verdict.INVALID and "cannot be compared" in row.note
    assert result.verdict is Verdict.INVALID
