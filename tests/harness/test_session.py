# SPDX-License-Identifier: Apache-2.0
"""`harness run`: what a session leaves behind, whatever happens to its workers or to itself.

Real processes throughout: the command line, its workers, and signals.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness import bundle, comparison, model_file, resources, suite, suite_making
from harness.request import LANES

from .commands import HARNESS, bundles_in, environment, run
from .cuts import IDENTITY, cut_off, put_down

CONTRACT = model_file.find(resources.default_model(), "fp32").contract
SIZE = CONTRACT.input_height, CONTRACT.input_width


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of six small pictures: a bright figure on dark ground."""
    random = np.random.default_rng(7)
    entries = []
    for number in range(6):
        mask = np.zeros((96, 80), bool)
        mask[20 + number : 90, 15 : 60 + number] = True
        image = np.where(mask[..., None], 200, 40) + random.integers(-20, 20, (96, 80, 3))
        entries.append(suite_making.Entry(f"figure-{number}", image.astype(np.uint8), mask))
    return suite_making.write(tmp_path_factory.mktemp("suite") / "figures", "figures", entries).root


def test_a_run_leaves_one_verified_bundle_per_runtime_and_lane(cases: Path, tmp_path: Path) -> None:
    done = run("run", "tflite", "faulty", "--suite", cases, "--profile", "none", "--out", tmp_path / "out", "--json")

    assert done.returncode == 0, done.stderr
    assert {(row["label"], row["lane"], row["status"]) for row in json.loads(done.stdout)} == {
        (label, lane, "complete") for label in ("tflite", "faulty") for lane in ("tensor", "image")
    }
    for found in bundles_in(tmp_path / "out").values():
        found.verify()
        for case in found.cases():
            probability = found.tensor(case["id"])
            assert probability.shape == SIZE
            assert probability.min() >= 0.0
            assert probability.max() <= 1.0


def test_a_timed_run_reaches_its_profile_and_stamps_every_stage(cases: Path, tmp_path: Path) -> None:
    done = run("run", "faulty", "--suite", cases, "--profile", "quick", "--lane", "image", "--out", tmp_path / "out")

    assert done.returncode == 0, done.stderr
    found = bundles_in(tmp_path / "out")["faulty", "image"]
    steady = found.samples().query("phase == 'steady'")
    assert len(steady) >= 64
    assert steady["start_ns"].iloc[-1] - steady["start_ns"].iloc[0] >= 5e9
    stages = steady[["preprocess_ns", "invoke_ns", "postprocess_ns"]]
    assert (stages > 0).all(axis=None)
    assert (stages.sum(axis=1) <= steady["total_ns"]).all()
    assert found.facts["memory"]["peak_bytes"] > 10 << 20
    assert found.facts["timing"]["load_ns"] > 0


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("segfault", "crash", "SIGSEGV"),
        ("exit", "crash", "status 3"),
        ("hang", "timeout", "--timeout"),
        ("memory", "memory", "--memory-limit"),
        ("raise", "runtime", "the accelerator went away"),
    ],
)
def test_what_becomes_of_one_worker_is_named_and_touches_no_other(
    cases: Path, tmp_path: Path, how: str, kind: str, words: str
) -> None:
    done = run(
        *("run", "faulty", "tflite", "--suite", cases, "--profile", "none", "--out", tmp_path / "out"),
        *("--timeout", "4" if how == "hang" else "60", "--memory-limit", "900"),
        FAULTY_HOW=how,
        FAULTY_AT="3",
    )

    assert done.returncode == 4
    assert words in done.stdout
    assert "figure-2" in done.stdout
    found = bundles_in(tmp_path / "out")
    failed = found["faulty", "tensor"]
    assert (failed.facts["status"], failed.facts["error"]["kind"]) == ("failed", kind)
    assert failed.facts["error"]["case"] == "figure-2"
    assert failed.tensor("figure-1").shape == SIZE, "what was finished before the fault is kept"
    assert found["tflite", "tensor"].complete
    assert found["tflite", "image"].complete


def test_a_runtime_that_lacks_what_it_needs_is_invalid_and_names_the_remedy(cases: Path, tmp_path: Path) -> None:
    done = run("run", "absent", "tflite", "--suite", cases, "--profile", "none", "--out", tmp_path / "out")

    assert done.returncode == 4
    assert "pip install what-it-needs" in done.stdout
    assert bundles_in(tmp_path / "out")["tflite", "image"].complete


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[Any]) -> None:
    """Until a running command has written a file."""
    deadline = time.monotonic() + 60
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} within a minute"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def interrupt(
    cases: Path,
    folder: Path,
    victim: str,
    profile: str = "none",
    moment: str = "faulty-image-*.run/tensors/figure-1.npy",
) -> subprocess.CompletedProcess[str]:
    """Start a slow run, wait until it has written a file, and hit the worker, the parent, or both."""
    process = subprocess.Popen(
        [*HARNESS, "run", "faulty", "--suite", str(cases), "--profile", profile, "--out", str(folder)],
        env=environment(FAULTY_SLEEP="0.1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Where the tests run in the background, Ctrl-C is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread only
    )
    wait_for(folder, moment, process)
    if victim == "worker":
        psutil.Process(process.pid).children()[0].kill()
    elif victim == "parent":
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@pytest.mark.parametrize(("victim", "status"), [("parent", -signal.SIGKILL), ("group", 130)])
def test_an_interrupted_run_says_partial_and_resume_completes_it_to_the_same_result(
    cases: Path, tmp_path: Path, victim: str, status: int
) -> None:
    whole = run("run", "faulty", "--suite", cases, "--profile", "none", "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr

    stopped = interrupt(cases, tmp_path / "out", victim)

    assert stopped.returncode == status, stopped.stderr
    found = bundles_in(tmp_path / "out")
    assert found["faulty", "tensor"].complete
    assert found["faulty", "image"].facts["status"] == "partial"
    assert not (found["faulty", "image"].path / "checksums.txt").exists()

    resumed = run("run", "--resume", tmp_path / "out")

    assert resumed.returncode == 0, resumed.stderr
    expected, found = bundles_in(tmp_path / "whole"), bundles_in(tmp_path / "out")
    assert expected.keys() == found.keys()
    for key, reference in expected.items():
        found[key].verify()
        for case in reference.cases():
            assert np.array_equal(found[key].tensor(case["id"]), reference.tensor(case["id"]))
    samples = found["faulty", "image"].samples()
    assert sorted(samples["case"]) == sorted(case["id"] for case in found["faulty", "image"].cases())
    assert samples["seq"].tolist() == list(range(6))


@pytest.mark.system
@pytest.mark.parametrize("lane", LANES)
def test_a_bundle_cut_off_after_any_of_its_files_is_incomplete_and_completed_by_resume(
    cases: Path, tmp_path: Path, lane: str
) -> None:
    """The image lane is begun after the tensor lane's bundle and before anything runs: without its first file there is
    no more of the other than that."""
    two = suite_making.write(tmp_path / "suite", "figures", list(_copies(cases))[:2]).root
    assert run("run", "faulty", "--suite", two, "--profile", "none", "--out", tmp_path / "out").returncode == 0
    whole = bundles_in(tmp_path / "out")
    cut = whole["faulty", lane]

    for name, files in cut_off(cut.path):
        out = tmp_path / "again"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(tmp_path / "out", out)
        shutil.rmtree(out / cut.path.name)
        put_down(files, out / cut.path.name)
        if "run.json" not in files:
            other = whole["faulty", "image" if lane == "tensor" else "tensor"].path
            shutil.rmtree(out / other.name)
            if lane == "tensor":
                refused = run("run", "--resume", out)
                assert refused.returncode == 2
                assert "start a new run" in refused.stderr
                continue
            put_down(dict(cut_off(other))["before samples.csv, 1 files"], out / other.name)
        else:
            begun = bundle.open(out / cut.path.name)
            assert not (begun.complete and begun.has_checksums), name

        resumed = run("run", "--resume", out)

        assert resumed.returncode == 0, f"{name}: {resumed.stderr}"
        found = bundles_in(out)
        assert found.keys() == whole.keys(), name
        for key, expected in whole.items():
            assert found[key].complete, name
            found[key].verify()
            assert not list(found[key].path.rglob(".*"))
            for case in expected.cases():
                assert found[key].tensor(case["id"]).tobytes() == expected.tensor(case["id"]).tobytes(), name
            assert found[key].samples()["case"].tolist() == expected.samples()["case"].tolist(), name


@pytest.mark.system  # half a minute
def test_resume_times_a_run_that_was_stopped_before_its_timing(cases: Path, tmp_path: Path) -> None:
    interrupt(cases, tmp_path / "out", "parent", profile="quick", moment="faulty-tensor-*.run/tensors/figure-1.npy")

    assert run("run", "--resume", tmp_path / "out").returncode == 0

    assert (bundles_in(tmp_path / "out")["faulty", "image"].samples()["phase"] == "steady").sum() >= 64


def test_a_killed_worker_is_a_failed_run_that_keeps_its_finished_cases(cases: Path, tmp_path: Path) -> None:
    stopped = interrupt(cases, tmp_path / "out", "worker")

    assert stopped.returncode == 4
    assert "SIGKILL" in stopped.stdout
    found = bundles_in(tmp_path / "out")
    assert found["faulty", "tensor"].complete
    assert found["faulty", "image"].facts["status"] == "failed"
    assert found["faulty", "image"].tensor("figure-1").shape == SIZE


@pytest.fixture(scope="module")
def interrupted(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in its second lane."""
    out = tmp_path_factory.mktemp("interrupted") / "out"
    interrupt(cases, out, "parent")
    return out


@pytest.mark.parametrize("key", IDENTITY)
def test_resume_refuses_what_was_begun_on_another_machine_or_by_another_release_or_build(
    interrupted: Path, tmp_path: Path, key: str
) -> None:
    out = shutil.copytree(interrupted, tmp_path / "out")
    file = bundles_in(out)["faulty", "image"].path / "run.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    part, name = key.split(".")
    facts[part][name] = 4711 if name == "cores" else "another"
    file.write_text(json.dumps(facts), encoding="utf-8")

    resumed = run("run", "--resume", out)

    assert resumed.returncode == 2
    assert f"was begun with another {key}; finish it with what it was begun with" in resumed.stderr
    assert json.loads(file.read_text(encoding="utf-8")) == facts
    assert bundles_in(out)["faulty", "image"].facts["status"] == "partial"


def test_resume_refuses_a_suite_that_changed_meanwhile(cases: Path, tmp_path: Path) -> None:
    own = suite_making.write(tmp_path / "suite", "figures", _copies(cases)).root
    interrupt(own, tmp_path / "out", "parent")
    entries = list(_copies(cases))
    for path in [*own.rglob("*.png"), own / "suite.json"]:
        path.unlink()
    for folder in ("images", "masks"):
        (own / folder).rmdir()
    suite_making.write(own, "figures", entries[:-1])

    resumed = run("run", "--resume", tmp_path / "out")

    assert resumed.returncode == 2
    assert "has changed since the run was interrupted" in resumed.stderr


def _copies(cases: Path) -> list[suite_making.Entry]:
    return [suite_making.Entry(c.id, c.read_image(), c.read_mask()) for c in suite.load(cases).cases]


def test_a_changed_picture_of_the_suite_stops_the_run_with_its_name(cases: Path, tmp_path: Path) -> None:
    own = suite_making.write(tmp_path / "suite", "figures", _copies(cases))
    victim = own.cases[2].image.path
    data = bytearray(victim.read_bytes())
    data[-20] ^= 1
    victim.write_bytes(data)

    done = run("run", "faulty", "--suite", own.root, "--profile", "none", "--out", tmp_path / "out")

    assert done.returncode == 4
    assert str(victim) in done.stdout
    assert "harness suite verify" in done.stdout
    assert bundles_in(tmp_path / "out")["faulty", "tensor"].facts["error"]["kind"] == "suite"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "name at least one runtime"),
        (["run", "nothing"], "no runtime 'nothing'; known: absent, core, faulty, keras, swapped, swift, tflite"),
        (["run", "tflite:int9"], "model.int9.tflite"),
        (["run", "tflite", "tflite"], "named twice"),
        (["run", "tflite@nowhere"], "@package==version"),
        (["run", "t f"], "names no runtime"),
        (["run", "tflite", "--model", "no/such/model"], "no such model"),
        (["run", "tflite", "--suite", "no/such/suite"], "no such suite"),
        (["run", "tflite", "--lane", "both", "--resume", "."], "takes no other arguments"),
        (["run", "--resume", "."], "no run bundles"),
        (["compare"], "name a reference"),
        (["report"], "name the run bundles"),
        (["report", "no/such.run"], "no such run bundle"),
    ],
)
def test_bad_usage_is_one_message_and_nothing_runs(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = run(*arguments)

    assert done.returncode in (2, 4)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_an_output_folder_that_cannot_be_written_is_named(cases: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = run("run", "faulty", "--suite", cases, "--out", tmp_path / "file" / "out")

    assert done.returncode == 2
    assert str(tmp_path / "file" / "out") in done.stderr
    assert "--out" in done.stderr


def test_results_are_never_overwritten(cases: Path, tmp_path: Path) -> None:
    first = run("run", "faulty", "--suite", cases, "--profile", "none", "--out", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    again = run("run", "faulty", "--suite", cases, "--profile", "none", "--out", tmp_path / "out")

    assert first.returncode == 0
    assert again.returncode == 2
    assert "holds results already" in again.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.system  # half a minute
def test_an_interrupted_comparison_goes_on_to_the_same_report(cases: Path, tmp_path: Path) -> None:
    recorded = run("run", "faulty", "--suite", cases, "--profile", "none", "--out", tmp_path / "recorded")
    assert recorded.returncode == 0, recorded.stderr
    reference = bundles_in(tmp_path / "recorded")["faulty", "tensor"].path
    arguments = ("compare", reference, "faulty", "--suite", cases, "--profile", "none", "--lane", "tensor")
    whole = run(*arguments, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr

    out = tmp_path / "out"
    process = subprocess.Popen(
        [*HARNESS, *map(str, arguments), "--out", str(out)], env=environment(FAULTY_SLEEP="0.2"), stderr=subprocess.PIPE
    )
    wait_for(out, "runs/faulty-tensor-*.run/tensors/figure-1.npy", process)
    process.kill()
    process.communicate()
    assert not (out / "index.html").exists()
    resumed = run("compare", "--resume", out)

    assert resumed.returncode == 0, resumed.stderr
    assert (out / "index.html").exists()
    first, second = (comparison.read(folder / "comparison.json") for folder in (tmp_path / "whole", out))
    assert [r.pooled for r in second.runs] == [r.pooled for r in first.runs]
    assert [r.verdict for r in second.rows] == [r.verdict for r in first.rows]
    assert len(second.rows) > 5
