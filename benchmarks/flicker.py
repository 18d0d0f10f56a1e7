# SPDX-License-Identifier: Apache-2.0
"""How steady are masks, and how prompt? Flicker, lag and IoU with smoothing off and on: part of ``make bench-core``.

    python benchmarks/flicker.py                    # four generated motion suites
    python benchmarks/flicker.py moving/            # a motion suite of your own: harness suite motion --out moving/

Every frame goes through the core: network, smoothing, enlarging. ``synced`` draws each frame with its own mask;
``low latency`` is simulated: every frame is drawn with the mask of one or two frames before, since how old it is in a
live application depends on the machine. What is wanted of smoothing, in every movement, synced: flicker at most a
third of what it is without, a lag below half a frame, and an IoU with the same frame's true mask that is not more than
half a point lower. Figures are means over the suites; the suite in which smoothing does worst stands beside them.

Exit code: 0 when all of it holds, 3 when not, 2 usage, 4 when the core is not there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import motion_metrics, resources, suite, suite_motion
from harness.errors import ExitCode, HarnessError

try:
    import segcore
except ImportError:
    segcore = None

AGES = {0: "synced", 1: "low latency, 1 frame old", 2: "low latency, 2 frames old"}
FLICKER_RATIO, LAG, IOU_LOSS = 1 / 3, 0.5, 0.005
"""What is wanted of smoothing, synced."""


@dataclass(frozen=True)
class Steadiness:
    """Of one sequence of masks.

    Attributes:
        flicker: mean absolute change of alpha where nothing but noise changed, in 1/255.
        lag: frames; NaN where the truth does not move.
        iou: with the same frame's true mask, in [0, 1].
    """

    flicker: float
    lag: float
    iou: float


@dataclass(frozen=True)
class Sequence:
    """Frames of one movement: uint8 RGB ``(frames, H, W, 3)``, true and unchanged masks bool ``(frames, H, W)``."""

    movement: str
    images: np.ndarray
    truth: np.ndarray
    unchanged: np.ndarray


def generated(seed: int, movement: str, frames: int, fps: int, height: int, width: int) -> Sequence:
    """What ``harness suite motion`` writes, without the files."""
    made = list(
        suite_motion.entries([movement], frames=frames, fps=fps, height=height, width=width, seed=seed)
    )  # fmt: skip
    unknown = np.zeros((height, width), bool)
    return Sequence(
        movement,
        np.stack([entry.image for entry in made]),
        np.stack([entry.mask for entry in made if entry.mask is not None]),
        np.stack([unknown if entry.unchanged is None else entry.unchanged for entry in made]),
    )


def recorded(of: suite.Suite) -> Iterator[Sequence]:
    """The sequences of a motion suite."""
    if of.fps is None:
        raise suite.SuiteError(f"{of.root}: not a motion suite; make one with: harness suite motion")
    names = dict.fromkeys(case.motion.movement for case in of.cases if case.motion)
    for movement in names:
        cases = [case for case in of.cases if case.motion and case.motion.movement == movement]
        unknown = np.zeros((cases[0].height, cases[0].width), bool)
        yield Sequence(
            movement,
            np.stack([case.read_image() for case in cases]),
            np.stack([case.read_mask() for case in cases]),
            np.stack([case.read_unchanged() if case.motion and case.motion.unchanged else unknown for case in cases]),
        )


def alphas(model: str, images: np.ndarray, *, smooth: bool, guided: bool = False) -> np.ndarray:
    """The core's alpha of every frame, uint8 ``(frames, H, W)``."""
    segmenter = segcore.Segmenter.from_file(model)
    refiner = segcore.Refiner(segcore.RefinerOptions(smooth=smooth, guided=guided))
    result = np.empty(images.shape[:3], np.uint8)
    for image, alpha in zip(images, result, strict=True):
        frame = segcore.Frame(image, segcore.PixelFormat.RGB)
        mask = segmenter.run(frame)
        refiner.smooth(mask)
        refiner.upsample(mask, frame, alpha)
    return result


def judge(alpha: np.ndarray, sequence: Sequence, age: int = 0) -> Steadiness:
    """Measure masks; with an age, those that are drawn ``age`` frames late."""
    drawn = np.concatenate([alpha[:1].repeat(age, axis=0), alpha[: len(alpha) - age]])
    masks = drawn > 127
    return Steadiness(
        motion_metrics.flicker(drawn, sequence.unchanged),
        motion_metrics.lag(masks, sequence.truth),
        motion_metrics.mean_iou(masks, sequence.truth),
    )


def holds(off: Steadiness, on: Steadiness) -> bool:
    """Whether smoothing does what is wanted of it."""
    return on.flicker <= FLICKER_RATIO * off.flicker and not on.lag >= LAG and on.iou >= off.iou - IOU_LOSS


# --- the table -----------------------------------------------------------------------------------

Figures = dict[tuple[str, int, bool], list[Steadiness]]
"""By movement, age and whether it was smoothed; one for each suite."""


def measure(model: str, sequences: Iterable[Sequence], guided: bool) -> Figures:
    figures: Figures = {}
    for sequence in sequences:
        for smooth in (False, True):
            alpha = alphas(model, sequence.images, smooth=smooth, guided=guided)
            for age in AGES:
                figures.setdefault((sequence.movement, age, smooth), []).append(judge(alpha, sequence, age))
    return figures


def mean(figures: list[Steadiness]) -> Steadiness:
    """Over suites; a lag is a mean over those in which it is known."""
    lags = [each.lag for each in figures if not np.isnan(each.lag)]
    return Steadiness(
        float(np.mean([each.flicker for each in figures])),
        float(np.mean(lags)) if lags else float("nan"),
        float(np.mean([each.iou for each in figures])),
    )


def table(figures: Figures) -> tuple[str, bool]:
    """The figures as text, and whether smoothing does what is wanted in every movement."""
    heading = f"{'movement':<12}{'mode':<27}{'smoothing':<10}{'flicker':>8}{'lag':>7}{'IoU':>8}   on against off"
    lines, good = [heading], True
    for movement in dict.fromkeys(key[0] for key in figures):
        for age, mode in AGES.items():
            off, on = figures[movement, age, False], figures[movement, age, True]
            verdict = f"flicker × {_ratio(mean(off), mean(on)):.2f}, IoU {_gain(mean(off), mean(on)):+.2f}"
            if age == 0:
                fine = holds(mean(off), mean(on))
                good = good and fine
                worst = f"worst suite × {max(map(_ratio, off, on)):.2f}, {min(map(_gain, off, on)):+.2f}"
                verdict += f" ({worst}) {'ok' if fine else 'MISSED'}"
            for smoothing, what, note in (("off", mean(off), ""), ("on", mean(on), verdict)):
                lag = "–" if np.isnan(what.lag) else f"{what.lag:.2f}"
                measured = f"{what.flicker:>8.3f}{lag:>7}{100 * what.iou:>8.2f}"
                lines.append(f"{movement:<12}{mode:<27}{smoothing:<10}{measured}   {note}".rstrip())
    return "\n".join(lines), good


def _ratio(off: Steadiness, on: Steadiness) -> float:
    return on.flicker / off.flicker if off.flicker else 1.0


def _gain(off: Steadiness, on: Steadiness) -> float:
    return 100 * (on.iou - off.iou)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", type=Path, metavar="SUITE", help="motion suites; else they are generated")
    parser.add_argument("--model", default=str(resources.default_model() / "model.fp32.tflite"), metavar="FILE")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2, 3], metavar="N", help="of the generated suites"
    )
    parser.add_argument("--guided", action="store_true", help="with the guided filter")
    parser.add_argument("--quick", action="store_true", help="one suite of small frames: shows that it works")
    options = parser.parse_args()
    if segcore is None:
        sys.stderr.write("error: the core is not built; run: make setup, with a C++17 compiler\n")
        return ExitCode.INVALID
    if options.quick:
        options.seeds, size = options.seeds[:1], {"height": 180, "width": 320}
    else:
        size = {"height": 360, "width": 640}
    sequences = (
        (sequence for name in options.suites for sequence in recorded(suite.find(name)))
        if options.suites
        else (generated(s, m, frames=120, fps=30, **size) for m in suite_motion.MOVEMENTS for s in options.seeds)
    )
    try:
        text, good = table(measure(options.model, sequences, options.guided))
    except (HarnessError, segcore.Error) as error:
        sys.stderr.write(f"error: {error}\n")
        return getattr(error, "exit_code", ExitCode.INVALID)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return ExitCode.INTERRUPTED
    print(text)
    return ExitCode.PASS if good else ExitCode.PERFORMANCE


if __name__ == "__main__":
    sys.exit(main())
