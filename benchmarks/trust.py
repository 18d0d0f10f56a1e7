# SPDX-License-Identifier: Apache-2.0
"""Can the timing be trusted? Real comparisons, many of them; needs a machine with nothing else to do.

    python benchmarks/trust.py bare          # the reported median beside a bare loop around the interpreter
    python benchmarks/trust.py same          # a runtime with itself, 100 quick comparisons: at most 1 FAIL
    python benchmarks/trust.py busy          # the same with a busy loop on another processor: no FAIL
    python benchmarks/trust.py slowed        # with one that is 5 % slower, 100 normal comparisons: 95 FAIL at least

Each finished comparison is a line of ``runs/trust/<name>.jsonl``; a second call goes on where the first was stopped,
as long as the sources that measure are the same. Exit code: 0 where what is wanted was seen, else 3.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import compare, gates, measure, performance, resources, session, stats, suite, timing, worker
from harness import contract as contracts
from harness.request import Request
from harness.runs import open_runs
from harness.runtimes import tflite
from harness.supervisor import ENVIRONMENT, Supervisor
from harness.verdict import Verdict

HERE = Path(__file__).resolve().parent
GATE = 1.02
_DETECTABLE = re.compile(r"a slowdown of (\S+)% would have been seen")
SAME = ("tflite", "tflite:fp32")
"""One runtime and one file under two names."""
SLOWED = ("tflite", "slowed")


@dataclass(frozen=True)
class Experiment:
    """Comparisons of two runtimes, and how many verdicts of a kind are wanted."""

    runtimes: tuple[str, str]
    profile: str
    count: int
    wanted: Callable[[list[Verdict]], bool]
    says: str
    busy: bool = False


EXPERIMENTS = {
    "same": Experiment(SAME, "quick", 100, lambda v: v.count(Verdict.FAIL) <= 0.01 * len(v), "at most 1 % FAIL"),
    "busy": Experiment(SAME, "quick", 20, lambda v: Verdict.FAIL not in v, "no FAIL", busy=True),
    "slowed": Experiment(SLOWED, "normal", 100, lambda v: v.count(Verdict.FAIL) >= 0.95 * len(v), "at least 95 % FAIL"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["bare", *EXPERIMENTS])
    parser.add_argument("--count", type=int, help="comparisons  [default: as wanted]")
    parser.add_argument("--profile", choices=list(measure.PROFILES), help="[default: as wanted]")
    parser.add_argument("--out", type=Path, default=Path("runs/trust"), help="folder of the finished comparisons")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.name == "bare":
        return bare(given.out / "bare.jsonl")
    experiment = EXPERIMENTS[given.name]
    experiment = replace(experiment, count=given.count or experiment.count, profile=given.profile or experiment.profile)
    return run(experiment, given.out / f"{given.name}-{experiment.profile}.jsonl")


# --- comparisons ---------------------------------------------------------------------------------


def run(experiment: Experiment, kept: Path) -> int:
    """Make the comparisons that are missing, then say what came of all."""
    rows = _kept(kept)[: experiment.count]
    with _busy_loop() if experiment.busy else _quiet():
        while len(rows) < experiment.count:
            rows.append(_keep(kept, compare_once(experiment.runtimes, experiment.profile)))
            print(f"{len(rows)}/{experiment.count}", json.dumps(rows[-1]), file=sys.stderr, flush=True)
    verdicts = [Verdict(row["verdict"]) for row in rows]
    estimates = sorted(row["estimate"] for row in rows)
    detectable = sorted(row["detectable"] for row in rows)
    seen = {str(verdict): verdicts.count(verdict) for verdict in Verdict if verdict in verdicts}
    print(f"{' / '.join(experiment.runtimes)}, {len(rows)} {experiment.profile} comparisons: {seen}")
    print(f"times as long: median {_middle(estimates):.4f}, from {estimates[0]:.4f} to {estimates[-1]:.4f}")
    print(f"half width of the interval: median {_middle([(r['high'] - r['low']) / 2 for r in rows]):.4f}")
    print(f"smallest slowdown that would be seen: median {_middle(detectable):.2%}, most {detectable[-1]:.2%}")
    print(f"others kept busy: median {_middle([row['others'] for row in rows]):.2f} processors")
    good = experiment.wanted(verdicts)
    print(f"wanted: {experiment.says}: {'seen' if good else 'NOT seen'}")
    return 0 if good else 3


def compare_once(runtimes: tuple[str, str], profile: str) -> dict[str, Any]:
    """One comparison of speeds in a session of its own."""
    with tempfile.TemporaryDirectory() as folder, _registered():
        request = Request(
            specs=runtimes,
            model=str(resources.default_model()),
            suite=suite.DEFAULT,
            lanes=("image",),
            profile=profile,
            parity=False,
        )
        paths = session.run(request.plan(), Path(folder), lambda *_: None)
        runs = open_runs(paths)
        result = compare.compare(runs, gates.load(resources.default_gates()), "trust", "")
        row = next(row for row in result.rows if row.row == "latency/total/ratio")
        assert row.interval is not None, row.note
        assert row.limit is not None and row.limit.max == GATE
        during = [told["other_processes"] for told in runs[0].facts["conditions"]["during"]]
        return {
            "verdict": str(row.verdict),
            "estimate": row.value,
            "low": row.interval[0],
            "high": row.interval[1],
            "detectable": float(_DETECTABLE.search(row.note)[1]) / 100,  # type: ignore[index]
            "others": max(during),
        }


@contextmanager
def _registered() -> Iterator[None]:
    """The runtime ``slowed``, for this process and its workers."""
    folder = str(HERE / "slowed")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, before]))
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


@contextmanager
def _busy_loop() -> Iterator[None]:
    """Keep busy a processor that the workers are not pinned to."""
    others = sorted(os.sched_getaffinity(0) - set(timing.processors(1)))
    process = multiprocessing.Process(target=_spin, args=(others[0] if others else 0,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _spin(processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    while True:
        pass


@contextmanager
def _quiet() -> Iterator[None]:
    yield


# --- beside a bare loop --------------------------------------------------------------------------


def bare(kept: Path, restarts: int = 40, pairs: int = 10) -> int:
    """The frame's median as a worker reports it, beside that of a bare loop that does the same, in turns."""
    done = {row["variant"]: row for row in _kept(kept)}
    for variant in ("int8", "dyn8"):
        if variant not in done:
            done[variant] = _keep(kept, _bare_variant(variant, restarts, pairs))
    good = True
    for variant, row in done.items():
        within = abs(row["ratio"] - 1) <= 0.01
        good &= within
        print(
            f"{variant}: bare loop {row['bare_ms']:.3f} ms, reported {row['reported_ms']:.3f} ms, "
            f"{row['ratio']:.4f} times ({row['low']:.4f} to {row['high']:.4f}), {row['restarts']} starts: "
            f"{'within' if within else 'NOT within'} 1 %"
        )
    return 0 if good else 3


def _bare_variant(variant: str, restarts: int, pairs: int) -> dict[str, Any]:
    model = resources.default_model()
    cases = sorted(suite.find(suite.DEFAULT).cases, key=lambda case: case.height * case.width)
    case = cases[len(cases) // 2]
    file, rules = model / f"model.{variant}.tflite", model / "contract.toml"
    measured, bare_times, reported_times = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.npy"
        np.save(picture, case.read_image())
        later = [number % 2 == 0 for number in range(restarts)]
        for reporting_later in later:
            blocks = _bare_restart(file, rules, picture, Path(folder) / "log", pairs, reporting_later)
            measured.append([[np.median(a), np.median(b)] for a, b in blocks])
            bare_times += [t for a, _ in blocks for t in a]
            reported_times += [t for _, b in blocks for t in b]
    effect = stats.effect(measured, later)
    assert effect is not None
    return {
        "variant": variant,
        "bare_ms": statistics.median(bare_times) / 1e6,
        "reported_ms": statistics.median(reported_times) / 1e6,
        "ratio": effect.estimate,
        "low": effect.low,
        "high": effect.high,
        "restarts": effect.restarts,
    }


def _bare_restart(
    model: Path, rules: Path, picture: Path, log: Path, pairs: int, reporting_later: bool
) -> list[tuple[list, list]]:
    """Pairs of blocks (bare loop, worker) in the order A B B A, from one start of both."""
    command = [sys.executable, str(HERE / "bare_loop.py"), str(model), str(rules), str(picture)]
    environment = {**os.environ, **ENVIRONMENT}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    text = contracts.read(rules).to_toml()
    with ExitStack() as stack:
        for starts_reporting in (False, True) if reporting_later else (True, False):
            if starts_reporting:
                reporting = stack.enter_context(Supervisor("harness.runtimes.tflite:TFLiteRuntime", log, 60.0))
                _pin(reporting.pid)
                reporting.request("activate", path=str(model), contract=text, feed=text, threads=1, delegate="cpu")
            else:
                loop = stack.enter_context(subprocess.Popen(command, **pipes, text=True, env=environment))
                _pin(loop.pid)
                assert loop.stdin is not None and loop.stdout is not None
                assert loop.stdout.readline() == "ready\n"

        def bare_block(frames: int) -> list[int]:
            loop.stdin.write(f"{frames}\n")  # type: ignore[union-attr]
            loop.stdin.flush()  # type: ignore[union-attr]
            return [int(t) for t in loop.stdout.readline().split()]  # type: ignore[union-attr]

        def worker_block(frames: int) -> list[int]:
            asked = {"cases": [("picture", str(picture))], "frames": frames, "first": 0}
            return [row["total_ns"] for row in reporting.request("time", **asked)["samples"]]

        per_frame = statistics.median(bare_block(100) + worker_block(100)) / 1e9
        frames = max(measure.BLOCK_FRAMES, measure.frames_for(measure.BLOCK_SECONDS, per_frame))
        blocks = []
        for number in range(pairs):
            if number % 2 == 0:
                a = bare_block(frames)
                b = worker_block(frames)
            else:
                b = worker_block(frames)
                a = bare_block(frames)
            blocks.append((a, b))
        loop.stdin.close()
        loop.wait(timeout=10)
    return blocks


def _pin(pid: int) -> None:
    os.sched_setaffinity(pid, timing.processors(1) or os.sched_getaffinity(0))


# --- what is kept --------------------------------------------------------------------------------


def _version() -> str:
    """Changes with the sources that measure and judge."""
    digest = hashlib.sha256()
    for module in (measure, timing, worker, performance, stats, tflite):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def _kept(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return [row for row in rows if row["sources"] == _version()]


def _keep(path: Path, row: dict[str, Any]) -> dict[str, Any]:
    row = {**row, "sources": _version()}
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
    return row


def _middle(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
