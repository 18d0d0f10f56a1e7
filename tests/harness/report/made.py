# SPDX-License-Identifier: Apache-2.0
"""What the tests of the report start from: run bundles written as a runtime would write them, then compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness import bundle, compare, files, gates, suite_making
from harness.comparison import Comparison
from harness.runs import open_runs
from harness.suite import Suite

SIZE = 32
CONTRACT = """schema = "segmentation-contract/1"
input_height = 32
input_width = 32
channels = "rgb"
fit = "stretch"
resize = "area"
scale = 0.00392156862745098
offset = 0.0
output = "probability"
foreground = 0
threshold = 0.5
"""
GATES = """version: 1
gates:
  - {row: "pooled/mask_iou", min: 0.98}
  - {row: "case/*/max_abs", max: 1.0e-4, warn: 1.0e-5}
"""


@dataclass(frozen=True)
class Runner:
    """A runtime that never ran: how its output differs from the true mask, and what went wrong.

    Attributes:
        change: probability of a case and its number -> what this one returns instead.
        error: it broke off after the first case, with this message.
        frames: timed frames, one millisecond each.
        samples: rows of ``samples.csv`` instead of those.
    """

    label: str
    change: Callable[[np.ndarray, int], np.ndarray] = lambda probability, number: probability
    error: str = ""
    frames: int = 80
    facts: dict[str, Any] = field(default_factory=dict)
    samples: Sequence[dict[str, Any]] = ()


def make_suite(folder: Path, ids: list[str]) -> Suite:
    """A suite of 40 × 48 pixels pictures with a bright figure on dark ground and its mask."""
    entries = []
    for number, name in enumerate(ids):
        mask = np.zeros((48, 40), bool)
        mask[8 + number % 7 :, 6 : 30 + number % 5] = True
        image = np.where(mask[..., None], (220, 170, 120), (20, 40, 60)).astype(np.uint8)
        entries.append(suite_making.Entry(name, image, mask))
    return suite_making.write(folder, "figures", entries)


def compared(
    folder: Path,
    cases: Suite,
    runners: list[Runner],
    command: str = "harness compare keras tflite",
    lanes: Sequence[str] = compare.LANES,
    truth: bool = True,
    gates_text: str = GATES,
) -> Comparison:
    """Bundles of these runners on this suite below ``folder``, and what the gates say of them."""
    paths = [
        _bundle(folder / f"{order}-{lane}.run", cases, runner, order, lane)
        for order, runner in enumerate(runners)
        for lane in lanes
    ]
    (folder / "gates.yaml").write_text(gates_text, encoding="utf-8")
    runs = open_runs(paths)
    result = compare.compare(runs, gates.load(folder / "gates.yaml"), "figures", command, cases if truth else None)
    return compare.relative_bundles(result, folder)


def _bundle(path: Path, cases: Suite, runner: Runner, order: int, lane: str) -> Path:
    writer = bundle.BundleWriter(path, _facts(path.stem, cases, runner, order, lane))
    for number, case in enumerate(cases.cases[:1] if runner.error else cases.cases):
        truth = np.zeros((SIZE, SIZE), np.float32)
        truth[5 + number % 5 :, 5:24] = 0.96
        probability = runner.change(truth, number).astype(np.float32)
        files.write_tensor(writer.tensor_path(case.id), probability)
    if lane == "image" and not runner.error:
        writer.add_samples(
            runner.samples
            or (_sample(number, cases.cases[number % len(cases.cases)].id) for number in range(runner.frames))
        )
    error = {"kind": "crash", "message": runner.error} if runner.error else None
    writer.finish("failed" if runner.error else "complete", error)
    return path


SPEED_GATES = GATES + '  - {row: "latency/total/ratio", max: 1.02}\n  - {row: "latency/*/ratio", max: 1.10}\n'


def timed(label: str, slower: float = 1.0, drift: float = 0.0, seed: int = 0, **about: Any) -> Runner:
    """A runner that was timed beside others: five starts of twelve blocks, at a camera's rate, and for ten seconds.

    Args:
        slower: how many times 10 ms a frame takes.
        drift: by what share frames become slower over each start.
    """
    noise = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []

    def frame(phase: str, restart: int, block: int, start: int, drifted: float = 1.0, **more: Any) -> int:
        total = int(1e7 * slower * drifted * np.exp(0.01 * noise.standard_normal()))
        total *= 3 if noise.random() < 0.01 else 1
        stages = {"preprocess_ns": total // 4, "invoke_ns": total // 2, "postprocess_ns": total // 8}
        times = {"start_ns": start, "total_ns": total, **stages}
        rows.append({"phase": phase, "restart": restart, "block": block, "case": "ada", **times, **more})
        return start + total

    at = 10**12
    # The masks were drawn by start 0, which has no times.
    for restart in range(1, 6):
        at = frame("cold", restart, 0, at + 10**9)
        for block in range(12):
            for number in range(4):
                at = frame("steady", restart, block, at + 10**6, 1 + drift * (4 * block + number) / 48)
            at += 10**8  # the others' turn
    period, number, dropped = 33_333_333, 0, 0
    while number < 90:
        due = at + number * period
        end = frame("paced", 5, 0, due + 50_000)
        rows[-1] |= {"due_ns": due, "presented_ns": end, "dropped": dropped}
        newest = max(number + 1, (end - at) // period)
        number, dropped = newest, newest - number - 1
    at += 10**10
    for number in range(1000):
        at = frame("sustained", 5, number // 100, at, 1 + drift * number / 1000)
    starts = [
        {
            "restart": n,
            "cold_start_ns": 29 * 10**7 + 10**7 * n,
            "load_ns": 19 * 10**6 + 10**6 * n,
            "first_inference_ns": 10**7,
        }
        for n in range(1, 6)
    ]
    quiet = {"load": [0.5, 0.4, 0.3], "frequency_mhz": 2800}
    during = [{"restart": n, **quiet, "other_processes": 0.02} for n in range(1, 6)]
    facts = {
        "timing": {"load_ns": 2 * 10**7, "first_inference_ns": 10**7, "starts": starts},
        "conditions": {"before": quiet, "during": during, "after": quiet},
        "protocol": {"profile": "quick", "count": 64, "duration_s": 1.0, "timer": {}},
    }
    return Runner(label, facts=facts, samples=rows, **about)


def _sample(number: int, case: str) -> dict[str, Any]:
    stages = {"preprocess_ns": 100_000, "invoke_ns": 850_000 + 1000 * (number % 7), "postprocess_ns": 50_000}
    times = {"start_ns": 10**12 + number * 1_100_000, "total_ns": sum(stages.values())}
    return {"phase": "steady", "restart": 0, "case": case, **stages, **times}


def _facts(run_id: str, cases: Suite, runner: Runner, order: int, lane: str) -> dict[str, Any]:
    listed = [
        {"id": c.id, "input_sha256": c.image.sha256, "height": c.height, "width": c.width, "tags": []}
        for c in cases.cases
    ]
    return {
        "schema": bundle.SCHEMA,
        "run_id": run_id,
        "kind": "suite",
        "status": "partial",
        "label": runner.label,
        "session": {"id": "session", "arm": runner.label, "order": order},
        "started_at": "2025-01-01T00:00:00+00:00",
        "tool": {"name": "test", "version": "1"},
        "suite": {"id": cases.id, "sha256": cases.sha256, "cases": listed},
        "model": {
            "name": "figure",
            "variant": "fp32",
            "format": "tflite",
            "sha256": hashlib.sha256(runner.label.encode()).hexdigest(),
            "bytes": 1_234_567,
            "contract": CONTRACT,
        },
        "runtime": {"name": "made", "version": None, "requested": {"threads": 1}, "actual": {"threads": 1}},
        "device": {"kind": "desktop", "cpu": "cpu", "cores": 2, "os": "os", "arch": "x86_64", "emulated": False},
        "build": {},
        "lane": lane,
        "protocol": {"profile": "quick", "count": runner.frames, "duration_s": 0.0, "timer": {}},
        "conditions": {},
        "timing": {"load_ns": 12_000_000, "first_inference_ns": 3_000_000},
        "memory": {"peak_bytes": 45_000_000, "how": "maximum resident set"},
        "request": {"spec": runner.label},
        **runner.facts,
    }
