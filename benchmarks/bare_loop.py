# SPDX-License-Identifier: Apache-2.0
"""The loop that somebody without a harness would write, as a process: each line of input is a number of frames, each
line of output the nanoseconds that each took. Started by ``benchmarks/trust.py``.

    python benchmarks/bare_loop.py MODEL CONTRACT PICTURE.npy
"""

from __future__ import annotations

import gc
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from harness import contract


def main() -> None:
    model, rules_file, picture = sys.argv[1:]
    rules = contract.read(rules_file)
    frame = np.load(picture)
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = time.perf_counter_ns()
            tensor = contract.preprocess(rules, frame)
            interpreter.set_tensor(source, tensor)
            interpreter.invoke()
            output = interpreter.get_tensor(target)
            contract.frame_alpha(rules, contract.probability(rules, output), frame.shape[:2])
            times.append(time.perf_counter_ns() - begin)
        print(" ".join(map(str, times)), flush=True)


if __name__ == "__main__":
    main()
