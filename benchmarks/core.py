# SPDX-License-Identifier: Apache-2.0
"""How fast is the core? Its stages side by side with OpenCV, MediaPipe and a bare LiteRT: ``make bench-core``.

    python benchmarks/core.py                       # everything, about two minutes
    python benchmarks/core.py --only frame invoke --json out.json

What is judged is a ratio of one run: the sides take turns in short blocks, a block's figure is the median of its
calls, a ratio is the median over blocks, and what stands beside it is the 95 % confidence interval of that median (from
order statistics). Everything runs on one thread, pinned to one processor, unless a row says otherwise. Frames are the
shipped suite's pictures cut to 1280×720 BGR and take turns too, so that none lies in the innermost caches.

Python's own cost is never in the core's favour: the core is called through its Python module, and its peers are called
from Python as well. Only the invocation is timed inside the core, around the very call to LiteRT. It is held against
``Interpreter.invoke`` of the same package, whose buffers were set once; calling that costs about a microsecond, and
``CompiledModel.run_by_index``, which the core's way resembles more, costs some more. Before each of its calls the same
frame is prepared as in the core, so that both find the caches alike. Where a model's memory happens to lie is worth a
percent or two, so both sides are loaded anew several times.

A busy machine favours whatever takes less time. Where it cannot be made quiet, `chrt --fifo 10` before the command (as
root, on Linux) keeps the others away from the processors used.

Exit code: 0 when every wanted ratio holds, 3 when one does not, 2 usage, 4 when the core is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import mediapipe_model
import numpy as np
import peers

from harness import contract as contracts
from harness import device, files, metrics, model_file, resources, suite, targets
from harness.errors import ExitCode, HarnessError

try:
    import segcore
except ModuleNotFoundError:
    sys.stderr.write("error: the core is not installed; `make setup` builds it (a C++17 compiler is needed)\n")
    sys.exit(ExitCode.INVALID)

HEIGHT, WIDTH = 720, 1280
FRAMES = 8
SIGMA = 32.0
"""Standard deviation of the background's blur in pixels, the core's default for this width."""

MEDIAPIPE = "mediapipe==0.10.21"
MEDIAPIPE_CONTRACT = contracts.Contract(
    256, 256, "rgb", "stretch", "area", (1 / 255,) * 3, (0.0,) * 3, output="probability", foreground=0, threshold=0.5
)
LEAST_AGREEMENT = 0.98
PORTRAITS = Path(__file__).resolve().parents[2] / "shared" / "data" / "portraits" / "val" / "images"
"""Pictures to compare masks on besides the suite's, where they are there."""

Side = Callable[[int], Sequence[float]]
"""Calls something so many times; the durations in nanoseconds."""


class Skipped(Exception):
    """A section that cannot run here; the message says why."""


@dataclass(frozen=True)
class Protocol:
    """How long to measure: blocks of so many calls; how often both sides are loaded anew."""

    blocks: int = 40
    calls: int = 8
    restarts: int = 6


QUICK = Protocol(blocks=4, calls=2, restarts=2)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        core_ms, peer_ms: medians over blocks.
        ratio: how many times faster the core is, median over blocks, between ``low`` and ``high`` with 95 % confidence.
        wanted: the least ratio that will do; None where the row only informs.
    """

    section: str
    what: str
    peer: str
    core_ms: float
    peer_ms: float
    ratio: float
    low: float
    high: float
    wanted: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool | None:
        return None if self.wanted is None else self.ratio >= self.wanted


def row(section: str, what: str, peer: str, core: np.ndarray, other: np.ndarray, **more: Any) -> Row:
    """A row from the nanoseconds of each block, core and peer."""
    ratios = np.sort(other / core)
    n = len(ratios)
    rank = max(0, int(n / 2 - 0.98 * n**0.5))
    middle, core_ms, peer_ms = (float(np.median(x)) for x in (ratios, core / 1e6, other / 1e6))
    return Row(section, what, peer, core_ms, peer_ms, middle, float(ratios[rank]), float(ratios[n - 1 - rank]), **more)


def interleaved(sides: Sequence[Side], protocol: Protocol) -> np.ndarray:
    """Median nanoseconds of each block, ``(sides, blocks)``; every side is called once before."""
    for side in sides:
        side(1)
    blocks = [[np.median(side(protocol.calls)) for side in sides] for _ in range(protocol.blocks)]
    return np.array(blocks, np.float64).T


def each(function: Callable[[Any], object], inputs: Sequence[Any]) -> Side:
    """A side that calls a function with the inputs in turn."""
    turns = cycle(inputs)

    def side(calls: int) -> list[int]:
        durations = []
        for value in islice(turns, calls):
            start = time.perf_counter_ns()
            function(value)
            durations.append(time.perf_counter_ns() - start)
        return durations

    return side


# --- what is measured ----------------------------------------------------------------------------


def cover(picture: np.ndarray) -> np.ndarray:
    """A BGR frame from an RGB picture, scaled to cover it and cut around the centre."""
    scale = max(HEIGHT / picture.shape[0], WIDTH / picture.shape[1])
    size = max(WIDTH, round(picture.shape[1] * scale)), max(HEIGHT, round(picture.shape[0] * scale))
    large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    top, left = (size[1] - HEIGHT) // 2, (size[0] - WIDTH) // 2
    return np.ascontiguousarray(large[top : top + HEIGHT, left : left + WIDTH, ::-1])


def some_frames() -> list[np.ndarray]:
    cases = suite.find(suite.DEFAULT).cases
    return [cover(case.read_image()) for case in cases[:: max(1, len(cases) // FRAMES)][:FRAMES]]


class CorePath:
    """The core's way of a frame: no smoothing, no feather, so that its peers draw the same picture."""

    def __init__(self, path: Path, contract: str = "") -> None:
        self.segmenter = segcore.Segmenter.from_file(str(path), threads=1, contract=contract)
        self.mask = segcore.Mask()
        self._resizer = segcore.AlphaResizer()
        self._compositor = segcore.Compositor(segcore.CompositorOptions(feather=0))
        self._alpha = np.empty((HEIGHT, WIDTH), np.uint8)
        self._out = np.empty((HEIGHT, WIDTH, 3), np.uint8)

    def segment(self, frame: np.ndarray) -> segcore.Mask:
        return self.segmenter.run(frame, out=self.mask)

    def enlarge(self, mask: segcore.Mask) -> np.ndarray:
        return self._resizer.run(mask, out=self._alpha)

    def draw(self, frame: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return self._compositor.run(frame, alpha, out=self._out)

    def time_masks(self, frames: Sequence[np.ndarray]) -> Side:
        return each(lambda frame: self.enlarge(self.segment(frame)), frames)

    def run(self, frame: np.ndarray) -> np.ndarray:
        return self.draw(frame, self.enlarge(self.segment(frame)))


def measure_invoke(frames: list[np.ndarray], protocol: Protocol) -> Iterator[Row]:
    """The call to the network, every variant."""
    for variant in model_file.VARIANTS:
        path = model_file.find(resources.default_model(), variant).path
        measured = [_invocations(path, frames, protocol) for _ in range(protocol.restarts)]
        core, bare = np.concatenate(measured, axis=1)
        yield row("invoke", f"invoke {variant}", "bare LiteRT", core, bare, wanted=1 / 1.02)


def _invocations(path: Path, frames: list[np.ndarray], protocol: Protocol) -> np.ndarray:
    core, network = CorePath(path), peers.Network(path)
    network.run(core.segmenter.preprocess(frames[0]))
    turns = cycle(frames)

    def invoked(calls: int) -> list[int]:
        return [core.segment(next(turns)).invoke_ns for _ in range(calls)]

    def bare(calls: int) -> list[int]:
        durations = []
        for _ in range(calls):
            core.segmenter.preprocess(next(turns))
            start = time.perf_counter_ns()
            network.invoke()
            durations.append(time.perf_counter_ns() - start)
        return durations

    return interleaved([invoked, bare], replace(protocol, blocks=max(2, protocol.blocks // 2)))


def measure_preprocess(frames: list[np.ndarray], protocol: Protocol) -> Iterator[Row]:
    """Frame to input tensor."""
    model = model_file.find(resources.default_model(), "fp32")
    core = CorePath(model.path).segmenter
    straight = peers.Straightforward(model.path, model.contract, SIGMA)
    fast = peers.Integer(model.path, model.contract, SIGMA, (HEIGHT, WIDTH))
    sides = [each(side.preprocess, frames) for side in (core, straight, fast)]
    times = interleaved(sides, protocol)
    yield row("preprocess", "preprocess", "OpenCV, NumPy", times[0], times[1], wanted=4.0)
    yield row("preprocess", "preprocess", "OpenCV, in place", times[0], times[2])


def measure_frame(frames: list[np.ndarray], protocol: Protocol) -> Iterator[Row]:
    """Segment, blur and composite, as a whole and stage by stage."""
    for variant in ("fp32", "int8"):
        model = model_file.find(resources.default_model(), variant)
        core = CorePath(model.path)
        straight = peers.Straightforward(model.path, model.contract, SIGMA)
        fast = peers.Integer(model.path, model.contract, SIGMA, (HEIGHT, WIDTH))
        times = interleaved([each(side.run, frames) for side in (core, straight, fast)], protocol)
        yield row("frame", f"frame {variant}", "straightforward", times[0], times[1], wanted=3.0)
        yield row("frame", f"frame {variant}", "fastest integer", times[0], times[2], wanted=1.5)
    yield from _stages(core, straight, fast, frames, protocol)


def _stages(
    core: CorePath, straight: peers.Straightforward, fast: peers.Integer, frames: list[np.ndarray], protocol: Protocol
) -> Iterator[Row]:
    mask = core.segment(frames[0])
    probability = fast.segment(frames[0])
    sides = [
        each(core.enlarge, [mask]),
        each(lambda p: straight.enlarge(p, frames[0]), [probability]),
        each(fast.enlarge, [probability]),
    ]
    times = interleaved(sides, protocol)
    yield row("frame", "  enlarge mask", "straightforward", times[0], times[1])
    yield row("frame", "  enlarge mask", "fastest integer", times[0], times[2])
    alphas = [core.enlarge(core.segment(frame)).copy() for frame in frames]
    pairs = list(zip(frames, alphas, strict=True))
    floats = [(frame, np.float32(alpha / 255)) for frame, alpha in pairs]
    out = np.empty_like(frames[0])
    sides = [
        each(lambda pair: core.draw(*pair), pairs),
        each(lambda pair: straight.draw(*pair), floats),
        each(lambda pair: fast.draw(*pair), pairs),
        each(lambda frame: np.copyto(out, frame), frames),
    ]
    times = interleaved(sides, protocol)
    yield row("frame", "  blur + composite", "straightforward", times[0], times[1])
    yield row("frame", "  blur + composite", "fastest integer", times[0], times[2])
    # The frame is read to be reduced and read to be blended; alpha is read; the composite is written.
    touched = 3 * frames[0].nbytes + alphas[0].nbytes
    copied = 2 * frames[0].nbytes
    speed = copied / float(np.median(times[3]))
    note = f"{touched / 1e6:.1f} MB touched; copying moves {speed:.0f} GB/s here"
    yield row("frame", "  blur + composite", "memory alone", times[0], times[3] * (touched / copied), note=note)


class MediaPipe:
    """MediaPipe's own selfie segmentation in a process of its own; see ``mediapipe_worker.py``."""

    def __init__(self, python: str, pictures: dict[str, np.ndarray], scratch: Path) -> None:
        self._scratch, self._environment = scratch, Path(python).parents[1]
        np.savez(scratch / "pictures.npz", **pictures)  # type: ignore[arg-type]
        worker = Path(__file__).with_name("mediapipe_worker.py")
        self._process = subprocess.Popen(
            [python, str(worker), str(scratch / "pictures.npz")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()

    def __enter__(self) -> MediaPipe:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def time(self, calls: int) -> list[int]:
        """Durations in nanoseconds, as :data:`Side`."""
        return json.loads(self._ask(f"time {calls}"))

    def masks(self) -> dict[str, np.ndarray]:
        """Its masks ``(H, W)`` bool of all pictures."""
        self._ask(f"masks {self._scratch / 'masks.npz'}")
        with np.load(self._scratch / "masks.npz") as archive:
            return {name: archive[name] for name in archive}

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise Skipped(f"{MEDIAPIPE} does not run in its environment; remove {self._environment} to make it anew")
        return line


def measure_mediapipe(frames: list[np.ndarray], protocol: Protocol) -> Iterator[Row]:
    """MediaPipe's own model, out of its own package: a frame to a mask of its size."""
    try:
        python = targets.python_for(MEDIAPIPE)
    except HarnessError as error:
        raise Skipped(str(error)) from None
    packages = Path(python).parents[1] / "lib"
    model = next(packages.glob("python3*/site-packages/mediapipe/modules/*/selfie_segmentation.tflite"))
    suite_pictures = {case.id: case.read_image() for case in suite.find(suite.DEFAULT).cases}
    validation = {
        file.stem: np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)) for file in sorted(PORTRAITS.glob("*"))
    }
    rgb = {f"frame{n}": np.ascontiguousarray(frame[..., ::-1]) for n, frame in enumerate(frames)}
    with (
        tempfile.TemporaryDirectory() as scratch,
        MediaPipe(python, {**suite_pictures, **validation, **rgb}, Path(scratch)) as peer,
    ):
        rewritten = Path(scratch) / model.name
        rewritten.write_bytes(mediapipe_model.rewrite(model.read_bytes()))
        plain, core = (CorePath(path, MEDIAPIPE_CONTRACT.to_toml()) for path in (model, rewritten))
        times = interleaved([core.time_masks(frames), plain.time_masks(frames), peer.time], protocol)
        masks = peer.masks()
    name = MEDIAPIPE.replace("==", " ")
    note = "standard operators instead of a custom one, same output; see mediapipe_model.py"
    yield row("mediapipe", "frame to mask, last layer rewritten", name, times[0], times[2], wanted=1.3, note=note)
    yield row("mediapipe", "frame to mask, file as it is", name, times[1], times[2])
    for name, pictures in (("suite", suite_pictures), ("portraits", validation)):
        if pictures:
            yield _agreement(core, name, pictures, masks)


def _agreement(core: CorePath, name: str, pictures: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> Row:
    """IoU of the core's masks with its own. It reduces without averaging, which tips pictures the network doubts."""
    agreements = []
    for case, picture in pictures.items():
        frame = segcore.Frame(np.ascontiguousarray(picture), segcore.PixelFormat.RGB)
        alpha = segcore.AlphaResizer().run(core.segmenter.run(frame))
        agreements.append(metrics.iou(alpha > 127, masks[case]))
    low, middle, high = (float(np.quantile(agreements, q)) for q in (0.1, 0.5, 0.9))
    note = f"median IoU, lowest and highest tenth; mean {np.mean(agreements):.3f}, least {min(agreements):.3f}"
    nothing = float("nan")
    what = f"masks, {len(agreements)} of {name}"
    return Row("mediapipe", what, "its own", nothing, nothing, middle, low, high, LEAST_AGREEMENT, note)


def measure_pipeline(frames: list[np.ndarray], protocol: Protocol) -> Iterator[Row]:
    """Frames through the pipeline on two processors, against its slowest stage alone."""
    # A run through the pipeline has a beginning and an end, where not all of it works.
    longer = replace(protocol, blocks=max(2, protocol.blocks // 4), calls=8 * protocol.calls)
    for variant in ("fp32", "int8"):
        path = model_file.find(resources.default_model(), variant).path
        pipeline = segcore.Pipeline(str(path), threads=1, drop_oldest=False)
        times = interleaved([_piped(pipeline, frames), _slowest(*_stages_alone(path, frames))], longer)
        counters = pipeline.counters
        fps = 1e9 / float(np.median(times[0]))
        busy = counters.infer_busy_ns / counters.inferred / 1e6
        note = f"{fps:.0f} frames a second; inference busy for {busy:.2f} ms of each"
        yield row("pipeline", f"pipeline {variant}, 2 cores", "slowest stage alone", *times, wanted=0.9, note=note)


def _piped(pipeline: segcore.Pipeline, frames: list[np.ndarray]) -> Side:
    turns = cycle(frames)

    def side(calls: int) -> list[float]:
        start = time.perf_counter_ns()
        pipeline.start(lambda presented: None)
        for frame in islice(turns, calls):
            pipeline.push(frame)
        pipeline.wait()
        return [(time.perf_counter_ns() - start) / calls]

    return side


def _slowest(*stages: Side) -> Side:
    return lambda calls: [max(float(np.median(stage(calls))) for stage in stages)]


def _stages_alone(path: Path, frames: list[np.ndarray]) -> tuple[Side, Side]:
    """What the pipeline's threads do, one after the other."""
    segmenter = segcore.Segmenter.from_file(str(path), threads=1)
    refiner, compositor = segcore.Refiner(), segcore.Compositor()
    mask = segcore.Mask()
    alpha, out = np.empty((HEIGHT, WIDTH), np.uint8), np.empty((HEIGHT, WIDTH, 3), np.uint8)

    def infer(frame: np.ndarray) -> None:
        segmenter.run(frame, out=mask)
        refiner.smooth(mask)

    def draw(frame: np.ndarray) -> None:
        refiner.upsample(mask, frame, out=alpha)
        compositor.run(frame, alpha, out=out)

    infer(frames[0])
    return each(infer, frames), each(draw, frames)


SECTIONS: dict[str, tuple[int, Callable[[list[np.ndarray], Protocol], Iterator[Row]]]] = {
    "invoke": (1, measure_invoke),
    "preprocess": (1, measure_preprocess),
    "frame": (1, measure_frame),
    "mediapipe": (1, measure_mediapipe),
    "pipeline": (2, measure_pipeline),
}
"""By name: on how many processors, and what measures it."""


# --- the whole -----------------------------------------------------------------------------------


@contextmanager
def pinned(processors: int) -> Iterator[None]:
    """On so many processors of those this process may use; where the system cannot pin, wherever it likes."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) < processors:
        raise Skipped(f"needs {processors} processors, {len(allowed)} may be used")
    # The last ones: interrupts tend to be served by the first.
    os.sched_setaffinity(0, sorted(allowed)[-processors:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@dataclass
class Report:
    """Everything that was measured, and under which conditions."""

    protocol: Protocol
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(line.ok is not False for line in self.rows)

    def to_json(self) -> str:
        rows = [{**asdict(line), "ok": line.ok} for line in self.rows]
        for line in rows:
            line.update({key: None for key in ("core_ms", "peer_ms") if np.isnan(line[key])})
        whole = {
            "schema": "core-benchmark/1",
            "ok": self.ok,
            "protocol": asdict(self.protocol),
            **self.facts,
            "rows": rows,
            "skipped": self.skipped,
        }
        return json.dumps(whole, indent=1) + "\n"


def conditions() -> dict[str, Any]:
    names = ("ai-edge-litert", "numpy", "opencv-python", "mobile-unet-harness")
    versions = {name: metadata.version(name) for name in names}
    return {
        "device": device.describe(),
        "tool": device.tool(),
        "timer": device.timer(),
        "versions": versions,
        "core": {
            "compiler": segcore.COMPILER,
            "configuration": segcore.CONFIGURATION,
            "simd_level": segcore.simd_level().name.lower(),
        },
        "conditions": {"before": device.conditions()},
    }


def measure(sections: Sequence[str], protocol: Protocol) -> Report:
    """Run the sections one after the other."""
    cv2.setNumThreads(1)
    report = Report(protocol, facts=conditions())
    frames = some_frames()
    for number, name in enumerate(sections, 1):
        progress(f"{number} of {len(sections)}: {name}")
        processors, section = SECTIONS[name]
        try:
            with pinned(processors):
                for line in section(frames, protocol):
                    report.rows.append(line)
                    progress(f"{number} of {len(sections)}: {name}, {line.what.strip()}")
        except Skipped as reason:
            report.skipped[name] = str(reason)
    progress("")
    report.facts["conditions"]["after"] = device.conditions()
    return report


def progress(text: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def table(report: Report) -> str:
    """The report for people."""
    head = ("what", "against", "core ms", "peer ms", "ratio", "95 %", "wanted", "")
    lines = [head, *(_cells(line) for line in report.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    text.insert(1, "-" * (sum(widths) + 2 * len(widths) - 2))
    notes = [f"{line.what.strip()}, {line.peer}: {line.note}" for line in report.rows if line.note]
    skipped = [f"skipped: {name}: {reason}" for name, reason in report.skipped.items()]
    facts = report.facts
    circumstances = (
        f"{facts['device']['cpu']}, {facts['core']['simd_level']}, {facts['core']['compiler']}; "
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        + f"; load {_load(facts, 'before')} before, {_load(facts, 'after')} after"
    )
    return "\n".join([*(line.rstrip() for line in text), "", *notes, *skipped, circumstances])


def _cells(line: Row) -> tuple[str, ...]:
    def milliseconds(value: float) -> str:
        return "" if np.isnan(value) else f"{value:.3f}"

    return (
        line.what,
        line.peer,
        milliseconds(line.core_ms),
        milliseconds(line.peer_ms),
        f"{line.ratio:.3f}",
        f"{line.low:.3f} … {line.high:.3f}",
        "" if line.wanted is None else f"{line.wanted:.2f}",
        {None: "", True: "ok", False: "MISSED"}[line.ok],
    )


def _load(facts: dict[str, Any], when: str) -> str:
    load = facts["conditions"][when].get("load")
    return f"{load[0]:.1f}" if load else "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="NAME", help=", ".join(SECTIONS)
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few calls only: shows that it works, not how fast it is"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured to FILE")
    options = parser.parse_args()
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json {options.json}: there is no such folder")
    try:
        report = measure(options.only, QUICK if options.quick else Protocol())
        if options.json:
            files.write_file(options.json, report.to_json().encode())
    except HarnessError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return ExitCode.INTERRUPTED
    print(table(report))
    before = report.facts["conditions"]["before"].get("load")
    if before and before[0] > 0.5:
        sys.stderr.write(f"warning: the machine was busy (load {before[0]}); figures of a quiet one are steadier\n")
    return ExitCode.PASS if report.ok else ExitCode.PERFORMANCE


if __name__ == "__main__":
    sys.exit(main())
