# SPDX-License-Identifier: Apache-2.0
"""How long is one step of training, with the batch normalisation of Keras and with the fused one?

    python benchmarks/training_step.py --config configs/train/portrait.yaml

Both networks take steps in turns, on the same made-up batch; printed are the medians and their ratio.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import numpy as np
import tensorflow as tf

from models_src import config, training_layers
from models_src.compiling import compiled

ROUNDS, STEPS = 6, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    options = parser.parse_args()
    cfg = config.load(options.config, ["MODEL.ENCODER_WEIGHTS", "none"])
    rng = np.random.default_rng(0)
    shape = (cfg.TRAIN.BATCH_SIZE, cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH)
    image = rng.uniform(-1, 1, (*shape, 3)).astype(np.float32)
    mask = (rng.random((*shape, 1)) > 0.5).astype(np.float32)
    with mock.patch.object(training_layers, "prepare", lambda model, _: model):
        networks = {"keras": compiled(cfg, 100)}
    networks["fused"] = compiled(cfg, 100)
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    batches = iter(tf.data.Dataset.from_tensors((image, mask)).repeat())
    for round_ in range(-1, ROUNDS):
        for name, network in networks.items():
            network.make_train_function()
            start = time.perf_counter()
            for _ in range(STEPS):
                network.train_function(batches)
            if round_ >= 0:  # the first one traces
                seconds[name].append((time.perf_counter() - start) / STEPS)
    medians = {name: float(np.median(taken)) for name, taken in seconds.items()}
    print("   ".join(f"{name} {1000 * taken:.0f} ms" for name, taken in medians.items()), end="   ")
    print(f"ratio {medians['fused'] / medians['keras']:.2f}, batches of {cfg.TRAIN.BATCH_SIZE}")


if __name__ == "__main__":
    main()
