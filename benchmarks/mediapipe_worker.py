# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's selfie segmentation behind a line protocol, run by ``benchmarks/core.py`` in an environment of its own.

    python mediapipe_worker.py PICTURES.npz        # arrays (H, W, 3) uint8 RGB; those called frame… are timed

Prints ``ready`` once loaded, then answers every line of its input with one line of JSON:

    time N        durations of N calls of ``process`` in nanoseconds, the frames in turn
    masks FILE    writes its masks (H, W) bool of all pictures to FILE (npz), answers their number

It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle, islice

import numpy as np
from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation


def main() -> None:
    with np.load(sys.argv[1]) as archive:
        pictures = {name: archive[name] for name in archive}
    frames = cycle([picture for name, picture in pictures.items() if name.startswith("frame")])
    network = SelfieSegmentation(model_selection=0)  # the general model, 256×256
    network.process(next(frames))

    def timed(frame: np.ndarray) -> int:
        start = time.perf_counter_ns()
        network.process(frame)
        return time.perf_counter_ns() - start

    print("ready", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "time":
            answer: object = [timed(frame) for frame in islice(frames, int(argument))]
        else:
            masks = {name: network.process(picture).segmentation_mask > 0.5 for name, picture in pictures.items()}
            np.savez(argument, **masks)
            answer = len(masks)
        print(json.dumps(answer), flush=True)


main()
