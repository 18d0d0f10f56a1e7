# SPDX-License-Identifier: Apache-2.0
"""What the harness itself costs: writing and reading a bundle, comparing two, statistics, a worker's round trip."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import bundle, compare, device, gates, model_file, report, resources, runs, runtime, stats, suite
from harness.files import write_tensor
from harness.supervisor import Supervisor

pytestmark = pytest.mark.benchmark(group="harness")
CASES, FRAMES = 4, 1024
MODEL = model_file.find(resources.default_model(), "int8")
LIMITS = gates.load(resources.default_gates())


def facts(label: str) -> dict[str, Any]:
    cases = suite.find(suite.DEFAULT).cases[:CASES]
    return {
        "schema": bundle.SCHEMA,
        "run_id": label,
        "kind": "suite",
        "status": "partial",
        "error": None,
        "label": label,
        "session": {"id": "one", "arm": label, "order": 0},
        "started_at": "2025-01-01T00:00:00+00:00",
        "tool": device.tool(),
        "suite": {
            "id": suite.DEFAULT,
            "sha256": suite.find(suite.DEFAULT).sha256,
            "cases": [
                {"id": case.id, "input_sha256": case.image.sha256, "height": case.height, "width": case.width}
                for case in cases
            ],
        },
        "model": MODEL.facts(),
        "runtime": {"name": "tflite", "version": None, "requested": {"delegate": "cpu", "threads": 1}, "actual": {}},
        "device": device.describe(),
        "build": {},
        "lane": "image",
        "protocol": {"profile": "quick", "count": 64, "duration_s": 6.0, "timer": device.timer()},
        "conditions": {},
        "timing": {},
        "memory": {},
        "request": {"spec": label},
    }


def samples(seed: int) -> list[dict[str, Any]]:
    """Frames of about 10 ms in blocks of eight, three starts."""
    times = (1e7 * np.exp(np.random.default_rng(seed).normal(0, 0.05, FRAMES))).astype(int).tolist()
    begins = itertools.accumulate(times, initial=0)
    return [
        {
            "phase": "steady", "restart": 3 * number // FRAMES, "block": number // 8, "case": "a", "start_ns": begin,
            "preprocess_ns": total // 4, "invoke_ns": total // 2, "postprocess_ns": total // 4, "total_ns": total,
        }
        for number, (begin, total) in enumerate(zip(begins, times, strict=False))
    ]  # fmt: skip


def write(folder: Path, label: str, seed: int) -> Path:
    writer = bundle.BundleWriter(folder / f"{label}.run", facts(label))
    size = (MODEL.contract.input_height, MODEL.contract.input_width)
    for case in writer.facts["suite"]["cases"]:
        write_tensor(writer.tensor_path(case["id"]), np.random.default_rng(seed).random(size, np.float32))
    writer.add_samples(samples(seed))
    writer.finish("complete")
    return writer.folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[runs.Run]:
    folder = tmp_path_factory.mktemp("pair")
    return runs.open_runs([write(folder, label, seed) for seed, label in enumerate(("a", "b"))])


def test_write_a_bundle(harness_timeit: Callable[..., Any], tmp_path: Path) -> None:
    numbers = itertools.count()
    written = harness_timeit(lambda: write(tmp_path / str(next(numbers)), "a", 0))

    assert bundle.open(written).complete


def test_open_and_verify_a_bundle(harness_timeit: Callable[..., Any], pair: list[runs.Run]) -> None:
    (run,) = harness_timeit(runs.open_runs, [pair[0].lanes["image"].path])

    assert len(run.lanes["image"].samples()) == FRAMES


def test_compare_two_bundles(harness_timeit: Callable[..., Any], pair: list[runs.Run]) -> None:
    comparison = harness_timeit(compare.compare, pair, LIMITS, "pair", "")

    assert len(comparison.cases) == 2 * CASES


def test_write_a_report(harness_timeit: Callable[..., Any], pair: list[runs.Run], tmp_path: Path) -> None:
    comparison = compare.compare(pair, LIMITS, "pair", "")

    assert harness_timeit(report.write, comparison, tmp_path).is_file()


def test_effect_of_a_session(harness_timeit: Callable[..., Any]) -> None:
    pairs = [np.exp(np.random.default_rng(seed).normal(0, 0.05, (40, 2))) for seed in range(5)]

    effect = harness_timeit(stats.effect, pairs)

    assert effect.low < effect.estimate < effect.high


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(runtime.registered()["tflite"].value, tmp_path / "log", timeout=60) as started:
        started.request("peak")
        yield started


def test_ask_a_worker(harness_timeit: Callable[..., Any], worker: Supervisor) -> None:
    assert harness_timeit(worker.request, "peak")["peak_bytes"] > 0
