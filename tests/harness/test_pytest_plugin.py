# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, in projects of their own that real pytest processes run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import baseline, bundle, comparison, stats
from harness.pytest_plugin.calls import RecordedClock, present
from harness.runs import open_runs
from harness.verdict import Verdict
from tests.harness import commands

OURS = """
def test_model(harness_benchmark):
    harness_benchmark()

def test_function(harness_timeit):
    assert harness_timeit(sum, [1, 2], start=3) == 6
"""
THEIRS = """
import pytest

def test_plain():
    pass

def test_timed(benchmark):
    assert benchmark(sum, [1, 2]) == 3

@pytest.mark.benchmark(group="marked", max_time=0.05)
def test_marked(benchmark):
    benchmark(lambda: None)

@pytest.mark.benchmark(group="unused")
def test_marked_without_the_fixture():
    pass

@pytest.mark.parametrize("n", [1, 2])
def test_pedantic(benchmark, n):
    benchmark.pedantic(sum, args=([n],), rounds=5, iterations=3)

def test_that_fails(benchmark):
    benchmark(lambda: 1 / 0)

@pytest.mark.skip(reason="theirs")
def test_that_is_skipped(benchmark):
    pass
"""


def run_pytest(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``pytest ARGUMENTS…`` in a folder, apart from this run and from this project's configuration."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *map(str, arguments)]
    clean = {name: value for name, value in commands.environment(**environment).items() if "PYTEST" not in name}
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=300, check=False)


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What became of each test of a run with ``-v``."""
    return dict(re.findall(r"^(\S+::\S+) ([A-Z]+)\b", done.stdout, re.MULTILINE))


def project(folder: Path, tests: str, ini: str = "") -> Path:
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
    (folder / "test_some.py").write_text(tests)
    return folder


# --- without the flag ----------------------------------------------------------------------------


def shape(value: Any) -> Any:
    """The keys of data at every depth, and the types of what is there."""
    if isinstance(value, Mapping):
        return {key: shape(v) for key, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("options", [(), ("--benchmark-only",), ("--benchmark-skip",), ("--benchmark-disable",)])
def test_the_benchmarks_of_others_behave_as_without_the_plugin(tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = project(tmp_path, THEIRS)
    data, found = {}, {}
    for name, plugin in (("with", ()), ("without", ("-p", "no:harness"))):
        file = tmp_path / f"{name}.json"
        done = run_pytest(folder, "-v", *plugin, *options, "--benchmark-max-time", "0.02", "--benchmark-json", file)
        found[name] = (done.returncode, outcomes(done))
        if file.exists():
            table = json.loads(file.read_text())
            data[name] = shape({"keys": sorted(table), "benchmarks": [shape(b) for b in table["benchmarks"]]})
            data[f"names {name}"] = [(b["name"], b["group"], b["stats"]["iterations"] > 0) for b in table["benchmarks"]]

    assert found["with"] == found["without"]
    assert len(found["with"][1]) == 8
    assert data.get("with") == data.get("without")
    assert data.get("names with") == data.get("names without")
    assert bool(data) == ("--benchmark-skip" not in options and "--benchmark-disable" not in options)


def test_only_what_uses_our_fixtures_is_skipped(tmp_path: Path) -> None:
    done = run_pytest(project(tmp_path, OURS + THEIRS), "-v", "-rs")

    found = outcomes(done)
    ours = {name for name in found if "test_model" in name or "test_function" in name}
    assert {found[name] for name in ours} == {"SKIPPED"}
    assert found["test_some.py::test_timed"] == found["test_some.py::test_plain"] == "PASSED"
    assert "timed only with --benchmark" in done.stdout
    assert not (tmp_path / "reports").exists()


def test_marked_tests_are_skipped_where_the_ini_file_says_so(tmp_path: Path) -> None:
    done = run_pytest(project(tmp_path, THEIRS, "harness_benchmark = true\n"), "-v")

    marked = {name: outcome for name, outcome in outcomes(done).items() if "test_marked" in name}
    assert set(marked.values()) == {"SKIPPED"}
    assert len(marked) == 2
    assert outcomes(done)["test_some.py::test_timed"] == "PASSED"


def test_a_fixture_that_is_asked_for_while_running_skips_too(tmp_path: Path) -> None:
    tests = "def test_late(request):\n    request.getfixturevalue('harness_timeit')\n"

    assert outcomes(run_pytest(project(tmp_path, tests), "-v")) == {"test_some.py::test_late": "SKIPPED"}


def test_tests_run_beside_each_other_as_ever(tmp_path: Path) -> None:
    done = run_pytest(project(tmp_path, OURS + THEIRS), "-n", "2")

    assert done.returncode == 1  # theirs, the one that fails
    assert re.search(r"1 failed, 6 passed, \d+ skipped", done.stdout)


def test_the_plugin_loads_next_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_sessionfinish(session):\n"
        "    assert session.config.pluginmanager.has_plugin('harness')\n"
        "    print('LOADED', *sorted(name for name in sys.modules if name.partition('.')[0] in\n"
        "        ('harness', 'numpy', 'pandas', 'scipy', 'cv2', 'rich', 'jinja2', 'jsonschema')))\n"
    )

    done = run_pytest(tmp_path, "-s", "-p", "no:hypothesispytest")

    assert re.search(r"^LOADED(.*)$", done.stdout, re.MULTILINE)[1].split() == ["harness", "harness.pytest_plugin"]  # type: ignore[index]


# --- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-n", "2"), "run beside each other would slow each other down; omit -n"),
        (("--dist", "load", "--tx", "2*popen"), "omit -n and --dist"),
        (("-p", "no:benchmark"), "--benchmark needs the plugin pytest-benchmark, which is not loaded"),
        (("--benchmark-model", "nowhere"), "--benchmark-model nowhere: no such model folder or file"),
        (("--benchmark-suite", "nothing"), "nothing"),
        (("--benchmark-runtimes", "tflite,tflight"), "no runtime 'tflight'; known: "),
        (("--benchmark-profile", "eternal"), "argument --benchmark-profile: invalid choice"),
        (("--benchmark-baseline", "of/nothing"), "of/nothing"),
        (("--benchmark-out", "."), "--benchmark-out .: holds something already"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_before_anything_runs(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    tests = "open('ran', 'w')\n" + OURS

    done = run_pytest(project(tmp_path, tests), "--benchmark", *arguments)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"pytest.ini", "test_some.py"}


def test_a_runtime_that_nobody_named_and_that_cannot_run_is_skipped(tmp_path: Path) -> None:
    tests = OURS.replace(
        "def test_model", "@pytest.mark.parametrize('harness_benchmark', ['absent'], indirect=True)\ndef test_model"
    )

    done = run_pytest(project(tmp_path, "import pytest\n" + tests), "-v", "-rs", "--benchmark", "-k", "model")

    assert outcomes(done) == {"test_some.py::test_model[absent]": "SKIPPED"}
    assert "absent is not installed: pip install what-it-needs" in done.stdout


def test_a_runtime_that_was_named_and_cannot_run_fails(tmp_path: Path) -> None:
    done = run_pytest(project(tmp_path, OURS), "-v", "--benchmark", "--benchmark-runtimes", "absent", "-k", "model")

    assert outcomes(done) == {"test_some.py::test_model[absent]": "FAILED"}
    assert "absent is not installed: pip install what-it-needs" in done.stdout


def test_an_option_that_does_not_exist_is_named(tmp_path: Path) -> None:
    tests = OURS.replace("harness_benchmark()", "harness_benchmark(modell='x')")

    done = run_pytest(project(tmp_path, tests), "--benchmark", "--benchmark-runtimes", "tflite", "-k", "model")

    assert "harness_benchmark knows no modell; known: model, suite, " in done.stdout


# --- with it -------------------------------------------------------------------------------------


def test_recorded_durations_are_presented_to_the_last_bit() -> None:
    from pytest_benchmark.fixture import BenchmarkFixture  # the real one, made by hand

    clock, made = RecordedClock(), []
    options = dict.fromkeys(
        ("disable_gc", "min_rounds", "precision", "confidence", "warmup", "warmup_iterations", "calibration_precision",
         "logger", "warner", "disabled", "cprofile", "cprofile_loops", "cprofile_dump")
    )  # fmt: skip

    class Node:
        name, nodeid = "test", "test"

    class Timer:
        target = clock

    benchmark = BenchmarkFixture(Node, timer=Timer, min_time=0, max_time=1, add_stats=made.append, **options)
    recorded = (np.random.default_rng(0).lognormal(-4, 1, 300)).tolist()

    present(benchmark, clock, recorded)

    (metadata,) = made
    assert metadata.stats.data == recorded
    assert metadata.iterations == 1


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One real run: two runtimes that work and one that crashes, and functions in the process."""
    folder = project(tmp_path_factory.mktemp("project"), OURS, "addopts = --benchmark-disable\n")
    done = run_pytest(
        folder, "-v", "--benchmark", "--benchmark-runtimes", "tflite:int8,tflite,faulty", "--benchmark-out", "out",
        FAULTY_AT="3", FAULTY_HOW="exit",
    )  # fmt: skip
    return folder, done


@pytest.mark.system
def test_each_target_is_a_test_and_a_crash_is_the_failure_of_one(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = measured

    assert outcomes(done) == {
        "test_some.py::test_model[tflite:int8]": "PASSED",
        "test_some.py::test_model[tflite]": "PASSED",
        "test_some.py::test_model[faulty]": "FAILED",
        "test_some.py::test_function": "PASSED",
    }, done.stdout + done.stderr
    assert "the worker process exited with status 3" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED


@pytest.mark.system
def test_the_data_of_pytest_benchmark_hold_the_frames_of_the_bundles(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = measured
    table = json.loads((folder / "out" / "pytest-benchmark.json").read_text())
    found = {entry["name"]: entry for entry in table["benchmarks"]}

    for label in ("tflite:int8", "tflite"):
        entry = found[f"test_model[{label}]"]
        opened = bundle.open(entry["extra_info"]["bundle"])
        opened.verify()
        samples = opened.samples()
        steady = samples.loc[samples["phase"] == "steady", "total_ns"]
        assert opened.label == label
        assert len(steady) >= 64
        assert entry["stats"]["data"] == (steady / 1e9).tolist()
        assert entry["stats"]["iterations"] == 1
        assert entry["extra_info"]["p50_ms"] == pytest.approx(stats.percentile(steady.to_numpy(np.float64), 0.5) / 1e6)
    assert {found[f"test_model[{label}]"]["group"] for label in ("tflite:int8", "tflite")} == {
        "test_some.py::test_model"
    }
    assert found["test_function"]["stats"]["iterations"] == 1
    assert found["test_function"]["stats"]["rounds"] >= 64


@pytest.mark.system
def test_the_targets_were_timed_beside_each_other_and_compared(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = measured
    report = folder / "out" / "test_some-test_model"
    result = comparison.read(report / "comparison.json")

    assert [run.label for run in result.runs] == ["tflite:int8", "tflite", "faulty"]
    assert len({run.facts["session"]["id"] for run in result.runs}) == 1
    ratio = next(row for row in result.rows if row.row == "latency/total/ratio" and row.run == "tflite")
    assert ratio.interval
    assert ratio.verdict is not Verdict.INVALID
    assert (report / "index.html").stat().st_size > 10_000
    assert "Report: out/test_some-test_model/index.html" in done.stdout
    assert done.stdout.index("out/test_some-test_model/index.html") > done.stdout.index("Legend:")


@pytest.mark.system
def test_pytest_benchmark_compares_what_it_finds(measured: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = measured
    command = [Path(sys.executable).parent / "pytest-benchmark", "compare", "out/pytest-benchmark.json"]

    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=dict(os.environ))

    assert "test_model[tflite:int8]" in done.stdout
    assert "test_function" in done.stdout


def test_paths_of_the_ini_file_are_collected_only_with_the_flag(tmp_path: Path) -> None:
    project(tmp_path, "def test_plain():\n    pass\n", "testpaths = test_some.py\nharness_benchmark_paths = timed\n")
    (tmp_path / "timed").mkdir()
    (tmp_path / "timed" / "test_timed.py").write_text(OURS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "test_other.py").write_text(OURS)

    def collected(*arguments: str) -> set[str]:
        done = run_pytest(tmp_path, "--collect-only", "-q", "-k", "not model", *arguments)
        return set(re.findall(r"^(\S+)::", done.stdout, re.MULTILINE))

    assert collected() == {"test_some.py"}
    assert collected("--benchmark") == {"timed/test_timed.py"}
    assert collected("--benchmark", "other") == {"other/test_other.py"}
    assert not (tmp_path / "reports").exists()


def test_named_runtimes_narrow_what_a_test_chose(tmp_path: Path) -> None:
    chosen = "import pytest\n@pytest.mark.parametrize('harness_benchmark', ['tflite', 'faulty', 'core'], indirect=True)"
    folder = project(tmp_path, chosen + OURS)

    done = run_pytest(folder, "--co", "-q", "--benchmark", "--benchmark-runtimes", "core,tflite", "-k", "model")

    assert re.findall(r"::(\S+)", done.stdout) == ["test_model[tflite]", "test_model[core]"]


@pytest.mark.system
def test_targets_are_held_against_a_baseline(
    measured: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = measured
    recorded = list((folder / "out" / "test_some-test_model" / "runs").glob("tflite-int8-*.run"))
    baseline.save("last", open_runs(recorded), tmp_path / "baselines")
    options = ("--benchmark-runtimes", "tflite:int8,tflite", "--benchmark-baseline", "last", "--benchmark-out", "out")

    done = run_pytest(project(tmp_path, OURS), "-v", "--benchmark", "-k", "model", *options)

    (checked,) = json.loads((tmp_path / "out" / "test_some-test_model" / "baseline" / "check.json").read_text())[
        "targets"
    ]
    # How fast a machine is from one minute to the next is not for a test.
    agrees = checked["verdict"] in ("PASS", "WARN")
    assert checked["speed"] == "gated"
    assert outcomes(done) == {
        "test_some.py::test_model[tflite:int8]": "PASSED" if agrees else "FAILED",
        "test_some.py::test_model[tflite]": "FAILED",
    }
    assert "baseline 'last' has no tflite; it has tflite:int8: record one with it" in done.stdout
    assert ("tflite:int8 against baseline 'last': " in done.stdout) == (not agrees)
