# SPDX-License-Identifier: Apache-2.0
"""The worker process: one runtime behind a line protocol. Started by :mod:`harness.supervisor`.

Each line on standard input is a JSON request ``{"op": …}``, each line on standard output its JSON reply, with
``{"error": {"kind", "message"}}`` where it failed. The worker ends when its input does, so it never outlives a
parent that was killed. It imports NumPy, OpenCV and the runtime, nothing else: environments of other released
runtimes carry no more.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from harness import contract as contracts
from harness import files
from harness.runtime import Inference, Options, Runtime, RuntimeCrash, RuntimeFailure

_CACHED_FRAMES = 16


class Worker:
    """The operations of one worker; each takes a request's fields and returns the reply's."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._frames: OrderedDict[str, Any] = OrderedDict()

    def activate(self, path: str, contract: str, feed: str, threads: int, delegate: str) -> dict[str, Any]:
        """Load the model. ``contract`` is the file's own, ``feed`` the one that input tensors are made by."""
        own = contracts.parse(contract, path)
        self._feed = contracts.parse(feed, "contract of the tensor lane")
        start = time.perf_counter_ns()
        facts = self.runtime.activate(Path(path), own, Options(threads, delegate))
        loaded = time.perf_counter_ns()
        gc.collect()
        gc.freeze()  # what is loaded now stays: collecting before each block must not walk through all of it
        return {"load_ns": loaded - start, "facts": vars(facts)}

    def infer(self, lane: str, case: str, image: str, out: str, stages: str | None = None) -> dict[str, Any]:
        """Run one case in one lane and leave its probability at ``out``, and where ``stages`` is given what its
        stages left, each at that path with ``{}`` replaced by the stage's name."""
        inference = self._infer(lane, Path(image))
        if stages is not None:
            for stage, array in self.runtime.tap(self.runtime.decode(Path(image))).items():
                files.write_tensor(Path(stages.replace("{}", stage)), array)
        files.write_tensor(Path(out), np.asarray(inference.probability, np.float32))
        bad = int(np.count_nonzero(~np.isfinite(inference.probability)))
        return {"sample": _sample(case, inference), "not_finite": bad}

    def time(self, cases: list[tuple[str, str]], frames: int, first: int) -> dict[str, Any]:
        """Time ``frames`` frames of the image lane, going round the cases from number ``first`` on."""
        decoded = [(case, self._frame(Path(image))) for case, image in cases]
        gc.collect()
        gc.disable()
        try:
            timed = []
            for number in range(first, first + frames):
                case, frame = decoded[number % len(decoded)]
                timed.append((case, self.runtime.infer_image(frame)))
        finally:
            gc.enable()
        return {"samples": [_sample(case, inference) for case, inference in timed]}

    def pace(self, cases: list[tuple[str, str]], fps: float, seconds: float) -> dict[str, Any]:
        """Run at a camera's rate: a frame is due every ``1 / fps`` seconds, and those that came while one was worked
        on are dropped but for the newest."""
        decoded = [(case, self._frame(Path(image))) for case, image in cases]
        period = round(1e9 / fps)
        samples, number, dropped, begin = [], 0, 0, time.perf_counter_ns()
        gc.collect()
        gc.disable()
        try:
            while number * period < seconds * 1e9:
                due = begin + number * period
                _wait_until(due)
                case, frame = decoded[number % len(decoded)]
                inference = self.runtime.infer_image(frame)
                end = time.perf_counter_ns()
                samples.append({**_sample(case, inference), "due_ns": due, "presented_ns": end, "dropped": dropped})
                newest = max(number + 1, (end - begin) // period)
                number, dropped = newest, newest - number - 1
        finally:
            gc.enable()
        return {"samples": samples}

    def peak(self) -> dict[str, Any]:
        """Highest resident memory so far of the process that runs the model."""
        peak, how = self.runtime.peak_memory() or peak_memory()
        return {"peak_bytes": peak, "how": how}

    def _infer(self, lane: str, image: Path) -> Inference:
        if lane == "image":
            return self.runtime.infer_image(self.runtime.decode(image))
        # The harness's own reader: every runtime must get the same bytes here.
        frame = Runtime.decode(self.runtime, image)
        return self.runtime.infer_tensor(contracts.preprocess(self._feed, frame))

    def _frame(self, image: Path) -> Any:
        key = str(image)
        if key not in self._frames:
            self._frames[key] = self.runtime.decode(image)
            if len(self._frames) > _CACHED_FRAMES:
                self._frames.popitem(last=False)
        return self._frames[key]


def _sample(case: str, inference: Inference) -> dict[str, Any]:
    stages = {f"{stage}_ns": duration for stage, duration in inference.stages_ns.items()}
    return {"case": case, "start_ns": inference.start_ns, **stages, "total_ns": inference.total_ns}


def _wait_until(due_ns: int) -> None:
    """Sleep, and wait actively for the last millisecond: a sleep alone wakes too late."""
    while (left := due_ns - time.perf_counter_ns()) > 0:
        if left > 1_500_000:
            time.sleep((left - 1_000_000) / 1e9)


def peak_memory() -> tuple[int, str]:
    """Highest resident memory of this process in bytes, and where the figure comes from."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024, "VmHWM of /proc/self/status"
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024), "ru_maxrss of getrusage"


def main() -> None:
    """Serve requests for the runtime ``module:Class`` named in the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    # Libraries print to standard output as they like: replies get a descriptor of their own.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module, _, name = sys.argv[1].partition(":")
    worker: Worker | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if worker is None:
                worker = Worker(getattr(importlib.import_module(module), name)())
            reply = getattr(worker, request.pop("op"))(**request)
        except RuntimeCrash as error:
            reply = {"error": {"kind": "crash", "message": str(error)}}
        except (RuntimeFailure, contracts.ContractError) as error:
            reply = {"error": {"kind": "model", "message": str(error)}}
        except MemoryError:
            reply = {"error": {"kind": "memory", "message": "out of memory"}}
        except Exception as error:
            import traceback

            traceback.print_exc()
            reply = {"error": {"kind": "runtime", "message": f"{type(error).__name__}: {error}"}}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    if worker is not None:
        worker.runtime.deactivate()


if __name__ == "__main__":
    main()
