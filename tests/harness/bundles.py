# SPDX-License-Identifier: Apache-2.0
"""Run bundles as a runtime would leave them: what the tests of reading and comparing start from."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.bundle import BundleWriter
from harness.files import write_tensor

CONTRACT = """\
schema = "segmentation-contract/1"
input_height = 16
input_width = 12
channels = "rgb"
fit = "stretch"
resize = "area"
scale = 0.00392156862745098
offset = 0.0
output = "probability"
foreground = 0
threshold = 0.5
"""
FRAME = (48, 40)
"""Height and width of the cases' pictures."""


def picture_hash(case: str) -> str:
    return hashlib.sha256(case.encode()).hexdigest()


def facts(
    label: str = "tflite",
    lane: str = "image",
    cases: Iterable[str] = ("a", "b"),
    session: str = "session-1",
    variant: str = "fp32",
    **changes: Any,
) -> dict[str, Any]:
    """A valid ``run.json`` of a run that has just begun; ``changes`` replace its keys."""
    return {
        "schema": "run/1",
        "run_id": f"0-{label.replace(':', '-')}-{lane}",
        "kind": "suite",
        "status": "partial",
        "label": label,
        "session": {"id": session, "arm": label, "order": 0},
        "started_at": "2025-01-01T00:00:00+00:00",
        "tool": {"name": "harness", "version": "0.0"},
        "suite": {
            "id": "figures",
            "sha256": "0" * 64,
            "cases": [
                {"id": case, "input_sha256": picture_hash(case), "height": FRAME[0], "width": FRAME[1], "tags": []}
                for case in cases
            ],
        },
        "model": {
            "name": "portrait",
            "variant": variant,
            "format": "tflite",
            "sha256": "1" * 64,
            "bytes": 1,
            "contract": CONTRACT,
        },
        "runtime": {"name": label, "version": "1.0", "requested": {"threads": 1}, "actual": {}},
        "device": {"kind": "desktop", "cpu": "any", "arch": "x86_64", "cores": 1, "os": "Linux", "emulated": False},
        "build": {},
        "lane": lane,
        "protocol": {"profile": "none", "count": 0, "duration_s": 0, "timer": {}},
        "conditions": {},
        "timing": {"load_ns": 5_000_000, "first_inference_ns": 9_000_000},
        "memory": {"peak_bytes": 1 << 20},
        "request": {"spec": label},
        **changes,
    }


def rewrite(bundle: Path, target: Path, **changes: Any) -> Path:
    """A copy of a complete bundle that tells something else of itself, with checksums that vouch for it.

    Where no phone is at hand, this is how the bundle of one is made: tensors and times are of the run it was copied
    from. ``changes`` replace keys of ``run.json``.
    """
    shutil.copytree(bundle, target)
    told = json.loads((target / "run.json").read_text(encoding="utf-8"))
    BundleWriter(target, told | changes).finish(told["status"], told["error"])
    return target


LITTER = (
    ".DS_Store", "tensors/.DS_Store", "._run.json", "tensors/._a.npy", "__MACOSX/x", "__MACOSX/tensors/x",
)  # fmt: skip
"""What macOS leaves beside files: of no bundle, whatever language reads or writes it."""
NO_LITTER = ("DS_Store", "x.DS_Store", ".hidden", "__MACOSX.txt", "tensors/__MACOSX/x", "._folder/x")
"""What only looks like it."""


def put_beside(folder: Path, names: Iterable[str]) -> None:
    """Put files of these names into a bundle."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def listed_beside(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of the names that the bundle's checksums list."""
    listed = [line.split("  ", 1)[1] for line in (folder / "checksums.txt").read_text(encoding="utf-8").splitlines()]
    return [name for name in names if name in listed]


PHONE = {"kind": "phone", "model": "iPhone15,2", "cpu": "Apple A16", "arch": "arm64", "cores": 6, "os": "iOS 17.5",
         "emulated": False}  # fmt: skip


def phone_conditions(states: Sequence[str], battery: int = 80) -> dict[str, Any]:
    """What a phone tells over so many blocks: a second apart, the battery a percent lower after every fourth."""
    during = [
        {
            "restart": 0, "block": block, "at_ns": 10**12 + block * 10**9, "thermal": state, "low_power_mode": False,
            "power": {"plugged": False, "battery_percent": battery - block // 4}, "memory_pressure": "normal",
            "available_memory_bytes": 3_000_000_000 - block * 1_000_000, "qos": "user_initiated", "debugger": False,
            "foreground": True,
        }
        for block, state in enumerate(states)
    ]  # fmt: skip
    return {"before": during[0], "during": during, "after": during[-1]}


def write(
    folder: Path,
    outputs: Mapping[str, np.ndarray],
    samples: Iterable[Mapping[str, Any]] = (),
    status: str = "complete",
    error: dict[str, Any] | None = None,
    **about: Any,
) -> Path:
    """A bundle with these outputs by case; ``about`` as for :func:`facts`. A partial one is left as a kill would."""
    about.setdefault("cases", list(outputs))
    writer = BundleWriter(folder, facts(**about))
    for case, output in outputs.items():
        write_tensor(writer.tensor_path(case), output)
    writer.add_samples(dict(sample) for sample in samples)
    if status != "partial":
        writer.finish(status, error)
    return folder
