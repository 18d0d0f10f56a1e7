# SPDX-License-Identifier: Apache-2.0
"""The mean of several runs' weights: one network, often steadier than each of them.

Runs must start from common weights, or the mean is of unrelated networks. Source: Wortsman et al., "Model soups:
averaging weights of multiple fine-tuned models improves accuracy without increasing inference time", ICML 2022.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError


def average(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write the mean of the best networks of two or more runs as a run folder that can be exported.

    Args:
        runs: run folders of one architecture; the result takes its configuration from the first.
        out: folder to make.

    Raises:
        HarnessError: a folder is no run with a finished epoch, the networks differ, or ``out`` exists.
    """
    import keras
    import numpy as np

    from models_src import config, inference, training_layers

    out, folders = Path(out), [Path(run) for run in runs]
    if len(folders) < 2:
        raise HarnessError("averaging takes two runs or more")
    if out.exists():
        raise HarnessError(f"{out}: exists already; choose another folder with --out")
    networks: list[keras.Model] = []
    for folder in folders:
        if not (folder / "best.keras").is_file() or not (folder / "config.yaml").is_file():
            raise HarnessError(f"{folder}: no best.keras and config.yaml; expected a run folder with a finished epoch")
        contract = config.contract(config.load(folder / "config.yaml"), "logit")
        networks.append(training_layers.strip(inference.load_keras(folder / "best.keras", contract)))
    weights = [network.get_weights() for network in networks]
    shapes = [[w.shape for w in each] for each in weights]
    for folder, each in zip(folders, shapes, strict=True):
        if each != shapes[0]:
            raise HarnessError(f"{folder}: another network than {folders[0]}; average runs of one architecture")
    networks[0].set_weights([np.mean(same, axis=0) for same in zip(*weights, strict=True)])
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        networks[0].save(temporary / "best.keras")
        cfg = config.load(folders[0] / "config.yaml")
        (temporary / "config.yaml").write_text(cfg.dump(), encoding="utf-8")
        (temporary / "contract.toml").write_text(config.contract(cfg, "logit").to_toml(), encoding="utf-8")
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out
