# SPDX-License-Identifier: Apache-2.0
"""How long does the overview of very many runs take to make, and how large is it?

    python benchmarks/history.py                   # 10,000 bundles
    python benchmarks/history.py --bundles 100 1000 --keep somewhere

The bundles are such as ``harness bench`` leaves, of the shipped suite and model, with made-up figures over two years;
every fifth has its comparison beside it. One in a hundred is damaged, one unfinished, one failed. With ``--unsummed``
they lack ``timing.steady``, as those of other writers do: their samples are read once, and kept.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from harness import bundle, device, history, resources, suite
from harness.report import history as page

TARGETS = ("keras", "tflite", "tflite:fp16", "tflite:int8", "core:int8")
MACHINES = ("Xeon Platinum 8375C", "Ryzen 9 7950X", "Apple M2")
_SPEED = {"keras": 60.0, "tflite": 24.0, "tflite:fp16": 24.5, "tflite:int8": 12.0, "core:int8": 11.0}
_FRAMES = 1000


def make(folder: Path, count: int, seed: int = 0, summed: bool = True) -> None:
    """Write so many bundles below ``folder``, five to a session and its report."""
    chance = random.Random(seed)
    cases = suite.find("portraits")
    samples = folder / "samples.csv"
    folder.mkdir(parents=True, exist_ok=True)
    samples.write_text(_samples(chance), encoding="utf-8")
    step = timedelta(days=730) / max(1, count)
    for first in range(0, count, len(TARGETS)):
        report = folder / f"session-{first:06}"
        summaries = []
        for order, label in enumerate(TARGETS[: count - first]):
            number = first + order
            # A year in, somebody makes int8 slower; that is what the page is to show.
            slower = 1.15 if number > count / 2 and label.endswith("int8") else 1.0
            p50 = _SPEED[label] * slower * chance.lognormvariate(0, 0.02)
            started = datetime(2024, 1, 1, tzinfo=timezone.utc) + step * first
            facts = _facts(cases, label, number, started, p50, summed)
            trouble = {1: "damaged", 2: "partial", 3: "failed"}.get(number % 100, "")
            path = report / "runs" / f"{facts['run_id']}.run"
            _write(path, facts, samples, trouble)
            summaries.append(_summary(facts, f"runs/{path.name}", order == 0, chance))
        comparison = {"name": "made up", "created_at": summaries[0]["facts"]["started_at"], "runs": summaries}
        rows = [{"run": "tflite", "lane": "image", "row": f"case/{k}/max_abs", "value": 1e-5 * k} for k in range(400)]
        (report / "comparison.json").write_text(json.dumps({**comparison, "rows": rows}, indent=1), encoding="utf-8")
    samples.unlink()


def _facts(cases: suite.Suite, label: str, number: int, started: datetime, p50: float, summed: bool) -> dict[str, Any]:
    runtime, _, variant = label.partition(":")
    variant = variant or {"keras": "keras"}.get(runtime, "fp32")
    size = {"keras": 4_100_000, "fp32": 3_869_036, "fp16": 1_975_000, "int8": 1_173_544}[variant]
    listed = [
        {"id": c.id, "input_sha256": c.image.sha256, "height": c.height, "width": c.width, "tags": list(c.tags)}
        for c in cases.cases
    ]
    machine = MACHINES[(number // 5) % 7 % 3]
    starts = [
        {"restart": k, "cold_start_ns": 4 * 10**8, "load_ns": 10**7, "first_inference_ns": 10**7} for k in range(5)
    ]
    timing: dict[str, Any] = {"load_ns": 10**7, "first_inference_ns": 10**7, "starts": starts}
    if summed:
        nanoseconds = round(p50 * 1e6)
        steady = {"p50_ns": nanoseconds, "p90_ns": round(1.08 * nanoseconds), "fps": 990 / p50}
        timing["steady"] = {"frames": _FRAMES, **steady}
    return {
        "schema": bundle.SCHEMA,
        "run_id": f"{label.replace(':', '-')}-image-{number:06}",
        "kind": "suite",
        "status": "complete",
        "error": None,
        "label": label,
        "session": {"id": f"session-{number // len(TARGETS)}", "arm": label, "order": number % len(TARGETS)},
        "started_at": started.isoformat(timespec="seconds"),
        "tool": {"name": "harness", "version": f"0.{1 + number // 4000}.0", "commit": f"{number // 50:040x}"},
        "suite": {"id": cases.id, "sha256": cases.sha256, "cases": listed},
        "model": {
            "name": "portrait", "variant": variant, "format": "keras" if runtime == "keras" else "tflite",
            "sha256": f"{number // 500:064x}", "bytes": size + 1000 * (number // 2500),
            "contract": (resources.default_model() / "contract.toml").read_text(encoding="utf-8"),
        },
        "runtime": {"name": runtime, "version": "1", "requested": {"threads": 1, "delegate": "cpu"}, "actual": {}},
        "device": {
            "kind": "desktop", "cpu": machine, "arch": "x86_64", "cores": 8,
            "os": "Debian GNU/Linux 12 (bookworm) (kernel 6.1)", "emulated": False,
        },
        "build": {},
        "lane": "image",
        "protocol": {"profile": "normal", "count": 128, "duration_s": 10, "parity": False, "timer": device.timer()},
        "conditions": {"before": {"load": [0.1, 0.1, 0.1]}, "during": [], "after": {}},
        "timing": timing,
        "memory": {"peak_bytes": 130_000_000 + 1_000_000 * (number % 9), "how": "VmHWM"},
        "request": {"spec": label},
    }  # fmt: skip


def _write(path: Path, facts: dict[str, Any], samples: Path, trouble: str) -> None:
    path.mkdir(parents=True)
    if trouble == "partial":
        facts["status"] = "partial"
    elif trouble == "failed":
        facts.update(status="failed", error={"kind": "crash", "message": "the worker died of signal 11 (SIGSEGV)"})
    text = json.dumps(facts, indent=1) + "\n"
    (path / "run.json").write_text(text[:400] if trouble == "damaged" else text, encoding="utf-8")
    os.link(samples, path / "samples.csv")
    if trouble != "partial":
        (path / "checksums.txt").write_text(f"{'0' * 64}  run.json\n{'0' * 64}  samples.csv\n", encoding="utf-8")


def _summary(facts: dict[str, Any], path: str, reference: bool, chance: random.Random) -> dict[str, Any]:
    return {
        "label": facts["label"], "reference": reference, "verdict": "PASS", "bundles": {"image": path},
        "facts": {**facts, "suite": {"id": facts["suite"]["id"], "sha256": facts["suite"]["sha256"]}},
        "pooled": {"image": {"gt_iou": 0.8 + chance.gauss(0, 1e-3)}},
    }  # fmt: skip


def _samples(chance: random.Random) -> str:
    lines = [",".join(bundle.SAMPLE_FIELDS)]
    clock = 10**12
    for number in range(_FRAMES):
        invoke = round(chance.lognormvariate(16.5, 0.03))
        total = invoke + 500_000
        lines.append(
            f"{number},steady,{number // 200},{number // 4},astronaut,,{clock},300000,{invoke},200000,,,{total},,,,"
        )
        clock += total + 20_000
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundles", type=int, nargs="+", default=[10_000])
    parser.add_argument("--unsummed", action="store_true")
    parser.add_argument("--keep", type=Path, help="make the folders here, and leave them")
    options = parser.parse_args()
    print(f"{'bundles':>8}  {'index s':>8}  {'again s':>8}  {'page s':>7}  {'page MB':>8}  troubled")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/cache"
        for count in options.bundles:
            folder = (options.keep or Path(scratch)) / f"history-{count}"
            make(folder, count, summed=not options.unsummed)
            clock = [time.perf_counter()]
            entries = history.index(folder)
            clock.append(time.perf_counter())
            history.index(folder)
            clock.append(time.perf_counter())
            page.write(entries, folder, folder / "history.html")
            clock.append(time.perf_counter())
            first, again, wrote = (b - a for a, b in itertools.pairwise(clock))
            size = (folder / "history.html").stat().st_size / 1e6
            troubled = sum(bool(entry.problem) for entry in entries)
            print(f"{count:8,}  {first:8.1f}  {again:8.1f}  {wrote:7.1f}  {size:8.2f}  {troubled}", flush=True)


if __name__ == "__main__":
    main()
