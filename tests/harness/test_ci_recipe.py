# SPDX-License-Identifier: Apache-2.0
"""The recipe for CI servers: the steps of the workflow, in bash, with the real command on recorded runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from .bundles import write

pytestmark = pytest.mark.system

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "ci"
PROBABILITY = np.linspace(0, 1, 16 * 12, dtype=np.float32).reshape(16, 12)
STARTS, BLOCKS, FRAMES = 5, 8, 4


def workflow() -> dict[str, Any]:
    return yaml.safe_load((RECIPE / "harness.yml").read_text(encoding="utf-8"))


def steps() -> list[dict[str, Any]]:
    """What the workflow runs, but for installing."""
    found = workflow()["jobs"]["harness"]["steps"]
    return [step for step in found if "run" in step and step["name"] != "Install"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository that uses the recipe."""
    (tmp_path / "ci").mkdir()
    shutil.copy(RECIPE / "harness.sh", tmp_path / "ci")
    return tmp_path


def record(folder: Path, label: str, times: float = 1.0, outputs: np.ndarray = PROBABILITY, **about: Any) -> None:
    """A run whose frames take 10 ms, ``times`` as long."""
    random = np.random.default_rng(len(label))
    samples = [
        {
            "phase": "steady", "restart": start, "block": block, "case": "a", "start_ns": 1 + frame,
            "total_ns": int(1e7 * times * random.normal(1, 0.005)),
        }
        for start in range(STARTS) for block in range(BLOCKS) for frame in range(FRAMES)
    ]  # fmt: skip
    protocol = {"profile": "quick", "count": 64, "duration_s": 6.0, "timer": {}}
    write(folder / f"{label}.run", {"a": outputs}, samples, label=label, protocol=protocol, **about)


def carry_out(folder: Path, *names: str, **environment: str) -> dict[str, subprocess.CompletedProcess[str]]:
    """The workflow's steps, or those of these names, as its server runs them: ``bash -e``, each whatever became of the
    one before."""
    binaries = Path(sys.executable).parent
    assert (binaries / "harness").exists()
    told = {
        **os.environ, **workflow()["jobs"]["harness"]["env"], "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        **environment,
    }  # fmt: skip
    return {
        step["name"]: subprocess.run(
            ["bash", "-e", "-c", step["run"]], cwd=folder, env=told, capture_output=True, text=True, check=False
        )
        for step in steps()
        if not names or step["name"] in names
    }


def test_the_workflow_is_one_that_github_understands() -> None:
    found = workflow()
    job = found["jobs"]["harness"]

    assert {"pull_request", "push"} <= set(found[True])  # YAML 1.1 reads `on` as a boolean
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    assert [step["name"] for step in steps()] == ["Masks agree", "Nothing is slower"]
    # Speed and reports are wanted all the more where masks differ.
    assert all("!cancelled()" in step["if"] for step in job["steps"][4:])


def test_what_agrees_and_is_as_fast_passes(checkout: Path) -> None:
    record(checkout, "reference")
    record(checkout, "same")

    done = carry_out(checkout, HARNESS_RUNTIMES="reference.run same.run", HARNESS_TIMED="reference.run same.run")

    assert {name: step.returncode for name, step in done.items()} == {"Masks agree": 0, "Nothing is slower": 0}
    assert not any("::warning" in step.stdout for step in done.values())
    summary = (checkout / "summary.md").read_text()
    assert summary.count("PASS") >= 2
    for verb in ("parity", "performance"):
        root = ElementTree.parse(checkout / "harness-results" / verb / "junit.xml").getroot()
        assert root.get("failures") == root.get("errors") == "0"
        assert int(root.get("tests", 0)) > 0
        assert (checkout / "harness-results" / verb / "index.html").exists()


def test_what_is_only_slower_is_a_warning(checkout: Path) -> None:
    record(checkout, "reference")
    record(checkout, "slow", times=1.2)

    done = carry_out(checkout, "Nothing is slower", HARNESS_TIMED="reference.run slow.run")

    performance = done["Nothing is slower"]
    assert performance.returncode == 0, performance.stderr
    assert "::warning title=Performance::slower than the gates allow" in performance.stdout
    root = ElementTree.parse(checkout / "harness-results" / "performance" / "junit.xml").getroot()
    assert int(root.get("failures", 0)) > 0  # what the server shows says so all the same


def test_a_mask_that_differs_fails(checkout: Path) -> None:
    record(checkout, "reference")
    record(checkout, "other", outputs=1 - PROBABILITY)

    done = carry_out(checkout, "Masks agree", HARNESS_RUNTIMES="reference.run other.run")

    assert done["Masks agree"].returncode == 1
    assert "FAIL" in (checkout / "summary.md").read_text()


def test_masks_that_differ_in_the_timed_runs_are_no_matter_of_speed(checkout: Path) -> None:
    record(checkout, "reference")
    record(checkout, "other", times=1.2, outputs=1 - PROBABILITY)

    done = carry_out(checkout, "Nothing is slower", HARNESS_TIMED="reference.run other.run")

    assert done["Nothing is slower"].returncode == 1


@pytest.mark.parametrize("step", ["Masks agree", "Nothing is slower"])
def test_what_could_not_run_fails(checkout: Path, step: str) -> None:
    record(checkout, "reference")
    record(checkout, "broken", status="failed", error={"kind": "crash", "message": "killed"})

    both = "reference.run broken.run"
    done = carry_out(checkout, step, HARNESS_RUNTIMES=both, HARNESS_TIMED=both)

    assert done[step].returncode == 4


def test_a_typing_error_fails_with_its_message(checkout: Path) -> None:
    done = carry_out(checkout, HARNESS_RUNTIMES="tflight", HARNESS_TIMED="tflight")

    assert {step.returncode for step in done.values()} == {2}
    assert all("no runtime 'tflight'" in step.stderr for step in done.values())


def test_without_github_the_script_warns_in_plain_words(checkout: Path) -> None:
    record(checkout, "reference")
    record(checkout, "slow", times=1.2)

    done = carry_out(
        checkout, "Nothing is slower", HARNESS_TIMED="reference.run slow.run", GITHUB_ACTIONS="",
        GITHUB_STEP_SUMMARY="",
    )  # fmt: skip

    assert "warning: slower than the gates allow" in done["Nothing is slower"].stderr


def test_a_baseline_takes_the_place_of_a_reference(checkout: Path) -> None:
    record(checkout, "tflite")
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        ["harness", "baseline", "save", "last", "tflite.run"],
        cwd=checkout, env={**os.environ, **environment}, check=True, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(checkout / "tflite.run")
    record(checkout, "tflite", times=1.5)

    done = carry_out(checkout, "Nothing is slower", HARNESS_TIMED="tflite.run", HARNESS_BASELINE="last")

    assert done["Nothing is slower"].returncode == 0, done["Nothing is slower"].stderr
    assert "::warning" in done["Nothing is slower"].stdout
