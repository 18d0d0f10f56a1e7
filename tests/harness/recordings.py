# SPDX-License-Identifier: Apache-2.0
"""Live bundles as a camera application would leave them, and what a comparison says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import compare, gates, resources
from harness.bundle import BundleWriter
from harness.comparison import Comparison
from harness.runs import open_runs
from tests.harness.bundles import facts

MOTION = {"id": "sway", "sha256": "a" * 64, "cases": []}
CAMERA = {"id": "camera:0", "sha256": None, "cases": []}
MS = 1_000_000
STAGES = {"preprocess_ns": 2 * MS, "invoke_ns": 5 * MS, "postprocess_ns": MS, "refine_ns": MS, "composite_ns": 3 * MS}


def row(start: int, latency: int, dropped: int = 0, mask_age: int | None = 0) -> dict[str, Any]:
    """One picture that was shown, times in nanoseconds."""
    shown = {"start_ns": start, "total_ns": latency, "presented_ns": start + latency}
    return {"phase": "paced", "restart": 0, "dropped": dropped, "mask_age": mask_age, **shown, **STAGES}


def steady(count: int, interval: int, latency: int = 20 * MS) -> list[dict[str, Any]]:
    """Pictures captured and shown at even intervals."""
    return [row(10**12 + n * interval, latency) for n in range(count)]


def write(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    counts: dict[str, Any] | None = None,
    status: str = "complete",
    label: str = "rtpy",
    **about: Any,
) -> Path:
    """A live bundle with these rows and the counters that follow from them; ``counts`` replace some."""
    dropped = sum(r["dropped"] for r in rows)
    told = {
        "mode": "synced",
        "background": "blur",
        "source": "suite:sway",
        "paced_fps": 30,
        "captured": len(rows) + dropped,
        "inferred": len(rows),
        "presented": len(rows),
        "dropped": dropped,
        "hidden": sum(r["mask_age"] is None for r in rows),
        "wall_ns": max((r["presented_ns"] for r in rows), default=0) - min((r["start_ns"] for r in rows), default=0),
        **(counts or {}),
    }
    about = {"suite": MOTION, "session": folder.stem, **about}
    session = {"id": about.pop("session"), "arm": label, "order": 0}
    writer = BundleWriter(folder, facts(label=label, kind="live", live=told) | {"session": session, **about})
    writer.add_samples(rows)
    if status != "partial":
        writer.finish(status, {"kind": "runtime", "message": "camera unplugged"} if status == "failed" else None)
    return folder


def compared(*paths: Path) -> Comparison:
    return compare.compare(open_runs(paths), gates.load(resources.default_gates()), "live", "harness compare")


def recording(
    seconds: float = 25,
    fps: float = 30,
    latency: float = 25,
    drops: float = 0.0,
    aged: float = 0.0,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Pictures at a camera's rate, with noise: some frames dropped before them, some with the mask before."""
    random, at, rows = np.random.default_rng(seed), 10**12, []
    while at < 10**12 + seconds * 10**9:
        dropped = int(random.random() < drops)
        at += round((1 + dropped) * 1e9 / fps * random.normal(1, 0.02))
        took = round(latency * MS * math.exp(random.normal(0, 0.1)))
        rows.append(row(at, took, dropped, int(random.random() < aged)))
    return rows
